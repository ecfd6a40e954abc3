"""The float engine: runs a float network in float64, as its authors' code would, and to be read.

It is the yardstick for everything after it: with the exact neuron it reproduces the authors'
logits and every one of their spikes, and with the surrogate neuron what their evaluation prints.
"""

from __future__ import annotations

import warnings
import weakref
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from snn_deploy.engines.draws import Draws
from snn_deploy.engines.float_ops import Context, Neuron, Signal
from snn_deploy.engines.head import apply_head
from snn_deploy.engines.result import no_progress
from snn_deploy.errors import BackendError, DataError, NetworkError, SnnDeployWarning
from snn_deploy.ir.loops import delayed, groups, is_recurrent, run_loop
from snn_deploy.ir.network import Network
from snn_deploy.ir.node import Node
from snn_deploy.ir.stability import unstable_nodes
from snn_deploy.nodes.float_inputs import TokenInput
from snn_deploy.nodes.nplr_ssm import NplrSsm
from snn_deploy.nodes.ssm import DiagonalSsm, DssSsm

__all__ = ["FloatResult", "Record", "run_float"]

Record = Callable[[str, Signal], None]
"""Called with a node's name and its signal for one batch of sequences, (b, L, width)."""

# About what one batch of sequences may take; small enough for a laptop, large enough that numpy's
# overhead a step does not count.
_BATCH_BYTES = 256 * 2**20
_SPECTRA_BYTES = 1024 * 2**20  # of spectra, kept from batch to batch
# Signals of a layer that live at once: stream, input, drive, FFT work, spikes, mix.
_LIVE_SIGNALS = 12
_SURROGATE_SIGNALS = 24

_WARNED: weakref.WeakSet[Network] = weakref.WeakSet()  # data runs in batches; one warning is enough


@dataclass(frozen=True, eq=False)
class FloatResult:
    """What the float engine gives.

    Parameters
    ----------
    logits
        (B, classes) for one vector a sequence, (B, L, width) for every step, (B, K, width) for
        the last K; (B / 2, classes) where pairs of documents are compared.
    signals
        By node name, the recorded signals, (B, L, width).
    """

    logits: Signal
    signals: Mapping[str, Signal]


def run_float(
    network: Network,
    inputs: npt.ArrayLike,
    lengths: npt.ArrayLike | None = None,
    neuron: Neuron = "exact",
    record: Record | Collection[str] = (),
    progress: Callable[[float], None] = no_progress,
    draws: int | npt.NDArray[Any] = 0,
) -> FloatResult:
    """Run a float network on a batch.

    Parameters
    ----------
    network
        Of stage ``float``.
    inputs
        (B, L, d_input) numbers or (B, L) integer tokens, padded as in training; (2 B, L) for
        retrieval, first documents, then second.
    lengths
        Valid steps of each sequence, (B,), 1 … L; without them all L steps are valid.
    neuron
        ``exact`` for the LIF neuron, ``surrogate`` for the one that training used.
    record
        Names of the nodes whose signals are wanted; or a function that is called with the name and
        the signal of every node, batch by batch of sequences, and must not change it.
    progress
        Called with the share of the work done since the last call.
    draws
        For networks that spike at random: a seed, or recorded uniform numbers of shape
        (draws, B, L, width).

    Raises
    ------
    DataError
        If inputs or lengths do not fit the network.
    BackendError
        If the surrogate neuron is wanted but the network has none.
    NetworkError
        If the network is of another stage, or has no node of a recorded name.
    """
    if network.stage != "float":
        raise NetworkError(f"the float engine runs float networks, not stage '{network.stage}'")
    _warn_of_unstable(network)
    if neuron == "surrogate":
        _check_surrogate(network)
    batch = _checked_inputs(network, np.asarray(inputs))
    valid = _checked_lengths(lengths, batch)
    names = () if callable(record) else tuple(record)
    for name in names:
        network[name]
    recorded: dict[str, Signal] = {}
    answers: list[Signal] = []
    batches = list(_batches(len(batch), _batch_size(network, batch, neuron), network.pairs))
    draws = _checked_draws(draws, len(batch))
    spectra = _room_for_spectra(network, batch.shape[1]) if len(batches) > 1 else None
    for rows in batches:
        numbers = Draws(draws, rows)
        context = Context(valid[rows], neuron, spectra, numbers)
        for node, signal in _evaluate(network, batch[rows], context):
            if callable(record):
                record(node.name, signal)
            elif node.name in names:
                _store(recorded, node.name, signal, rows, len(batch))
            progress(len(rows) / len(batch) / len(network))
        answers.append(apply_head(network, _answer(network, signal, context)))
    return FloatResult(logits=np.concatenate(answers), signals=recorded)


def _warn_of_unstable(network: Network) -> None:
    """Say once a network what makes its answer hang on how long the sequences are."""
    found = list(unstable_nodes(network))
    if not found or network in _WARNED:
        return
    _WARNED.add(network)
    told = ", ".join(map(str, found[:4])) + (f" and {len(found) - 4} more" if found[4:] else "")
    warnings.warn(
        f"unstable: {told}; it runs over these sequences, which end, but no chip could run it: "
        "convert refuses it",
        SnnDeployWarning,
        stacklevel=3,
    )


def _evaluate(network: Network, inputs: Signal, context: Context) -> Iterator[tuple[Node, Signal]]:
    """Give every node with its signal, in order, and forget signals that nobody reads any more."""
    last_reader = {edge.source: node.name for node in network for edge in node.inputs}
    signals: dict[str, Signal] = {}
    for group in groups(network):
        if is_recurrent(group):
            _run_loop(group, signals, context)
        for node in group:
            if node.name not in signals:
                sources = _inputs_of(node, signals) if node.inputs else [inputs]
                signals[node.name] = node.evaluate(sources, context)  # type: ignore[attr-defined]
            yield node, signals[node.name]
        for name in {edge.source for node in group for edge in node.inputs}:
            if last_reader[name] in {node.name for node in group}:
                signals.pop(name, None)


def _run_loop(group: tuple[Node, ...], signals: dict[str, Signal], context: Context) -> None:
    """Run nodes that read each other's past, one step of all of them after another."""
    outside = {e.source for node in group for e in node.inputs} - {node.name for node in group}
    batch, steps = signals[next(iter(outside))].shape[:2]
    running = {node.name: node.start(batch, context) for node in group}  # type: ignore[attr-defined]
    run_loop(group, signals, (batch, steps), lambda node, ports, t: running[node.name](ports))


def _check_surrogate(network: Network) -> None:
    for node in network:
        if node.spikes and not hasattr(node, "surrogate"):
            raise BackendError(
                f"{node.name} ({node.kind}) has no surrogate neuron that computes something else: "
                "use the backend 'float'"
            )


def _inputs_of(node: Node, signals: Mapping[str, Signal]) -> list[Signal]:
    late = [edge for edge in node.inputs if edge.delay]
    if late:
        raise NetworkError(f"{node.name} reads {late[0]}; edges of a float network have no delay")
    return [delayed(signals[edge.source], edge.steps_back) for edge in node.inputs]


def _answer(network: Network, signal: Signal, context: Context) -> Signal:
    """Pick the answer's steps from the last node's signal."""
    if signal.ndim == 2 or network.output_steps == "all":
        return signal
    count = 1 if network.output_steps == "one" else network.output_steps
    ends = np.full(len(signal), signal.shape[1])
    if network.use_lengths or getattr(network.output, "use_lengths", False):
        ends = context.lengths
    if not count <= ends.min():
        raise DataError(
            f"the answer is the last {count} steps, but sequence {int(ends.argmin())} has only "
            f"{int(ends.min())}; give longer sequences, or convert with fewer --output-steps"
        )
    steps = ends[:, None] - count + np.arange(count)
    answer = np.take_along_axis(signal, steps[..., None], axis=1)
    return answer[:, 0] if network.output_steps == "one" else answer


def _batches(batch: int, size: int, paired: bool) -> Iterator[npt.NDArray[np.int64]]:
    """Give the rows of each batch; the two documents of a pair go together."""
    if not paired:
        for start in range(0, batch, size):
            yield np.arange(start, min(start + size, batch))
        return
    pairs = batch // 2
    for first in _batches(pairs, max(1, size // 2), paired=False):
        yield np.concatenate([first, first + pairs])


def _batch_size(network: Network, batch: Signal, neuron: Neuron) -> int:
    widest = max(node.width for node in network)
    live = _LIVE_SIGNALS + (_SURROGATE_SIGNALS if neuron == "surrogate" else 0)
    return max(1, _BATCH_BYTES // (batch.shape[1] * widest * 8 * live))


def _room_for_spectra(network: Network, steps: int) -> dict[str, npt.NDArray[np.complex128]] | None:
    """Give an empty table for the SSMs' spectra, or None if they are too large to keep."""
    channels = sum(
        node.width for node in network if isinstance(node, DiagonalSsm | DssSsm | NplrSsm)
    )
    needed = channels * 4 * steps * 8  # a spectrum holds up to four numbers a step
    return {} if needed <= _SPECTRA_BYTES else None


def _store(
    recorded: dict[str, Signal],
    name: str,
    signal: Signal,
    rows: npt.NDArray[np.int64],
    batch: int,
) -> None:
    if len(signal) != len(rows):  # a retrieval head gives one row a pair
        rows, batch = rows[: len(signal)], batch // 2
    if name not in recorded:
        recorded[name] = np.empty((batch, *signal.shape[1:]))
    recorded[name][rows] = signal


def _checked_inputs(network: Network, inputs: npt.NDArray[np.generic]) -> Signal:
    """Give the input node's signal, (B, L, width) float64."""
    source = network.input
    if isinstance(source, TokenInput):
        _check_tokens(source, inputs)
        inputs = inputs[..., None]
    elif inputs.ndim != 3 or inputs.shape[2] != source.width or inputs.dtype.kind not in "fiub":
        raise DataError(
            f"inputs have shape {inputs.shape} and type {inputs.dtype}; the network reads numbers "
            f"of shape (batch, steps, {source.width})"
        )
    if not inputs.size:
        raise DataError(f"inputs have shape {inputs.shape}: there is nothing to run")
    if network.pairs and len(inputs) % 2:
        raise DataError(
            f"inputs hold {len(inputs)} documents; the network compares pairs, so give an even "
            "number: first documents, then second"
        )
    return inputs.astype(np.float64)


def _check_tokens(source: TokenInput, inputs: npt.NDArray[np.generic]) -> None:
    if inputs.ndim != 2 or inputs.dtype.kind not in "iu":
        raise DataError(
            f"inputs have shape {inputs.shape} and type {inputs.dtype}; the network reads integer "
            "tokens of shape (batch, steps)"
        )
    tokens = inputs.astype(np.int64)
    wrong = np.argwhere((tokens < 0) | (tokens >= source.vocabulary))
    if len(wrong):
        row, step = (int(i) for i in wrong[0])
        raise DataError(
            f"inputs hold the token {inputs[row, step]} in sequence {row}, step {step}; the "
            f"network knows tokens 0 … {source.vocabulary - 1}"
        )


def _checked_draws(draws: int | npt.NDArray[Any], batch: int) -> int | Signal:
    if not isinstance(draws, np.ndarray):
        return draws
    if draws.ndim != 4 or draws.shape[1] != batch:
        raise DataError(
            f"recorded draws have shape {draws.shape}; expected (draws, {batch}, steps, width)"
        )
    return draws.astype(np.float64)


def _checked_lengths(lengths: npt.ArrayLike | None, batch: Signal) -> npt.NDArray[np.int64]:
    steps = batch.shape[1]
    if lengths is None:
        return np.full(len(batch), steps)
    given = np.asarray(lengths)
    if given.shape != (len(batch),) or given.dtype.kind not in "iu":
        raise DataError(
            f"lengths have shape {given.shape} and type {given.dtype}; expected {len(batch)} "
            "integers, one for each sequence"
        )
    wrong = np.flatnonzero((given < 1) | (given > steps))
    if len(wrong):
        raise DataError(
            f"lengths say {given[wrong[0]]} for sequence {wrong[0]}; the sequences have 1 … "
            f"{steps} steps"
        )
    return given.astype(np.int64)

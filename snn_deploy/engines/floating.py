"""The float engine: runs a float network in float64, as its authors' code would, and to be read.

It is the yardstick for everything after it: with the exact neuron it reproduces the authors'
logits and every one of their spikes, and with the surrogate neuron what their evaluation prints.
"""

from __future__ import annotations

import warnings
import weakref
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from snn_deploy.engines.draws import Draws
from snn_deploy.engines.float_checks import checked_draws, checked_inputs, checked_lengths
from snn_deploy.engines.float_ops import Context, Neuron, Signal
from snn_deploy.engines.head import apply_head
from snn_deploy.engines.result import (
    Ports,
    Record,
    Result,
    Run,
    all_outputs,
    alone,
    by_name,
    no_progress,
)
from snn_deploy.engines.session import WholeEngine, run_whole
from snn_deploy.errors import BackendError, NetworkError, SnnDeployWarning
from snn_deploy.ir.loops import delayed, groups, is_recurrent, run_loop
from snn_deploy.ir.network import Network
from snn_deploy.ir.node import Node
from snn_deploy.ir.stability import unstable_nodes
from snn_deploy.printable import some_of

__all__ = ["FloatEngine", "FloatResult", "SurrogateEngine", "run_float"]

# About what one batch of sequences may take; small enough for a laptop, large enough that numpy's
# overhead a step does not count.
_BATCH_BYTES = 256 * 2**20
_SPECTRA_BYTES = 1024 * 2**20  # of spectra, kept from batch to batch
# Signals of a layer that live at once: stream, input, drive, FFT work, spikes, mix.
_LIVE_SIGNALS = 12
_SURROGATE_SIGNALS = 24

_WARNED: weakref.WeakSet[Network] = weakref.WeakSet()  # data runs in batches; one warning is enough


class FloatEngine(WholeEngine):
    """Runs whole sequences through a float network, of several inputs and outputs too.

    Inputs are (B, L, d_input) numbers or (B, L) integer tokens, padded as in training; (2 B, L)
    for retrieval, first documents, then second. Answers and signals are float64; a node that
    compares pairs gives one row for each, and one that pools all steps has no axis of steps.

    Parameters
    ----------
    neuron
        ``exact`` for the LIF neuron, ``surrogate`` for the one that training used.
    draws
        For networks that spike at random: a seed, or recorded uniform numbers of shape
        (draws, B, L, width).
    states
        Where the largest words of state are kept, by the neuron's name: see ``Context``.
    """

    several = True

    def __init__(
        self,
        neuron: Neuron = "exact",
        draws: int | npt.NDArray[Any] = 0,
        states: dict[str, Signal] | None = None,
    ) -> None:
        self.name = "float" if neuron == "exact" else "float-surrogate"
        self.neuron: Neuron = neuron
        self.draws = draws
        self.states = states

    def compute(self, network: Network, run: Run) -> Result:
        """Run a batch, in batches that fit into memory.

        Raises
        ------
        DataError
            If inputs or lengths do not fit the network.
        BackendError
            If the surrogate neuron is wanted but the network has none.
        NetworkError
            If the network is of another stage, or has no node of a traced name.
        """
        if network.stage != "float":
            raise NetworkError(f"the float engine runs float networks, not stage '{network.stage}'")
        _warn_of_unstable(network)
        if self.neuron == "surrogate":
            _check_surrogate(network)
        given = checked_inputs(network, run.inputs)
        inputs = next(iter(given.values()))
        lengths = checked_lengths(run.lengths, inputs)
        for answer in network.outputs.values():
            answer.check_steps(lengths, inputs.shape[1], "inputs")
        traced = {network[name].name for name in run.trace}
        answers: dict[str, _Parts] = defaultdict(_Parts)
        kept: dict[str, _Parts] = defaultdict(_Parts)
        sent: dict[str, _Parts] = defaultdict(_Parts)
        batches = list(_batches(network, len(inputs), _batch_size(network, inputs, self.neuron)))
        draws = checked_draws(self.draws, len(inputs))
        spectra = _room_for_spectra(network, inputs.shape[1]) if len(batches) > 1 else None
        for rows in batches:
            drawn = Draws(draws, rows)
            context = Context(lengths[rows], self.neuron, spectra, drawn, self.states)
            for node, signal in _evaluate(network, {k: x[rows] for k, x in given.items()}, context):
                for first, part in _runs(network, rows, signal):
                    if node.spikes:
                        sent[node.name].add(first, np.count_nonzero(part, axis=1))
                    if node.name in traced and run.record:
                        run.record(node.name, first, 0, part)
                    elif node.name in traced:
                        kept[node.name].add(first, part)
                if node.name in network.outputs:
                    taken = network.outputs[node.name].take(signal, context.lengths)
                    for first, part in _runs(network, rows, taken):
                        answers[node.name].add(first, part)
                run.progress(len(rows) / len(inputs) / len(network))
        return Result(
            output=alone({name: answers[name].joined() for name in network.outputs}),
            messages={name: parts.joined() for name, parts in sent.items()},
            saturated={},
            trace={name: parts.joined() for name, parts in kept.items()},
        )


SurrogateEngine = partial(FloatEngine, "surrogate")


def run_float(
    network: Network,
    inputs: Ports,
    lengths: npt.ArrayLike | None = None,
    neuron: Neuron = "exact",
    record: Record | Collection[str] = (),
    progress: Callable[[float], None] = no_progress,
    draws: int | npt.NDArray[Any] = 0,
    states: dict[str, Signal] | None = None,
) -> FloatResult:
    """Run a float network on a batch: see :class:`FloatEngine`, also for what it raises.

    Parameters
    ----------
    network, inputs, neuron, draws, states
        See there.
    lengths
        Valid steps of each sequence, (B,), 1 … L; without them all L steps are valid.
    record
        Names of the nodes whose signals are wanted; or a function that takes those of every node,
        batch by batch of sequences, and must not change them.
    progress
        Called with the share of the work done since the last call.
    """
    given = {name: np.asarray(x) for name, x in by_name(network, inputs).items()}
    array = next(iter(given.values()))
    steps = array.shape[1] if array.ndim > 1 else 0
    valid = np.full(array.shape[:1], steps) if lengths is None else np.asarray(lengths)
    if callable(record):
        run = Run(given, valid, network.names, record, progress)
    else:
        run = Run(given, valid, tuple(record), progress=progress)
    result = run_whole(FloatEngine(neuron, draws, states), network, run)
    taken = all_outputs(network, result.output)
    logits = {name: apply_head(a, taken[name]) for name, a in network.outputs.items()}
    return FloatResult(alone(logits), result.trace)


@dataclass(frozen=True, eq=False)
class FloatResult:
    """What a float network gave.

    Parameters
    ----------
    logits
        (B, classes) for one vector a sequence, (B, L, width) for every step, (B, K, width) for
        the last K; (B / 2, classes) where pairs of documents are compared. By name where there are
        several outputs.
    signals
        By node name, the recorded signals, (B, L, width).
    """

    logits: Ports
    signals: Mapping[str, Signal]


class _Parts:
    """A signal of all sequences, in parts that come in any order."""

    def __init__(self) -> None:
        self._parts: dict[int, npt.NDArray[Any]] = {}

    def add(self, first: int, part: npt.NDArray[Any]) -> None:
        self._parts[first] = part

    def joined(self) -> npt.NDArray[Any]:
        parts = [self._parts[first] for first in sorted(self._parts)]
        return np.concatenate(parts) if len(parts) > 1 else parts[0]


def _warn_of_unstable(network: Network) -> None:
    """Say once a network what makes its answer hang on how long the sequences are."""
    found = list(unstable_nodes(network))
    if not found or network in _WARNED:
        return
    _WARNED.add(network)
    told = some_of(map(str, found), 4)
    warnings.warn(
        f"unstable: {told}; it runs over these sequences, which end, but no chip could run it: "
        "convert refuses it",
        SnnDeployWarning,
        stacklevel=6,  # who called run_float
    )


def _evaluate(
    network: Network, inputs: Mapping[str, Signal], context: Context
) -> Iterator[tuple[Node, Signal]]:
    """Give every node with its signal, in order, and forget signals that nobody reads any more."""
    last_reader = {edge.source: node.name for node in network for edge in node.inputs}
    signals: dict[str, Signal] = {}
    for group in groups(network):
        if is_recurrent(group):
            _run_loop(group, signals, context)
        for node in group:
            if node.name not in signals:
                sources = _inputs_of(node, signals) if node.inputs else [inputs[node.name]]
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
        if node.spikes and not node.has_surrogate:  # type: ignore[attr-defined]  # float stage
            raise BackendError(
                f"{node.name} ({node.kind}) has no surrogate neuron that computes something else: "
                "use the backend 'float'"
            )


def _inputs_of(node: Node, signals: Mapping[str, Signal]) -> list[Signal]:
    late = [edge for edge in node.inputs if edge.delay]
    if late:
        raise NetworkError(f"{node.name} reads {late[0]}; edges of a float network have no delay")
    return [delayed(signals[edge.source], edge.steps_back) for edge in node.inputs]


def _batches(network: Network, batch: int, size: int) -> Iterator[npt.NDArray[np.int64]]:
    """Give the rows of each batch; the two documents of a pair go together."""
    answers, size = (batch // 2, max(1, size // 2)) if network.pairs else (batch, size)
    for start in range(0, answers, size):
        first = np.arange(start, min(start + size, answers))
        yield np.concatenate([first, first + answers]) if network.pairs else first


def _runs(
    network: Network, rows: npt.NDArray[np.int64], signal: Signal
) -> Iterator[tuple[int, Signal]]:
    """Give what a batch holds of sequences in a row, by the first: one part, or two of pairs."""
    size = len(rows) // 2 if network.pairs else len(rows)
    for start in range(0, len(signal), size):
        yield int(rows[start]), signal[start : start + size]


def _batch_size(network: Network, batch: Signal, neuron: Neuron) -> int:
    widest = max(node.width for node in network)
    live = _LIVE_SIGNALS + (_SURROGATE_SIGNALS if neuron == "surrogate" else 0)
    return max(1, _BATCH_BYTES // (batch.shape[1] * widest * 8 * live))


def _room_for_spectra(network: Network, steps: int) -> dict[str, npt.NDArray[np.complex128]] | None:
    """Give an empty table for the SSMs' spectra, or None if they are too large to keep."""
    nodes: Iterable[Any] = network
    channels = sum(node.width for node in nodes if node.convolves)
    needed = channels * 4 * steps * 8  # a spectrum holds up to four numbers a step
    return {} if needed <= _SPECTRA_BYTES else None

"""Running a deployed network on an engine, batch by batch of sequences."""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from snn_deploy.data.inputs import Data
from snn_deploy.engines.registry import Engine
from snn_deploy.engines.result import (
    IntArray,
    Ports,
    Record,
    Result,
    Run,
    Values,
    all_outputs,
    alone,
    by_name,
)
from snn_deploy.engines.session import run_whole
from snn_deploy.errors import ConfigError, SnnDeployWarning
from snn_deploy.ir.network import Network
from snn_deploy.run.answers import Answers, decode, joined_outputs, output_format

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

__all__ = [
    "Batch",
    "Progress",
    "Simulation",
    "batch_size",
    "check_traced",
    "encode",
    "encode_inputs",
    "run_batches",
    "simulate",
    "spike_counts",
    "warn_of_clipped",
]

Progress = Callable[[float], None]
"""Called with the part of the work done since the last call, in sequences."""

BATCH_BYTES = 512 * 2**20


@dataclass(frozen=True, repr=False, kw_only=True)
class Simulation(Answers):
    """What a deployed network answered, and did meanwhile.

    Parameters
    ----------
    network, answers, labels, targets
        As in :class:`~snn_deploy.run.answers.Answers`.
    spike_counts
        By layer name, e.g. ``layers.0``: spikes of each neuron in each sequence, (B, d).
    messages, saturated, trace
        As in :class:`~snn_deploy.engines.result.Result`, over all sequences.
    """

    spike_counts: Mapping[str, IntArray]
    messages: Mapping[str, IntArray]
    saturated: Mapping[str, int]
    trace: Mapping[str, IntArray]

    def __repr__(self) -> str:
        from snn_deploy.summaries import simulation_summary

        return simulation_summary(self)

    def _repr_html_(self) -> str:
        from snn_deploy.page.notebook import simulation_html

        return simulation_html(self)

    def to_pandas(self) -> pd.DataFrame:
        """Give a row a sequence: what was answered, what is right, and spikes by layer."""
        from snn_deploy.frames import simulation_frame

        return simulation_frame(self)

    def plot_raster(
        self, soma: str | None = None, sequence: int = 0, axes: Axes | None = None
    ) -> Axes:
        """Draw the spikes of a traced soma; see :mod:`snn_deploy.plots`."""
        from snn_deploy.plots import plot_raster

        return plot_raster(self, soma, sequence, axes)

    @classmethod
    def of(cls, network: Network, result: Result, data: Data | None = None) -> Simulation:
        """Read an engine's result; ``data`` knows what is right."""
        return cls(
            network=network,
            answers=decode(network, all_outputs(network, result.output)),
            labels=None if data is None else data.labels,
            targets=None if data is None else data.targets,
            spike_counts=spike_counts(network, result.messages),
            messages=result.messages,
            saturated=result.saturated,
            trace=result.trace,
        )


def simulate(
    network: Network,
    data: Data,
    engine: Engine,
    trace: Collection[str] = (),
    progress: Progress | None = None,
    record: Record | None = None,
) -> Simulation:
    """Run all of ``data`` through a lowered network, or a float one on the float engine.

    With ``record``, traced signals go there, part by part, and not into the result.

    Raises
    ------
    ConfigError
        If ``trace`` names a node that is not there.
    """
    batches = list(run_batches(network, data, engine, trace, progress, record=record))
    results = [batch.result for batch in batches]
    clipped, saturated = Counter[str](), Counter[str]()
    for batch in batches:
        clipped.update(batch.clipped)
        saturated.update(batch.result.saturated)
    if clipped.total():  # an answer to clipped data is no answer
        warn_of_clipped(network, clipped.total(), data.inputs.size, stacklevel=4)
    joined = Result(
        alone(joined_outputs(network, [result.output for result in results])),
        _joined([result.messages for result in results]),
        {**saturated, **clipped},
        _joined([result.trace for result in results]),
    )
    return Simulation.of(network, joined, data)


def spike_counts(network: Network, messages: Mapping[str, IntArray]) -> dict[str, IntArray]:
    """Pick the somas' messages, by layer."""
    return {soma.name.removesuffix(".lif"): messages[soma.name] for soma in network.spiking}


def warn_of_clipped(network: Network, clipped: int, values: int, stacklevel: int) -> None:
    """Warn that so many of so many input values were clipped."""
    formats = [(output_format(network, name), node.width) for name, node in network.inputs.items()]
    every = np.concatenate([form.decode(np.full(width, form.limit)) for form, width in formats])
    least, most = every.min(), every.max()
    reach = f"±{most:.4g}" if least == most else f"±{least:.4g} … ±{most:.4g}, by channel"
    warnings.warn(
        f"{clipped:,} of {values:,} input values lie outside {reach}, the range "
        "that calibration saw, and were clipped; scale the data as in training, or convert "
        "again with calibration data that covers it",
        SnnDeployWarning,
        stacklevel=stacklevel,
    )


@dataclass(frozen=True)
class Batch:
    """Some of the sequences, run at once.

    Parameters
    ----------
    rows
        Which.
    result
        What the engine gave for them.
    clipped
        By input: how many of their values were beyond its format.
    """

    rows: slice
    result: Result
    clipped: Mapping[str, int]

    def answer(self, network: Network) -> Values:
        """Give the integers of the answer, of several the first."""
        return all_outputs(network, self.result.output)[network.output.name]


def run_batches(
    network: Network,
    data: Data,
    engine: Engine,
    trace: Collection[str] = (),
    progress: Progress | None = None,
    batch: int | None = None,
    record: Record | None = None,
) -> Iterator[Batch]:
    """Run ``data`` in batches of sequences that keep memory bounded; give each as it is done."""
    check_traced(network, trace)
    size = batch or batch_size(network, data, () if record else trace)
    for start in range(0, len(data), size):
        rows = slice(start, min(start + size, len(data)))
        count = rows.stop - rows.start
        inputs, clipped = encode(network, data.inputs[rows])
        run = Run(
            inputs=inputs,
            lengths=data.lengths[rows],
            trace=tuple(trace),
            record=None if record is None else _from_sample(record, start),
            progress=_scaled(progress, count),
        )
        yield Batch(rows, run_whole(engine, network, run), clipped)


def check_traced(network: Network, trace: Collection[str]) -> None:
    """Refuse names of nodes that are not there.

    Raises
    ------
    ConfigError
        Naming the first of them.
    """
    for name in trace:
        if name not in network.names:
            raise ConfigError(f"no node '{name}' to trace; there are: {', '.join(network.names)}")


def _from_sample(record: Record, start: int) -> Record:
    """Count samples from the first batch's, not from each batch's own."""
    return lambda name, sample, step, part: record(name, start + sample, step, part)


def _scaled(progress: Progress | None, sequences: int) -> Progress:
    """Turn parts of a batch into sequences."""
    if progress is None:
        return lambda part: None
    return lambda part: progress(part * sequences)


def batch_size(network: Network, data: Data, trace: Collection[str]) -> int:
    """Choose how many sequences to run at once: 256 where their signals fit into memory.

    The float engine takes all: it cuts them itself, pairs kept together.
    """
    if network.stage == "float":
        return len(data)
    wanted = trace or network.outputs
    width = max(node.width for node in network) * 4 + sum(network[name].width for name in wanted)
    return int(np.clip(BATCH_BYTES // (data.inputs.shape[1] * width * 8), 1, 256))


def encode_inputs(network: Network, data: Data) -> Ports:
    """Round inputs to the mantissas of the network's input node, (B, L, d_input)."""
    return encode(network, data.inputs)[0]


def encode(network: Network, inputs: npt.NDArray[Any]) -> tuple[Ports, dict[str, int]]:
    """Round inputs, and count those out of range, by input; tokens (B, L) are what they are."""
    if network.stage == "float":
        return inputs, dict.fromkeys(network.inputs, 0)
    if inputs.ndim == 2:
        return inputs.astype(np.int64)[..., None], {network.input.name: 0}
    mantissas, beyond = {}, {}
    for name, values in by_name(network, inputs).items():
        mantissas[name], beyond[name] = output_format(network, name).encode(values)
    return alone(mantissas), beyond


def _joined(parts: list[Mapping[str, Values]]) -> dict[str, Values]:
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}

"""Do all engines give the same bits? If not: the first node, neuron and step that differ.

:class:`Verification` holds the answer, and how the network compares with the float one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from snn_deploy.data.inputs import Data
from snn_deploy.engines.registry import Engine
from snn_deploy.engines.result import IntArray, Result, all_outputs
from snn_deploy.errors import ConfigError
from snn_deploy.ir.network import Network
from snn_deploy.run.simulation import Progress, batch_size, run_batches

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

    from snn_deploy.compare.accuracy import AccuracyComparison
    from snn_deploy.compare.ensemble import EnsembleComparison

__all__ = ["Divergence", "EngineComparison", "Verification", "compare_engines", "first_divergence"]


@dataclass(frozen=True)
class Divergence:
    """The first place where two engines differ.

    Parameters
    ----------
    node
        Whose figure it is; for an ``answer``, the output.
    sequence, step, neuron
        Where; None where the figure is a sum over them. An answer's step counts its own rows.
    values
        What the two engines gave.
    figure
        What differs: a ``signal``, else a count of ``messages``, else the ``answer``, else the
        count of ``saturated`` values.
    """

    node: str
    sequence: int | None
    step: int | None
    neuron: int | None
    values: tuple[int, int]
    figure: Literal["signal", "messages", "answer", "saturated"] = "signal"

    def __str__(self) -> str:
        kind = "" if self.figure == "signal" else f" ({self.figure})"
        told = [f"node {self.node}{kind}"]
        told += [] if self.neuron is None else [f"neuron {self.neuron}"]
        told += [] if self.step is None else [f"step {self.step}"]
        where = "" if self.sequence is None else f" of sequence {self.sequence}"
        return ", ".join(told) + where


@dataclass(frozen=True)
class EngineComparison:
    """Two engines on the same data: every output of every node at every step, and all counts.

    ``values`` counts the integers of the signals that were compared; ``divergence`` is None when
    all are equal.
    """

    engines: tuple[str, str]
    sequences: int
    steps: int
    nodes: int
    values: int = 0
    divergence: Divergence | None = None

    @property
    def passed(self) -> bool:
        """Whether every value was equal."""
        return self.divergence is None

    def __str__(self) -> str:
        first, second = self.engines
        d = self.divergence
        if d is None:
            scope = f"{self.sequences} sequences × {self.steps} steps × {self.nodes} nodes"
            return f"{first} = {second}: {self.values:,} values equal ({scope})"
        return (
            f"{first} ≠ {second}: first divergence at {d}: "
            f"{first} {d.values[0]}, {second} {d.values[1]}"
        )

    def to_json(self) -> dict[str, Any]:
        """Give plain data for ``verify --json``."""
        return {**asdict(self), "passed": self.passed}


@dataclass(frozen=True, repr=False)
class Verification:
    """Outcome of :meth:`~snn_deploy.Deployment.verify`."""

    engines: list[EngineComparison]
    accuracy: AccuracyComparison | None
    ensemble: EnsembleComparison | None = None

    def __repr__(self) -> str:
        from snn_deploy.summaries import verification_summary

        return verification_summary(self)

    def _repr_html_(self) -> str:
        from snn_deploy.page.notebook import verification_html

        return verification_html(self)

    def to_pandas(self) -> pd.DataFrame:
        """Give a row a signal: its errors against the float network.

        Raises
        ------
        ConfigError
            If there was no float network to compare with.
        """
        from snn_deploy.frames import signals_frame

        return signals_frame(self._compared())

    def plot_errors(self, axes: Axes | None = None) -> Axes:
        """Draw where error enters, signal by signal; see :mod:`snn_deploy.plots`."""
        from snn_deploy.plots import plot_errors

        return plot_errors(self._compared(), axes)

    def _compared(self) -> AccuracyComparison:
        if self.accuracy is None:
            raise ConfigError("errors need a float network: verify(…, against=checkpoint)")
        return self.accuracy

    @property
    def passed(self) -> bool:
        """Whether every engine gave the same integers, and means over seeds are float's."""
        means = self.ensemble is None or self.ensemble.passed
        return means and all(comparison.passed for comparison in self.engines)

    def to_json(self) -> dict[str, Any]:
        """Give plain data for ``verify --json``."""
        return {
            "passed": self.passed,
            "engines": [comparison.to_json() for comparison in self.engines],
            "accuracy": None if self.accuracy is None else self.accuracy.to_json(),
            "ensemble": None if self.ensemble is None else self.ensemble.to_json(),
        }


def compare_engines(
    network: Network, data: Data, engines: Sequence[Engine], progress: Progress | None = None
) -> list[EngineComparison]:
    """Run every engine with every node traced, and compare each with the first.

    Each engine runs all of ``data`` once; ``progress`` counts sequences, each once an engine.
    """
    batch = batch_size(network, data, network.names)
    runs = [run_batches(network, data, e, network.names, progress, batch) for e in engines]
    steps = data.inputs.shape[1]
    comparisons = [
        EngineComparison((engines[0].name, other.name), len(data), steps, len(network))
        for other in engines[1:]
    ]
    for batches in zip(*runs, strict=True):
        start, base = batches[0].rows.start, batches[0].result
        values = sum(signal.size for signal in base.trace.values())
        for i, other in enumerate(batch.result for batch in batches[1:]):
            so_far = comparisons[i]
            found = so_far.divergence or first_divergence(network, base, other, start)
            comparisons[i] = replace(so_far, values=so_far.values + values, divergence=found)
    return comparisons


def first_divergence(
    network: Network, first: Result, second: Result, start: int = 0
) -> Divergence | None:
    """Find where two results, every node traced, differ first; None if nowhere.

    In the network's order, then by step. A node whose clipped values an engine does not count is
    not compared by them. ``start`` is the number of the first sequence.
    """
    for name in network.names:
        place = _first_place(first.trace[name], second.trace[name])
        if place is not None:
            (sequence, step, neuron), values = place
            return Divergence(name, start + sequence, step, neuron, values)
    for name, counts in first.messages.items():
        place = _first_place(counts, second.messages[name])
        if place is not None:
            (sequence, neuron), values = place
            return Divergence(name, start + sequence, None, neuron, values, "messages")
    others = all_outputs(network, second.output)
    for name, taken in all_outputs(network, first.output).items():
        place = _first_place(taken, others[name])
        if place is not None:
            (sequence, *rows, neuron), values = place
            row = rows[0] if rows else None
            return Divergence(name, start + sequence, row, neuron, values, "answer")
    for name in first.saturated.keys() & second.saturated.keys():
        values = first.saturated[name], second.saturated[name]
        if values[0] != values[1]:
            return Divergence(name, None, None, None, values, "saturated")
    return None


def _first_place(first: IntArray, second: IntArray) -> tuple[list[int], tuple[int, int]] | None:
    """Find the index at which two arrays (B, …, width) differ first, by step, and both values."""
    positions = np.argwhere(first != second)
    if not len(positions):
        return None
    at = positions[positions[:, 1].argmin()] if first.ndim > 2 else positions[0]
    index = tuple(int(i) for i in at)
    return list(index), (int(first[index]), int(second[index]))

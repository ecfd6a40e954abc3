"""Everything that the report page shows: the cost report, and what single sequences looked like.

One run over all data gives the report, the answers, and how many messages each step sent. A second
run over a few sequences traces every process, to set each signal's range beside its format.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from snn_deploy.data.inputs import Data
from snn_deploy.engines.registry import Engine, get_engine
from snn_deploy.engines.result import IntArray, Result, all_outputs
from snn_deploy.ir.bounds import bound_network
from snn_deploy.ir.loops import delayed
from snn_deploy.ir.network import Network
from snn_deploy.ir.program_step import ProgramStep, run_program
from snn_deploy.nodes.base import Place
from snn_deploy.reports.deployed import report_deployment
from snn_deploy.run.answers import Answers
from snn_deploy.run.simulation import Progress, run_batches

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from snn_deploy.compare.accuracy import AccuracyComparison
    from snn_deploy.deployment import Deployment
    from snn_deploy.reports.report import Report

__all__ = ["PageData", "Signal", "gather_page", "observe_signals"]

SAMPLE_BYTES = 256 * 2**20
SAMPLE_SEQUENCES = 8
USUAL = 99.0  # percentile of a signal's magnitudes

Shares = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Signal:
    """One quantity of one process beside the width that holds it; magnitudes of mantissas.

    Parameters
    ----------
    node, quantity
        Whose, and what: ``output``, ``sum``, ``state``, ``value``, ``membrane``, …
    limit
        The largest that fits.
    usual, largest
        99th percentile and maximum on the sample; None where the quantity is not traced.
    worst
        The largest for any input, as proven; infinite where it grows with the sequence; None where
        the host limits it.
    """

    node: str
    quantity: str
    limit: int
    usual: float | None
    largest: int | None
    worst: float | None


@dataclass(frozen=True, repr=False)
class PageData:
    """What is on the report page.

    Parameters
    ----------
    name, data_name
        What the deployment and the data are called: their files' names.
    deployment, report
        The network, and what it costs.
    sequences, steps
        How many sequences ran, and how long each is.
    answers, paired
        What the network answered; whether pairs of sequences have one answer each.
    labelled, correct
        How many answers have a label, one a sequence or one a pair of them; and how many of those
        were right: None without labels, and for answers of several steps.
    by_step
        By node that sends messages: the share of its channels that sent at each step, (L,), over
        all sequences.
    signals
        Ranges on the first ``sampled`` sequences.
    spikes
        By soma: spikes of the first sequence, (L, width).
    comparison
        With the float network, if there was one to compare with.
    """

    name: str
    data_name: str
    deployment: Deployment
    report: Report
    sequences: int
    steps: int
    answers: Answers
    paired: bool
    labelled: int
    correct: int | None
    by_step: dict[str, Shares]
    signals: tuple[Signal, ...]
    spikes: dict[str, npt.NDArray[np.bool_]]
    sampled: int
    comparison: AccuracyComparison | None

    @property
    def network(self) -> Network:
        """The lowered network."""
        return self.deployment.network

    def __repr__(self) -> str:
        return f"<Report page of {self.name} on {self.data_name}: .save(path), .plot_ranges()>"

    def _repr_html_(self) -> str:
        from snn_deploy.page.notebook import framed

        return framed(self.html(), 900)

    def html(self) -> str:
        """Give the whole page as text, to be written as UTF-8; it loads nothing from elsewhere."""
        from snn_deploy.page.html import render_page

        return render_page(self)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the page.

        Raises
        ------
        OutputError
            If it cannot be written; nothing is left behind then.
        """
        from snn_deploy.io.files import atomic_write

        with atomic_write(path) as file:
            file.write(self.html().encode("utf-8", "replace"))

    def plot_ranges(self, axes: Axes | None = None) -> Axes:
        """Draw each signal's range beside its format; see :mod:`snn_deploy.plots`."""
        from snn_deploy.plots import plot_ranges

        return plot_ranges(self.signals, axes)


def gather_page(
    deployment: Deployment,
    data: Data,
    engine: Engine | None = None,
    *,
    name: str = "deployment",
    data_name: str = "data",
    comparison: AccuracyComparison | None = None,
    progress: Progress | None = None,
) -> PageData:
    """Run a deployment on data and gather what the page shows.

    Parameters
    ----------
    engine
        That runs it, by default the native one.
    comparison
        With the float network, as :meth:`Deployment.verify` gives it for the same data.
    progress
        Called with how many sequences were done since the last call.

    Raises
    ------
    TargetError
        As :func:`report_deployment` does.
    """
    engine = engine or get_engine("native")
    gathering = _Gathering(deployment.network)
    report = report_deployment(deployment, data, engine, watch=gathering.add, progress=progress)
    answers = report.answers
    assert answers is not None  # of a run
    confusion = answers.confusion
    right = sum(number for (label, told), number in confusion.items() if label == told)
    signals, spikes, sampled = observe_signals(deployment.network, data, engine)
    return PageData(
        name=name,
        data_name=data_name,
        deployment=deployment,
        report=report,
        sequences=len(data),
        steps=int(data.inputs.shape[1]),
        answers=answers,
        paired=data.pairs,
        labelled=sum(confusion.values()),
        correct=right if confusion else None,
        by_step=gathering.by_step(),
        signals=signals,
        spikes=spikes,
        sampled=sampled,
        comparison=comparison,
    )


@dataclass
class _Gathering:
    """Sums over batches of sequences, each seen once."""

    network: Network
    sequences: int = 0
    sent: dict[str, IntArray] = field(default_factory=dict)

    def add(self, result: Result) -> None:
        self.sequences += len(all_outputs(self.network, result.output)[self.network.output.name])
        for name, signal in result.trace.items():
            self.sent[name] = self.sent.get(name, 0) + np.count_nonzero(signal, axis=(0, 2))

    def by_step(self) -> dict[str, Shares]:
        return {
            node.name: self.sent[node.name] / (self.sequences * node.width)
            for node in self.network
            if node.name in self.sent
        }


@dataclass(frozen=True)
class _Range:
    usual: float
    largest: int

    @classmethod
    def of(cls, signal: IntArray) -> _Range:
        magnitude = np.abs(signal)
        return cls(float(np.percentile(magnitude, USUAL)), int(magnitude.max(initial=0)))


def observe_signals(
    network: Network, data: Data, engine: Engine
) -> tuple[tuple[Signal, ...], dict[str, npt.NDArray[np.bool_]], int]:
    """Trace the first few sequences: ranges of all signals, the spikes of the first sequence, and
    how many sequences those were.
    """
    seen: dict[tuple[str, str], _Range] = {}
    spikes: dict[str, npt.NDArray[np.bool_]] = {}
    steps = int(data.inputs.shape[1])
    room = SAMPLE_BYTES // (8 * steps)  # channels of one sequence
    count = int(np.clip(room // sum(node.width for node in network), 1, SAMPLE_SEQUENCES))
    sample = data[:count]
    for group in _groups(network, room // count):
        (done,) = run_batches(network, sample, engine, group, batch=count)
        for name in group:
            _observe(network[name], network, done.result, sample.lengths, seen, spikes)
    return tuple(_signals(network, seen)), spikes, len(sample)


def _groups(network: Network, room: int) -> Iterator[list[str]]:
    """Split the nodes into runs that ``room`` channels hold; a soma's are with what it reads."""
    group: list[str] = []
    used = 0
    for node in network:
        wanted = [source.name for source in network.sources(node)]
        wanted = [*(wanted if node.spikes else ()), node.name]
        width = sum(network[name].width for name in wanted)
        if group and used + width > room:
            yield group
            group, used = [], 0
        group += [name for name in wanted if name not in group]
        used += width
    if group:
        yield group


def _observe(
    node: Any,
    network: Network,
    result: Result,
    lengths: IntArray,
    seen: dict[tuple[str, str], _Range],
    spikes: dict[str, npt.NDArray[np.bool_]],
) -> None:
    signal = result.trace[node.name]
    if node.spikes:
        for quantity, values in _inside(node, network, result, lengths).items():
            seen[node.name, quantity] = _Range.of(np.concatenate([x.ravel() for x in values]))
        spikes[node.name] = signal[0] != 0
    else:
        quantity = "sum" if node.synaptic else "output"
        seen[node.name, quantity] = _Range.of(signal)


def _inside(
    node: Any, network: Network, result: Result, lengths: IntArray
) -> dict[str, list[IntArray]]:
    """Run a neuron's program again on what it read; give what it clips inside, name by name."""
    sources = [delayed(result.trace[edge.source], edge.steps_back) for edge in node.inputs]
    batch, steps = sources[0].shape[:2]
    found: dict[str, list[IntArray]] = {}
    step = ProgramStep(node.program, batch, lambda name, x: found.setdefault(name, []).append(x))
    clock = node.clock(Place(lengths, steps), steps)
    run_program(node.program, sources, clock, node.runs_backwards, step)
    return found


def _signals(network: Network, seen: dict[tuple[str, str], _Range]) -> Iterator[Signal]:
    for name, bound in bound_network(network).items():
        node: Any = network[name]
        if not bound.limits and not node.inputs:
            yield _signal(name, "output", node.output.limit, seen, None)
        for quantity, limit in _in_order(bound.limits.items()):
            if quantity == "product":
                continue  # what a multiplier holds within an operation is nobody's signal
            worst = float(np.max(bound.reached[quantity], initial=0.0))
            yield _signal(name, quantity, limit, seen, worst)


def _in_order(limits: Any) -> Sequence[tuple[str, int]]:
    """What a process holds inside comes before what it gives."""
    return sorted(limits, key=lambda item: item[0] == "output")


def _signal(
    name: str,
    quantity: str,
    limit: int,
    seen: dict[tuple[str, str], _Range],
    worst: float | None,
) -> Signal:
    observed = seen.get((name, quantity))
    if observed is None:
        return Signal(name, quantity, limit, None, None, worst)
    return Signal(name, quantity, limit, observed.usual, observed.largest, worst)

"""The cost report of one deployment on one target, measured on real data.

Activity is exact: integers that the simulation counted. Energies and times are those integers times
a profile's constants, which are uncertain; every such figure is a range, and says how well its
constants are known. ``docs/report.md`` documents the JSON form.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from snn_deploy.ir.host import chip_part
from snn_deploy.ir.network import Network
from snn_deploy.mapping.check import find_notices
from snn_deploy.mapping.cost import Lowering, Memory, NodeCost, cost_network
from snn_deploy.mapping.host import HostWork, host_work
from snn_deploy.mapping.placement import Objective, Placement, place_network
from snn_deploy.mapping.profile import Profile
from snn_deploy.mapping.stages import buffered_signals
from snn_deploy.reports.activity import Activity, Counted, gather_activity
from snn_deploy.reports.energy import (
    EnergyItem,
    Range,
    add_ranges,
    dynamic_energy,
    static_energy,
)
from snn_deploy.reports.events import Events, count_events
from snn_deploy.reports.lowerings import LoweringCost, compare_lowerings
from snn_deploy.reports.paper import PaperCount, count_as_papers_do
from snn_deploy.reports.rounding import DendriteRounding, dendrite_rounding
from snn_deploy.reports.saturation import Saturation, judge_saturation
from snn_deploy.reports.sensitivity import Influence, find_influences
from snn_deploy.reports.timing import Timing, estimate_time

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

    from snn_deploy.run.answers import Answers

__all__ = ["REPORT_SCHEMA", "LayerReport", "Report", "build_report", "layer_of"]

REPORT_SCHEMA = 1


@dataclass(frozen=True)
class LayerReport:
    """One layer's cost, or the whole network's.

    Parameters
    ----------
    name, nodes
        The layer and its processes.
    neurons, compartments, synapses, nonzero_synapses
        A compartment is real: a complex mode has two.
    memory
        Bits by what they hold.
    cores
        How many hold a part of it; a core may hold parts of two layers. None without cores.
    spike_rate
        Spikes a soma and step; None without somas.
    activation_sparsity
        The share of possible messages into synapses that were not sent; None without.
    connection_sparsity
        The share of synapses that are zero; None without synapses.
    silent_neurons, always_firing_neurons
        Somas that spiked at no step of the data, at every step.
    events
        Counts over all sequences.
    energy
        Dynamic energy of all sequences, by kind of event.
    """

    name: str
    nodes: tuple[str, ...]
    neurons: int
    compartments: int
    synapses: int
    nonzero_synapses: int
    memory: Memory
    cores: int | None
    spike_rate: float | None
    activation_sparsity: float | None
    connection_sparsity: float | None
    silent_neurons: int
    always_firing_neurons: int
    events: Events
    energy: tuple[EnergyItem, ...]

    @property
    def dynamic_j(self) -> Range:
        """Dynamic energy of all sequences, joules."""
        return add_ranges(item.energy_j for item in self.energy)


@dataclass(frozen=True, repr=False)
class Report:
    """The whole report; see :class:`LayerReport` for ``layers`` and ``total``.

    Parameters
    ----------
    profile
        The target.
    activity
        What was counted, on which data.
    placement
        None where the target has no cores.
    timing, static
        None where the target has no such constants; ``static`` is one sequence's.
    influences
        What each constant does to the answer, the largest first; empty without times.
    paper
        Energy as papers count it, of all sequences; only where the target prices arithmetic alone.
    lowerings
        Both ways to lower dendrites; empty without dendrites or cores.
    saturation
        For each node that clips.
    rounding
        How the coefficients of dendrites were rounded.
    buffer_bytes
        Outside the neurons, for layers that run backwards over a sequence.
    host
        What the host computes beside encoding.
    notes
        What a reader must know before quoting a figure.
    answers
        What the network answered, and how right that was; None where the report is of counts alone.
    """

    profile: Profile
    activity: Activity
    placement: Placement | None
    layers: tuple[LayerReport, ...]
    total: LayerReport
    timing: Timing | None
    static: EnergyItem | None
    influences: tuple[Influence, ...]
    paper: PaperCount | None
    lowerings: tuple[LoweringCost, ...]
    saturation: tuple[Saturation, ...]
    rounding: DendriteRounding
    buffer_bytes: int
    host: tuple[HostWork, ...]
    notes: tuple[str, ...]
    answers: Answers | None = None

    def __repr__(self) -> str:
        from snn_deploy.summaries import report_summary

        return report_summary(self)

    def __str__(self) -> str:
        from snn_deploy.summaries import report_text

        return report_text(self)

    def _repr_html_(self) -> str:
        from snn_deploy.page.notebook import brief_report, framed

        return framed(brief_report(self))

    def to_pandas(self) -> pd.DataFrame:
        """Give a row a layer, and the total; energies are of one sequence, in joules."""
        from snn_deploy.frames import report_frame

        return report_frame(self)

    def plot_energy(self, axes: Axes | None = None) -> Axes:
        """Draw each layer's dynamic energy by kind; see :mod:`snn_deploy.plots`."""
        from snn_deploy.plots import plot_energy

        return plot_energy(self, axes)

    def plot_placement(self, chip: int = 0, axes: Axes | None = None) -> Axes:
        """Draw a chip's cores in their places; see :mod:`snn_deploy.plots`."""
        from snn_deploy.plots import plot_placement

        return plot_placement(self, chip, axes)

    @property
    def dynamic_j(self) -> Range:
        """Dynamic energy of one sequence, joules."""
        return self.total.dynamic_j * (1.0 / self.activity.sequences)

    @property
    def total_j(self) -> Range | None:
        """Dynamic and static energy of one sequence, joules; None without static constants."""
        return None if self.static is None else self.dynamic_j + self.static.energy_j

    @property
    def known(self) -> tuple[str, ...]:
        """How well the constants in the energies are known: all kinds that were added up."""
        items = (*self.total.energy, *((self.static,) if self.static else ()))
        return tuple(sorted({item.known for item in items}))

    def to_json(self) -> dict[str, Any]:
        """Give the report as plain data, schema version 1 of ``docs/report.md``."""
        from snn_deploy.reports.json_form import report_to_json

        return report_to_json(self)


def layer_of(node: str) -> str:
    """Name the layer that a node belongs to: ``layers.3.mix.synapses`` is of ``layers.3``."""
    parts = node.split(".")
    return ".".join(parts[:2]) if parts[0] == "layers" and len(parts) > 1 else parts[0]


def build_report(
    network: Network,
    profile: Profile,
    results: Iterable[Counted],
    steps_per_sequence: int,
    *,
    objective: Objective = "time",
    lowering: Lowering | None = None,
    compare: bool = True,
) -> Report:
    """Build the report of a lowered network on a target, from simulations of it.

    Parameters
    ----------
    network
        As the engine ran it.
    profile
        The target; ``check_target`` is the caller's business.
    results
        One or more batches, read once. With the trace of all ``activity.message_sources`` every
        message is counted and every step timed; without, some are bounded and steps averaged.
    steps_per_sequence
        Steps of every sequence, padding included.
    objective, lowering
        See :func:`~snn_deploy.mapping.placement.place_network`.
    compare
        Whether to place the network in both lowerings, for ``Report.lowerings``, too.

    Raises
    ------
    TargetError
        If the network does not fit into the target.
    DataError
        If there is no sequence.
    """
    activity = gather_activity(network, results, steps_per_sequence)
    chip = chip_part(network)
    placement = place_network(chip, profile, objective=objective, lowering=lowering)
    context = _Context(
        network=chip,
        profile=profile,
        activity=activity,
        placement=placement,
        costs=cost_network(chip, placement.lowering),
        events=count_events(chip, placement, profile, activity),
    )
    names: dict[str, list[str]] = {}
    for node in chip:
        names.setdefault(layer_of(node.name), []).append(node.name)
    layers = tuple(context.layer(name, nodes) for name, nodes in names.items())
    total = context.layer("total", list(chip.names))
    timing, static, influences = _estimate(context, total)
    return Report(
        profile=profile,
        activity=activity,
        placement=placement if profile.cores is not None else None,
        layers=layers,
        total=total,
        timing=timing,
        static=static,
        influences=influences,
        paper=count_as_papers_do(chip, context.events, activity.total_steps, profile),
        lowerings=compare_lowerings(chip, profile, activity, objective) if compare else (),
        saturation=judge_saturation(network, activity.saturated),
        rounding=dendrite_rounding(network),
        buffer_bytes=_buffer_bytes(chip, steps_per_sequence),
        host=host_work(network),
        notes=_notes(network, profile, activity),
    )


@dataclass(frozen=True)
class _Context:
    """All that a layer's figures are taken from."""

    network: Network
    profile: Profile
    activity: Activity
    placement: Placement
    costs: dict[str, NodeCost]
    events: dict[str, Events]

    def layer(self, name: str, nodes: list[str]) -> LayerReport:
        costs = [self.costs[node] for node in nodes]
        synapses = sum(cost.synapses for cost in costs)
        nonzero = sum(cost.nonzero_synapses for cost in costs)
        somas = [node for node in nodes if self.network[node].spikes]
        events = sum((self.events[node] for node in nodes), Events())
        return LayerReport(
            name=name,
            nodes=tuple(nodes),
            neurons=sum(cost.neurons * cost.channels for cost in costs),
            compartments=sum(cost.compartments * cost.channels for cost in costs),
            synapses=synapses,
            nonzero_synapses=nonzero,
            memory=sum((cost.total for cost in costs), Memory()),
            cores=self.placement.cores_of(*nodes) if self.profile.cores is not None else None,
            spike_rate=self._rate(somas),
            activation_sparsity=self._sparsity(nodes),
            connection_sparsity=1.0 - nonzero / synapses if synapses else None,
            silent_neurons=sum(self.activity.silent[node] for node in somas),
            always_firing_neurons=sum(self.activity.always[node] for node in somas),
            events=events,
            energy=dynamic_energy(events, self.profile),
        )

    def _rate(self, nodes: list[str]) -> float | None:
        """Messages sent of those possible, over some senders."""
        activity = self.activity
        sent = sum(int(activity.messages[node].sum()) for node in nodes)
        possible = sum(len(activity.messages[node]) * activity.chances[node] for node in nodes)
        return sent / possible if possible else None

    def _sparsity(self, nodes: list[str]) -> float | None:
        rate = self._rate([node for node in nodes if self._speaks_to_synapses(node)])
        return None if rate is None else 1.0 - rate

    def _speaks_to_synapses(self, node: str) -> bool:
        readers = self.network.consumers(node)
        return any(reader.synaptic for reader in readers)


def _estimate(
    context: _Context, total: LayerReport
) -> tuple[Timing | None, EnergyItem | None, tuple[Influence, ...]]:
    """Estimate time, the static energy that goes with it, and what both hang on."""
    profile, chips = context.profile, context.placement.chips
    timed = estimate_time(context.network, context.placement, profile, context.activity)
    if timed is None:
        return None, None, ()
    timing, loads = timed
    steps = context.activity.steps + timing.pipeline_steps / timing.passes
    sequences = context.activity.sequences
    influences = find_influences(total.energy, sequences, loads, steps, chips, profile)
    return timing, static_energy(chips, timing.sequence_s, profile), influences


def _buffer_bytes(network: Network, steps: int) -> int:
    bits = sum(signal.width * signal.bits for signal in buffered_signals(network)) * steps
    return -(-bits // 8)


def _notes(network: Network, profile: Profile, activity: Activity) -> tuple[str, ...]:
    notes = [*profile.notes, *find_notices(network, profile)]
    if profile.overrides:
        notes.append(f"Set by the user: {', '.join(profile.overrides)}.")
    if activity.bounded and profile.cores is not None:
        named = ", ".join(activity.bounded)
        notes.append(f"Counted as sending at every step, an upper bound: {named}.")
    if activity.saturated is None:
        notes.append("The engine that ran this cannot count clipped values.")
    return tuple(notes)

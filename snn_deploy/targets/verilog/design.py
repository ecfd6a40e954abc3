"""A whole network as hardware: its units, their memories, and the jobs of a step and of an end."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from snn_deploy.ir.network import Network
from snn_deploy.ir.program import Value
from snn_deploy.targets.layout import Layout
from snn_deploy.targets.node_work import NodeWork
from snn_deploy.targets.verilog.grouping import Member, group
from snn_deploy.targets.verilog.jobs import Job, Loop
from snn_deploy.targets.verilog.memory import Memories
from snn_deploy.targets.verilog.neuron_unit import NeuronUnit
from snn_deploy.targets.verilog.resources import Resources
from snn_deploy.targets.verilog.signals import Region, Signals
from snn_deploy.targets.verilog.synapse_unit import Matrix, SynapseUnit, traffic_of

__all__ = ["Design", "Width"]

_DIVIDED = ("pre_shift", "mantissa", "shift")


@dataclass(frozen=True)
class Width:
    """How much is computed at once: modes, targets of spikes, targets of graded messages."""

    modes: int = 2
    spikes: int = 16
    graded: int = 1

    def of_traffic(self, traffic: str, targets: int) -> int:
        """Give how many targets of synapses are summed at once, a power of two."""
        most = self.graded if traffic == "graded" else self.spikes
        return min(most, 1 << (targets - 1).bit_length())


@dataclass
class Design:
    """The hardware of one network, for a part with such resources.

    Raises
    ------
    TargetError
        For what Verilog is not written for.
    """

    network: Network
    resources: Resources
    width: Width = field(default_factory=Width)

    def __post_init__(self) -> None:
        self.layout = Layout.of(self.network, "Verilog")
        self.memories = Memories(self.resources)
        self.signals = Signals(self.layout, self.resources)
        self.loops: list[Loop] = []
        self.neurons: list[NeuronUnit] = []
        self.synapses: list[SynapseUnit] = []
        self._members: dict[tuple[str, bool], Member] = {}
        self._sums: dict[int, Region] = {}
        self._places: dict[Any, Any] = {}
        for node in self.layout.stepping:
            if not node.is_input:
                self._add(node, closing=False)
        for node in self.layout.closing:
            self._add(node, closing=True)
        self._make_synapses()
        self._make_neurons()
        self.step = [job for node in self.layout.stepping for job in self._jobs(node, False)]
        self.close = [job for node in self.layout.closing for job in self._jobs(node, True)]
        if not self.step:
            self.layout.refuse(self.network.output, "is computed by the host alone")
        self.ports = max((len(job.ports) for job in (*self.step, *self.close)), default=1)
        self.ports = max(self.ports, 1)

    @property
    def signal_bits(self) -> int:
        """The width of the memory of signals."""
        ranges = [
            *self.layout.signals.values(),
            *(m.sum for s in self.synapses for m in s.matrices),
        ]
        whole = ranges[0]
        for more in ranges[1:]:
            whole = whole.hull(more)
        return whole.bits

    @property
    def port_bits(self) -> tuple[int, int]:
        """How wide the words are that go in and out."""
        network, signals = self.layout.network, self.layout.signals
        return signals[network.input.name].bits, signals[network.output.name].bits

    @property
    def dividers(self) -> dict[int, tuple[int, int, int]]:
        """By unit: the numbers of the reciprocals that it is given."""
        found = {}
        for unit in self.neurons:
            node, section = unit.members[0].work.node, unit.members[0].section
            if any(v.operation == "clock" and v.name in _DIVIDED for v in section.values):
                found[unit.number] = node.divides
        return found

    @staticmethod
    def events(jobs: Iterable[Job], all_speak: bool) -> Iterator[tuple[Job, int]]:
        """Give jobs with how many events they walk: where all speak, what the scan before saw."""
        scanned = 0
        for job in jobs:
            yield job, scanned if all_speak else 0
            scanned = job.outer

    def _add(self, node: Any, closing: bool) -> None:
        work = NodeWork(self.layout, node)
        section = work.close() if closing else work.step()
        section.check()
        member = Member.of(work, section)
        self._members[node.name, closing] = member
        for value in member.section.values:
            if _weighted(member, value):
                sent = member.section.output is not None and member.section.roots[0] is value
                region = self.signals.regions[node.name]
                width = len(value.arguments[0].content[0])
                self._sums[id(value)] = region if sent else self.signals.add(width)

    def _make_synapses(self) -> None:
        sorted_: dict[str, list[tuple[Member, Value, Matrix]]] = {}
        for member in self._members.values():
            for value in member.section.values:
                if _weighted(member, value):
                    matrix = Matrix.of(member, value, self._sums[id(value)])
                    found = sorted_.setdefault(traffic_of(matrix), [])
                    found.append((member, value, matrix))
        for traffic, found in sorted_.items():
            matrices = [matrix for _, _, matrix in found]
            lanes = self.width.of_traffic(traffic, max(len(m.weight) for m in matrices))
            unit = SynapseUnit(self._next_unit, matrices, lanes, self.signals, self.memories)
            self.loops += unit.loops(self._next_loop)
            self.synapses.append(unit)
            for n, (member, value, _) in enumerate(found):
                self._places[id(member), id(value)] = unit, n

    @property
    def _next_unit(self) -> int:
        return len(self.neurons) + len(self.synapses)

    @property
    def _next_loop(self) -> int:
        return max((loop.number for loop in self.loops), default=-1) + 1

    def _make_neurons(self) -> None:
        stepping = [m for (_, closing), m in self._members.items() if not closing]
        for members in group(stepping):
            self._make_unit(members, None)
        closing = [m for (_, closing), m in self._members.items() if closing]
        for members in group(closing, self._home):
            self._make_unit(members, self._home(members[0]))

    def _home(self, member: Member) -> NeuronUnit | None:
        """Give the unit that gathered the state of what closes a sequence."""
        gathered = self._members.get((member.work.node.name, False))
        if gathered is None:
            return None
        unit: NeuronUnit = self._places[id(gathered)][0]
        return unit

    def _make_unit(self, members: list[Member], home: NeuronUnit | None) -> None:
        unit = NeuronUnit(
            self._next_unit,
            members,
            self.width.modes,
            self.signals,
            self.memories,
            self._sums,
            home,
        )
        self.neurons.append(unit)
        made = unit.loops(self._next_loop)
        self.loops += [loop for loop in made if loop is not None]
        for n, member in enumerate(members):
            self._places[id(member)] = unit, made, n

    def _jobs(self, node: Any, closing: bool) -> list[Job]:
        member = self._members.get((node.name, closing))
        if member is None:
            return []
        unit, made, n = self._places[id(member)]
        jobs = []
        if unit.number in self.dividers:
            jobs.append(Job(None, divider=unit.number, comment="1 / steps"))
        for phase, loop in enumerate(made):
            for value in member.section.values:
                at = member.section.places[id(value)].rank
                if _weighted(member, value) and at.phase == phase:
                    synapses, place = self._places[id(member), id(value)]
                    jobs += synapses.jobs(place)
            if loop is not None:
                jobs.append(unit.job(n, phase))
        return jobs


def _weighted(member: Member, value: Value) -> bool:
    return value.operation == "weighted_sum" and not member.section.is_known(value)

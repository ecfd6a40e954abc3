"""The datapaths of nodes that compute the same: one loop for each phase of their sections."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import accumulate
from typing import Any

from snn_deploy.ir.program import Value
from snn_deploy.targets.ranges import Range
from snn_deploy.targets.verilog.grouping import Member, hull
from snn_deploy.targets.verilog.jobs import Job, Loop
from snn_deploy.targets.verilog.memory import Memories, Memory
from snn_deploy.targets.verilog.phase import Phase
from snn_deploy.targets.verilog.signals import Region, Signals

__all__ = ["NeuronUnit"]


@dataclass(eq=False)
class NeuronUnit:
    """Members that share datapaths.

    Parameters
    ----------
    number
        Of the unit; names begin with it.
    members
        Of one group.
    modes_at_once
        How many modes a cycle are wanted.
    sums
        By the ``id`` of a sum of synapses: where its result lies.
    home
        Of members that close a sequence: the unit that gathered their state, if there is any.
    """

    number: int
    members: Sequence[Member]
    modes_at_once: int
    signals: Signals
    memories: Memories
    sums: dict[int, Region] = field(default_factory=dict)
    home: NeuronUnit | None = None

    @cached_property
    def label(self) -> str:
        """The kinds of node that it computes."""
        return ", ".join(dict.fromkeys(m.work.node.kind for m in self.members))

    @cached_property
    def prefix(self) -> str:
        """What its names begin with."""
        return f"u{self.number}"

    @cached_property
    def modes(self) -> list[int]:
        """Modes a channel of each member, 0 where it has none."""
        return [_mode_count(member) for member in self.members]

    @cached_property
    def lanes(self) -> int:
        """Modes a cycle: a power of two that divides every member's modes."""
        lanes = self.modes_at_once
        while any(modes % lanes for modes in self.modes):
            lanes //= 2
        return max(lanes, 1)

    @cached_property
    def channels(self) -> list[int]:
        """Where each member's channels begin, and at last their number."""
        return [0, *accumulate(member.section.program.width for member in self.members)]

    @cached_property
    def words(self) -> list[int]:
        """Where each member's words of modes begin, and at last their number."""
        sizes = [
            member.section.program.width * (modes // self.lanes)
            for member, modes in zip(self.members, self.modes, strict=True)
        ]
        return [0, *accumulate(sizes)]

    @cached_property
    def places(self) -> dict[int, int]:
        """By ``id`` of a value of the first member: its place."""
        return {id(value): n for n, value in enumerate(self.members[0].section.values)}

    @cached_property
    def ranges(self) -> list[Range]:
        """By place: what a value of any member can be."""
        ranges = {id(member): member.ranges for member in self.members}
        return [hull(self.members, ranges, place) for place in range(len(self.places))]

    def begins(self, node: Any) -> int:
        """Give where a node's channels begin."""
        nodes = [member.work.node for member in self.members]
        return self.channels[nodes.index(node)]

    def across(self, value: Value) -> list[Value]:
        """Give the value in the first member's place of every member."""
        return [member.section.values[self.places[id(value)]] for member in self.members]

    @cached_property
    def state(self) -> dict[str, Memory]:
        """By name: the memory of a word of state."""
        if self.home is not None:
            return self.home.state
        found = {}
        for n, word in enumerate(self.members[0].section.program.words.values()):
            everyone = [m.section.program.words[word.name] for m in self.members]
            pairs = zip(self.members, everyone, strict=True)
            bits = max(member.work.word_range(w).bits for member, w in pairs)
            of_modes = word.value.modes is not None
            width = bits * (self.lanes if of_modes else 1)
            depth = (self.words if of_modes else self.channels)[-1]
            if word.value.modes != 0:
                name, told = f"{self.prefix}_state{n}", f"{self.label}: a word of state"
                found[word.name] = self.memories.ram(name, width, depth, told)
        return found

    def loops(self, first: int) -> list[Loop | None]:
        """Make a loop for each phase, numbered from ``first`` on; None where nothing is to do."""
        self._phases = [
            Phase(self, phase, first + phase) for phase in range(self.members[0].section.phases)
        ]
        return [phase.build() for phase in self._phases]

    def job(self, member: int, phase: int) -> Job:
        """Give what runs a member's phase."""
        return self._phases[phase].job(member)


def _mode_count(member: Member) -> int:
    section = member.section
    counts = {v.modes for v in section.values if v.modes and not section.is_known(v)}
    counts |= {word.value.modes for word in section.stored if word.value.modes}
    return int(max(counts, default=0) or 0)

"""The datapath of synapses: rows of weights of what is not silent, added up, several a cycle.

A *scan* goes through the channels that are weighted and lists those that are not 0, the events. A
*walk* takes, for each few targets at once, the weights of all events from a memory, a word of it a
cycle, and adds them up; what comes out goes into the memory of signals, a sum a cycle. What is
silent costs the scan's cycle alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate
from typing import Any

import numpy as np
import numpy.typing as npt

from snn_deploy.errors import TargetError
from snn_deploy.ir.program import Value
from snn_deploy.targets.node_work import NodeWork
from snn_deploy.targets.ranges import Range
from snn_deploy.targets.verilog.cells import Cell, Datapath, vector
from snn_deploy.targets.verilog.grouping import Member
from snn_deploy.targets.verilog.jobs import Heard, Job, Loop
from snn_deploy.targets.verilog.memory import Memories, address_bits
from snn_deploy.targets.verilog.operations import SOFT_BITS, masked, product
from snn_deploy.targets.verilog.signals import Region, Signals

__all__ = ["Matrix", "SynapseUnit", "traffic_of"]


@dataclass(frozen=True, eq=False)
class Matrix:
    """Weights of one sum, and where it comes from and goes to."""

    work: NodeWork
    value: Value
    source: Value
    sent: Range
    sum: Range
    into: Region

    @classmethod
    def of(cls, member: Member, value: Value, into: Region) -> Matrix:
        """Make one of a member's sum.

        Raises
        ------
        TargetError
            If what is weighted is no node's signal.
        """
        (source,) = member.section.arguments(value)
        if source.operation != "input":
            node = member.work.node
            raise TargetError(
                f"node '{node.name}' ({node.kind}) weights what it computes, which Verilog is not "
                "written for yet; use the backend 'native'"
            )
        ranges = member.ranges
        return cls(member.work, value, source, ranges[id(source)], ranges[id(value)], into)

    @property
    def weight(self) -> npt.NDArray[Any]:
        """The weights, (out, in)."""
        return np.asarray(self.value.arguments[0].content[0])


def traffic_of(matrix: Matrix) -> str:
    """Tell what is weighted: matrices of one kind share a unit."""
    if matrix.sent == (0, 1):
        return "spikes"
    return "small" if matrix.sent.bits <= SOFT_BITS else "graded"


@dataclass(eq=False)
class SynapseUnit:
    """Matrices that share a datapath, of which ``lanes`` targets are summed at once."""

    number: int
    matrices: Sequence[Matrix]
    lanes: int
    signals: Signals
    memories: Memories

    @cached_property
    def groups(self) -> list[int]:
        """Words of weights for each source, by matrix."""
        return [-(-len(matrix.weight) // self.lanes) for matrix in self.matrices]

    @cached_property
    def rows(self) -> list[int]:
        """Where each matrix begins, in words, and at last their number."""
        sizes = [
            groups * matrix.weight.shape[1]
            for groups, matrix in zip(self.groups, self.matrices, strict=True)
        ]
        return [0, *accumulate(sizes)]

    def loops(self, first: int) -> tuple[Loop, Loop]:
        """Make the scan and the walk."""
        self._describe()
        bits, name = self.memories.factor_bits, f"u{self.number}"
        scan = Loop(first, Datapath(f"{name}s_", bits), "the events")
        walk = Loop(first + 1, Datapath(f"{name}w_", bits), "weights of events", sends=True)
        self._scan(scan)
        self._walk(walk)
        self.scan, self.walk = scan, walk
        return scan, walk

    def _describe(self) -> None:
        self.sent = self.matrices[0].sent
        self.sum = self.matrices[0].sum
        for matrix in self.matrices[1:]:
            self.sent, self.sum = self.sent.hull(matrix.sent), self.sum.hull(matrix.sum)
        self.row_bits = address_bits(max(self.rows[-1], 2))
        most = max(matrix.weight.shape[1] for matrix in self.matrices)
        self.events = self.memories.ram(
            f"u{self.number}_events", self.row_bits + self.sent.bits, most, "the events"
        )
        arrays = []
        for matrix, groups in zip(self.matrices, self.groups, strict=True):
            whole = np.zeros((matrix.weight.shape[1], groups * self.lanes), np.int64)
            whole[:, : len(matrix.weight)] = matrix.weight.T
            arrays.append(whole.reshape(-1))
        name = f"u{self.number}_weights"
        self.weights = self.memories.rom(name, np.concatenate(arrays), self.lanes, "weights")
        self.bits = self.weights.width // self.lanes

    def _scan(self, loop: Loop) -> None:
        path, count = loop.path, f"u{self.number}_count"
        place = address_bits(self.events.depth)
        path.extra.append(f"reg {vector(place + 1)} {count};")
        came = Cell("x0", self.sent.bits, kind="anchored", time=3, name="x0")
        x = path.wire("{0}", self.sent.bits, came)
        row = path.wire(f"{{0}}[{self.row_bits - 1}:0]", self.row_bits, _tap("a"), signed=False)
        path.sink(
            f"if (start && {loop.on}) {count} <= 0; else if ({{0}} && {loop.on} && {{1}} != 0) "
            f"begin {self.events.name}[{count}[{place - 1}:0]] <= {{{{2}}, {{1}}}}; "
            f"{count} <= {count} + 1; end",
            _tap("v"),
            x,
            row,
        )
        loop.depth = path.schedule()

    def _walk(self, loop: Loop) -> None:
        path, unit, lanes = loop.path, f"u{self.number}", self.lanes
        place = address_bits(self.events.depth)
        index = path.wire(f"{{0}}[{place - 1}:0]", place, _tap("e"), signed=False)
        self.memories.reads.update((self.events.name, self.weights.name))
        event = path.cell(f"{self.events.name}[{{0}}]", self.events.width, index, signed=False)
        there = path.cell(f"{{0}} < {unit}_count", 1, _tap("e"), signed=False)
        sent = self.sent.bits
        before = path.wire(
            f"{{0}}[{self.events.width - 1}:{sent}]", self.row_bits, event, signed=False
        )
        row = path.cell("{0} + {1}", self.row_bits, before, _tap("c"), signed=False)
        word = path.cell(f"{self.weights.name}[{{0}}]", self.weights.width, row, signed=False)
        word = path.cell("{0}", self.weights.width, word, signed=False)
        x = path.wire(f"$signed({{0}}[{sent - 1}:0])", sent, event)
        sums = []
        for lane in range(lanes):
            first = lane * self.bits
            weight = path.wire(f"$signed({{0}}[{first + self.bits - 1}:{first}])", self.bits, word)
            whole = weight if self.sent == (0, 1) else product(path, x, weight)
            added = masked(path, there, whole)
            sums.append(path.cell("{1} ? {0} : {self} + {0}", self.sum.bits, added, _tap("f")))
        self._leave(loop, sums)
        loop.depth = path.schedule() + lanes + 1

    def _leave(self, loop: Loop, sums: list[Cell]) -> None:
        """Let the sums leave one after the other, while the next ones are made."""
        path, unit, bits, lanes = loop.path, f"u{self.number}", self.sum.bits, self.lanes
        port = f"y{loop.number}"
        path.extra += [
            f"reg {vector(bits * lanes)} {unit}_leaving;",
            f"reg {vector(lanes.bit_length())} {unit}_left;",
            f"reg {vector(16)} {unit}_wanted;",
            f"reg {vector(address_bits(self.signals.size))} {unit}_at;",
        ]
        joined = ", ".join(f"{{{n + 2}}}" for n in reversed(range(lanes)))
        shifted = f"{{{bits}'d0, {unit}_leaving[{bits * lanes - 1}:{bits}]}}"
        keep = f"{unit}_leaving <= {shifted};" if lanes > 1 else ""
        path.sink(
            f"if (rst) {unit}_left <= 0; else if ({{0}} && {{1}} && {loop.on}) begin "
            f"{unit}_leaving <= {{{joined}}}; {unit}_left <= {lanes}; end "
            f"else if ({unit}_left != 0) begin {keep} {unit}_left <= {unit}_left - 1; end",
            _tap("v"),
            _tap("l"),
            *sums,
        )
        sends = f"({unit}_left != 0 && {unit}_wanted != 0)"
        path.sink(
            f"{port}_we <= {sends}; {port}_wa <= {sends} ? {unit}_at : 0; "
            f"{port}_wd <= {sends} ? $signed({unit}_leaving[{bits - 1}:0]) : 0; "
            f"if (start && {loop.on}) begin {unit}_at <= w0; {unit}_wanted <= wanted; end "
            f"else if {sends} begin {unit}_at <= {unit}_at + 1; "
            f"{unit}_wanted <= {unit}_wanted - 1; end"
        )

    def jobs(self, matrix: int) -> tuple[Job, Job]:
        """Give the runs for a matrix."""
        found, node = self.matrices[matrix], self.matrices[matrix].work.node
        port, part = found.source.content
        edge = node.inputs[port]
        read = self.signals.read(edge, part)
        told = f"{node.name} ({node.kind})"
        targets, sources = found.weight.shape
        scan = Job(
            loop=self.scan,
            outer=sources,
            index=self.rows[matrix],
            stride=self.groups[matrix],
            ports=(read,),
            comment=f"events for {told}",
        )
        walk = Job(
            loop=self.walk,
            outer=self.groups[matrix],
            inner=None,
            least=self.lanes,
            write=found.into.address(),
            wanted=targets,
            comment=told,
            heard=Heard(edge.source, part[0] if part else 0, sources, edge.steps_back),
        )
        return scan, walk


def _tap(name: str) -> Cell:
    return Cell(name, 1, kind="tap", signed=False)

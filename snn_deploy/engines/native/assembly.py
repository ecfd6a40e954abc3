"""From a plan to what the library runs: operations, and where all that they work on lives."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

from snn_deploy.engines.native.abi import KINDS, OPERATION
from snn_deploy.engines.native.dendrite_layout import DendriteLayout
from snn_deploy.engines.native.emitters import Fields, Parts, emit
from snn_deploy.engines.native.exactness import NotExactError, require_integer_bits
from snn_deploy.engines.native.library import lanes_of_doubles
from snn_deploy.engines.native.packing import SLACK, Slots, pitch_of
from snn_deploy.engines.native.plan import REMEMBERED, Plan
from snn_deploy.engines.native.program_code import clocks_of
from snn_deploy.engines.native.synapse_layout import narrow_pitch
from snn_deploy.ir.bounds import bound_network
from snn_deploy.ir.formats import Edge
from snn_deploy.ir.loops import is_recurrent
from snn_deploy.ir.node import Node
from snn_deploy.ir.sweeps import Sweep
from snn_deploy.nodes.dendrite import Dendrite

__all__ = ["Assembly", "SweepProgram", "assemble", "assemble_integers"]


Heard = tuple[str, int]
"""A node's signal, as it was some steps before."""


@dataclass(frozen=True)
class SweepProgram:
    """What is done to a chunk in one sweep.

    Parameters
    ----------
    operations, owners
        What is done, and the node for which.
    slots
        By node, and how many steps before: where its signal is, in numbers a row; ``~place`` if it
        is one of a tile's.
    entering
        What comes in, in order: an input's name and None, or a node's and one of its clocks'.
    incoming_pitch
        How many numbers of a step that is.
    """

    operations: npt.NDArray[np.void]
    owners: tuple[str, ...]
    slots: Mapping[Heard, int]
    entering: tuple[tuple[str, str | None], ...]
    incoming_pitch: int


@dataclass(frozen=True)
class Assembly:
    """A plan as the library takes it.

    Parameters
    ----------
    integers
        Whether its numbers are int64, and not doubles.
    sweeps
        One for each of the plan's.
    params, floats, weights, tables, values
        What operations refer to; the last is where programs work, with their constants in it.
    layouts
        By dendrite: how its modes are laid out.
    in_rows
        Names of the nodes whose state is numbers, one a channel; others' is int64, or has a layout.
    states, counts, pasts
        By node: where its state, the counts of its messages and its last steps are, in numbers a
        sample.
    row_size, passing_size, state_size, work_size
        How many numbers a row of a block, one of a tile, a sample, and a core need.
    kept_size
        How many numbers each step of the kept sequences needs: int32, or int64 if ``integers``.
    """

    integers: bool
    sweeps: tuple[SweepProgram, ...]
    params: npt.NDArray[np.float64]
    floats: npt.NDArray[np.float32]
    weights: npt.NDArray[np.int8]
    tables: npt.NDArray[np.int64]
    values: npt.NDArray[np.int64]
    layouts: Mapping[str, DendriteLayout]
    in_rows: frozenset[str]
    states: Mapping[str, int]
    counts: Mapping[str, int]
    pasts: Mapping[str, int]
    row_size: int
    passing_size: int
    kept_size: int
    state_size: int
    work_size: int

    @property
    def number(self) -> npt.DTypeLike:
        """What its signals are made of."""
        return np.int64 if self.integers else np.float64

    @property
    def kept_number(self) -> npt.DTypeLike:
        """What sequences that are kept are made of."""
        return np.int64 if self.integers else np.int32

    @property
    def widest(self) -> int:
        """How many numbers a row of any signal needs at most."""
        return max(int(sweep.operations["x_pitch"].max()) for sweep in self.sweeps)


@lru_cache(maxsize=REMEMBERED)
def assemble(plan: Plan, watched: frozenset[str]) -> Assembly:
    """Assemble a plan in doubles where they are proven to hold its signals, or else in integers.

    ``watched`` names the nodes whose signals are looked at after each chunk.
    """
    if lanes_of_doubles():
        try:
            return _Assembler(plan, watched, integers=False).assemble()
        except NotExactError:
            pass
    return assemble_integers(plan, watched)


@lru_cache(maxsize=REMEMBERED)
def assemble_integers(plan: Plan, watched: frozenset[str]) -> Assembly:
    """Assemble a plan in 64-bit integers, whatever doubles hold."""
    return _Assembler(plan, watched, integers=True).assemble()


class _Assembler:
    """Collects a program, sweep by sweep."""

    def __init__(self, plan: Plan, watched: frozenset[str], integers: bool) -> None:
        self.plan, self.watched = plan, watched
        kept = {name for sweep in plan.sweeps for name in sweep.keeps}
        open_to = watched.union(kept, plan.counted, plan.reach)
        self.parts = Parts(plan, bound_network(plan.network), open_to, integers)
        self.pitches = {
            node.name: (narrow_pitch if node.name in self.parts.narrow else pitch_of)(node.width)
            for node in plan.network
        }
        self.counts: dict[str, int] = {}
        self.pasts: dict[str, int] = {}
        self.loops = 0
        self.kept: dict[str, int] = {}
        self.kept_size = 0
        self.row_size, self.passing_size = SLACK, SLACK
        # of the sweep at hand
        self.places, self.passing_places = Slots(), Slots()
        self.passing: frozenset[str] = frozenset()
        self.loop = 0
        self.past: set[Heard] = set()
        self.slots: dict[Heard, int] = {}
        self.emitted: list[tuple[str, Fields]] = []
        self.entering: list[tuple[str, str | None]] = []
        self.entering_size = 0

    def assemble(self) -> Assembly:
        sweeps = tuple(self._assemble_sweep(sweep) for sweep in self.plan.sweeps)
        return Assembly(
            integers=self.parts.integers,
            sweeps=sweeps,
            params=self.parts.params.whole(),
            floats=self.parts.floats.whole(),
            weights=self.parts.weights.whole(),
            tables=self.parts.tables.whole(),
            values=self.parts.values.whole(),
            layouts=self.parts.layouts,
            in_rows=frozenset(self.parts.in_rows),
            states=self.parts.states,
            counts=self.counts,
            pasts=self.pasts,
            row_size=self.row_size,
            passing_size=self.passing_size,
            kept_size=self.kept_size,
            state_size=self.parts.state_size,
            work_size=self.parts.work_size,
        )

    def _assemble_sweep(self, sweep: Sweep) -> SweepProgram:
        self.places, self.passing_places = Slots(), Slots()
        self.slots, self.emitted = {}, []
        self.entering, self.entering_size = [], 0
        self.passing = _passing(sweep) - self.watched
        last_uses = _last_uses(sweep)
        inside = {node.name for node in sweep.nodes}
        self.past = {
            heard
            for node in sweep.nodes
            for heard in map(_heard, node.inputs)
            if heard[1] and heard[0] in inside
        }
        for group in sweep.groups:
            self._assemble_group(sweep, group)
            for node in group:
                for heard in last_uses[node.name]:
                    if heard[1] or heard[0] not in self.watched:
                        self._give_back(heard)
                for name in self._clocks(node):
                    self._give_back((name, 0))
        self.row_size = max(self.row_size, self.places.size)
        self.passing_size = max(self.passing_size, self.passing_places.size)
        operations = np.zeros(len(self.emitted), dtype=OPERATION)
        for row, (_, fields) in zip(operations, self.emitted, strict=True):
            for field, value in fields.items():
                row[field] = value
        owners = tuple(name for name, _ in self.emitted)
        return SweepProgram(
            operations, owners, self.slots, tuple(self.entering), self.entering_size
        )

    def _assemble_group(self, sweep: Sweep, group: tuple[Node, ...]) -> None:
        """Nodes of a loop hear the past, then compute, then leave what they said for later."""
        self.loops += is_recurrent(group)
        self.loop = self.loops if is_recurrent(group) else 0
        loop, self.loop = self.loop, 0
        for node in group:
            self._hear_clocks(node)
        self.loop = loop
        if not self.loop:
            self._compute(sweep, group[0])
        for heard in sorted(self.past):
            if heard[0] in {node.name for node in group}:
                self._read_past(heard)
        for node in group:
            if self.loop:
                self._compute(sweep, node)
        for name in {heard[0] for heard in self.past} & {node.name for node in group}:
            fields = {
                "kind": KINDS["keep past"],
                "state": self.pasts[name],
                "first": self.plan.reach[name],
            }
            self._emit(name, fields | {"half": self.plan.reach[name] * self.pitches[name]}, x=name)
        self.loop = 0

    def _compute(self, sweep: Sweep, node: Node) -> None:
        for heard in map(_heard, node.inputs):
            if heard not in self.slots:
                self._recall(heard)
        if (node.name, 0) not in self.slots:  # there already where a loop reads its past
            self._place((node.name, 0))
        if node.inputs:
            signals = [*map(_heard, node.inputs), *((name, 0) for name in self._clocks(node))]
            sources = [self.slots[signal] for signal in signals]
            fields = emit(self.parts, node, sources, alone=not self.loop)
            self._emit(node.name, fields, x=signals[0], y=node.name)
        else:
            self._take_in(node.name, node.name, None)
        if node.name in self.plan.counted:
            self.counts[node.name] = self.parts.take_state(self.pitches[node.name])
            self._emit(
                node.name, {"kind": KINDS["count"], "state": self.counts[node.name]}, x=node.name
            )
        if node.name in sweep.keeps:
            self._keep(node)

    def _clocks(self, node: Any) -> dict[str, str]:
        """Name the signals that are a node's words of the sequence, and these."""
        if node.name in self.parts.closing:
            return {}
        return {f"{node.name}/{word}": word for word in clocks_of(node.program)}

    def _hear_clocks(self, node: Any) -> None:
        for name, word in self._clocks(node).items():
            self.pitches[name] = pitch_of(1)
            self._place((name, 0))
            self._take_in(name, node.name, word)

    def _take_in(self, name: str, owner: str, word: str | None) -> None:
        """Let a signal come in, after those that do so already."""
        self._emit(owner, {"kind": KINDS["take in"], "first": self.entering_size}, y=name)
        self.entering.append((owner, word))
        self.entering_size += self.pitches[name]

    def _read_past(self, heard: Heard) -> None:
        """Hear a node of this sweep as it was some steps before."""
        name, back = heard
        reach = self.plan.reach[name]
        size = reach * self.pitches[name]
        if name not in self.pasts:
            self.pasts[name] = self.parts.take_state(size)
        if (name, 0) not in self.slots:
            self._place((name, 0))
        self._place(heard)
        fields = {
            "kind": KINDS["read past"],
            "state": self.pasts[name],
            "first": reach,
            "size": back,
        }
        self._emit(name, fields | {"half": size}, x=name, y=heard)

    def _place(self, heard: Heard) -> None:
        name, back = heard
        if name in self.passing and not back:
            self.slots[heard] = ~self.passing_places.take(self.pitches[name])
        else:
            self.slots[heard] = self.places.take(self.pitches[name])

    def _give_back(self, heard: Heard) -> None:
        place, pitch = self.slots[heard], self.pitches[heard[0]]
        if place < 0:
            self.passing_places.give_back(pitch, ~place)
        else:
            self.places.give_back(pitch, place)

    def _recall(self, heard: Heard) -> None:
        """Copy a kept signal, just before it is first needed."""
        name, back = heard
        self._place(heard)
        fields = {"kind": KINDS["recall"], "first": self.kept[name], "size": back}
        self._emit(name, fields, x=heard, y=heard)

    def _keep(self, node: Node) -> None:
        if not self.parts.integers:
            require_integer_bits(node.output.bits)  # type: ignore[attr-defined]  # lowered stage
        self.kept[node.name] = self.kept_size
        self.kept_size += self.pitches[node.name]
        self._emit(node.name, {"kind": KINDS["keep"], "first": self.kept[node.name]}, x=node.name)

    def _emit(
        self, owner: str, fields: Fields, x: str | Heard | None = None, y: str | Heard | None = None
    ) -> None:
        """Add an operation from signal x to signal y."""
        fields = {**fields, "loop": self.loop}
        for field, signal in (("x", x), ("y", y)):
            if signal is not None:
                heard = (signal, 0) if isinstance(signal, str) else signal
                fields |= {field: self.slots[heard], f"{field}_pitch": self.pitches[heard[0]]}
        self.emitted.append((owner, fields))


def _heard(edge: Edge) -> Heard:
    return edge.source, edge.steps_back


def _last_uses(sweep: Sweep) -> dict[str, set[Heard]]:
    """Name, by node of a sweep, the signals that no later node of it reads."""
    last: dict[Heard, str] = {}
    for node in sweep.nodes:
        last[node.name, 0] = node.name
        last.update({_heard(edge): node.name for edge in node.inputs})
    users: dict[str, set[Heard]] = {node.name: set() for node in sweep.nodes}
    for heard, user in last.items():
        users[user].add(heard)
    return users


def _passing(sweep: Sweep) -> frozenset[str]:
    """Name the signals of a sweep that live no longer than a tile: those that are made and read
    between the same two dendrites, which alone need whole blocks, and loops, which go by steps.
    """
    stretch: dict[str, int] = {}
    longer: set[str] = set()
    number = 0
    for group in sweep.groups:
        number += is_recurrent(group)
        for node in group:
            for edge in node.inputs:
                if edge.steps_back:
                    continue  # of the past, what is read is made of blocks
                if stretch.setdefault(edge.source, number) != number or isinstance(node, Dendrite):
                    longer.add(edge.source)
            if isinstance(node, Dendrite):
                number += 1
                longer.add(node.name)
            stretch[node.name] = number
        number += is_recurrent(group)
    return frozenset(stretch) - longer

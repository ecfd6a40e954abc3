"""From a plan to the ``fast`` program: operations, and where everything that they work on lives."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

from snn_deploy.engines.native.byte_vectors import narrow_pitch
from snn_deploy.engines.native.dendrite_layout import DendriteLayout
from snn_deploy.engines.native.exactness import NotExactError, require_integer_bits
from snn_deploy.engines.native.fast_nodes import EMITTERS, Fields, Parts
from snn_deploy.engines.native.operations import (
    COUNT,
    KEEP,
    OPERATION,
    RECALL,
    TAKE_IN,
)
from snn_deploy.engines.native.packing import Slots, pitch_of
from snn_deploy.engines.native.plan import REMEMBERED, Plan
from snn_deploy.engines.native.vectors import LANES
from snn_deploy.ir.bounds import bound_network
from snn_deploy.ir.node import Node
from snn_deploy.ir.sweeps import Sweep
from snn_deploy.nodes.dendrite import Dendrite

__all__ = ["FastProgram", "SweepProgram", "assemble"]


@dataclass(frozen=True)
class SweepProgram:
    """What is done to a chunk in one sweep.

    Parameters
    ----------
    operations, owners
        What is done, and the node for which.
    slots
        By node: where its signal is, in doubles a row; ``~place`` if it is one of a tile's.
    """

    operations: npt.NDArray[np.void]
    owners: tuple[str, ...]
    slots: Mapping[str, int]


@dataclass(frozen=True)
class FastProgram:
    """A plan as ``run_operations`` takes it.

    Parameters
    ----------
    sweeps
        One for each of the plan's.
    params, floats, weights, tables
        What operations refer to.
    layouts
        By dendrite: how its modes are laid out.
    states, counts
        By node: where its state, and the counts of its messages, are, in doubles a sample.
    row_size, passing_size, state_size, work_size
        How many numbers a row of a block, one of a tile, a sample, and a core need.
    kept_size
        How many int32 each step of a kept sequence needs.
    """

    sweeps: tuple[SweepProgram, ...]
    params: npt.NDArray[np.float64]
    floats: npt.NDArray[np.float32]
    weights: npt.NDArray[np.int8]
    tables: npt.NDArray[np.int64]
    layouts: Mapping[str, DendriteLayout]
    states: Mapping[str, int]
    counts: Mapping[str, int]
    row_size: int
    passing_size: int
    kept_size: int
    state_size: int
    work_size: int

    @property
    def widest(self) -> int:
        """How many doubles a row of any signal needs at most."""
        return max(int(sweep.operations["x_pitch"].max()) for sweep in self.sweeps)


@lru_cache(maxsize=REMEMBERED)
def assemble(plan: Plan, watched: frozenset[str]) -> FastProgram | None:
    """Make the fast program of a plan; None where doubles cannot be proven to be exact.

    ``watched`` names the nodes whose signals are looked at after each chunk.
    """
    if plan.needs_length or plan.reach:
        return None
    assembler = _Assembler(plan, watched)
    try:
        return assembler.assemble()
    except NotExactError:
        return None


class _Assembler:
    """Collects a program, sweep by sweep."""

    def __init__(self, plan: Plan, watched: frozenset[str]) -> None:
        self.plan, self.watched = plan, watched
        kept = {name for sweep in plan.sweeps for name in sweep.keeps}
        open_to = watched.union(kept, plan.counted)
        self.parts = Parts(plan.network, bound_network(plan.network), open_to)
        self.pitches = {
            node.name: (narrow_pitch if node.name in self.parts.narrow else pitch_of)(node.width)
            for node in plan.network
        }
        self.counts: dict[str, int] = {}
        self.kept: dict[str, int] = {}
        self.kept_size = 0
        self.row_size, self.passing_size = LANES, LANES
        # of the sweep at hand
        self.places, self.passing_places = Slots(), Slots()
        self.passing: frozenset[str] = frozenset()
        self.slots: dict[str, int] = {}
        self.emitted: list[tuple[str, Fields]] = []

    def assemble(self) -> FastProgram:
        sweeps = tuple(self._assemble_sweep(sweep) for sweep in self.plan.sweeps)
        return FastProgram(
            sweeps=sweeps,
            params=self.parts.params.whole(),
            floats=self.parts.floats.whole(),
            weights=self.parts.weights.whole(),
            tables=self.parts.tables.whole(),
            layouts=self.parts.layouts,
            states=self.parts.states,
            counts=self.counts,
            row_size=self.row_size,
            passing_size=self.passing_size,
            kept_size=self.kept_size,
            state_size=self.parts.state_size,
            work_size=self.parts.work_size,
        )

    def _assemble_sweep(self, sweep: Sweep) -> SweepProgram:
        self.places, self.passing_places = Slots(), Slots()
        self.slots, self.emitted = {}, []
        self.passing = _passing(sweep) - self.watched
        last_uses = _last_uses(sweep)
        for node in sweep.nodes:
            for edge in node.inputs:
                if edge.source not in self.slots:
                    self._recall(edge.source)
            self._place(node.name)
            if node.inputs:
                sources = [self.slots[edge.source] for edge in node.inputs]
                fields = _emitter(node)(self.parts, node, sources)
                self._emit(node.name, fields, x=node.inputs[0].source, y=node.name)
            else:
                self._emit(node.name, {"kind": TAKE_IN}, y=node.name)
            if node.name in self.plan.counted:
                self.counts[node.name] = self.parts.take_state(self.pitches[node.name])
                self._emit(node.name, {"kind": COUNT, "state": self.counts[node.name]}, x=node.name)
            if node.name in sweep.keeps:
                self._keep(node)
            for name in last_uses[node.name] - self.watched:
                self._give_back(name)
        self.row_size = max(self.row_size, self.places.size)
        self.passing_size = max(self.passing_size, self.passing_places.size)
        operations = np.zeros(len(self.emitted), dtype=OPERATION)
        for row, (_, fields) in zip(operations, self.emitted, strict=True):
            for field, value in fields.items():
                row[field] = value
        return SweepProgram(operations, tuple(name for name, _ in self.emitted), self.slots)

    def _place(self, name: str) -> None:
        if name in self.passing:
            self.slots[name] = ~self.passing_places.take(self.pitches[name])
        else:
            self.slots[name] = self.places.take(self.pitches[name])

    def _give_back(self, name: str) -> None:
        place = self.slots[name]
        if place < 0:
            self.passing_places.give_back(self.pitches[name], ~place)
        else:
            self.places.give_back(self.pitches[name], place)

    def _recall(self, name: str) -> None:
        """Copy a kept signal, just before it is first needed."""
        self._place(name)
        self._emit(name, {"kind": RECALL, "first": self.kept[name]}, x=name, y=name)

    def _keep(self, node: Node) -> None:
        require_integer_bits(node.output.bits)  # type: ignore[attr-defined]  # lowered stage
        self.kept[node.name] = self.kept_size
        self.kept_size += self.pitches[node.name]
        self._emit(node.name, {"kind": KEEP, "first": self.kept[node.name]}, x=node.name)

    def _emit(self, owner: str, fields: Fields, x: str | None = None, y: str | None = None) -> None:
        """Add an operation from signal x to signal y."""
        if x is not None:
            fields = fields | {"x": self.slots[x], "x_pitch": self.pitches[x]}
        if y is not None:
            fields = fields | {"y": self.slots[y], "y_pitch": self.pitches[y]}
        self.emitted.append((owner, fields))


def _emitter(node: Node) -> Callable[[Parts, Any, list[int]], Fields]:
    if type(node) not in EMITTERS:
        raise NotExactError  # it runs on its program, in integers
    return EMITTERS[type(node)]


def _last_uses(sweep: Sweep) -> dict[str, set[str]]:
    """Name, by node of a sweep, the signals that no later node of it reads."""
    last: dict[str, str] = {}
    for node in sweep.nodes:
        last[node.name] = node.name
        last.update({edge.source: node.name for edge in node.inputs})
    users: dict[str, set[str]] = {node.name: set() for node in sweep.nodes}
    for name, user in last.items():
        users[user].add(name)
    return users


def _passing(sweep: Sweep) -> frozenset[str]:
    """Name the signals of a sweep that live no longer than a tile: those that are made and read
    between the same two dendrites, which alone need whole blocks.
    """
    stretch: dict[str, int] = {}
    longer: set[str] = set()
    number = 0
    for node in sweep.nodes:
        for edge in node.inputs:
            if stretch.setdefault(edge.source, number) != number or isinstance(node, Dendrite):
                longer.add(edge.source)
        if isinstance(node, Dendrite):
            number += 1
            longer.add(node.name)
        stretch[node.name] = number
    return frozenset(stretch) - longer

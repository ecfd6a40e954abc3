"""From a plan to what the library runs."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np

from snn_deploy.engines.native.abi import KINDS, OPERATION, WHOLE_BLOCK
from snn_deploy.engines.native.carried import Past, Rows
from snn_deploy.engines.native.emitters import KERNELS, Fields, emit
from snn_deploy.engines.native.exactness import INTEGER_ROOM, NotExactError, require_room
from snn_deploy.engines.native.library import lanes_of_doubles
from snn_deploy.engines.native.packing import SLACK, Slots, pitch_of
from snn_deploy.engines.native.parts import Parts
from snn_deploy.engines.native.plan import REMEMBERED, Plan
from snn_deploy.engines.native.program import Assembly, Heard, SweepProgram
from snn_deploy.engines.native.program_code import clocks_of
from snn_deploy.engines.native.synapse_layout import narrow_pitch
from snn_deploy.engines.native.wide_weights import join_words
from snn_deploy.engines.session import MESSAGES
from snn_deploy.ir.bounds import bound_network
from snn_deploy.ir.formats import Edge
from snn_deploy.ir.loops import is_recurrent
from snn_deploy.ir.node import Node
from snn_deploy.ir.sweeps import Sweep
from snn_deploy.nodes.dendrite import Dendrite

__all__ = ["assemble", "assemble_integers"]


SPARSE = 32  # inputs whose weights are added up in the time of a number of others, as few spike
NUMBERS_AT_ONCE = 4  # of a step that was compiled, in the time of one that is computed
PER_SIZE = {KINDS[kind] for kind in ("program", "integer dendrite", "dendrite", "float dendrite")}
PER_SIZE |= {KINDS["add graded"], KINDS["add pairs"]}
"""Operations that do something ``size`` times for each number: modes, inputs or instructions."""

CLIPPING = set(KINDS.values()) - {
    KINDS[kind]
    for kind in ("take in", "give", "count", "keep", "recall", "read past", "keep past", "pool")
}


@lru_cache(maxsize=REMEMBERED)
def assemble(plan: Plan, watched: frozenset[str]) -> Assembly:
    """Assemble a plan in doubles where they are proven to hold its signals, or else in integers.

    ``watched`` names the nodes whose signals are given, if somebody wants them.
    """
    if lanes_of_doubles():
        try:
            return _Assembler(join_words(plan, watched), watched, integers=False).assemble()
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
        self.pasts: dict[str, int] = {}
        self.stretch = 0
        self.effort = 0
        self.kept: dict[str, int] = {}
        self.kept_size = 0
        self.row_size, self.passing_size = SLACK, SLACK
        # of the sweep at hand
        self.places, self.passing_places = Slots(), Slots()
        self.passing: frozenset[str] = frozenset()
        self.turn = 0
        self.past: set[Heard] = set()
        self.slots: dict[Heard, int] = {}
        self.emitted: list[tuple[str, Fields]] = []
        self.entering: list[tuple[str, str | None]] = []
        self.leaving: list[str] = []

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
            carried=tuple(self.parts.carried),
            row_size=self.row_size,
            passing_size=self.passing_size,
            kept_size=self.kept_size,
            state_size=self.parts.state_size,
            work_size=self.parts.work_size,
            effort=self.effort,
        )

    def _assemble_sweep(self, sweep: Sweep) -> SweepProgram:
        self.places, self.passing_places = Slots(), Slots()
        self.slots, self.emitted = {}, []
        self.entering, self.leaving = [], []
        self.passing = self._passing(sweep)
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
                for heard in sorted(last_uses[node.name]):
                    self._give_back(heard)
                for name in self._clocks(node):
                    self._give_back((name, 0))
        self.row_size = max(self.row_size, self.places.size)
        self.passing_size = max(self.passing_size, self.passing_places.size)
        operations = np.zeros(len(self.emitted), dtype=OPERATION)
        for row, (_, fields) in zip(operations, self.emitted, strict=True):
            for field, value in fields.items():
                row[field] = value
        inputs = len(self.entering)  # whose ports come first
        operations["first"] += inputs * (operations["kind"] == KINDS["give"])
        return SweepProgram(
            operations,
            self.slots,
            tuple(self.entering),
            tuple(self.leaving),
            sweep.backwards,
            self._clipping(),
        )

    def _clipping(self) -> tuple[tuple[int, str], ...]:
        """Number the operations that clip what counts: pools do so at the end."""
        found: dict[str, int] = {}
        for number, (name, fields) in enumerate(self.emitted):
            node: Any = self.plan.network[name]
            if node.clips and fields["kind"] in CLIPPING:
                found[name] = number
        return tuple((number, name) for name, number in found.items())

    def _assemble_group(self, sweep: Sweep, group: tuple[Node, ...]) -> None:
        """Nodes of a loop hear the past, then compute, then leave what they said for later."""
        for node in group:
            self._hear_clocks(node)
        in_turns = is_recurrent(group)
        if in_turns:
            self._begin(turn=1)
        else:
            self._compute(sweep, group[0])
        for heard in sorted(self.past):
            if heard[0] in {node.name for node in group}:
                self._read_past(heard)
        for node in group if in_turns else ():
            self._compute(sweep, node)
        for name in sorted({heard[0] for heard in self.past} & {node.name for node in group}):
            fields = {
                "kind": KINDS["keep past"],
                "state": self.pasts[name],
                "first": self.plan.reach[name],
            }
            self._emit(name, fields | {"half": self.plan.reach[name] * self.pitches[name]}, x=name)
        if in_turns:
            self._begin()

    def _begin(self, turn: int = 0) -> None:
        """Begin a new stretch of operations, which take turns of so many steps; 0: of a tile."""
        self.stretch, self.turn = self.stretch + 1, turn

    def _compute(self, sweep: Sweep, node: Node) -> None:
        for heard in map(_heard, node.inputs):
            if heard not in self.slots:
                self._recall(heard)
        if (node.name, 0) not in self.slots:  # there already where a loop reads its past
            self._place((node.name, 0))
        if node.inputs:
            signals = [*map(_heard, node.inputs), *((name, 0) for name in self._clocks(node))]
            sources = [self.slots[signal] for signal in signals]
            alone = self.turn == 0 and self._stands_alone(node)
            if alone:
                self._begin(WHOLE_BLOCK)
            fields = emit(self.parts, node, sources, in_turns=self.turn == 1)
            self._emit(node.name, fields, x=signals[0], y=node.name)
            self.effort += self.pitches[node.name] * _effort(fields, self.pitches[signals[0][0]])
            if alone:
                self._begin()
        else:
            self._take_in(node.name, node.name, None)
        if node.name in self.watched - self.parts.closing:
            self._emit(node.name, {"kind": KINDS["give"], "first": len(self.leaving)}, x=node.name)
            self.leaving.append(node.name)
        if node.name in self.plan.counted:
            place = self.parts.carry(node.name, Rows(node.width, (MESSAGES,)))
            self._emit(node.name, {"kind": KINDS["count"], "state": place}, x=node.name)
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
        self._emit(owner, {"kind": KINDS["take in"], "first": len(self.entering)}, y=name)
        self.entering.append((owner, word))

    def _read_past(self, heard: Heard) -> None:
        """Hear a node of this sweep as it was some steps before."""
        name, back = heard
        reach = self.plan.reach[name]
        form = Past(self.plan.network[name].width, reach)
        if name not in self.pasts:
            self.pasts[name] = self.parts.carry(name, form)
        if (name, 0) not in self.slots:
            self._place((name, 0))
        self._place(heard)
        fields = {
            "kind": KINDS["read past"],
            "state": self.pasts[name],
            "first": reach,
            "size": back,
        }
        self._emit(name, fields | {"half": form.size}, x=name, y=heard)

    def _stands_alone(self, node: Node) -> bool:
        """Tell whether a node goes through a whole block at once: dendrites, since a core then has
        their modes in its registers, and programs that are interpreted.
        """
        if isinstance(node, Dendrite) or node.name in self.parts.closing:
            return isinstance(node, Dendrite)
        if self.parts.integers or not node.inputs:
            return True
        return not (type(node) in KERNELS or self.parts.compiled(node))

    def _passing(self, sweep: Sweep) -> frozenset[str]:
        """Name the signals of a sweep that live no longer than a tile: those that are made and read
        between the same two nodes that need whole blocks, or loops, which go by steps.
        """
        stretch: dict[str, int] = {}
        longer: set[str] = set()
        number = 0
        for group in sweep.groups:
            number += is_recurrent(group)
            for node in group:
                alone = self._stands_alone(node) and not is_recurrent(group)
                for edge in node.inputs:
                    if edge.steps_back:
                        continue  # of the past, what is read is made of blocks
                    if stretch.setdefault(edge.source, number) != number or alone:
                        longer.add(edge.source)
                if alone:
                    number += 1
                    longer.add(node.name)
                stretch[node.name] = number
            number += is_recurrent(group)
        return frozenset(stretch) - longer

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
            require_room(node.output.limit, room=INTEGER_ROOM)  # type: ignore[attr-defined]  # lowered stage
        self.kept[node.name] = self.kept_size
        self.kept_size += self.pitches[node.name]
        self._emit(node.name, {"kind": KINDS["keep"], "first": self.kept[node.name]}, x=node.name)

    def _emit(
        self, owner: str, fields: Fields, x: str | Heard | None = None, y: str | Heard | None = None
    ) -> None:
        """Add an operation from signal x to signal y."""
        fields = {**fields, "stretch": self.stretch, "turn": self.turn}
        for field, signal in (("x", x), ("y", y)):
            if signal is not None:
                heard = (signal, 0) if isinstance(signal, str) else signal
                fields |= {field: self.slots[heard], f"{field}_pitch": self.pitches[heard[0]]}
        self.emitted.append((owner, fields))


def _effort(fields: Fields, inputs: int) -> int:
    """Estimate what a number takes of those that an operation makes."""
    kind = fields["kind"]
    if kind == KINDS["compiled"]:
        return 2 + int(fields["size"]) // NUMBERS_AT_ONCE
    if kind in (KINDS["add spikes"], KINDS["add wide spikes"]):
        return 2 + inputs // SPARSE
    return 2 + (fields["size"] if kind in PER_SIZE else 0)


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

"""One loop of a unit: what it computes of what it reads, and where that goes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from snn_deploy.errors import TargetError
from snn_deploy.ir.program import Value
from snn_deploy.targets.ranges import Range
from snn_deploy.targets.schedule import REDUCTIONS, Level, Rank
from snn_deploy.targets.verilog.cells import Cell, Datapath, vector
from snn_deploy.targets.verilog.jobs import Job, Loop
from snn_deploy.targets.verilog.operations import Operand, add_operation
from snn_deploy.targets.verilog.reads import Reads

if TYPE_CHECKING:
    from snn_deploy.targets.verilog.neuron_unit import NeuronUnit

__all__ = ["Phase"]


@dataclass(eq=False)
class Phase:
    """One loop of a unit."""

    unit: NeuronUnit
    phase: int
    number: int

    def __post_init__(self) -> None:
        self.section = self.unit.members[0].section
        self.name = f"{self.unit.prefix}p{self.phase}"
        self.path = Datapath(f"{self.name}_", self.unit.memories.factor_bits)
        self.loop = Loop(self.number, self.path, f"{self.unit.label}, phase {self.phase}")
        self.reads = Reads(self.unit, self.path)
        self._made: dict[int, list[Operand]] = {}

    # --- what the loop is for

    def build(self) -> Loop | None:
        """Make the datapath; None where nothing is to do."""
        section, on = self.section, Cell(self.loop.on, 1, kind="fixed")
        valid, last = self.reads.tap("v"), self.reads.tap("l")
        done = False
        for value in section.values:
            place = section.places[id(value)]
            if section.is_leaf(value) or value.operation == "weighted_sum":
                continue
            if value.operation in REDUCTIONS and place.rank.phase == self.phase + 1:
                self._reduce(value, on)
            elif place.level == Level.LAYER and self._held(value):
                self._hold(value, on)
            elif id(value) in section.kept and place.rank.phase == self.phase:
                self._keep(value, on)
            else:
                continue
            done = True
        if self.phase == section.storing_modes.phase:
            done |= self._store_modes(valid, on)
        if self.phase == section.storing:
            done |= self._store(valid, last, on)
        if not done:
            return None
        self.loop.depth = self.path.schedule()
        return self.loop

    def _held(self, value: Value) -> bool:
        """Whether a value of the layer is needed in a later phase than this one, which makes it."""
        if self.section.places[id(value)].rank.phase != self.phase:
            return False
        section = self.section
        readers = (v for v in section.values if any(a is value for a in section.computed_of(v)))
        return any(section.at_work(v).phase > self.phase for v in readers) or (
            section.storing > self.phase and any(root is value for root in section.roots)
        )

    def _register(self, value: Value) -> Cell:
        bits = self.unit.ranges[self.unit.places[id(value)]].bits
        name = f"{self.unit.prefix}_of_layer{self.unit.places[id(value)]}"
        return Cell(name, bits, kind="fixed")

    def _reduce(self, value: Value, on: Cell) -> None:
        into = self._register(value)
        (added,) = self.section.arguments(value)
        self.path.extra.append(f"reg {vector(into.bits, True)} {into.text};")
        more = {
            "sum_channels": f"{into.text} + {{2}}",
            "largest_channel": f"({{2}} > {into.text}) ? {{2}} : {into.text}",
        }[value.operation]
        self.path.sink(
            f"if (start && {on.text}) {into.text} <= 0; "
            f"else if ({{0}} && {{1}} && {on.text}) {into.text} <= {more};",
            self.reads.tap("v"),
            self.reads.tap("l"),
            self.operand(added).cell,
        )

    def _hold(self, value: Value, on: Cell) -> None:
        into = self._register(value)
        self.path.extra.append(f"reg {vector(into.bits, True)} {into.text};")
        text = f"if ({{0}} && {{1}} && {on.text}) {into.text} <= {{2}};"
        self.path.sink(text, self.reads.tap("v"), self.reads.tap("l"), self.operand(value).cell)

    def _keep(self, value: Value, on: Cell) -> None:
        section, unit = self.section, self.unit
        if section.places[id(value)].level == Level.MODE:
            raise TargetError(
                f"node '{unit.members[0].work.node.name}' needs a second turn over its modes"
            )
        bits = unit.ranges[unit.places[id(value)]].bits
        name = f"{unit.prefix}_kept{unit.places[id(value)]}"
        told = f"{unit.label}: between phases"
        memory = unit.memories.ram(name, bits, unit.channels[-1], told)
        text = f"if ({{0}} && {{1}} && {on.text}) {memory.name}[{{2}}] <= {{3}};"
        kept = self.path.wire("{0}", bits, self.operand(value).cell)
        self.path.sink(
            text, self.reads.tap("v"), self.reads.tap("l"), self.reads.address("c", memory), kept
        )

    def _store_modes(self, valid: Cell, on: Cell) -> bool:
        words = [word for word in self.section.stored if word.value.modes]
        for word in words:
            memory = self.unit.state[word.name]
            bits = memory.width // self.unit.lanes
            following = self.operands(self.section.resolved(word.following))
            lanes = [self.path.wire("{0}", bits, o.cell) for o in following]
            lanes *= self.unit.lanes // len(lanes)
            joined = ", ".join(f"{{{n + 2}}}" for n in reversed(range(len(lanes))))
            text = f"if ({{0}} && {on.text}) {memory.name}[{{1}}] <= {{{joined}}};"
            self.path.sink(text, valid, self.reads.address("a", memory), *lanes)
            self.reads.of_modes = True
        return bool(words)

    def _store(self, valid: Cell, last: Cell, on: Cell) -> bool:
        section = self.section
        done = False
        for word in section.stored:
            if word.value.modes is None:
                memory = self.unit.state[word.name]
                following = self.operand(section.resolved(word.following))
                stored = self.path.wire("{0}", memory.width, following.cell)
                text = f"if ({{0}} && {{1}} && {on.text}) {memory.name}[{{2}}] <= {{3}};"
                self.path.sink(text, valid, last, self.reads.address("c", memory), stored)
                done = True
        if section.output is not None and id(section.roots[0]) not in self.unit.sums:
            sent = f"y{self.number}"
            speaks = f"{{0}} && {{1}} && {on.text}"
            text = (
                f"{sent}_we <= {speaks}; {sent}_wa <= {speaks} ? {{2}} : 0; "
                f"{sent}_wd <= {speaks} ? {{3}} : 0;"
            )
            self.path.sink(
                text, valid, last, self.reads.tap("w"), self.operand(section.roots[0]).cell
            )
            self.loop.sends = True
            done = True
        return done

    # --- values

    def operand(self, value: Value) -> Operand:
        """Give a value of the layer or a channel."""
        (found,) = self.operands(value)
        return found

    def operands(self, value: Value) -> list[Operand]:
        """Give a value: of a mode, one operand a lane; else one alone."""
        if id(value) not in self._made:
            self._made[id(value)] = self._make(value)
        return self._made[id(value)]

    def _make(self, value: Value) -> list[Operand]:
        section, unit = self.section, self.unit
        out = unit.ranges[unit.places[id(value)]]
        level, rank = section.places[id(value)]
        if section.is_known(value) or (level == Level.LAYER and value.operation == "parameter"):
            return [self.reads.constant(value)]
        if value.operation == "clock":
            return [Operand(out, lambda: self.reads.clock(value, out))]
        if value.operation == "input":
            return [Operand(out, lambda: self.reads.input(value, out))]
        if id(value) in unit.sums:
            return [Operand(out, lambda: self.reads.summed(value, out))]
        if value.operation == "parameter":
            return self.reads.stored([v.content[0] for v in unit.across(value)], value, level)
        if value.operation == "state":
            return self.reads.state(section.program.words[value.name], level, out)
        if value.operation in REDUCTIONS or (level == Level.LAYER and rank.phase < self.phase):
            return [Operand(out, lambda: self._register(value))]
        if level == Level.CHANNEL and rank.phase < self.phase:
            return [Operand(out, lambda: self.reads.kept(value, out))]
        return self._computed(value, level, rank, out)

    def _computed(self, value: Value, level: Level, rank: Rank, out: Range) -> list[Operand]:
        arguments = [self.operands(a) for a in self.section.arguments(value)]
        if value.operation == "sum_modes":
            cell = self._sum_modes(arguments[0], out)
            return [Operand(out, lambda: cell)]
        if level == Level.MODE:
            self.reads.of_modes = True
            if rank.turn:
                name = self.unit.members[0].work.node.name
                raise TargetError(f"node '{name}' needs a second turn over its modes")
        count = max(len(a) for a in arguments)
        made = []
        for lane in range(count):
            inner = [a[lane if len(a) > 1 else 0] for a in arguments]
            if value.operation == "lookup":
                cell = self.reads.lookup(value, inner[0], out)
            else:
                cell = add_operation(self.path, value, inner, out)
            made.append(Operand(out, lambda cell=cell: cell))  # type: ignore[misc]
        return made

    def _sum_modes(self, parts: list[Operand], out: Range) -> Cell:
        self.reads.of_modes = True
        cells = [part.cell for part in parts]
        cells *= self.unit.lanes // len(cells)
        while len(cells) > 1:
            pairs = zip(cells[::2], cells[1::2], strict=True)
            cells = [self.path.cell("{0} + {1}", out.bits, *pair) for pair in pairs]
        return self.path.cell("{1} ? {0} : {self} + {0}", out.bits, cells[0], self.reads.tap("f"))

    def job(self, member: int) -> Job:
        """Give the run of a member."""
        unit, work = self.unit, self.unit.members[member].work
        return Job(
            loop=self.loop,
            outer=unit.members[member].section.program.width,
            inner=unit.modes[member] // unit.lanes if self.reads.of_modes else 1,
            channel=unit.channels[member],
            index=unit.words[member] if unit.home is None else unit.home.begins(work.node),
            write=unit.signals.regions[work.node.name].address(),
            ports=tuple(address(member) for address in self.reads.ports),
            constants={name: numbers[member] for name, numbers in self.reads.constants.items()},
            comment=f"{work.node.name} ({work.node.kind})",
        )

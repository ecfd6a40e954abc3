"""Which loop a neuron's values belong to, and in what order the loops run.

A value is of the whole layer, of a channel, or of a channel's mode. A sum over channels, or one
with weights, needs all channels of what it adds up: its result begins a new *phase*, a further loop
over channels. A sum over modes begins a new *turn*, a further loop over modes within the channel's.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from functools import cached_property
from typing import NamedTuple

from snn_deploy.errors import TargetError
from snn_deploy.ir.program import Program, Value, Word

__all__ = ["REDUCTIONS", "WEIGHTED", "Level", "Place", "Rank", "Section"]

REDUCTIONS = ("largest_channel", "sum_channels")
_LEAVES = ("input", "parameter", "state", "clock")
WEIGHTED = ("weighted_sum", "convolution")
_TABLES = ("lookup", *WEIGHTED)  # their first argument is an array, no value


class Level(IntEnum):
    """Of what a value is one."""

    LAYER = 0
    CHANNEL = 1
    MODE = 2


class Rank(NamedTuple):
    """When a value is there: in which loop over channels, after how many loops over modes."""

    phase: int
    turn: int


class Place(NamedTuple):
    """The loop that computes a value."""

    level: Level
    rank: Rank


_START = Rank(0, 0)


@dataclass(frozen=True)
class Section:
    """Some of a program's values, to be computed together.

    Parameters
    ----------
    program
        Whose.
    output
        What is sent; None: nothing.
    stored
        The words that get their next values.
    known
        By ``id``: the integers that some values always are.
    instead
        By ``id``: what stands for some values, such as a word that already holds its next value.
    """

    program: Program
    output: Value | None
    stored: tuple[Word, ...]
    known: Mapping[int, int]
    instead: Mapping[int, Value] = field(default_factory=dict)

    def resolved(self, value: Value) -> Value:
        """Give what really stands for a value."""
        value = self.instead.get(id(value), value)
        return self.resolved(value.arguments[0]) if value.operation == "per_mode" else value

    def arguments(self, value: Value) -> list[Value]:
        """Give what a value is computed of: no tables."""
        skipped = 1 if value.operation in _TABLES else 0
        return [self.resolved(argument) for argument in value.arguments[skipped:]]

    def is_known(self, value: Value) -> bool:
        """Whether it needs no computing."""
        return value.operation == "constant" or id(value) in self.known

    def is_leaf(self, value: Value) -> bool:
        """Whether it is read and not computed."""
        return value.operation in _LEAVES or self.is_known(value)

    @cached_property
    def roots(self) -> tuple[Value, ...]:
        """What the section is for."""
        output = () if self.output is None else (self.resolved(self.output),)
        return (*output, *(self.resolved(word.following) for word in self.stored))

    @cached_property
    def values(self) -> tuple[Value, ...]:
        """Every value that is computed or read, each after all that it works on."""
        found: dict[int, Value] = {}
        pending = [(root, False) for root in reversed(self.roots)]
        while pending:
            value, ready = pending.pop()
            if ready:
                found.setdefault(id(value), value)
            elif id(value) not in found:
                pending.append((value, True))
                inner = [] if self.is_leaf(value) else self.arguments(value)
                pending.extend((argument, False) for argument in reversed(inner))
        return tuple(found.values())

    @cached_property
    def places(self) -> dict[int, Place]:
        """Give every value's place."""
        places: dict[int, Place] = {}
        for value in self.values:
            places[id(value)] = self._place(value, places)
        return places

    def _place(self, value: Value, places: Mapping[int, Place]) -> Place:
        if self.is_known(value):
            return Place(Level.LAYER, _START)
        if value.operation in _LEAVES:
            return Place(self._leaf_level(value), _START)
        inner = [places[id(argument)] for argument in self.arguments(value)]
        level = max(place.level for place in inner)
        rank = max(place.rank for place in inner)
        if value.operation in REDUCTIONS:
            return Place(Level.LAYER, Rank(rank.phase + 1, 0))
        if value.operation == "sum_modes":
            return Place(Level.CHANNEL, Rank(rank.phase, rank.turn + 1))
        if value.operation in WEIGHTED:
            entered = self.arguments(value)[0].operation == "input"
            return Place(Level.CHANNEL, Rank(0 if entered else rank.phase + 1, 0))
        return Place(level, Rank(rank.phase, 0 if level == Level.LAYER else rank.turn))

    @cached_property
    def storing(self) -> int:
        """Give the phase at whose end channels' words and the output are stored.

        All at once, after the last one was read.
        """
        phases = [rank.phase for _, rank in self._reads(Level.CHANNEL)]
        phases += [self.places[id(root)].rank.phase for root in self.roots]
        return max((0, *phases))

    @cached_property
    def storing_modes(self) -> Rank:
        """Give the loop over modes at whose end modes' words are stored, likewise."""
        ranks = [rank for _, rank in self._reads(Level.MODE)]
        words = [word for word in self.stored if word.value.modes is not None]
        ranks += [self.places[id(self.resolved(word.following))].rank for word in words]
        return max((_START, *ranks))

    def _reads(self, level: Level) -> list[tuple[Value, Rank]]:
        """Give each word of a level with the loops that read it."""
        readers = [(a, self.at_work(v)) for v in self.values for a in self.computed_of(v)]
        for word in self.stored:  # what another word becomes, or one that moves on
            following = self.resolved(word.following)
            if word.value.modes is not None and level == Level.CHANNEL:
                readers.append((following, self.storing_modes))
        return [
            (value, rank)
            for value, rank in readers
            if value.operation == "state" and self._leaf_level(value) == level
        ]

    def computed_of(self, value: Value) -> list[Value]:
        """Give the arguments of what is computed, none of what is read."""
        return [] if self.is_leaf(value) else self.arguments(value)

    def at_work(self, value: Value) -> Rank:
        """Give the rank of the loop that reads a value's arguments."""
        rank = self.places[id(value)].rank
        if value.operation in (*REDUCTIONS, "sum_modes"):
            return max(self.places[id(a)].rank for a in self.arguments(value))
        return rank

    @cached_property
    def phases(self) -> int:
        """How many loops over channels there are, at least one."""
        return 1 + max(self.storing, *(p.rank.phase for p in self.places.values()), 0)

    @cached_property
    def kept(self) -> frozenset[int]:
        """The ``id`` of each value that a later loop needs: it takes an array."""
        found = set()
        for value in self.values:
            for argument in self.computed_of(value):
                if self._outlives(argument, self.at_work(value)):
                    found.add(id(argument))
            if value.operation in WEIGHTED and not self.is_known(value):
                found.add(id(value))
                found.update(id(a) for a in self.arguments(value) if a.operation != "input")
        if self.output is not None and self._outlives(self.roots[0], Rank(self.storing, 0)):
            found.add(id(self.roots[0]))
        for word in self.stored:
            following = self.resolved(word.following)
            at = self.storing_modes if word.value.modes is not None else Rank(self.storing, 0)
            if self._outlives(following, at):
                found.add(id(following))
        return frozenset(found)

    def _outlives(self, value: Value, reader: Rank) -> bool:
        if self.is_leaf(value):
            return False
        level, rank = self.places[id(value)]
        if level == Level.MODE:
            return rank != reader
        return level == Level.CHANNEL and rank.phase < reader.phase

    def _leaf_level(self, value: Value) -> Level:
        if value.operation == "clock" or self.is_of_all(value):
            return Level.LAYER
        if value.operation == "parameter":
            return Level(value.content[0].ndim)
        return Level.CHANNEL if value.modes is None else Level.MODE

    def is_of_all(self, value: Value) -> bool:
        """Whether it is one channel of a port, that all channels of a wider layer read."""
        if value.operation != "input" or value.content[1] is None:
            return False
        start, stop = value.content[1]
        return bool(stop - start == 1 < self.program.width)

    def check(self) -> None:
        """Refuse what has no loops of this shape.

        Raises
        ------
        TargetError
            Saying what it is.
        """
        for value in self.values:
            tables = value.arguments[:1] if value.operation in _TABLES else ()
            if any(table.operation != "parameter" for table in tables):
                raise TargetError("a table that is computed; only stored ones are written")
            if value.operation in (*REDUCTIONS, *WEIGHTED) and not self.is_known(value):
                (argument,) = self.arguments(value)
                if self.places[id(argument)].level != Level.CHANNEL:
                    raise TargetError(f"a {value.operation} of what no channel has of its own")

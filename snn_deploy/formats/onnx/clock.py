"""The words that a sequencer gives: which steps are the first, the last and valid, and divisors."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from functools import cached_property
from typing import Any

from snn_deploy.errors import TargetError
from snn_deploy.formats.onnx.graph import Graph
from snn_deploy.formats.onnx.operations import DOMAIN, function_of

__all__ = ["Clock", "SequenceClock", "StepClock"]

_DIVISOR = ("pre_shift", "mantissa", "shift")


class Clock(ABC):
    """Computes in a graph what the functions of nodes ask the sequencer for."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self._divisors: dict[str, dict[str, str]] = {}

    @property
    @abstractmethod
    def step(self) -> str:
        """The number of the step, or of each, (L,)."""

    @property
    @abstractmethod
    def at(self) -> str:
        """The same, beside a signal."""

    @abstractmethod
    def length(self, node: Any) -> str:
        """Give how many steps a node takes for valid, beside a signal."""

    def spread(self, word: str) -> str:
        """Give a word the axes that a node's step reads it with."""
        return word

    def words(self, node: Any, names: Sequence[str]) -> list[str]:
        """Name a node's words, in the order asked for.

        Raises
        ------
        TargetError
            For a word that is not known here.
        """
        return [self.spread(self._word(node, name)) for name in names]

    def _word(self, node: Any, name: str) -> str:
        graph = self.graph
        if name == "step":
            return self.at
        if name == "first":
            return graph.apply("equal", [self.at, graph.constant(0)], name)
        if name == "last":
            end = graph.apply("subtract", [self.length(node), graph.constant(1)], "end")
            return graph.apply("equal", [self.at, end], name)
        if name == "valid":
            return graph.apply("greater", [self.length(node), self.at], name)
        if name in _DIVISOR and node.divides is not None:
            return self._divisor(node)[name]
        raise TargetError(
            f"node '{node.name}' ({node.kind}) asks the sequencer for '{name}', which ONNX is not "
            "written for yet; use the backend 'native'"
        )

    def _divisor(self, node: Any) -> dict[str, str]:
        """Compute ``fixedpoint.reciprocal`` of a number of steps, once a node."""
        if node.name not in self._divisors:
            numbers = [self.graph.constant(number) for number in node.divides]
            made = self.graph.add_several(
                function_of("reciprocal").name,
                [self.length(node), *numbers],
                [f"{node.name}/{name}" for name in _DIVISOR],
                domain=DOMAIN,
            )
            self._divisors[node.name] = dict(zip(_DIVISOR, made, strict=True))
        return self._divisors[node.name]


class SequenceClock(Clock):
    """Of whole sequences: words are (B, L, 1).

    Parameters
    ----------
    graph
        Where the words are computed.
    signal
        A signal (B, L, …) of the graph: all have as many sequences and steps.
    """

    def __init__(self, graph: Graph, signal: str) -> None:
        super().__init__(graph)
        self._signal, self._lengths = signal, graph.name("lengths")
        self.asks_lengths = False

    @cached_property
    def sizes(self) -> str:
        """Sequences and steps, [B, L]."""
        return self.graph.sizes(self._signal, 2)

    @cached_property
    def batch(self) -> str:
        """How many sequences there are, [B]."""
        return self.graph.part(self.sizes, 0, 1, 0, "batch")

    @cached_property
    def steps(self) -> str:
        """How many steps there are, [L]."""
        return self.graph.part(self.sizes, 1, 2, 0, "steps")

    @property
    def lengths(self) -> str:
        """The valid steps of each sequence, (B,): the model must then be told."""
        self.asks_lengths = True
        return self._lengths

    @cached_property
    def step(self) -> str:
        count = self.graph.add("Squeeze", [self.steps], "count")
        ends = (self.graph.constant(0), count, self.graph.constant(1))
        return self.graph.add("Range", ends, "step")

    @cached_property
    def at(self) -> str:
        return self.graph.add("Unsqueeze", [self.step, self.graph.constant([-1])], "at")

    def length(self, node: Any) -> str:
        if node.pooling is not None and not node.pooling.valid:
            return self.steps
        return self._valid

    @cached_property
    def _valid(self) -> str:
        axes = self.graph.constant([1, 2])
        return self.graph.add("Unsqueeze", [self.lengths, axes], "length")

    @cached_property
    def _column(self) -> str:
        sizes = [self.sizes, self.graph.constant([1])]
        return self.graph.add("Concat", sizes, "column", axis=0)

    def spread(self, word: str) -> str:
        return self.graph.add("Expand", [word, self._column], f"{word}_column")


class StepClock(Clock):
    """Of one step, as if the sequence ended with it: a pool tells what it has gathered so far."""

    def __init__(self, graph: Graph) -> None:
        super().__init__(graph)
        self._step = graph.name("step")
        self.asks_step = False

    @property
    def step(self) -> str:
        """How many steps came before: the model must then be told."""
        self.asks_step = True
        return self._step

    @property
    def at(self) -> str:
        return self.step

    @cached_property
    def following(self) -> str:
        """The number of the step after it: as many have come then."""
        return self.graph.apply("add", [self.step, self.graph.constant(1)], f"{self._step}/next")

    def length(self, node: Any) -> str:
        return self.following

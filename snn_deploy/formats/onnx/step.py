"""One step of some nodes in a graph: words of state and past signals go in and come out."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from snn_deploy.formats.onnx.graph import Graph
from snn_deploy.formats.onnx.library import Library
from snn_deploy.ir.formats import Edge
from snn_deploy.ir.loops import past_steps
from snn_deploy.ir.program import Word

__all__ = ["PAST", "State", "Step"]

PAST = "past"


@dataclass(frozen=True)
class State:
    """What is carried from step to step.

    Parameters
    ----------
    node, word
        Which word of which node's; of a signal's last steps the word is :data:`PAST`.
    name
        Of the value before the step, in the graph.
    shape
        Without the axis of sequences.
    start
        What it is before the first step: a number, or an array that spreads to ``shape``.
    following
        Of the value after the step.
    """

    node: str
    word: str
    name: str
    shape: tuple[int, ...]
    start: npt.NDArray[np.int64] | int
    following: str = ""


def _as_it_is(state: State) -> str:
    return state.name


class Step:
    """Adds the step of some nodes to a graph.

    Parameters
    ----------
    graph
        Where to.
    library
        What the nodes call.
    nodes
        In their order.
    signals
        What they read of others in this step, by node and ``steps_back``: the graph's names, (B,
        width); it gets the nodes' own.
    begun
        Gives the value that a step reads of a state, where that is not the state itself.
    """

    def __init__(
        self,
        graph: Graph,
        library: Library,
        nodes: Sequence[Any],
        signals: Mapping[tuple[str, int], str],
        begun: Callable[[State], str] = _as_it_is,
    ) -> None:
        self.graph, self.library, self.nodes = graph, library, nodes
        self.signals, self._begun = dict(signals), begun
        self.states: list[State] = []
        inside = {node.name: node for node in nodes}
        self._pasts = {
            name: graph.name(f"{name}/{PAST}") for name in past_steps(self._edges) if name in inside
        }

    @property
    def _edges(self) -> list[Edge]:
        return [edge for node in self.nodes for edge in self.library.edges(node)]

    def take(self, clock: Mapping[str, Sequence[str]]) -> None:
        """Add all nodes; ``clock`` names by node the sequencer's words that its function takes."""
        for node in self.nodes:
            if not node.is_input:
                self._add(node, clock.get(node.name, ()))
        steps = past_steps(self._edges)
        for name, past in self._pasts.items():
            self._keep(name, past, steps[name])

    def _add(self, node: Any, clock: Sequence[str]) -> None:
        function = self.library.function(node.name)
        states = [self._state(node, word) for word in function.words]
        ports = [self._read(edge) for edge in function.edges]
        words = [self._begun(state) for state in states]
        called = self.library.call(self.graph, node.name, ports, words, clock)
        self.signals[node.name, 0] = called.output
        self.states += [replace(s, following=called.words[s.word]) for s in states]

    def _state(self, node: Any, word: Word) -> State:
        modes = () if word.value.modes is None else (word.value.modes,)
        name = self.graph.name(f"{node.name}/{word.name}")
        return State(node.name, word.name, name, (node.program.width, *modes), word.start)

    def _read(self, edge: Edge) -> str:
        key = edge.source, edge.steps_back
        if key not in self.signals:
            place = self.graph.constant(-edge.steps_back)
            past = [self._pasts[edge.source], place]
            wanted = f"{edge.source}/{edge.steps_back}_steps_back"
            self.signals[key] = self.graph.add("Gather", past, wanted, axis=1)
        return self.signals[key]

    def _keep(self, name: str, past: str, steps: int) -> None:
        """The oldest step goes, this one is added."""
        axis = self.graph.constant([1])
        now = self.graph.add("Unsqueeze", [self.signals[name, 0], axis], f"{name}/now")
        kept = self.graph.part(past, 1, steps, 1, f"{name}/kept")
        following = self.graph.add("Concat", [kept, now], f"{name}/{PAST}/next", axis=1)
        shape = (steps, self.library.network[name].width)
        self.states.append(State(name, PAST, past, shape, 0, following))

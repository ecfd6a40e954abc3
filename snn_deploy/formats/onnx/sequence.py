"""Whole sequences: every node on signals (B, L, width), in a ``Scan`` where it has a state."""

from __future__ import annotations

from typing import Any

import numpy as np

from snn_deploy.formats.onnx.clock import SequenceClock
from snn_deploy.formats.onnx.graph import Graph
from snn_deploy.formats.onnx.library import Library
from snn_deploy.formats.onnx.scan import Port, Scan, add_scan
from snn_deploy.formats.onnx.step import State, Step
from snn_deploy.ir.answer import Answer
from snn_deploy.ir.formats import Edge
from snn_deploy.ir.loops import groups, is_recurrent

__all__ = ["SequenceGraph"]

MOST = 2**62  # beyond the end of any axis


class SequenceGraph:
    """Adds a whole network to a graph; ``signals`` are the values' names, by node.

    Raises
    ------
    TargetError
        For a node that ONNX is not written for.
    """

    def __init__(self, graph: Graph, library: Library) -> None:
        self.graph, self.library = graph, library
        network = library.network
        self.signals = {name: graph.name(name) for name in network.inputs}
        self.clock = SequenceClock(graph, next(iter(self.signals.values())))
        self._delayed: dict[tuple[str, int], str] = {}
        for group in groups(network):
            (first, *_) = group
            if first.is_input:
                continue
            if is_recurrent(group) or self.library.function(first.name).words:
                self._scan(group)
            else:
                self._whole(first)

    def _whole(self, node: Any) -> None:
        function = self.library.function(node.name)
        ports = [self._read(edge) for edge in function.edges]
        clock = self.clock.words(node, function.clock)
        called = self.library.call(self.graph, node.name, ports, (), clock)
        self.signals[node.name] = called.output

    def _read(self, edge: Edge) -> str:
        """Give a signal as it was some steps before, 0 outside the sequence."""
        back, signal = edge.steps_back, self.signals[edge.source]
        if not back:
            return signal
        if (edge.source, back) not in self._delayed:
            self._delayed[edge.source, back] = self._shifted(signal, back)
        return self._delayed[edge.source, back]

    def _shifted(self, signal: str, back: int) -> str:
        graph, steps = self.graph, self.clock.steps
        ends = [0, max(back, 0), 0, 0, max(-back, 0), 0]
        padded = graph.add("Pad", [signal, graph.constant(ends)], f"{signal}/padded")
        start = graph.constant([max(-back, 0)])
        stop = graph.apply("add", [steps, start], "stop")
        axis = graph.constant([1])
        return graph.add("Slice", [padded, start, stop, axis], f"{signal}/{back}_steps_back")

    def _scan(self, group: tuple[Any, ...]) -> None:
        """Run nodes that take turns, or one that has a state, step by step."""
        first, members = group[0].name, {node.name for node in group}
        body = self.graph.within(f"{first}/step/")
        edges = [edge for node in group for edge in self.library.edges(node)]
        outside = {(e.source, e.steps_back): e for e in edges if e.source not in members}
        ports = {
            key: Port(self._read(edge), body.name("/".join(map(str, key))), self._width(edge))
            for key, edge in outside.items()
        }
        clock = {node.name: self._clock(node, body) for node in group}
        step = Step(body, self.library, group, {key: port.inner for key, port in ports.items()})
        step.take({name: [port.inner for port in words] for name, words in clock.items()})
        sent = [
            Port(self.graph.name(node.name), step.signals[node.name, 0], node.width)
            for node in group
        ]
        entering = [*ports.values(), *(port for words in clock.values() for port in words)]
        add_scan(
            Scan(f"{first}/steps", body, step.states, entering, sent, group[0].runs_backwards),
            self.graph,
            [self._start(state) for state in step.states],
        )
        self.signals |= {node.name: port.outer for node, port in zip(group, sent, strict=True)}

    def _width(self, edge: Edge) -> int:
        return self.library.network[edge.source].width

    def _clock(self, node: Any, body: Graph) -> list[Port]:
        names = self.library.function(node.name).clock
        words = self.clock.words(node, names)
        inner = [body.name(f"{node.name}/{name}") for name in names]
        return [Port(word, name, 1) for word, name in zip(words, inner, strict=True)]

    def _start(self, state: State) -> str:
        graph, start = self.graph, np.asarray(state.start)
        shape = [self.clock.batch, graph.constant(list(state.shape))]
        sizes = graph.add("Concat", shape, f"{state.name}/sizes", axis=0)
        number = (
            self.library.parameters.wide(state.node, f"{state.word}_start", start)
            if start.ndim
            else graph.constant(int(start))
        )
        return graph.add("Expand", [number, sizes], f"{state.name}/start")

    def answer(self, name: str, answer: Answer, wanted: str) -> str:
        """Add the picking of an answer's steps, (B, width) or (B, steps, width); name the value."""
        graph, signal = self.graph, self.signals[name]
        if answer.steps == "all":
            return graph.add("Identity", [signal], wanted)
        one, count = answer.steps == "one", answer.length
        if not answer.of_valid:
            if one:
                return graph.add("Gather", [signal, graph.constant(-1)], wanted, axis=1)
            return graph.part(signal, -count, MOST, 1, wanted)
        column = graph.add("Unsqueeze", [self.clock.lengths, graph.constant([-1])], "ends")
        back = graph.constant(list(range(-count, 0)))
        places = graph.apply("add", [column, back], "places")
        if not one:
            places = graph.add("Unsqueeze", [places, graph.constant([-1])], "places")
        return graph.add("GatherND", [signal, places], wanted, batch_dims=1)

"""A node's step as an ONNX function: its program, walked once; equal functions are shared.

A function takes what arrives at the ports, the words of state, the sequencer's words and the
parameters, in this order, and gives what is sent and the words of the next step. Channels are the
last axis, modes one more after it; the axes before are free, as in ``ir/program_step.py``.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from onnx import helper

from snn_deploy.formats.onnx.graph import Graph
from snn_deploy.formats.onnx.operations import DOMAIN, INT64, OPSET
from snn_deploy.ir.formats import Edge
from snn_deploy.ir.program import Value, Word

__all__ = ["NodeFunction", "program_function"]

_LEAVES = ("input", "state", "clock", "parameter", "constant")


@dataclass(frozen=True)
class NodeFunction:
    """What a node becomes.

    Parameters
    ----------
    kind
        What the function is called, unless another one is.
    graph
        Its body.
    inputs, outputs
        Names within the body.
    edges
        What is at its ports.
    words
        The words of state.
    clock
        The words that it asks the sequencer for.
    parameters
        Arrays by their names within the body, which come last.
    about
        A few words for people.
    """

    kind: str
    graph: Graph
    inputs: Sequence[str]
    outputs: Sequence[str]
    edges: tuple[Edge, ...]
    words: tuple[Word, ...] = ()
    clock: tuple[str, ...] = ()
    parameters: Mapping[str, npt.NDArray[Any]] = field(default_factory=dict)
    about: str = ""

    def proto(self, name: str) -> Any:
        """Give the function under a name, an ``onnx.FunctionProto``."""
        opsets = [helper.make_opsetid("", OPSET), helper.make_opsetid(DOMAIN, 1)]
        made = helper.make_function(
            DOMAIN, name, self.inputs, self.outputs, self.graph.nodes, opsets
        )
        made.doc_string = self.about
        return made


class _Extent(NamedTuple):
    """What axes a value has: those before the channels, and how many channels; 0: no such axis."""

    batched: bool
    channels: int


def program_function(node: Any, widths: Sequence[int]) -> NodeFunction:
    """Write a node's program as a function; ``widths`` are the channels at its ports."""
    return _Walk(node, widths).function()


class _Walk:
    """Writes one program."""

    def __init__(self, node: Any, widths: Sequence[int]) -> None:
        self.node, self.program, self.widths = node, node.program, widths
        self.graph = Graph()
        self.ports = [self.graph.name(f"x{port}") for port in range(len(widths))]
        words = self.program.words
        self.words = {name: self.graph.name(name) for name in words}
        clock = {value.name for value in self.program if value.operation == "clock"}
        self.clock = {name: self.graph.name(name) for name in sorted(clock)}
        self.parameters: dict[str, npt.NDArray[Any]] = {}
        self.names: dict[int, str] = {}
        self.extents: dict[int, _Extent] = {}

    def function(self) -> NodeFunction:
        """Walk the program."""
        for value in self.program:
            self.extents[id(value)] = self._extent(value)
            self.names[id(value)] = self._write(value)
        output = self._whole(self.program.output, self._output_sizes)
        sent = self.graph.add("Identity", [output], "y")
        following = [self._following(word) for word in self.program.words.values()]
        told = inspect.getdoc(type(self.node)) or ""
        return NodeFunction(
            kind=self.node.kind,
            graph=self.graph,
            inputs=[*self.ports, *self.words.values(), *self.clock.values(), *self.parameters],
            outputs=[sent, *following],
            edges=self.node.inputs,
            words=tuple(self.program.words.values()),
            clock=tuple(self.clock),
            parameters=self.parameters,
            about=told.partition("\n\n")[0],
        )

    def _following(self, word: Word) -> str:
        def sizes() -> str:
            return self.graph.add("Shape", [self.words[word.name]], f"{word.name}_sizes")

        name = self._whole(word.following, sizes, word.value.modes)
        return self.graph.add("Identity", [name], f"{word.name}_next")

    def _output_sizes(self) -> str:
        before = self.graph.sizes(self.ports[0], -1)
        width = self.graph.constant([self.program.width])
        return self.graph.add("Concat", [before, width], "output_sizes", axis=0)

    def _whole(self, value: Value, sizes: Any, modes: int | None = None) -> str:
        """Give a value with all its axes, spread out where it stands for many."""
        name = self.names[id(value)]
        if self.extents[id(value)] == (True, self.program.width) and value.modes == modes:
            return name
        if modes is not None and value.modes is None and self.extents[id(value)].channels:
            name = self.graph.add("Unsqueeze", [name, self.graph.constant([-1])], "column")
        return self.graph.add("Expand", [name, sizes()], "spread")

    def _extent(self, value: Value) -> _Extent:
        found = {id(a): self.extents[id(a)] for a in value.arguments}
        inner = [found[id(a)] for a in value.arguments]
        if value.operation == "input":
            port, part = value.content
            return _Extent(True, part[1] - part[0] if part else self.widths[port])
        if value.operation == "state":
            return _Extent(True, self.program.width)
        if value.operation == "clock":  # one for the layer, be it of a sequence or of all
            return _Extent(False, 1)
        if value.operation == "parameter":
            return _Extent(False, value.content[0].shape[0] if value.content[0].ndim else 0)
        if value.operation in ("sum_channels", "largest_channel"):
            return _Extent(inner[0].batched, 1)
        if value.operation == "weighted_sum":
            return _Extent(inner[1].batched, inner[0].channels)
        if value.operation == "convolution":
            return _Extent(inner[1].batched, inner[0].channels * value.content.places)
        if value.operation == "lookup":
            return inner[1]
        batched = any(extent.batched for extent in inner)
        return _Extent(batched, max((extent.channels for extent in inner), default=0))

    def _write(self, value: Value) -> str:
        if value.operation in _LEAVES:
            return self._leaf(value)
        graph, arguments = self.graph, self._aligned(value)
        wanted = value.name if value.name and value.name not in self.words else value.operation
        if value.operation == "saturate":
            bits, signed = value.content
            high = (1 << (bits - signed)) - 1
            ends = [graph.constant(end) for end in (-high if signed else 0, high)]
            return graph.apply("clip", [*arguments, *ends], wanted)
        if value.operation == "clip":
            arguments += map(graph.constant, value.content)
        if value.operation == "per_mode":
            arguments.append(graph.constant([value.modes or 0]))
        if value.operation == "convolution":
            arguments += self._windows(value)
        return graph.apply(value.operation, arguments, wanted)

    def _leaf(self, value: Value) -> str:
        if value.operation == "state":
            return self.words[value.name]
        if value.operation == "clock":
            return self.clock[value.name]
        if value.operation == "constant":
            return self.graph.constant(int(value.content))
        if value.operation == "parameter":
            return self._parameter(value.name, value.content[0])
        port, part = value.content
        name = self.ports[int(port)]
        return name if part is None else self.graph.part(name, part[0], part[1], -1)

    def _parameter(self, wanted: str, array: Any) -> str:
        name = self.graph.name(wanted)
        self.parameters[name] = np.asarray(array)
        return self.graph.add("Cast", [name], f"{name}_wide", to=INT64)

    def _windows(self, value: Value) -> list[str]:
        """Give what a convolution is told of its windows: what taps read, and three shapes."""
        windows = value.content
        filters = self.extents[id(value.arguments[0])].channels
        shapes = (
            (windows.groups, windows.group_inputs),
            (windows.groups, filters // windows.groups, windows.taps),
            (filters * windows.places,),
        )
        return [self._parameter("reads", windows.reads.T), *map(self.graph.constant, shapes)]

    def _aligned(self, value: Value) -> list[str]:
        """Give a channel's values an axis of modes where they meet values of modes."""
        names = [self.names[id(a)] for a in value.arguments]
        if value.modes is None or value.operation in ("per_mode", "lookup"):
            return names
        return [
            name
            if a.modes is not None or not self.extents[id(a)].channels
            else self.graph.add("Unsqueeze", [name, self.graph.constant([-1])], "column")
            for a, name in zip(value.arguments, names, strict=True)
        ]

"""From a flat NIR graph to a float network: a primitive at a time, and sums where they meet."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from snn_deploy.errors import CheckpointError, UnsupportedNetworkError
from snn_deploy.ir.answer import Answer
from snn_deploy.ir.formats import Edge
from snn_deploy.ir.network import Network, OutputSteps
from snn_deploy.ir.node import Node
from snn_deploy.nodes.float_inputs import FloatInput
from snn_deploy.nodes.residual import Residual
from snn_deploy.readers.answers import check_readout, pooled, relay
from snn_deploy.readers.nir.conventions import Conventions
from snn_deploy.readers.nir.graph import Graph, Primitive
from snn_deploy.readers.nir.loops import computing_order, fold_recurrent_biases
from snn_deploy.readers.nir.place import Place
from snn_deploy.readers.nir.primitives import PRIMITIVES, delay_of

__all__ = ["build_network"]


def build_network(graph: Graph, how: Conventions, answer: OutputSteps, readout: str) -> Network:
    """Build the network of a graph.

    Parameters
    ----------
    graph
        Its outputs are the answers.
    how
        What a step does.
    answer
        ``"one"`` vector a sequence, by ``readout``; or all steps, or the last K.
    readout
        One of ``answers.READOUTS``.

    Raises
    ------
    CheckpointError
        If the graph's parts do not fit.
    UnsupportedNetworkError
        If a part of it has no equivalent here.
    """
    check_readout(readout, graph.where)
    inputs, outputs = graph.of_kind("Input"), graph.of_kind("Output")
    for what, names in (("Input", inputs), ("Output", outputs)):
        if not names:
            raise CheckpointError(f"{graph.where}: the graph has no {what} node")
    used = graph.leading_to(outputs)
    for name in [name for name in graph.nodes if name not in used]:
        graph.without(name)
    order, closing = computing_order(graph)
    unfed = [name for name in graph.nodes if name not in order]
    if unfed:
        raise CheckpointError(f"{graph.nodes[unfed[0]].where}: no input reaches it")
    fold_recurrent_biases(graph, closing)
    made = _Building(graph, how, closing)
    for name in sorted(order, key=lambda name: graph.nodes[name].kind != "Input"):
        made.add(graph.nodes[name])
    answers = [made.answer(name, answer, readout) for name in outputs]
    return replace(Network("float", tuple(made.nodes)), answers=tuple(answers))


@dataclass
class _Building:
    """The nodes made so far; ``ends`` says what a graph's node has become, and of which shape."""

    graph: Graph
    how: Conventions
    closing: set[tuple[str, str]]
    nodes: list[Node] = field(default_factory=list)
    ends: dict[str, tuple[Edge, tuple[int, ...]]] = field(default_factory=dict)

    def add(self, primitive: Primitive) -> None:
        """Add what a primitive becomes; those that change no signal become edges."""
        name, kind = primitive.name, primitive.kind
        if kind == "Input":
            shape = _fed(self.graph, primitive)
            self.nodes.append(FloatInput(name=name, channels=int(np.prod(shape))))
            self.ends[name] = Edge(name), shape
            return
        reads, shape = self._read(primitive)
        if kind == "Output":
            self.ends[name] = reads, shape
        elif kind == "Flatten":
            self.ends[name] = reads, _flattened(primitive, shape)
        elif kind == "Delay":
            late = reads.steps_back + delay_of(primitive, shape, self.how)
            self.ends[name] = Edge(reads.source, steps_back=late), shape
        elif kind in PRIMITIVES:
            made = PRIMITIVES[kind](primitive, Place(reads, shape, self.how))
            self.nodes.extend(made.nodes)
            self.ends[name] = Edge(name), made.shape
        else:
            known = ", ".join(sorted(PRIMITIVES))
            raise UnsupportedNetworkError(
                f"{primitive.where}: this primitive cannot be expressed; there are: {known}, "
                "Delay, Flatten"
            )

    def _read(self, primitive: Primitive) -> tuple[Edge, tuple[int, ...]]:
        """Give the one signal that a node reads, the sum of all that arrives at it."""
        name = primitive.name
        sources = self.graph.before(name)
        back = [source for source in sources if (source, name) in self.closing]
        forward = [source for source in sources if source not in back]
        (first, shape), *others = [self.ends[source] for source in forward]
        edges = [first]
        for edge, other in others:
            if np.prod(other) != np.prod(shape):
                told = f"reads {shape} and {other}, which cannot be added"
                raise CheckpointError(f"{primitive.where}: {told}")
            edges.append(edge)
        edges += [self._closed(source, primitive, shape) for source in back]
        return self._sum(name, edges, int(np.prod(shape))), shape

    def _closed(self, source: str, primitive: Primitive, shape: tuple[int, ...]) -> Edge:
        """Give the edge that closes a loop, from a node that comes later."""
        node, steps = self.graph.nodes[source], 1
        while node.kind == "Delay" and len(self.graph.before(node.name)) == 1:
            steps += delay_of(node, shape, self.how)
            node = self.graph.nodes[self.graph.before(node.name)[0]]
        if node.kind in PRIMITIVES:
            return Edge(node.name, steps_back=steps)
        raise UnsupportedNetworkError(
            f"{node.where} closes a loop, which only a node of its own can"
        )

    def _sum(self, name: str, edges: Sequence[Edge], width: int) -> Edge:
        """Add edges up, two at a time."""
        total = edges[0]
        for index, edge in enumerate(edges[1:]):
            own = f"{name}.sum" if len(edges) == 2 else f"{name}.sum.{index}"
            self.nodes.append(Residual(name=own, inputs=(total, edge), channels=width))
            total = Edge(own)
        return total

    def answer(self, output: str, steps: OutputSteps, readout: str) -> Answer:
        """Give what an output answers, adding the node that reads it out."""
        edge, shape = self.ends[output]
        width = int(np.prod(shape))
        if steps != "one":
            if edge.steps_back:
                self.nodes.append(relay(output, edge, width))
                edge = Edge(output)
            return Answer(steps, edge.source)
        self.nodes.append(pooled(output, edge, width, readout))
        return Answer("one", output)


def _fed(graph: Graph, primitive: Primitive) -> tuple[int, ...]:
    """Give an input's shape, without the axes of batch and time that some tools leave in it."""
    shape = primitive.shape("shape")
    readers = [graph.nodes[name] for name in graph.after(primitive.name)]
    dense = all(reader.kind in ("Affine", "Linear") for reader in readers)
    if dense and all(reader.array("weight").shape[1:] == shape[-1:] for reader in readers):
        return shape[-1:]
    return shape


def _flattened(primitive: Primitive, shape: tuple[int, ...]) -> tuple[int, ...]:
    first, last = (
        int(primitive.array(name, default).reshape(-1)[0]) % len(shape)
        for name, default in (("start_dim", 0.0), ("end_dim", -1.0))
    )
    middle = (int(np.prod(shape[first : last + 1])),) if first <= last else ()
    return (*shape[:first], *middle, *shape[max(first, last + 1) :])

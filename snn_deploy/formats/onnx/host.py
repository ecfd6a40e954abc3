"""What the host computes as it encodes, as ONNX functions: kinds of node that are no neuron's step.

A table of what replaces a kind's own ``run``, as other engines have one.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from snn_deploy.errors import TargetError
from snn_deploy.fixedpoint import limit_of
from snn_deploy.formats.onnx.functions import NodeFunction, program_function
from snn_deploy.formats.onnx.graph import Graph
from snn_deploy.formats.onnx.operations import INT64
from snn_deploy.nodes.embedding_table import EmbeddingTable
from snn_deploy.nodes.window import Window

__all__ = ["node_function"]


def node_function(node: Any, widths: Sequence[int]) -> NodeFunction:
    """Write any node as a function; ``widths`` are the channels at its ports.

    Raises
    ------
    TargetError
        If it is of a kind that has no program, and none that is known here.
    """
    if not hasattr(node, "run"):
        return program_function(node, widths)
    if type(node) not in _HOST:
        raise TargetError(
            f"node '{node.name}' ({node.kind}) has no step of its own, and ONNX is not written for "
            "it yet; use the backend 'native'"
        )
    return _HOST[type(node)](node)


class _Body:
    """A function's body while it is written."""

    def __init__(self, node: Any, ports: int) -> None:
        self.node = node
        self.graph = Graph()
        self.ports = [self.graph.name(f"x{port}") for port in range(ports)]
        self.parameters: dict[str, Any] = {}

    def parameter(self, name: str, array: Any) -> str:
        """Take an array in, as int64."""
        name = self.graph.name(name)
        self.parameters[name] = np.asarray(array)
        return self.graph.add("Cast", [name], f"{name}_wide", to=INT64)

    def saturated(self, x: str) -> str:
        """Clip to the node's format."""
        high = limit_of(self.node.output.bits)
        return self.graph.apply("clip", [x, *map(self.graph.constant, (-high, high))], "output")

    def function(self, output: str) -> NodeFunction:
        """Put it together."""
        return NodeFunction(
            kind=self.node.kind,
            graph=self.graph,
            inputs=[*self.ports, *self.parameters],
            outputs=[output],
            edges=self.node.inputs,
            parameters=self.parameters,
            about=self.node.does,
        )


def _window(node: Window) -> NodeFunction:
    """Steps beside each other are a port each: steps to come are read -1, -2, … steps back."""
    body = _Body(node, node.steps)
    output = body.graph.add("Concat", body.ports, "y", axis=-1)
    (edge,) = node.inputs
    backs = range(node.before, -node.after - 1, -1)
    return replace(
        body.function(output), edges=tuple(replace(edge, steps_back=back) for back in backs)
    )


def _table(node: EmbeddingTable) -> NodeFunction:
    """Each cluster's rows, and of them the one of the cluster that the token belongs to."""
    body = _Body(node, 1)
    graph, (tokens,) = body.graph, body.ports
    token = graph.add("Squeeze", [tokens, graph.constant([-1])], "token")
    found, start = "", 0
    for number, cluster in enumerate(node.clusters):
        end = start + len(cluster.table)
        index = graph.apply("subtract", [token, graph.constant(start)])
        if len(node.clusters) > 1:
            last = graph.constant(len(cluster.table) - 1)
            index = graph.apply("clip", [index, graph.constant(0), last], "row")
        rows = graph.apply("lookup", [body.parameter(f"table{number}", cluster.table), index])
        if cluster.projection is not None:
            rows = _projected(body, rows, cluster.projection, number)
        if found:
            inside = graph.add("GreaterOrEqual", [tokens, graph.constant(start)], "inside")
            rows = graph.add("Where", [inside, rows, found], "rows")
        found, start = rows, end
    return body.function(found)


def _projected(body: _Body, rows: str, projection: Any, number: int) -> str:
    graph, rescale = body.graph, projection.rescale
    weight = body.parameter(f"weight{number}", projection.weight)
    numbers = [
        body.parameter(f"{name}{number}", getattr(rescale, name))
        for name in ("mantissa", "shift", "bias")
    ]
    total = graph.apply("weighted_sum", [weight, rows])
    scaled = graph.apply("multiply_shift", [total, *numbers[:2]])
    return body.saturated(graph.apply("add", [scaled, numbers[2]]))


_HOST: dict[type, Callable[[Any], NodeFunction]] = {
    EmbeddingTable: _table,
    Window: _window,
}

"""The functions and the initialisers of a model, and calling the one with the other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from snn_deploy.formats.onnx.functions import NodeFunction
from snn_deploy.formats.onnx.graph import Graph
from snn_deploy.formats.onnx.host import node_function
from snn_deploy.formats.onnx.operations import DOMAIN, all_functions
from snn_deploy.formats.onnx.parameters import Parameters
from snn_deploy.ir.formats import Edge
from snn_deploy.ir.network import Network

__all__ = ["Called", "Library"]


@dataclass(frozen=True)
class Called:
    """What a node's function gave: what is sent, and by name the words for the next step."""

    output: str
    words: Mapping[str, str]


@dataclass
class Library:
    """Functions of a network's nodes; nodes of one equation share one."""

    network: Network
    parameters: Parameters
    _functions: dict[str, NodeFunction] = field(default_factory=dict)
    _protos: dict[bytes, Any] = field(default_factory=dict)

    def function(self, name: str) -> NodeFunction:
        """Give a node's function, by the name of the node."""
        if name not in self._functions:
            node = self.network[name]
            widths = [self.network[edge.source].width for edge in node.inputs]
            self._functions[name] = node_function(node, widths)
        return self._functions[name]

    def edges(self, node: Any) -> tuple[Edge, ...]:
        """Give what a node's function reads."""
        return () if node.is_input else self.function(node.name).edges

    def call(
        self,
        graph: Graph,
        name: str,
        ports: Sequence[str],
        words: Sequence[str],
        clock: Sequence[str],
    ) -> Called:
        """Add a node to a graph; the values are named in the order of its function."""
        function = self.function(name)
        numbers = [self.parameters.add(name, *item) for item in function.parameters.items()]
        outputs = [name, *(f"{name}/{word.name}/next" for word in function.words)]
        arguments = [*ports, *words, *clock, *numbers]
        made = graph.add_several(self._shared(function), arguments, outputs, domain=DOMAIN)
        following = {w.name: found for w, found in zip(function.words, made[1:], strict=True)}
        return Called(made[0], following)

    def _shared(self, function: NodeFunction) -> str:
        body = function.proto("").SerializeToString(deterministic=True)
        key = function.kind.encode() + b"\0" + body
        if key not in self._protos:
            count = 1 + sum(
                known.startswith(key[: len(function.kind) + 1]) for known in self._protos
            )
            name = function.kind if count == 1 else f"{function.kind}_{count}"
            self._protos[key] = function.proto(name)
        return str(self._protos[key].name)

    def protos(self, graphs: Sequence[Any]) -> list[Any]:
        """Give all functions that some nodes call, those of operations first."""
        own = list(self._protos.values())
        bodies = [node for proto in own for node in proto.node]
        return [*all_functions([*graphs, *bodies]), *own]

"""Give every path its delay, so that messages that belong to one step arrive together.

Crossing synapses takes a step, a norm several. A residual path around a layer would therefore run
ahead of the layer; its edge is delayed by as many steps as the layer takes. What the host computes
before the chip's first signal takes no step.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from snn_deploy.ir.formats import Edge
from snn_deploy.ir.host import host_part
from snn_deploy.ir.integer_nodes import IntegerNode
from snn_deploy.ir.network import Network
from snn_deploy.ir.node import Node
from snn_deploy.passes.base import Pass

__all__ = ["BalanceDelays"]


@dataclass(frozen=True)
class BalanceDelays(Pass):
    """Integer to lowered: each node's steps to cross, and matching delays where paths join."""

    name = "balance-delays"
    takes = "integer"
    gives = "lowered"

    def __call__(self, network: Network) -> Network:
        latency: dict[str, int] = {}
        nodes: list[Node] = []
        host = host_part(network)
        for node in network:
            crossing = 0 if node in host else _crossing(node)
            arrival = crossing + max((latency[e.source] for e in node.inputs), default=0)
            edges = tuple(Edge(e.source, arrival - latency[e.source]) for e in node.inputs)
            latency[node.name] = arrival
            nodes.append(replace(node, inputs=edges))
        return replace(network, stage="lowered", nodes=tuple(nodes))


def _crossing(node: Node) -> int:
    return node.crossing if isinstance(node, IntegerNode) else 0

"""Give every path its delay, so that messages that belong to one step arrive together.

Crossing synapses takes a step, a norm several. A residual path around a layer would therefore run
ahead of the layer; its edge is delayed by as many steps as the layer takes. What the host computes
before the chip's first signal takes no step. An edge that points backwards has as much delay as is
left of the steps that it looks back.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from snn_deploy.errors import UnsupportedNetworkError
from snn_deploy.ir.formats import Edge
from snn_deploy.ir.network import Network
from snn_deploy.ir.node import Node
from snn_deploy.nodes.base import IntegerNode
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
        on_chip = network.placed("chip")
        crossing = {n.name: _crossing(n) if n in on_chip else 0 for n in network}
        for node in network:
            earlier = [latency[e.source] - e.steps_back for e in node.inputs if e.source in latency]
            latency[node.name] = max(0, crossing[node.name] + max(earlier, default=0))
        nodes = tuple(_balanced(node, latency, crossing[node.name]) for node in network)
        return replace(network, stage="lowered", nodes=nodes)


def _balanced(node: Node, latency: Mapping[str, int], crossing: int) -> Node:
    edges = []
    for edge in node.inputs:
        delay = latency[node.name] - latency[edge.source] + edge.steps_back
        if delay < crossing:
            raise UnsupportedNetworkError(
                f"node '{node.name}' reads '{edge.source}' of {edge.steps_back} steps before, but "
                f"on the chip that path takes {edge.steps_back - delay + crossing}; "
                "train it with that many steps of delay"
            )
        edges.append(Edge(edge.source, delay, edge.steps_back))
    return replace(node, inputs=tuple(edges))


def _crossing(node: Node) -> int:
    return node.crossing if isinstance(node, IntegerNode) else 0

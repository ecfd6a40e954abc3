"""When each node's answer to an input step comes out of the pipeline."""

from __future__ import annotations

from snn_deploy.ir.formats import Edge
from snn_deploy.ir.network import Network
from snn_deploy.ir.node import Node

__all__ = ["latencies", "path_delay"]


def latencies(network: Network) -> dict[str, int]:
    """Give, by node name, the steps between an input and the node's answer to it.

    Where paths join, this is the slowest; in a lowered network all are equal (the verifier checks).
    """
    latency: dict[str, int] = {}
    for node in network:
        latency[node.name] = max((latency[e.source] + e.delay for e in node.inputs), default=0)
    return latency


def path_delay(node: Node, edge: Edge) -> int:
    """Give an input's steps of delay, without those in which ``node`` holds it in its own neuron.

    Without any, and without synapses, node and source are one neuron.
    """
    return edge.delay - getattr(node, "holding", 0)

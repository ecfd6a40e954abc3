"""When each node's answer to an input step comes out of the pipeline."""

from __future__ import annotations

from collections.abc import Mapping

from snn_deploy.ir.formats import Edge
from snn_deploy.ir.network import Network
from snn_deploy.ir.node import Node

__all__ = ["arrival", "latencies", "path_delay"]


def latencies(network: Network) -> dict[str, int]:
    """Give, by node name, the steps between an input and the node's answer to it.

    Where paths join, this is the slowest; in a lowered network all are equal (the verifier checks).
    Edges that point backwards have no say.
    """
    latency: dict[str, int] = {}
    for node in network:
        arrivals = [arrival(latency, e) for e in node.inputs if e.source in latency]
        latency[node.name] = max(arrivals, default=0)
    return latency


def arrival(latency: Mapping[str, int], edge: Edge) -> int:
    """Give the steps after an input's when what an edge brings for it has arrived."""
    return latency[edge.source] + edge.delay - edge.steps_back


def path_delay(node: Node, edge: Edge) -> int:
    """Give an input's steps of delay, without those in which ``node`` holds it in its own neuron.

    Without any, and without synapses, node and source are one neuron.
    """
    return edge.delay - getattr(node, "holding", 0)

"""When each node's answer to an input step comes out of the pipeline."""

from __future__ import annotations

from snn_deploy.ir.network import Network

__all__ = ["latencies"]


def latencies(network: Network) -> dict[str, int]:
    """Give, by node name, the steps between an input and the node's answer to it.

    Where paths join, this is the slowest; in a lowered network all are equal (the verifier checks).
    """
    latency: dict[str, int] = {}
    for node in network:
        latency[node.name] = max((latency[e.source] + e.delay for e in node.inputs), default=0)
    return latency

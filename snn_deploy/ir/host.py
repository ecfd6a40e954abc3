"""Which leading nodes of a network the host computes, and what network is left for the chip."""

from __future__ import annotations

from dataclasses import replace

from snn_deploy.ir.network import Network
from snn_deploy.ir.node import Node

__all__ = ["chip_part", "host_part"]


def host_part(network: Network) -> tuple[Node, ...]:
    """Give the nodes up to the last one that no core computes: a chain, see the verifier."""
    on_host = (i for i, node in enumerate(network) if node.on_host)
    return network.nodes[: max(on_host, default=0) + 1]


def chip_part(network: Network) -> Network:
    """Give the chip's network: its input is the last signal that the host computes.

    It is ``network`` itself where the host only encodes.
    """
    from snn_deploy.nodes.inputs import Input

    *before, entry = host_part(network)
    if not before:
        return network
    entered = Input(name=entry.name, output=entry.output, channels=entry.width)  # type: ignore[attr-defined]
    return replace(network, nodes=(entered, *network.nodes[len(before) + 1 :]))

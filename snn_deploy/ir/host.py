"""Which leading nodes of a network the host computes, and what network is left for the chip."""

from __future__ import annotations

from dataclasses import replace

from snn_deploy.ir.host_nodes import EmbeddingTable, Positions, Window
from snn_deploy.ir.integer_nodes import Input, IntegerNode, QuantizedLinear, Requantize, Synapses
from snn_deploy.ir.network import Network
from snn_deploy.ir.node import Node

__all__ = ["HOST_CAPABLE", "HOST_ONLY", "chip_part", "host_part"]

HOST_ONLY: tuple[type[Node], ...] = (Input, EmbeddingTable, Positions, Window)
"""What no core computes."""

HOST_CAPABLE: tuple[type[Node], ...] = (*HOST_ONLY, Synapses, Requantize, QuantizedLinear)
"""What the host computes where a node that no core computes comes after it."""


def host_part(network: Network) -> tuple[Node, ...]:
    """Give the nodes up to the last one that no core computes: a chain, see the verifier."""
    last = max((i for i, node in enumerate(network) if isinstance(node, HOST_ONLY)), default=0)
    return network.nodes[: last + 1]


def chip_part(network: Network) -> Network:
    """Give the chip's network: its input is the last signal that the host computes.

    It is ``network`` itself where the host only encodes.
    """
    *before, entry = host_part(network)
    if not before:
        return network
    assert isinstance(entry, IntegerNode)  # integer stages
    entered = Input(name=entry.name, output=entry.output, channels=entry.width)
    return replace(network, nodes=(entered, *network.nodes[len(before) + 1 :]))

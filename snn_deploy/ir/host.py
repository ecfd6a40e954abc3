"""What the host hands to the chip, and what network is left for the chip."""

from __future__ import annotations

from dataclasses import replace

from snn_deploy.ir.network import Network
from snn_deploy.ir.node import Node

__all__ = ["chip_part", "entering"]


def entering(network: Network) -> tuple[Node, ...]:
    """Give the nodes whose signals enter the chip: the last of each chain of the host."""
    host = network.placed("host")
    read_there = {edge.source for node in host for edge in node.inputs}
    return tuple(node for node in host if node.name not in read_there)


def chip_part(network: Network) -> Network:
    """Give the chip's network: its inputs are the last signals that the host computes.

    It is ``network`` itself where the host only encodes.
    """
    from snn_deploy.nodes.inputs import Input

    entries = entering(network)
    if all(entry.is_input for entry in entries):
        return network
    entered = {
        entry.name: Input(name=entry.name, output=entry.output, channels=entry.width)  # type: ignore[attr-defined]
        for entry in entries
    }
    return replace(network, nodes=(*entered.values(), *network.placed("chip")))

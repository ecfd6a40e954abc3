"""What the host hands to the chip, what network is left for the chip, and what is one alone."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from snn_deploy.errors import NetworkError
from snn_deploy.ir.network import Network
from snn_deploy.ir.node import Node

__all__ = ["chip_part", "entering", "highest_input", "without_host"]


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


def without_host(network: Network) -> Network:
    """Give a network that computes the same on its own: where a node has no step, others have.

    What stays without one looks around itself: see ``reach``.

    Raises
    ------
    NetworkError
        If a name that the new nodes need is taken.
    """
    nodes: list[Any] = list(network)
    made = network.rewrite({node.name: node.stepwise() for node in nodes})
    twice = sorted({name for name in made.names if made.names.count(name) > 1})
    if twice:
        raise NetworkError(
            f"node '{twice[0]}' has the name of a part of another node; give it another name"
        )
    return made


def highest_input(network: Network) -> int:
    """Give the largest mantissa, or the last token, that a network of one input takes."""
    form = network.input.output  # type: ignore[attr-defined]  # integer stage
    reading: list[Any] = [node for node in network if node.reads_tokens]
    return min((node.vocabulary - 1 for node in reading), default=int(form.limit))

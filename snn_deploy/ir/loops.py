"""Which nodes of a recurrent network must run together, step by step."""

from __future__ import annotations

from snn_deploy.errors import BackendError
from snn_deploy.ir.network import Network
from snn_deploy.ir.node import Node

__all__ = ["groups", "is_recurrent", "refuse_steps_back"]


def groups(network: Network) -> tuple[tuple[Node, ...], ...]:
    """Split the nodes, in order, into groups that can run one after another over whole signals.

    A group of one may still read itself; a group of more holds all from a node that reads a later
    one to that one.
    """
    place = {name: index for index, name in enumerate(network.names)}
    last = list(range(len(network)))
    for index, node in enumerate(network):
        last[index] = max(index, *(place[edge.source] for edge in node.inputs), index)
    found: list[tuple[Node, ...]] = []
    start = end = 0
    for index in range(len(network)):
        end = max(end, last[index])
        if index == end:
            found.append(network.nodes[start : index + 1])
            start = end = index + 1
    return tuple(found)


def is_recurrent(group: tuple[Node, ...]) -> bool:
    """Tell whether a group's nodes must take turns at every step."""
    return len(group) > 1 or any(edge.source == group[0].name for edge in group[0].inputs)


def refuse_steps_back(network: Network, engine: str) -> None:
    """Refuse a network that reads earlier steps, for an engine that cannot.

    Raises
    ------
    BackendError
        Naming the engine, the node, and the engine that can.
    """
    for node in network:
        for edge in node.inputs:
            if edge.steps_back:
                raise BackendError(
                    f"node '{node.name}' reads '{edge.source}' of {edge.steps_back} steps before: "
                    f"the {engine} engine does not run recurrent networks yet; use the backend "
                    "'reference'"
                )

"""Which nodes run in which sweep over time, and what must be kept between sweeps.

A causal network is one sweep from the first step to the last. A dendrite with reversed time needs
all of its input before it gives its first answer, so it runs in a sweep of its own, backwards,
over a stored sequence, and whatever reads it runs in the next sweep forwards.
"""

from __future__ import annotations

from dataclasses import dataclass

from snn_deploy.ir.network import Network
from snn_deploy.ir.node import Node
from snn_deploy.nodes.dendrite import Dendrite

__all__ = ["Sweep", "plan_sweeps"]


@dataclass(frozen=True, eq=False)
class Sweep:
    """Nodes that run together, chunk by chunk.

    Parameters
    ----------
    nodes
        In the order they compute.
    backwards
        Chunks, and the steps in them, are taken from the last to the first.
    reads
        Names of stored sequences that these nodes read.
    keeps
        Names of nodes of this sweep whose whole sequences later sweeps read.
    """

    nodes: tuple[Node, ...]
    backwards: bool
    reads: tuple[str, ...]
    keeps: tuple[str, ...]


def plan_sweeps(network: Network) -> tuple[Sweep, ...]:
    """Split a lowered network into sweeps, forwards and backwards in turn; one if it is causal."""
    turn = _turns(network)
    sweeps = []
    for number in sorted(set(turn.values())):
        members = tuple(node for node in network if turn[node.name] == number)
        inside = {node.name for node in members}
        reads = {e.source for node in members for e in node.inputs} - inside
        later = [node for node in network if turn[node.name] > number]
        keeps = inside & {e.source for node in later for e in node.inputs}
        sweeps.append(Sweep(members, number % 2 == 1, tuple(sorted(reads)), tuple(sorted(keeps))))
    return tuple(sweeps)


def _turns(network: Network) -> dict[str, int]:
    """Number each node's sweep: even ones run forwards, odd ones backwards."""
    turn: dict[str, int] = {}
    for node in network:
        earliest = max((turn[e.source] for e in node.inputs), default=0)
        backwards = node.runs_backwards
        turn[node.name] = earliest + (earliest % 2 != backwards)
    for node in network:
        if isinstance(node, Dendrite) and not node.reversed_time:
            turn[node.name] = _latest_turn(network, node, turn)
    return turn


def _latest_turn(network: Network, node: Dendrite, turn: dict[str, int]) -> int:
    """Put a causal dendrite off until its answer is wanted, if its input is stored anyway.

    Its answer then needs no store: in a bidirectional layer both halves meet in one sweep.
    """
    readers = [turn[reader.name] for reader in network.consumers(node.name)]
    siblings = [turn[sibling.name] for sibling in network.consumers(node.inputs[0].source)]
    wanted = min(readers, default=turn[node.name])
    stored = max(siblings) > turn[node.name]
    return wanted if stored and wanted % 2 == 0 else turn[node.name]

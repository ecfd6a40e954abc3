"""Which nodes run in which sweep over time, and what must be kept between sweeps.

A causal network is one sweep from the first step to the last. A node that runs backwards needs all
of its input before it gives its first answer, so it runs in a sweep of its own, from the last step
to the first, over a stored sequence, and whatever reads it runs in the next sweep forwards. This is
the only place where time is cut: engines, placement and reports all ask here.
"""

from __future__ import annotations

from dataclasses import dataclass

from snn_deploy.ir.loops import groups, is_recurrent
from snn_deploy.ir.network import Network
from snn_deploy.ir.node import Node

__all__ = ["Sweep", "plan_sweeps", "turns"]


@dataclass(frozen=True, eq=False)
class Sweep:
    """Nodes that run together, step by step.

    Parameters
    ----------
    groups
        What runs together, in the order they compute: nodes that read each other's past, or one.
    backwards
        Steps are taken from the last to the first.
    reads
        Names of stored sequences that these nodes read.
    keeps
        Names of nodes of this sweep whose whole sequences later sweeps read.
    """

    groups: tuple[tuple[Node, ...], ...]
    backwards: bool
    reads: tuple[str, ...]
    keeps: tuple[str, ...]

    @property
    def nodes(self) -> tuple[Node, ...]:
        """All of them, in the order they compute."""
        return tuple(node for group in self.groups for node in group)


def plan_sweeps(network: Network, waits: bool = False) -> tuple[Sweep, ...]:
    """Split a lowered network into sweeps, forwards and backwards in turn; one if it is causal.

    ``waits``: what looks ahead waits for the whole sequence, since no host looks for it.
    """
    turn = turns(network, waits)
    sweeps = []
    for number in sorted(set(turn.values())):
        members = tuple(g for g in groups(network) if turn[g[0].name] == number)
        inside = {node.name for group in members for node in group}
        reads = {e.source for name in inside for e in network[name].inputs} - inside
        later = [node for node in network if turn[node.name] > number]
        keeps = inside & {e.source for node in later for e in node.inputs}
        sweeps.append(Sweep(members, number % 2 == 1, tuple(sorted(reads)), tuple(sorted(keeps))))
    return tuple(sweeps)


def turns(network: Network, waits: bool = False) -> dict[str, int]:
    """Number each node's sweep: even ones run forwards, odd ones backwards.

    Nodes that read each other's past run in one sweep; none of them runs backwards. What runs
    backwards comes to a step before those that led to it, so it leaves its past to later sweeps.
    """
    turn: dict[str, int] = {}
    for group in groups(network):
        earliest = max(
            (
                turn[e.source] + (e.steps_back > 0 and turn[e.source] % 2)
                for node in group
                for e in node.inputs
                if e.source in turn
            ),
            default=0,
        )
        ahead = waits and any(node.reach[1] for node in group)  # type: ignore[attr-defined]
        earliest += ahead
        backwards = group[0].runs_backwards
        turn |= dict.fromkeys((node.name for node in group), earliest + (earliest % 2 != backwards))
    for group in groups(network):
        if not is_recurrent(group):
            turn[group[0].name] = _latest_turn(network, group[0], turn)
    return turn


def _latest_turn(network: Network, node: Node, turn: dict[str, int]) -> int:
    """Put a causal dendrite off until its answer is wanted, if its input is stored anyway.

    Its answer, which is wider, then needs no store: in a bidirectional layer both halves meet in
    one sweep.
    """
    now, readers = turn[node.name], [turn[reader.name] for reader in network.consumers(node.name)]
    if node.modes is None or node.runs_backwards or not readers:
        return now
    siblings = [turn[sibling.name] for sibling in network.consumers(node.inputs[0].source)]
    wanted = min(readers)
    stored = max(siblings) > now
    return wanted if stored and wanted % 2 == 0 else now

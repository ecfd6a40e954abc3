"""What the native engine works out about a network before it runs it."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

from snn_deploy.engines.host import Host
from snn_deploy.engines.result import senders
from snn_deploy.ir.loops import past_steps
from snn_deploy.ir.network import Network
from snn_deploy.ir.node import Node
from snn_deploy.ir.sweeps import Sweep, plan_sweeps
from snn_deploy.nodes.pooling import Accumulator

__all__ = ["REMEMBERED", "Plan", "plan_network", "stepwise"]

REMEMBERED = 8  # networks whose plans are kept: mostly one is run again and again


@dataclass(frozen=True, eq=False)
class Plan:
    """A network, taken apart.

    Parameters
    ----------
    host
        What the host computes first; it holds the whole network.
    network
        The chip's part of the lowered network; its input is the host's last signal.
    sweeps
        What runs step by step; pools are in it to gather, not to speak, if they are ``closing``.
    closing
        What is computed once a sequence, at its end.
    reach
        By name of the nodes that are read back: how many steps.
    counted, counted_late
        Names of the nodes whose messages are counted, in the sweeps and in the closing.
    """

    host: Host
    network: Network
    sweeps: tuple[Sweep, ...]
    closing: tuple[Node, ...]
    reach: Mapping[str, int]
    counted: tuple[str, ...]
    counted_late: tuple[str, ...]

    @property
    def causal(self) -> bool:
        """Whether answers can be given while the input still comes in."""
        return len(self.sweeps) == 1

    @property
    def needs_length(self) -> bool:
        """Whether some pool must speak in the midst of the network, at a step known beforehand."""
        return not self.closing and any(node.once for node in self.network)


@lru_cache(maxsize=REMEMBERED)
def plan_network(network: Network) -> Plan:
    """Take a lowered network apart."""
    host = Host(network)
    network = host.chip
    closing = _closing_nodes(network)
    late = {node.name for node in closing}
    body = stepwise(network, late)
    return Plan(
        host=host,
        network=network,
        sweeps=plan_sweeps(body),
        closing=closing,
        reach=past_steps(edge for node in body for edge in node.inputs),
        counted=tuple(name for name in senders(network) if name not in late),
        counted_late=tuple(name for name in senders(network) if name in late),
    )


def stepwise(network: Network, late: Collection[str]) -> Network:
    """Give what runs step by step: all but the nodes that are ``late``, of which pools gather."""
    kept = (node for node in network if isinstance(node, Accumulator) or node.name not in late)
    return replace(network, nodes=tuple(kept))


def _closing_nodes(network: Network) -> tuple[Node, ...]:
    """Give the network's pools and all that follows them, where that can be left to the end.

    It cannot where a node with a state, or a signal from before the pool, comes in after a pool,
    where two pools speak at different steps, or where later steps read what they said: then there
    are none.
    """
    closing: set[str] = set()
    for node in network:
        follows = [edge.source in closing for edge in node.inputs]
        if node.once or any(follows):
            if any(follows) and not (all(follows) and _memoryless(node)):
                return ()
            if node.once and not isinstance(node, Accumulator):
                return ()
            closing.add(node.name)
    edges = [(node.name in closing, edge) for node in network for edge in node.inputs]
    if any(e.source in closing and (e.steps_back or not late) for late, e in edges):
        return ()
    if len({pool.use_lengths for pool in network.of_kind(Accumulator)}) > 1:
        return ()
    return tuple(node for node in network if node.name in closing)


def _memoryless(node: Any) -> bool:
    """Whether what it says at a step depends on what it reads in that step, and on nothing else."""
    program = node.program
    return not program.words and all(value.operation != "clock" for value in program)

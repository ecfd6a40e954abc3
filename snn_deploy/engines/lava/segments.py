"""Cutting a network where time turns round, so that every part of it is causal.

A dendrite of reversed time needs its whole input before it can begin. So all that leads up to it
runs first and is recorded; then the dendrite runs over the recording backwards; then what reads it
runs over the recordings of both. A network without such dendrites is one segment.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from snn_deploy.engines.result import senders
from snn_deploy.ir.formats import Edge
from snn_deploy.ir.network import Network
from snn_deploy.ir.node import Node
from snn_deploy.ir.timing import latencies

__all__ = ["Feed", "Segment", "cut_network", "recorded_nodes"]


@dataclass(frozen=True)
class Feed:
    """A signal that was recorded before and is played into a segment, backwards if need be."""

    source: str
    reversed_time: bool


@dataclass(frozen=True, eq=False)
class Segment:
    """Nodes that run at the same time.

    Parameters
    ----------
    nodes
        In order.
    feeds
        The recorded signals that they read.
    latency
        By the names of nodes and of fed signals: when in this segment's run the first value is due.
    """

    nodes: tuple[Node, ...]
    feeds: tuple[Feed, ...]
    latency: dict[str, int]

    def feed_of(self, node: Node, edge: Edge) -> Feed | None:
        """The feed through which ``node`` reads ``edge``; None if its source runs here too."""
        feed = Feed(edge.source, node.runs_backwards)
        return feed if feed in self.feeds else None

    @property
    def delay(self) -> int:
        """Steps from the run's first input to the first answer of its slowest node."""
        return max(self.latency[node.name] for node in self.nodes)


def cut_network(network: Network) -> tuple[Segment, ...]:
    """Cut a lowered network into segments, in the order in which they must run."""
    level = _levels(network)
    latency = latencies(network)
    segments = []
    for wanted in range(max(level.values()) + 1):
        nodes = tuple(node for node in network if level[node.name] == wanted)
        feeds = _feeds(nodes, level, wanted)
        starts = [latency[feed.source] for feed in feeds] or [0]
        local = {
            name: latency[name] - min(starts)
            for name in (*(node.name for node in nodes), *(feed.source for feed in feeds))
        }
        segments.append(Segment(nodes, feeds, local))
    return tuple(segments)


def _levels(network: Network) -> dict[str, int]:
    level: dict[str, int] = {}
    for node in network:
        level[node.name] = max(
            (
                level[edge.source] + (node.runs_backwards or network[edge.source].runs_backwards)
                for edge in node.inputs
            ),
            default=0,
        )
    return level


def _feeds(nodes: tuple[Node, ...], level: dict[str, int], wanted: int) -> tuple[Feed, ...]:
    feeds = {
        Feed(edge.source, node.runs_backwards): None
        for node in nodes
        for edge in node.inputs
        if level[edge.source] < wanted
    }
    return tuple(feeds)


def recorded_nodes(network: Network, trace: Collection[str]) -> tuple[str, ...]:
    """Name the nodes to be recorded: for the result, and for later segments; in order."""
    fed = {feed.source for segment in cut_network(network) for feed in segment.feeds}
    wanted = {network.output.name, *senders(network), *trace, *fed}
    return tuple(name for name in network.names if name in wanted)

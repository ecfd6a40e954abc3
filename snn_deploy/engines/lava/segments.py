"""The network's sweeps over time, each of which is one run of Lava.

What runs backwards is played its recorded input from the last step to the first, and is recorded;
what reads it runs over those recordings. A network without such parts is one segment.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from snn_deploy.engines.result import senders
from snn_deploy.ir.network import Network
from snn_deploy.ir.sweeps import Sweep, plan_sweeps
from snn_deploy.ir.timing import latencies

__all__ = ["Segment", "cut_network", "recorded_nodes"]


@dataclass(frozen=True, eq=False)
class Segment:
    """Nodes that run at the same time.

    Parameters
    ----------
    sweep
        They, in order, and the recorded signals that they read.
    latency
        By the names of nodes and of recorded signals: when in this segment's run the first value is
        due.
    """

    sweep: Sweep
    latency: dict[str, int]

    @property
    def delay(self) -> int:
        """Steps from the run's first input to the first answer of its slowest node."""
        return max(self.latency[node.name] for node in self.sweep.nodes)


def cut_network(network: Network) -> tuple[Segment, ...]:
    """Cut a lowered network into segments, in the order in which they must run."""
    latency = latencies(network)
    segments = []
    for sweep in plan_sweeps(network):
        names = (*(node.name for node in sweep.nodes), *sweep.reads)
        start = min(latency[name] for name in names)
        segments.append(Segment(sweep, {name: latency[name] - start for name in names}))
    return tuple(segments)


def recorded_nodes(network: Network, trace: Collection[str]) -> tuple[str, ...]:
    """Name the nodes to be recorded: for the result, and for later segments; in order."""
    read = {name for sweep in plan_sweeps(network) for name in sweep.reads}
    wanted = {network.output.name, *senders(network), *trace, *read}
    return tuple(name for name in network.names if name in wanted)

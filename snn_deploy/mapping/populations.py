"""Which processes make up one neuron, and how many such neurons fit into a core.

Nothing crosses from core to core within a step. So processes that are joined by a path without
delay must share a core, channel by channel: a gate, the residual sum it feeds, the dendrites and
the soma behind it are compartments of one neuron, and its synapses' accumulators lie beside them.
A population is a set of processes joined in this way; a core holds some of its channels.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from snn_deploy.errors import NetworkError, TargetError
from snn_deploy.ir.formats import SPIKE
from snn_deploy.ir.network import Network
from snn_deploy.ir.timing import path_delay
from snn_deploy.mapping.cost import Lowering, Memory, NodeCost, cost_node
from snn_deploy.mapping.profile import Profile

__all__ = [
    "Load",
    "Path",
    "Population",
    "channels_per_core",
    "exceeded",
    "find_populations",
    "fits",
    "state_fits",
    "state_per_neuron_bytes",
]


IntArray = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Path:
    """Messages from one process to one population.

    Parameters
    ----------
    source
        Name of the process that sends.
    target
        Name of the receiving process: synapses, or the process itself for a one-to-one path.
    channels
        How many channels the source has.
    synapses
        The node that says on which of its channels a message works; None on a one-to-one path:
        channel i speaks to channel i alone.
    receivers
        How many channels the population has.
    graded
        Whether messages carry a number.
    """

    source: str
    target: str
    channels: int
    synapses: Any
    receivers: int
    graded: bool

    @property
    def one_to_one(self) -> bool:
        """Whether channel i speaks to channel i alone."""
        return self.synapses is None

    @property
    def wired_alike(self) -> bool:
        """Whether every message reaches every channel."""
        return self.synapses is not None and self.synapses.wired_alike

    def fan_out(self, start: int, stop: int) -> IntArray:
        """Count the synaptic operations that a message causes on the population's channels
        ``start`` … ``stop - 1``, for messages of each channel of the source, (channels,).
        """
        if self.synapses is None:
            at = np.arange(self.channels)
            return ((start <= at) & (at < stop)).astype(np.int64)
        parts = range(0, self.synapses.width, self.receivers)
        reached = [self.synapses.fan_out(p + start, p + stop) for p in parts]
        return np.asarray(np.sum(reached, axis=0))

    @cached_property
    def total_fan_out(self) -> IntArray:
        """The same over the whole population, (channels,)."""
        return self.fan_out(0, self.receivers)


@dataclass(frozen=True)
class Load:
    """What some channels of populations ask of a core."""

    neurons: int = 0
    memory: Memory = field(default_factory=Memory)

    def __add__(self, other: Load) -> Load:
        return Load(self.neurons + other.neurons, self.memory + other.memory)


@dataclass(frozen=True)
class Population:
    """Neurons of one program, one a channel.

    Parameters
    ----------
    name
        Its first process's name.
    channels
        How many neurons of several compartments it has.
    nodes
        Its processes, in the order they compute.
    costs
        Their costs, for one channel of the *population*, by node name.
    paths
        Where its messages come from.
    """

    name: str
    channels: int
    nodes: tuple[str, ...]
    costs: dict[str, NodeCost]
    paths: tuple[Path, ...]

    def load(self, channels: int, start: int | None = None) -> Load:
        """What ``channels`` of its channels ask of one core, from channel ``start`` on; None: from
        where they ask for most.
        """
        if not channels:
            return Load()
        neurons, memory, shared = self._load_of_one
        runs = [cost.runs for cost in self.costs.values() if cost.runs.memory.bits]
        kept = (
            run.most_held(self.channels, channels)
            if start is None
            else run.held(self.channels, start, start + channels)
            for run in runs
        )
        return Load(channels * neurons, sum(kept, memory * channels + shared))

    @cached_property
    def _load_of_one(self) -> tuple[int, Memory, Memory]:
        """Neurons and memory a channel, and memory a core."""
        costs = self.costs.values()
        return (
            sum(cost.neurons for cost in costs),
            sum((cost.memory for cost in costs), Memory()),
            sum((cost.shared for cost in costs), Memory()),
        )

    @property
    def operations(self) -> int:
        """Operations of one channel's program in a step."""
        return sum(cost.operations for cost in self.costs.values())


def find_populations(network: Network, lowering: Lowering = "channel") -> tuple[Population, ...]:
    """Split a lowered network into populations, in order; the input is the host's and in none."""
    part_of = {node.name: [node.name] for node in network if not node.is_input}
    for node in network:
        for edge, source in zip(node.inputs, network.sources(node), strict=True):
            if path_delay(node, edge) == 0 and not source.is_input:
                part, other = part_of[node.name], part_of[edge.source]
                if part is not other:
                    part += other
                    part_of |= dict.fromkeys(other, part)
    order = {name: index for index, name in enumerate(network.names)}
    parts = {id(part): sorted(part, key=order.__getitem__) for part in part_of.values()}
    members = sorted(parts.values(), key=lambda part: order[part[0]])
    return tuple(_population(network, names, lowering) for names in members)


def _population(network: Network, names: list[str], lowering: Lowering) -> Population:
    processes = [network[name] for name in names]
    widths = {node.width for node in processes if not node.synaptic}
    channels = min(widths | {processes[-1].width})
    costs = {
        node.name: _per_channel(cost_node(network, node, lowering), channels) for node in processes
    }
    return Population(
        name=names[0],
        channels=channels,
        nodes=tuple(names),
        costs=costs,
        paths=tuple(_paths(network, processes, channels)),
    )


def _per_channel(cost: NodeCost, channels: int) -> NodeCost:
    """Turn a cost for one of the node's channels into one for a channel of its population."""
    times, rest = divmod(cost.channels, channels)
    if rest:
        raise NetworkError(f"{cost.channels} channels cannot be dealt out to {channels} neurons")
    return replace(
        cost,
        channels=channels,
        neurons=cost.neurons * times,
        compartments=cost.compartments * times,
        operations=cost.operations * times,
        macs=cost.macs * times,
        own_messages=cost.own_messages * times,
        own_synops=cost.own_synops * times,
        memory=cost.memory * times,
        runs=replace(cost.runs, times=times),
    )


def _paths(network: Network, processes: Iterable[Any], channels: int) -> Iterable[Path]:
    for node in processes:
        for edge, source in zip(node.inputs, network.sources(node), strict=True):
            if node.synaptic or path_delay(node, edge) > 0 or source.is_input:
                yield Path(
                    source=edge.source,
                    target=node.name,
                    channels=source.width,
                    synapses=node if node.synaptic else None,
                    receivers=channels,
                    graded=getattr(source, "output", None) != SPIKE,
                )


def channels_per_core(population: Population, profile: Profile) -> int:
    """How many of a population's channels fit into one empty core, whichever they are.

    Raises
    ------
    TargetError
        If not even one does: naming the limit, by how much, and what would make it fit.
    """
    low, high = 0, population.channels
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if fits(population.load(middle), profile) else (low, middle - 1)
    if low == 0:
        _explain_misfit(population, profile)
    return low


def fits(load: Load, profile: Profile) -> bool:
    """Whether one core holds ``load``."""
    return not exceeded(load, profile)


def exceeded(load: Load, profile: Profile) -> list[tuple[str, int, int]]:
    """The limits of a core that ``load`` breaks: name, what is asked, the limit."""
    asked = {
        "neurons_per_core": load.neurons,
        "memory_per_core_bytes": load.memory.bytes,
        "synaptic_memory_per_core_bytes": load.memory.synaptic_bytes,
    }
    limits = {name: profile.limits.get(name) for name in asked}
    return [
        (name, asked[name], limit)
        for name, limit in limits.items()
        if limit is not None and asked[name] > limit
    ]


def state_fits(population: Population, profile: Profile) -> bool:
    """Whether each process's state fits into a neuron of its own."""
    limit = profile.limits.get("state_per_neuron_bytes")
    return limit is None or all(
        state_per_neuron_bytes(cost) <= limit for cost in population.costs.values()
    )


def state_per_neuron_bytes(cost: NodeCost) -> int:
    """State of one neuron; a dendrite's lies in its soma's neuron unless its modes are neurons."""
    bits = cost.memory.state + cost.memory.delays
    return -(-bits // 8 // max(1, cost.neurons))


def _explain_misfit(population: Population, profile: Profile) -> None:
    told = "; ".join(
        f"limits.{name}: {asked:,} of {limit:,}"
        for name, asked, limit in exceeded(population.load(1), profile)
    )
    raise TargetError(
        f"target '{profile.name}': one channel of '{population.name}' "
        f"({', '.join(population.nodes)}) does not fit into a core: {told}; "
        "fewer modes, narrower layers or fewer weight_bits would make it fit"
    )

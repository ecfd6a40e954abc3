"""Chip events of each process, counted exactly: activity times wiring and placement."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields
from typing import Any

import numpy as np

from snn_deploy.ir.integer_nodes import Dendrite, LifSoma, Synapses
from snn_deploy.ir.network import Network
from snn_deploy.mapping.cost import LIF_OPERATIONS
from snn_deploy.mapping.mesh import Hops, Site, count_hops
from snn_deploy.mapping.placement import Placement
from snn_deploy.mapping.populations import Path, Population
from snn_deploy.mapping.profile import Profile
from snn_deploy.reports.activity import Activity, Counts

__all__ = ["Events", "count_events"]


@dataclass(frozen=True)
class Events:
    """Counts over all sequences of an activity.

    Parameters
    ----------
    dense
        Synaptic operations if every channel sent whenever it could.
    effective_acs, effective_macs
        Those that happened, through weights that are not zero: by spikes, by graded messages.
    acs, macs
        Those that a chip with dense synapses carries out, zero weights included.
    neuron_updates, compartment_updates
        Neurons, and real compartments of dendrites, each times steps.
    membrane_updates
        Those of the neurons that are spiking somas.
    lif_updates
        All programs' operations, in LIF updates.
    neuron_macs
        Multiplications inside neurons.
    messages
        Sent, each counted once.
    deliveries
        Messages times the cores that each goes to.
    hops_east_west, hops_north_south, hops_chips
        Tile to tile, and chip to chip.
    """

    dense: int = 0
    effective_acs: int = 0
    effective_macs: int = 0
    acs: int = 0
    macs: int = 0
    neuron_updates: int = 0
    compartment_updates: int = 0
    membrane_updates: int = 0
    lif_updates: float = 0.0
    neuron_macs: int = 0
    messages: int = 0
    deliveries: int = 0
    hops_east_west: int = 0
    hops_north_south: int = 0
    hops_chips: int = 0

    def __add__(self, other: Events) -> Events:
        return Events(
            **{f.name: getattr(self, f.name) + getattr(other, f.name) for f in fields(self)}
        )


def count_events(
    network: Network, placement: Placement, profile: Profile, activity: Activity
) -> dict[str, Events]:
    """Count the events of every node; messages belong to the node that sends them.

    Where the target has no cores nothing is sent from core to core: one-to-one paths are free.
    """
    events = {node.name: Events() for node in network}
    has_cores = profile.cores is not None
    for population in placement.populations:
        for name in population.nodes:
            events[name] += _updates(network[name], population, activity)
        for path in population.paths:
            if has_cores or not path.one_to_one:
                events[path.target] += _operations(network, path, activity)
    for name, sent in activity.messages.items():
        events[name] += Events(messages=int(sent.sum()))
    for path, carried, start, end in _transports(placement, profile, activity):
        events[path.source] += _carried(carried, count_hops(start, end))
    for node in network.of_kind(Dendrite):
        if node.reversed_time and has_cores:
            events[node.name] += _buffered(node, activity)
    return events


def _buffered(node: Dendrite, activity: Activity) -> Events:
    """What the second pass costs: input and drive each go out to a buffer and come back."""
    values = node.width * activity.total_steps
    return Events(messages=4 * values, deliveries=4 * values, macs=2 * values)


def _updates(node: Any, population: Population, activity: Activity) -> Events:
    cost, steps = population.costs[node.name], activity.total_steps
    updates = cost.channels * cost.neurons * steps
    return Events(
        neuron_updates=updates,
        compartment_updates=cost.channels * cost.compartments * steps,
        membrane_updates=updates if isinstance(node, LifSoma) else 0,
        lif_updates=cost.channels * cost.operations * steps / LIF_OPERATIONS,
        neuron_macs=cost.channels * cost.macs * steps,
    )


def _operations(network: Network, path: Path, activity: Activity) -> Events:
    """Synaptic operations that a path's messages cause."""
    sent = activity.messages[path.source]
    target: Any = network[path.target]
    graded = path.graded
    executed = int(sent.sum()) * path.fan_out
    carried_out = Events(macs=executed if graded else 0, acs=0 if graded else executed)
    if not isinstance(target, Synapses):
        return carried_out  # no weights: not what NeuroBench counts
    effective = int(sent @ np.count_nonzero(target.weight, axis=0))
    return carried_out + Events(
        dense=len(sent) * path.fan_out * activity.chances[path.source],
        effective_macs=effective if graded else 0,
        effective_acs=0 if graded else effective,
    )


def _carried(sent: int, hops: Hops) -> Events:
    return Events(
        deliveries=sent,
        hops_east_west=sent * hops.east_west,
        hops_north_south=sent * hops.north_south,
        hops_chips=sent * hops.chips,
    )


def _transports(
    placement: Placement, profile: Profile, activity: Activity
) -> Iterator[tuple[Path, int, Site, Site]]:
    """Give every way that messages take: how many, from where, to where."""
    homes = {name: p.name for p in placement.populations for name in p.nodes}
    for population in placement.populations:
        ends = placement.sites(population.name, profile)
        for path in population.paths:
            starts = placement.sites(homes.get(path.source, ""), profile)
            sent = activity.messages[path.source]
            for start, first, last in starts or [(_HOST, 0, len(sent))]:
                for end, low, high in ends:
                    count = _between(sent, path, (first, last), (low, high))
                    if count:
                        yield path, count, start, end


_HOST = Site(0, 0, 0)  # what the host sends enters the first chip at its first router


def _between(sent: Counts, path: Path, start: tuple[int, int], end: tuple[int, int]) -> int:
    low, high = start
    if path.one_to_one:
        low, high = max(low, end[0]), min(high, end[1])
    return int(sent[low:high].sum()) if low < high else 0

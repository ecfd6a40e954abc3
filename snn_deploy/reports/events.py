"""Chip events of each process, counted exactly: activity times wiring and placement."""

from __future__ import annotations

from dataclasses import dataclass
from operator import add
from typing import Any

from snn_deploy.ir.network import Network
from snn_deploy.mapping.cost import LIF_OPERATIONS
from snn_deploy.mapping.flows import Flow, find_flows, is_buffered, only_buffered
from snn_deploy.mapping.mesh import count_hops
from snn_deploy.mapping.placement import Placement
from snn_deploy.mapping.populations import Path, Population
from snn_deploy.mapping.profile import Profile
from snn_deploy.mapping.stages import buffered_signals, stages_of
from snn_deploy.reports.activity import Activity

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
        Those that a chip with dense synapses carries out: zero weights, one-to-one paths, a
        dendrite's own messages and reads of a buffer included.
    neuron_updates, compartment_updates
        Neurons, and real compartments of dendrites, each times steps.
    membrane_updates
        Those of the neurons that are spiking somas.
    lif_updates
        All programs' operations, in LIF updates.
    neuron_macs
        Multiplications inside neurons.
    messages, deliveries
        Sent, each counted once; times the cores that each goes to.
    neuron_messages, neuron_deliveries
        Those that neurons send: neither the host's nor a buffer's.
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
    neuron_messages: int = 0
    neuron_deliveries: int = 0
    hops_east_west: int = 0
    hops_north_south: int = 0
    hops_chips: int = 0

    @property
    def effective(self) -> int:
        """Synaptic operations that happened, whatever sent the messages."""
        return self.effective_acs + self.effective_macs

    def __add__(self, other: Events) -> Events:
        return Events(*map(add, vars(self).values(), vars(other).values()))


def count_events(
    network: Network, placement: Placement, profile: Profile, activity: Activity
) -> dict[str, Events]:
    """Count the events of every node; messages belong to the node that sends them.

    Where the target has no cores nothing is sent from core to core: one-to-one paths are free.
    """
    events = {node.name: Events() for node in network}
    stages = stages_of(network)
    has_cores = profile.cores is not None
    for population in placement.populations:
        for name in population.nodes:
            events[name] += _updates(network[name], population, activity, has_cores)
        for path in population.paths:
            if not path.one_to_one or (has_cores and not is_buffered(network, path, stages)):
                events[path.target] += _operations(network, path, activity)
    unsent = only_buffered(network, placement) if has_cores else frozenset()
    for name in activity.messages.keys() - unsent:
        total = int(activity.messages[name].sum())
        by_neurons = 0 if name in network.inputs else total
        events[name] += Events(messages=total, neuron_messages=by_neurons)
    if has_cores:
        for flow in find_flows(network, placement, profile):
            events[flow.path.source] += _carried(flow, activity)
        for signal in buffered_signals(network):
            values, reads = signal.width * activity.total_steps, len(signal.readers)
            events[signal.name] += Events(
                messages=(1 + reads) * values,
                deliveries=(1 + reads) * values,
                neuron_messages=values,
                neuron_deliveries=values,
                macs=reads * values,
            )
    return events


def _updates(node: Any, population: Population, activity: Activity, has_cores: bool) -> Events:
    cost, steps = population.costs[node.name], activity.total_steps
    inside_dendrites = cost.compartments > 0
    updates = 0 if inside_dendrites else cost.channels * cost.neurons * steps
    own = cost.channels * steps * has_cores
    return Events(
        neuron_updates=updates,
        compartment_updates=cost.channels * cost.compartments * steps,
        membrane_updates=updates if node.spikes else 0,
        lif_updates=cost.channels * cost.operations * steps / LIF_OPERATIONS,
        neuron_macs=cost.channels * cost.macs * steps,
        macs=own * cost.own_synops,
        messages=own * cost.own_messages,
        deliveries=own * cost.own_messages,
        neuron_messages=own * cost.own_messages,
        neuron_deliveries=own * cost.own_messages,
    )


def _operations(network: Network, path: Path, activity: Activity) -> Events:
    """Synaptic operations that a path's messages cause."""
    sent = activity.messages[path.source]
    target: Any = network[path.target]
    graded = path.graded
    fan_out = path.total_fan_out
    executed = int(sent @ fan_out)
    carried_out = Events(macs=executed if graded else 0, acs=0 if graded else executed)
    if not target.synaptic:
        return carried_out  # no weights: not what NeuroBench counts
    effective = int(sent @ target.nonzero_fan_out)
    return carried_out + Events(
        dense=int(fan_out.sum()) * activity.chances[path.source],
        effective_macs=effective if graded else 0,
        effective_acs=0 if graded else effective,
    )


def _carried(flow: Flow, activity: Activity) -> Events:
    sent = int(activity.messages[flow.path.source][flow.first : flow.last] @ (flow.rows > 0))
    hops = count_hops(flow.start, flow.end)
    return Events(
        deliveries=sent,
        neuron_deliveries=0 if flow.source_core is None else sent,
        hops_east_west=sent * hops.east_west,
        hops_north_south=sent * hops.north_south,
        hops_chips=sent * hops.chips,
    )

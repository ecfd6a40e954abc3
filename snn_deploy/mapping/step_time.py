"""How long a step is expected to keep a neuron busy, before anything has been simulated."""

from __future__ import annotations

from snn_deploy.mapping.cost import LIF_OPERATIONS
from snn_deploy.mapping.populations import Population
from snn_deploy.mapping.profile import Profile
from snn_deploy.mapping.traffic import expected_rate

__all__ = ["step_time"]


def step_time(population: Population, profile: Profile) -> float:
    """Expected nanoseconds a step for a channel's longer stage; operations where times lack."""
    update = profile.time.neuron_update_ns
    neurons = population.operations / LIF_OPERATIONS * (update.typical if update else 1.0)
    synapses = 0.0
    for path in population.paths:
        cost = profile.time.mac_ns if path.graded else profile.time.ac_ns
        each = float(path.total_fan_out.sum()) / population.channels
        synapses += each * expected_rate(path) * (cost.typical if cost else 1.0)
    # a dendrite's own messages, where its modes are neurons
    mac = profile.time.mac_ns
    own = sum(cost.own_synops for cost in population.costs.values())
    return max(neurons, synapses + own * (mac.typical if mac else 1.0))

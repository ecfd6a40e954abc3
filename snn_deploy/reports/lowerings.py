"""Both ways to lower dendrites, side by side: one neuron a channel, or one a mode."""

from __future__ import annotations

from dataclasses import dataclass, field

from snn_deploy.errors import TargetError
from snn_deploy.ir.network import Network
from snn_deploy.mapping.cost import Lowering
from snn_deploy.mapping.placement import Objective, place_network
from snn_deploy.mapping.populations import find_populations, state_fits
from snn_deploy.mapping.profile import Profile
from snn_deploy.reports.activity import Activity
from snn_deploy.reports.energy import Range, add_ranges, dynamic_energy
from snn_deploy.reports.events import Events, count_events

__all__ = ["LoweringCost", "compare_lowerings"]


@dataclass(frozen=True)
class LoweringCost:
    """What a network costs with its dendrites lowered in one way.

    Parameters
    ----------
    lowering
        ``channel`` or ``mode``.
    refused
        Why the target cannot take it; empty where it can. The figures are 0 then.
    least_cores, neurons, memory_bytes
        The smallest number of cores, programs, and bytes on all cores together as placed.
    dynamic_j
        Dynamic energy of one sequence, joules.
    """

    lowering: Lowering
    refused: str = ""
    least_cores: int = 0
    neurons: int = 0
    memory_bytes: int = 0
    dynamic_j: Range = field(default_factory=Range)


def compare_lowerings(
    network: Network, profile: Profile, activity: Activity, objective: Objective
) -> tuple[LoweringCost, ...]:
    """Cost both lowerings; nothing where there are no dendrites or no cores."""
    if profile.cores is None or not any(node.modes for node in network):
        return ()
    ways: tuple[Lowering, ...] = ("channel", "mode")
    return tuple(_cost(network, profile, activity, objective, way) for way in ways)


def _cost(
    network: Network,
    profile: Profile,
    activity: Activity,
    objective: Objective,
    lowering: Lowering,
) -> LoweringCost:
    if not all(state_fits(p, profile) for p in find_populations(network, lowering)):
        return LoweringCost(lowering, refused="its state does not fit into a neuron")
    try:
        placement = place_network(network, profile, objective=objective, lowering=lowering)
    except TargetError as error:
        return LoweringCost(lowering, refused=str(error))
    events = sum(count_events(network, placement, profile, activity).values(), Events())
    energy = add_ranges(item.energy_j for item in dynamic_energy(events, profile))
    return LoweringCost(
        lowering=lowering,
        least_cores=placement.least_cores,
        neurons=sum(core.load.neurons for core in placement.cores),
        memory_bytes=sum(core.load.memory.bytes for core in placement.cores),
        dynamic_j=energy * (1.0 / activity.sequences),
    )

"""Which channels of which population go to which core of which chip.

Two ways to deal them out. ``cores``: as few cores as hold them, filled one after the other.
``time``: on no more chips than that needs, as many cores as shorten a step, every core about
equally busy, until the barrier between steps is what takes longest. Either way cores that talk to
each other are then moved close together (``layout.py``). All of it is deterministic.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from snn_deploy.errors import TargetError
from snn_deploy.ir.network import Network
from snn_deploy.mapping.cost import Lowering
from snn_deploy.mapping.layout import choose_sites
from snn_deploy.mapping.mesh import Site, site_of
from snn_deploy.mapping.populations import (
    Load,
    Population,
    channels_per_core,
    find_populations,
    fits,
    state_fits,
)
from snn_deploy.mapping.profile import Profile, load_profiles
from snn_deploy.mapping.step_time import step_time
from snn_deploy.mapping.traffic import Slice, count_axons
from snn_deploy.progress import doing

__all__ = ["Core", "Objective", "Placement", "choose_lowering", "place_network"]

Objective = Literal["cores", "time"]

MOST_CORES = 2**18  # more than any system has
_BISECTIONS = 50


@dataclass(frozen=True)
class Core:
    """A core in use: what it holds, and how full that makes it.

    An in-axon is a channel that speaks to this core, an out-axon one of its channels and one core
    that this speaks to.
    """

    chip: int
    index: int
    slices: tuple[Slice, ...]
    load: Load
    in_axons: int
    out_axons: int


@dataclass(frozen=True)
class Placement:
    """A whole network on a target.

    Parameters
    ----------
    populations
        In the network's order.
    cores
        Those in use, in the order of their chips and indices.
    lowering, objective
        How dendrites are lowered, and what the placement was made for.
    least_cores
        How many cores would hold the network.
    """

    populations: tuple[Population, ...]
    cores: tuple[Core, ...]
    lowering: Lowering
    objective: Objective
    least_cores: int

    @property
    def chips(self) -> int:
        """Chips in use."""
        return len({core.chip for core in self.cores})

    def parts_of(self, population: str, profile: Profile) -> list[tuple[int, Site, Slice]]:
        """Where a population's channels are: index into ``cores``, site, channels."""
        return [
            (index, site_of(core.chip, core.index, profile), part)
            for index, core in enumerate(self.cores)
            for part in core.slices
            if part.population == population
        ]

    def cores_of(self, *nodes: str) -> int:
        """How many cores hold a part of any of these nodes."""
        wanted = {p.name for p in self.populations if set(nodes) & set(p.nodes)}
        return sum(any(part.population in wanted for part in core.slices) for core in self.cores)


def place_network(
    network: Network,
    profile: Profile,
    *,
    objective: Objective = "time",
    lowering: Lowering | None = None,
) -> Placement:
    """Place a lowered network; without a ``lowering`` the one that needs fewer cores is chosen.

    Raises
    ------
    TargetError
        If a single channel does not fit into a core, or all together not into the target; the
        message gives the limit, by how much it is exceeded, and what would make it fit.
    """
    with doing(f"placing {len(network)} processes on {profile.name}"):
        if lowering is None:
            lowering = choose_lowering(network, profile)
        populations = find_populations(network, lowering)
        packed = _pack(populations, profile)
        _require_room(len(packed), populations, profile)
        per_chip = profile.limits.get("cores_per_chip") or len(packed)
        room = -(-len(packed) // per_chip) * per_chip
        groups = packed
        if objective == "time":
            spread = _spread(populations, profile, room)
            groups = spread if spread and _axons_fit(populations, spread, profile) else packed
        _require_axons(populations, groups, profile)
        slots = choose_sites(populations, groups, room, profile)
        by_name = {population.name: population for population in populations}
        axons = count_axons(populations, groups)
        cores = [
            Core(slot // per_chip, slot % per_chip, group, _load(by_name, group), *ends)
            for slot, group, ends in sorted(zip(slots, groups, axons, strict=True))
        ]
        return Placement(populations, tuple(cores), lowering, objective, len(packed))


def choose_lowering(network: Network, profile: Profile) -> Lowering:
    """Choose how to lower dendrites: what fits, then fewer cores, then fewer messages."""
    channel = find_populations(network, "channel")
    if not all(state_fits(population, profile) for population in channel):
        return "mode"
    mode = find_populations(network, "mode")
    fewer = len(_pack(mode, profile)) < len(_pack(channel, profile))
    return "mode" if fewer else "channel"  # a mode's own messages always cost more


def _load(populations: dict[str, Population], group: tuple[Slice, ...]) -> Load:
    loads = (populations[s.population].load(s.channels, s.start) for s in group)
    return sum(loads, Load())


def _pack(populations: tuple[Population, ...], profile: Profile) -> list[tuple[Slice, ...]]:
    """Fill core after core with channels, in the network's order."""
    groups: list[tuple[Slice, ...]] = []
    current: list[Slice] = []
    load = Load()
    for population in populations:
        start = 0
        channels_per_core(population, profile)  # says why not even one fits
        while start < population.channels:
            taken = _most_that_fit(population, start, load, profile)
            if not taken:
                groups.append(tuple(current))
                _require_few(len(groups), profile)
                current, load = [], Load()
                continue
            current.append(Slice(population.name, start, start + taken))
            load += population.load(taken, start)
            start += taken
    return [*groups, tuple(current)] if current else groups


def _most_that_fit(population: Population, start: int, load: Load, profile: Profile) -> int:
    """How many channels from ``start`` on fit beside ``load``."""
    low, high = 0, population.channels - start
    while low < high:
        middle = (low + high + 1) // 2
        if fits(load + population.load(middle, start), profile):
            low = middle
        else:
            high = middle - 1
    return low


def _require_few(cores: int, profile: Profile) -> None:
    if cores > MOST_CORES:
        raise TargetError(
            f"target '{profile.name}': the network needs more than {MOST_CORES:,} cores, which is "
            "more than can be placed here; choose a target with larger cores"
        )


def _require_room(cores: int, populations: tuple[Population, ...], profile: Profile) -> None:
    available = profile.cores
    if available is None or cores <= available:
        return
    alone = {p.name: -(-p.channels // channels_per_core(p, profile)) for p in populations}
    largest = max(alone, key=alone.__getitem__)
    raise TargetError(
        f"target '{profile.name}': limits.chips, limits.cores_per_chip: the network needs "
        f"{cores:,} cores, {cores - available:,} more than the target's {available:,}; largest: "
        f"'{largest}', {alone[largest]:,} cores alone; choose a larger target"
        f"{_larger_targets(cores, profile)}, fewer or narrower layers, or fewer modes a channel"
    )


def _larger_targets(cores: int, profile: Profile) -> str:
    """Name targets of the same abilities that have enough cores."""
    others = load_profiles()
    fitting = sorted(
        (other.cores, other.name)
        for other in others
        if other.name != profile.name
        and other.cores is not None
        and other.cores >= cores
        and other.supports == profile.supports
    )
    return f" ({', '.join(name for _, name in fitting)})" if fitting else ""


def _axons_fit(
    populations: tuple[Population, ...], groups: list[tuple[Slice, ...]], profile: Profile
) -> bool:
    limits = profile.limits.get("in_axons_per_core"), profile.limits.get("out_axons_per_core")
    return all(
        limit is None or used <= limit
        for ends in count_axons(populations, groups)
        for used, limit in zip(ends, limits, strict=True)
    )


def _require_axons(
    populations: tuple[Population, ...], groups: list[tuple[Slice, ...]], profile: Profile
) -> None:
    if _axons_fit(populations, groups, profile):
        return
    worst = [max(used) for used in zip(*count_axons(populations, groups), strict=True)]
    told = ", ".join(
        f"{used:,} {name} axons of {profile.limits.get(f'{name}_axons_per_core'):,}"
        for name, used in zip(("in", "out"), worst, strict=True)
    )
    raise TargetError(
        f"target '{profile.name}': a core needs {told}; narrower layers would need fewer"
    )


def _spread(
    populations: tuple[Population, ...], profile: Profile, room: int
) -> list[tuple[Slice, ...]] | None:
    """Deal out channels over up to ``room`` cores so that the busiest is done soonest.

    None if the populations, each on cores of its own, do not fit into the room.
    """
    most = {p.name: channels_per_core(p, profile) for p in populations}
    busy = {p.name: step_time(p, profile) for p in populations}

    def counts(limit: float) -> dict[str, int]:
        """Cores that each population needs for no core to take longer than ``limit``."""
        fitting = {
            p.name: max(
                1, min(most[p.name], int(limit / busy[p.name]) if busy[p.name] else 1 << 40)
            )
            for p in populations
        }
        return {p.name: -(-p.channels // fitting[p.name]) for p in populations}

    high = max(busy[p.name] * p.channels for p in populations)
    if sum(counts(high).values()) > room:
        return None
    barrier = profile.time.barrier_ns
    low = barrier.typical if barrier is not None else 0.0
    for _ in range(_BISECTIONS):
        middle = (low + high) / 2
        if sum(counts(middle).values()) <= room:
            high = middle
        else:
            low = middle
    chosen = counts(high)
    return [(part,) for p in populations for part in _split(p, chosen[p.name])]


def _split(population: Population, cores: int) -> Iterator[Slice]:
    """Deal out channels evenly."""
    bounds = [i * population.channels // cores for i in range(cores + 1)]
    for start, stop in itertools.pairwise(bounds):
        yield Slice(population.name, start, stop)

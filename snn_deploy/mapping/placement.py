"""Which channels of which population go to which core of which chip."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass

from snn_deploy.errors import TargetError
from snn_deploy.ir.network import Network
from snn_deploy.mapping.mesh import Site, site_of
from snn_deploy.mapping.populations import Load, Population, channels_per_core, find_populations
from snn_deploy.mapping.profile import Profile

__all__ = ["Core", "Placement", "Slice", "place_network"]


@dataclass(frozen=True)
class Slice:
    """Channels ``start`` … ``stop - 1`` of a population."""

    population: str
    start: int
    stop: int

    @property
    def channels(self) -> int:
        """How many."""
        return self.stop - self.start


@dataclass(frozen=True)
class Core:
    """A core in use: what it holds, and how full that makes it."""

    chip: int
    index: int
    slices: tuple[Slice, ...]
    load: Load


@dataclass(frozen=True)
class Placement:
    """A whole network on a target.

    Parameters
    ----------
    populations
        In the network's order.
    cores
        Those in use, in order.
    """

    populations: tuple[Population, ...]
    cores: tuple[Core, ...]

    @property
    def chips(self) -> int:
        """Chips in use."""
        return len({core.chip for core in self.cores})

    def sites(self, population: str, profile: Profile) -> list[tuple[Site, int, int]]:
        """Where a population's channels are: site, first channel, last channel + 1."""
        return [
            (site_of(core.chip, core.index, profile), part.start, part.stop)
            for core in self.cores
            for part in core.slices
            if part.population == population
        ]

    def cores_of(self, *nodes: str) -> int:
        """How many cores hold a part of any of these nodes."""
        wanted = {p.name for p in self.populations if set(nodes) & set(p.nodes)}
        return sum(any(part.population in wanted for part in core.slices) for core in self.cores)


def place_network(network: Network, profile: Profile) -> Placement:
    """Deal out the channels of every population evenly over as few cores as hold them.

    Raises
    ------
    TargetError
        If a single channel does not fit into a core, or all together not into the target; the
        message gives the limit, by how much it is exceeded, and what would make it fit.
    """
    populations = find_populations(network)
    parts = [part for population in populations for part in _split(population, profile)]
    available = profile.cores
    if available is not None and len(parts) > available:
        raise TargetError(
            f"target '{profile.name}': the network needs {len(parts):,} cores, "
            f"{len(parts) - available:,} more than the target's {available:,}; "
            f"largest: {_largest(populations, profile)}; choose a larger target, fewer or narrower "
            "layers, or fewer modes a channel"
        )
    by_name = {population.name: population for population in populations}
    per_chip = profile.limits.get("cores_per_chip") or len(parts)
    cores = (
        Core(n // per_chip, n % per_chip, (part,), by_name[part.population].load(part.channels))
        for n, part in enumerate(parts)
    )
    return Placement(populations, tuple(cores))


def _split(population: Population, profile: Profile) -> Iterator[Slice]:
    count = -(-population.channels // channels_per_core(population, profile))
    bounds = [i * population.channels // count for i in range(count + 1)]
    for start, stop in itertools.pairwise(bounds):
        yield Slice(population.name, start, stop)


def _largest(populations: tuple[Population, ...], profile: Profile) -> str:
    cores = {p.name: sum(1 for _ in _split(p, profile)) for p in populations}
    name = max(cores, key=cores.__getitem__)
    return f"'{name}' with {cores[name]:,} cores"

"""Every way that messages take through a placed network."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from snn_deploy.ir.network import Network
from snn_deploy.mapping.mesh import HOST_SITE, Site
from snn_deploy.mapping.placement import Placement
from snn_deploy.mapping.populations import IntArray, Path
from snn_deploy.mapping.profile import Profile
from snn_deploy.mapping.stages import buffered_signals, stages_of

__all__ = ["Flow", "find_flows", "is_buffered", "only_buffered"]


@dataclass(frozen=True)
class Flow:
    """Messages of some channels to one core.

    Parameters
    ----------
    path
        Which path of the network they belong to.
    start, end
        Where they come from and go to.
    source_core, target_core
        Indices into ``placement.cores``; the host is None.
    first, last
        Channels ``first`` … ``last - 1`` of the source take this way.
    rows
        Synaptic operations that messages cause on the core, of each channel ``first`` … ``last -
        1``; at least one of them some. A channel that causes none does not speak to the core.
    stage
        In which stage of a sequence, see ``stages.py``.
    """

    path: Path
    start: Site
    end: Site
    source_core: int | None
    target_core: int
    first: int
    last: int
    rows: IntArray
    stage: int


def find_flows(network: Network, placement: Placement, profile: Profile) -> Iterator[Flow]:
    """Give the ways of all messages but those that wait in a buffer for a later pass."""
    stages = stages_of(network)
    homes = {name: p.name for p in placement.populations for name in p.nodes}
    for population in placement.populations:
        ends = placement.parts_of(population.name, profile)
        for path in population.paths:
            if is_buffered(network, path, stages):
                continue
            starts = _starts(placement, profile, homes.get(path.source), path)
            for target_core, end, target in ends:
                reached = path.fan_out(target.start, target.stop)
                for source_core, start, part in starts:
                    first, last = part
                    if path.one_to_one:
                        first, last = max(first, target.start), min(last, target.stop)
                    if not reached[first:last].any():
                        continue
                    yield Flow(
                        path=path,
                        start=start,
                        end=end,
                        source_core=source_core,
                        target_core=target_core,
                        first=first,
                        last=last,
                        rows=reached[first:last],
                        stage=stages[path.target],
                    )


def _starts(
    placement: Placement, profile: Profile, home: str | None, path: Path
) -> list[tuple[int | None, Site, tuple[int, int]]]:
    """Where a path's messages come from: core, site, first channel and last + 1."""
    if home is None:
        return [(None, HOST_SITE, (0, path.channels))]
    parts = placement.parts_of(home, profile)
    return [(core, site, (part.start, part.stop)) for core, site, part in parts]


def is_buffered(network: Network, path: Path, stages: dict[str, int]) -> bool:
    """Whether a path's messages are read from a buffer, in a later pass than they were sent."""
    later = stages[path.target] > stages[path.source]
    return later and path.one_to_one and not network[path.target].synaptic


def only_buffered(network: Network, placement: Placement) -> frozenset[str]:
    """Name the processes all of whose messages wait in a buffer: none is sent from core to core."""
    stages = stages_of(network)
    paths = (path for population in placement.populations for path in population.paths)
    direct = {path.source for path in paths if not is_buffered(network, path, stages)}
    return frozenset(signal.name for signal in buffered_signals(network)) - direct

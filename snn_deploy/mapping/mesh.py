"""The network on chip: a grid of routers; messages go east-west first, then north-south.

Chips stand in a row, each entered at its first router. A message to several cores is sent once to
each.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from snn_deploy.mapping.profile import Profile

__all__ = ["HOST_SITE", "Hops", "Link", "Site", "count_hops", "links_between", "site_of"]


@dataclass(frozen=True)
class Site:
    """Where a core is: its chip, and its router's column and row there."""

    chip: int
    column: int
    row: int


HOST_SITE = Site(0, 0, 0)
"""What the host sends enters the first chip at its first router."""

Link = tuple[Site, Site]
"""From a router to the one next to it, or from chip to chip."""


@dataclass(frozen=True)
class Hops:
    """The way of one message: tiles east-west, tiles north-south, and from chip to chip."""

    east_west: int
    north_south: int
    chips: int


def site_of(chip: int, core: int, profile: Profile) -> Site:
    """Give the site of a chip's core; where the profile has no mesh, all lie in one tile."""
    mesh = profile.mesh
    if mesh.cores_per_router is None or mesh.router_columns is None:
        return Site(chip, 0, 0)
    router = core // (mesh.cores_per_router.value or 1)
    columns = mesh.router_columns.value or 1
    return Site(chip, router % columns, router // columns)


def count_hops(start: Site, end: Site) -> Hops:
    """Count the hops between two sites."""
    if start.chip == end.chip:
        return Hops(abs(start.column - end.column), abs(start.row - end.row), 0)
    return Hops(start.column + end.column, start.row + end.row, abs(start.chip - end.chip))


def links_between(start: Site, end: Site) -> Iterator[Link]:
    """Give the links of a message's way, in order."""
    here = start
    while here.chip != end.chip:
        gate = Site(here.chip, 0, 0)
        yield from links_between(here, gate)
        here = Site(here.chip + (1 if end.chip > here.chip else -1), 0, 0)
        yield gate, here
    while here.column != end.column:
        there = Site(here.chip, here.column + (1 if end.column > here.column else -1), here.row)
        yield here, there
        here = there
    while here.row != end.row:
        there = Site(here.chip, here.column, here.row + (1 if end.row > here.row else -1))
        yield here, there
        here = there

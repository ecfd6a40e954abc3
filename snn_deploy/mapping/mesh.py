"""Distances on the network on chip: a grid of routers, messages go east-west first."""

from __future__ import annotations

from dataclasses import dataclass

from snn_deploy.mapping.profile import Profile

__all__ = ["Hops", "Site", "count_hops", "site_of"]


@dataclass(frozen=True)
class Site:
    """Where a core is: its chip, and its router's column and row there."""

    chip: int
    column: int
    row: int


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
    """Count the hops between two sites; chips stand in a row, each entered at its first router."""
    if start.chip == end.chip:
        return Hops(abs(start.column - end.column), abs(start.row - end.row), 0)
    return Hops(start.column + end.column, start.row + end.row, abs(start.chip - end.chip))

"""Where on the mesh each core's load goes: neighbours in the network become neighbours on the chip.

The start is the network's order along a snake through the routers. Then pairs of cores of one chip
swap places as long as that shortens the messages' way: a local search of the quadratic assignment
problem, always taking the best swap of a core.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from snn_deploy.mapping.mesh import HOST_SITE, Hops, Site, count_hops, site_of
from snn_deploy.mapping.populations import Population
from snn_deploy.mapping.profile import Profile
from snn_deploy.mapping.schema import Quantity
from snn_deploy.mapping.traffic import Slice, expected_traffic

__all__ = ["choose_sites"]

Matrix = npt.NDArray[np.float64]

CHIP_HOP = 100.0  # in hops on the mesh; no figure is published, but it is far dearer
MOST_SEARCHED = 4096  # slots: the search compares each with each, in matrices
_MOST_PASSES = 8
_GAIN = 1e-9  # a swap has to gain more than rounding


def choose_sites(
    populations: Sequence[Population],
    groups: Sequence[tuple[Slice, ...]],
    room: int,
    profile: Profile,
) -> list[int]:
    """Give each group one of ``room`` slots, chip by chip, each at most once."""
    per_chip = profile.limits.get("cores_per_chip") or room
    order = _snake(room, per_chip, profile)
    if not 2 <= len(groups) <= room <= MOST_SEARCHED or profile.mesh.router_columns is None:
        return order[: len(groups)]
    between, from_host = expected_traffic(populations, groups)
    sites = [site_of(slot // per_chip, slot % per_chip, profile) for slot in order]
    distance, host = _distances(sites, profile)
    empty = room - len(groups)  # empty cores can be swapped with, too
    traffic = np.pad(between + between.T, (0, empty))
    np.fill_diagonal(traffic, 0.0)
    places = _improve(traffic, np.pad(from_host, (0, empty)), distance, host, per_chip)
    return [order[place] for place in places[: len(groups)]]


def _snake(room: int, per_chip: int, profile: Profile) -> list[int]:
    """Slots in an order in which each is beside the one before."""

    def key(slot: int) -> tuple[int, int, int, int]:
        site = site_of(slot // per_chip, slot % per_chip, profile)
        column = site.column if site.row % 2 == 0 else -site.column
        return site.chip, site.row, column, slot

    return sorted(range(room), key=key)


def _distances(sites: list[Site], profile: Profile) -> tuple[Matrix, Matrix]:
    """Cost of a message between any two sites, and from the host to each."""

    def typical(quantity: Quantity | None) -> float:
        return 1.0 if quantity is None else quantity.typical

    east_west = typical(profile.energy.hop_east_west_pj)
    north_south = typical(profile.energy.hop_north_south_pj)
    different = sorted(
        set(sites) | {HOST_SITE}, key=lambda site: (site.chip, site.row, site.column)
    )
    index = {site: i for i, site in enumerate(different)}

    def cost(hops: Hops) -> float:
        return hops.east_west * east_west + hops.north_south * north_south + hops.chips * CHIP_HOP

    table = np.array([[cost(count_hops(a, b)) for b in different] for a in different])
    chosen = [index[site] for site in sites]
    return table[np.ix_(chosen, chosen)], table[index[HOST_SITE], chosen]


def _improve(
    traffic: Matrix, from_host: Matrix, distance: Matrix, host: Matrix, per_chip: int
) -> npt.NDArray[np.int64]:
    """Swap places within chips while it pays; give the place of each group."""
    places = np.arange(len(traffic))
    for _ in range(_MOST_PASSES):
        swapped = False
        for i in range(len(traffic)):
            others = np.arange(
                i // per_chip * per_chip, min((i // per_chip + 1) * per_chip, len(traffic))
            )
            gains = _swap_costs(i, others, places, traffic, from_host, distance, host)
            best = int(np.argmin(gains))
            if gains[best] < -_GAIN:
                j = int(others[best])
                places[i], places[j] = places[j], places[i]
                swapped = True
        if not swapped:
            break
    return places


def _swap_costs(
    i: int,
    others: npt.NDArray[np.int64],
    places: npt.NDArray[np.int64],
    traffic: Matrix,
    from_host: Matrix,
    distance: Matrix,
    host: Matrix,
) -> Matrix:
    """What the total cost would rise by if group i swapped places with each of ``others``."""
    here, there = distance[places[i]][places], distance[places[others]][:, places]
    between = traffic[i] - traffic[others]
    rise = np.einsum("jk,jk->j", between, there - here)
    rise += 2.0 * traffic[i, others] * there[:, i]  # the two keep their distance to each other
    outside = (from_host[i] - from_host[others]) * (host[places[others]] - host[places[i]])
    return np.asarray(rise + outside)

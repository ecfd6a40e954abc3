"""The placed chip as a map: every core of every chip in use, coloured by how full it is."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from snn_deploy.mapping.mesh import site_of
from snn_deploy.mapping.placement import Core, Placement
from snn_deploy.mapping.profile import Profile
from snn_deploy.page.svg import Element, element
from snn_deploy.reports.quantities import fraction, quantity
from snn_deploy.reports.report import layer_of
from snn_deploy.reports.timing import Timing

__all__ = [
    "LEVELS",
    "MOST_CHIPS",
    "Measure",
    "chip_map",
    "core_measures",
    "core_places",
    "describe_slices",
]

LEVELS = 8
"""Colours of the scale, from the emptiest to the fullest."""
MOST_CHIPS = 64
"""How many chips are drawn; the table of cores has them all."""

_CELL, _GAP, _STREET = 19, 2, 7  # pixels: a core, between cores, between routers
_BARE_COLUMNS = 16  # of a chip whose routers are not known


@dataclass(frozen=True)
class Measure:
    """A quantity to colour cores by.

    Parameters
    ----------
    key, title
        For code and for people.
    shares
        By (chip, core): 0 … 1.
    low, high
        What the ends of the scale stand for.
    """

    key: str
    title: str
    shares: Mapping[tuple[int, int], float]
    low: str
    high: str

    def level(self, core: Core) -> int:
        """Give the colour of a core, 0 … ``LEVELS - 1``."""
        return min(LEVELS - 1, int(self.shares[core.chip, core.index] * LEVELS))


def core_measures(
    placement: Placement, profile: Profile, timing: Timing | None
) -> tuple[Measure, ...]:
    """Give what a map of these cores can be coloured by, the first one first."""
    cores = placement.cores
    amounts = {
        "memory": ("memory", [core.load.memory.bytes for core in cores], "memory_per_core_bytes"),
        "synapses": (
            "synaptic memory",
            [core.load.memory.synaptic_bytes for core in cores],
            "synaptic_memory_per_core_bytes",
        ),
        "neurons": ("neurons", [core.load.neurons for core in cores], "neurons_per_core"),
    }
    measures = []
    for key, (title, values, rule) in amounts.items():
        limit = profile.limits.get(rule)
        top = limit or max([*values, 1])
        shares = {
            (core.chip, core.index): value / top for core, value in zip(cores, values, strict=True)
        }
        shown = f"{top:,}" if key == "neurons" else f"{top / 1024:,.0f} KiB"
        high = f"{shown}, all of a core's" if limit else f"{shown}, the fullest core's"
        measures.append(Measure(key, title, shares, "0", high))
    return (*_busy(placement, timing), *measures, _depth(placement))


def _busy(placement: Placement, timing: Timing | None) -> tuple[Measure, ...]:
    """How long each core works, beside the busiest one."""
    if timing is None:
        return ()
    busy = [max(load.neurons_ns, load.synapses_ns) for load in timing.cores]
    top = max([*busy, 1e-9])
    shares = {
        (core.chip, core.index): value / top
        for core, value in zip(placement.cores, busy, strict=True)
    }
    high = f"{quantity(top * 1e-9, 's')} a step, the busiest core's"
    return (Measure("busy", "time", shares, "0", high),)


def _depth(placement: Placement) -> Measure:
    """Where in the network a core's first channel is: shows whether neighbours talk."""
    layers = list(dict.fromkeys(layer_of(p.name) for p in placement.populations))
    shares = {
        (core.chip, core.index): layers.index(layer_of(core.slices[0].population))
        / max(len(layers) - 1, 1)
        for core in placement.cores
    }
    return Measure("depth", "place in the network", shares, layers[0], layers[-1])


def describe_slices(core: Core) -> str:
    """Name what a core holds, e.g. ``layers.0 glu … 0–63``."""
    return ", ".join(f"{part.population} [{part.start}–{part.stop - 1}]" for part in core.slices)


def chip_map(
    chip: int, placement: Placement, profile: Profile, measures: tuple[Measure, ...]
) -> Element:
    """Draw one chip, routers in their places; cores not in use are empty frames."""
    used = {core.index: core for core in placement.cores if core.chip == chip}
    count = profile.limits.get("cores_per_chip") or max(used) + 1
    cells = []
    width = height = 0
    for index, x, y in core_places(count, profile):
        width, height = max(width, x + _CELL), max(height, y + _CELL)
        cells.append(_cell(chip, index, used.get(index), (x, y), measures))
    label = f"Chip {chip}: {len(used)} of {count} cores in use"
    return element(
        "svg",
        *cells,
        class_="chart chip",
        viewBox=f"-1 -1 {width + 2} {height + 2}",
        width=width + 2,
        role="img",
        aria_label=label,
    )


def core_places(count: int, profile: Profile) -> Iterator[tuple[int, int, int]]:
    """Give each core's index and its upper left corner, in pixels."""
    mesh = profile.mesh
    if mesh.cores_per_router is None or mesh.router_columns is None:
        for index in range(count):
            row, column = divmod(index, _BARE_COLUMNS)
            yield index, column * (_CELL + _GAP), row * (_CELL + _GAP)
        return
    beside = mesh.cores_per_router.value or 1
    across = 2 if beside > 1 else 1
    wide = across * (_CELL + _GAP) + _STREET
    high = -(-beside // across) * (_CELL + _GAP) + _STREET
    for index in range(count):
        site = site_of(0, index, profile)
        row, column = divmod(index % beside, across)
        x = site.column * wide + column * (_CELL + _GAP)
        yield index, x, site.row * high + row * (_CELL + _GAP)


def _cell(
    chip: int,
    index: int,
    core: Core | None,
    corner: tuple[int, int],
    measures: tuple[Measure, ...],
) -> Element:
    box = {"x": corner[0], "y": corner[1], "width": _CELL, "height": _CELL, "rx": 2}
    if core is None:
        return element("rect", class_="free", **box)
    told = "; ".join(
        f"{measure.title} {fraction(measure.shares[chip, index])}"
        for measure in measures
        if measure.key != "depth"
    )
    made = element(
        "rect",
        element("title", f"core {chip}:{index}: {describe_slices(core)}; {told}"),
        class_=f"core q{measures[0].level(core)}",
        **box,
    )
    for measure in measures:
        made.set(f"data-{measure.key}", str(measure.level(core)))
    return made

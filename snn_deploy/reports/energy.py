"""Energy: exact event counts times a profile's constants, whose uncertainty is carried through."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from snn_deploy.mapping.profile import Profile
from snn_deploy.mapping.schema import Quantity
from snn_deploy.reports.events import Events

__all__ = ["PRICED", "EnergyItem", "Range", "add_ranges", "dynamic_energy", "static_energy"]

_PICO = 1e-12
_NANO = 1e-9
_MILLI = 1e-3


@dataclass(frozen=True)
class Range:
    """A figure with its uncertainty, in the unit that its name ends with."""

    low: float = 0.0
    typical: float = 0.0
    high: float = 0.0

    def __add__(self, other: Range) -> Range:
        return Range(self.low + other.low, self.typical + other.typical, self.high + other.high)

    def __mul__(self, factor: float) -> Range:
        return Range(self.low * factor, self.typical * factor, self.high * factor)

    @classmethod
    def of(cls, quantity: Quantity) -> Range:
        """Take a profile's quantity as it is."""
        return cls(quantity.low, quantity.typical, quantity.high)


def add_ranges(ranges: Iterable[Range]) -> Range:
    """Add ranges end by end: constants of one source err together."""
    return sum(ranges, Range())


@dataclass(frozen=True)
class EnergyItem:
    """One kind of event's energy.

    Parameters
    ----------
    kind
        In plain words.
    constant
        The profile's key, e.g. ``energy.ac_pj``.
    known
        How well that constant is known.
    events
        How many; exact where the activity is.
    energy_j
        Joules of them all.
    """

    kind: str
    constant: str
    known: str
    events: float
    energy_j: Range


PRICED: tuple[tuple[str, str, str], ...] = (
    ("synaptic operations, spikes", "ac_pj", "acs"),
    ("synaptic operations, graded", "mac_pj", "macs"),
    ("neuron programs", "neuron_update_pj", "lif_updates"),
    ("multiplications in neurons", "neuron_mac_pj", "neuron_macs"),
    ("messages sent", "spike_out_pj", "neuron_messages"),
    ("messages sent to a core", "message_out_pj", "neuron_deliveries"),
    ("messages received", "message_in_pj", "deliveries"),
    ("delivery in the tile", "within_tile_pj", "deliveries"),
    ("hops east-west", "hop_east_west_pj", "hops_east_west"),
    ("hops north-south", "hop_north_south_pj", "hops_north_south"),
)
"""Each kind of event in plain words, the constant that prices it, and the count of it."""


def dynamic_energy(events: Events, profile: Profile) -> tuple[EnergyItem, ...]:
    """Price events, leaving out kinds without a constant and those that never happened."""
    items = []
    for kind, key, counted in PRICED:
        constant: Quantity | None = getattr(profile.energy, key)
        count = getattr(events, counted)
        if constant is not None and count:
            energy = Range.of(constant) * (count * _PICO)
            items.append(EnergyItem(kind, f"energy.{key}", constant.known, count, energy))
    return tuple(items)


def static_energy(chips: int, seconds: Range, profile: Profile) -> EnergyItem | None:
    """Energy that ``chips`` draw in ``seconds`` whatever they do, or None without a constant."""
    power = profile.power.static_per_chip_mw
    if power is None:
        return None
    watts = Range.of(power) * (_MILLI * chips)
    energy = Range(
        watts.low * seconds.low, watts.typical * seconds.typical, watts.high * seconds.high
    )
    return EnergyItem("idle chips", "power.static_per_chip_mw", power.known, chips, energy)

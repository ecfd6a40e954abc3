"""Which constant the answer hangs on: each moved over its range while all others stay typical."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from snn_deploy.mapping.profile import Profile
from snn_deploy.mapping.schema import Quantity
from snn_deploy.reports.energy import EnergyItem
from snn_deploy.reports.loads import PassLoads
from snn_deploy.reports.timing import constants_at, sequence_seconds

__all__ = ["Influence", "find_influences"]


@dataclass(frozen=True)
class Influence:
    """What one constant does to one sequence's energy and time.

    Parameters
    ----------
    constant
        The profile's key.
    low_j, high_j
        Total energy of a sequence, joules, with this constant alone at its low and its high end.
    low_s, high_s
        Time of a sequence, seconds, likewise.
    """

    constant: str
    low_j: float
    high_j: float
    low_s: float
    high_s: float

    @property
    def range_j(self) -> float:
        """How far the energy moves."""
        return self.high_j - self.low_j


def find_influences(
    items: Sequence[EnergyItem],
    sequences: int,
    loads: Sequence[PassLoads],
    steps: float,
    chips: int,
    profile: Profile,
) -> tuple[Influence, ...]:
    """Move each constant that has a range; give those that matter, the largest range first.

    Parameters
    ----------
    items, sequences
        Dynamic energy of all sequences, and how many those are.
    loads, steps
        As timed; steps of a pass.
    """
    typical = constants_at(profile.time, "typical")
    seconds = sequence_seconds(loads, typical, steps)
    power = profile.power.static_per_chip_mw
    watts = 0.0 if power is None else power.typical * 1e-3 * chips
    dynamic = sum(item.energy_j.typical for item in items) / sequences
    total = dynamic + watts * seconds
    found = [
        Influence(
            item.constant,
            total + (item.energy_j.low - item.energy_j.typical) / sequences,
            total + (item.energy_j.high - item.energy_j.typical) / sequences,
            seconds,
            seconds,
        )
        for item in items
    ]
    if power is not None:
        scale = seconds * 1e-3 * chips
        found.append(
            Influence(
                "power.static_per_chip_mw",
                dynamic + power.low * scale,
                dynamic + power.high * scale,
                seconds,
                seconds,
            )
        )
    for key, quantity in _times(profile):
        ends = [
            sequence_seconds(loads, {**typical, key: value}, steps)
            for value in (quantity.low, quantity.high)
        ]
        joules = [dynamic + watts * end for end in ends]
        found.append(Influence(f"time.{key}", *joules, *ends))
    matters = (i for i in found if i.range_j > 0 or i.high_s > i.low_s)
    return tuple(sorted(matters, key=lambda i: (-i.range_j, i.low_s - i.high_s, i.constant)))


def _times(profile: Profile) -> Iterator[tuple[str, Quantity]]:
    for key in type(profile.time).model_fields:
        quantity: Quantity | None = getattr(profile.time, key)
        if quantity is not None and quantity.low < quantity.high:
            yield key, quantity

"""Messages that cores are expected to exchange in a step, before anything has been simulated."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from snn_deploy.mapping.populations import Path, Population

__all__ = ["Slice", "count_axons", "expected_rate", "expected_traffic"]

Matrix = npt.NDArray[np.float64]

EXPECTED_SPIKE_RATE = 0.1
"""Spikes a neuron and step: the average over LRA in the SpikingSSM paper. For placement only; every
figure of a report comes from counted messages."""


@dataclass(frozen=True, order=True)
class Slice:
    """Channels ``start`` … ``stop - 1`` of a population."""

    population: str
    start: int
    stop: int

    @property
    def channels(self) -> int:
        """How many."""
        return self.stop - self.start


def expected_rate(path: Path) -> float:
    """Messages a channel and step."""
    return 1.0 if path.graded else EXPECTED_SPIKE_RATE


def expected_traffic(
    populations: Sequence[Population], groups: Sequence[tuple[Slice, ...]]
) -> tuple[Matrix, Matrix]:
    """Give messages a step from group to group, (n, n), and from the host to each group, (n,)."""
    between = np.zeros((len(groups), len(groups)))
    from_host = np.zeros(len(groups))
    homes = {name: p.name for p in populations for name in p.nodes}
    places: dict[str, list[tuple[int, Slice]]] = {p.name: [] for p in populations}
    for index, group in enumerate(groups):
        for part in group:
            places[part.population].append((index, part))
    for population in populations:
        for path in population.paths:
            rate = expected_rate(path)
            starts = places.get(homes.get(path.source, ""), [])
            for end, target in places[population.name]:
                if not starts:
                    from_host[end] += rate * len(_speaking(path, target))
                for start, source in starts:
                    between[start, end] += rate * _sent(path, source, target)
    return between, from_host


def count_axons(
    populations: Sequence[Population], groups: Sequence[tuple[Slice, ...]]
) -> list[tuple[int, int]]:
    """Give each group's in-axons and out-axons; what the host sends takes in-axons alone."""
    homes = {name: p.name for p in populations for name in p.nodes}
    by_name = {p.name: p for p in populations}
    arriving: list[dict[str, set[int]]] = [{} for _ in groups]  # channels, by source
    senders: dict[str, list[tuple[int, Slice]]] = {}
    for index, group in enumerate(groups):
        for part in group:
            senders.setdefault(part.population, []).append((index, part))
            for path in by_name[part.population].paths:
                arriving[index].setdefault(path.source, set()).update(_speaking(path, part))
    leaving = [0] * len(groups)
    for ends in arriving:
        for source, channels in ends.items():
            for index, part in senders.get(homes.get(source, ""), ()):
                leaving[index] += len(channels & set(range(part.start, part.stop)))
    return [
        (sum(map(len, ends.values())), left) for ends, left in zip(arriving, leaving, strict=True)
    ]


def _speaking(path: Path, target: Slice) -> Sequence[int]:
    """Name the channels of a path's source that speak to ``target``."""
    if path.one_to_one:
        return range(target.start, target.stop)
    if path.wired_alike:
        return range(path.channels)
    speaking: Sequence[int] = np.flatnonzero(path.fan_out(target.start, target.stop)).tolist()
    return speaking


def _sent(path: Path, source: Slice, target: Slice) -> int:
    """How many channels of ``source`` speak to ``target``."""
    if path.wired_alike:
        return source.channels
    if path.one_to_one:
        return max(0, min(source.stop, target.stop) - max(source.start, target.start))
    reached = path.fan_out(target.start, target.stop)[source.start : source.stop]
    return int(np.count_nonzero(reached))

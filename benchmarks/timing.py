"""Times that can be compared on a machine which others use too.

Works that are to be compared take turns, round after round, so that a slow minute hits them all;
of each the shortest time counts, and the median says how restless the machine was.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from statistics import median

SHORT = 0.1  # seconds that a turn takes at least: shorter works are done several times

Work = Callable[[], object]


@dataclass(frozen=True)
class Timing:
    """Seconds that a work took, each time."""

    seconds: tuple[float, ...]

    @property
    def best(self) -> float:
        return min(self.seconds)

    @property
    def median(self) -> float:
        return median(self.seconds)


def seconds_of(work: Work) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def take_turns(
    works: Mapping[str, Work], rounds: int, once: frozenset[str] = frozenset()
) -> dict[str, Timing]:
    """Time works in turns, after a run of each to warm up.

    Those named in ``once`` are too slow for that: they get no warm-up and a single run.
    """
    seconds: dict[str, list[float]] = {name: [] for name in works}
    turns = {name: 0 if name in once else _times(work) for name, work in works.items()}
    for number in range(rounds):
        for name, work in works.items():
            if name in once and number == 0:
                seconds[name].append(seconds_of(work))
            seconds[name] += [seconds_of(work) for _ in range(turns[name])]
    return {name: Timing(tuple(values)) for name, values in seconds.items()}


def _times(work: Work) -> int:
    work()
    return max(1, min(200, round(SHORT / max(seconds_of(work), 1e-9))))

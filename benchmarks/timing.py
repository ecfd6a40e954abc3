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
LONG = 2.0  # seconds after which a work gets no more turns

Work = Callable[[], object]
Clock = Callable[[], float]


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


def seconds_of(work: Work, clock: Clock = time.perf_counter) -> float:
    started = clock()
    work()
    return clock() - started


def take_turns(
    works: Mapping[str, Work], rounds: int, clock: Clock = time.perf_counter
) -> dict[str, Timing]:
    """Time works in turns, after a run of each to warm up; long ones once.

    With the clock ``time.process_time`` the time is that of all cores together, whoever else uses
    them.
    """
    seconds, turns = {}, {}
    for name, work in works.items():
        work()
        seconds[name] = [seconds_of(work, clock)]
        fitting = round(SHORT / max(seconds[name][0], 1e-9))
        turns[name] = 0 if seconds[name][0] > LONG else max(1, min(200, fitting))
    for _ in range(rounds):
        for name, work in works.items():
            seconds[name] += [seconds_of(work, clock) for _ in range(turns[name])]
    return {name: Timing(tuple(values)) for name, values in seconds.items()}

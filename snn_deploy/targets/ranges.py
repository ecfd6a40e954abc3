"""Which integers a value can be."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from snn_deploy.ir.program import Value
from snn_deploy.ir.program_bounds import Interval
from snn_deploy.targets.schedule import WEIGHTED

__all__ = ["EXACT", "Range", "Ranges", "value_ranges"]

EXACT = 2**53  # beyond it an interval's ends may be rounded
_WIDEST = 2**63 - 1


class Range(NamedTuple):
    """All integers from ``low`` to ``high``."""

    low: int
    high: int

    @classmethod
    def of(cls, interval: Interval) -> Range:
        """Give the range of all that an interval's channels can be."""
        low, high = np.asarray(interval.low), np.asarray(interval.high)
        return cls(_whole(low.min()), _whole(high.max())) if low.size else cls(0, 0)

    @classmethod
    def of_array(cls, array: Any) -> Range:
        """Give the range of an array's numbers."""
        found = np.asarray(array)
        return cls(int(found.min()), int(found.max())) if found.size else cls(0, 0)

    @property
    def magnitude(self) -> int:
        """The largest magnitude."""
        return max(abs(self.low), abs(self.high))

    @property
    def single(self) -> bool:
        """Whether it is one integer, known exactly."""
        return self.low == self.high and self.magnitude < EXACT

    @property
    def bits(self) -> int:
        """How many bits a signed number takes that holds all of it."""
        return 1 + max(self.high.bit_length(), (-1 - self.low).bit_length() if self.low < 0 else 0)

    def hull(self, other: Range) -> Range:
        """Give the smallest range that holds both."""
        return Range(min(self.low, other.low), max(self.high, other.high))

    def times(self, other: Range) -> Range:
        """Give the range of products."""
        ends = [a * b for a in self for b in other]
        return Range(min(ends), max(ends))


Ranges = Mapping[int, Range]
"""By a value's ``id``."""


def _whole(end: Any) -> int:
    """Give an interval's end as an integer; what seems wider than 64 bits is no wider."""
    return int(math.copysign(_WIDEST, end)) if abs(end) >= 2.0**63 else int(end)


def value_ranges(section_values: Sequence[Value], intervals: Mapping[int, Interval]) -> Ranges:
    """Give the range of every value; a sum's holds what it is on its way, in whatever order."""
    ranges = {}
    for value in section_values:
        ranges[id(value)] = Range.of(intervals[id(value)])
        if value.operation in ("sum_modes", "sum_channels", *WEIGHTED):
            reach = _reach(value, intervals)
            ranges[id(value)] = ranges[id(value)].hull(reach)
    return ranges


def _reach(value: Value, intervals: Mapping[int, Interval]) -> Range:
    added = intervals[id(value.arguments[-1])]
    if value.operation in WEIGHTED:
        weight = np.abs(value.arguments[0].content[0].astype(np.float64))
        if np.all(added.low <= 0) and np.all(added.high >= 0):
            return Range(0, 0)  # the interval of the whole holds that of each part
        if value.operation == "convolution":
            reach = value.content.weigh(weight, added.magnitude).max(initial=0.0)
        else:
            reach = (weight @ np.broadcast_to(added.magnitude, weight.shape[1:])).max(initial=0.0)
    else:
        axis = None if value.operation == "sum_channels" else -1
        reach = np.sum(added.magnitude, axis=axis).max(initial=0.0)
    return Range.of(Interval(np.asarray(-reach), np.asarray(reach)))

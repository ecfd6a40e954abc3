"""How often a signal reaches which magnitude: what calibration other than by the maximum needs.

A maximum is one value, often a rare one: a format that holds it may spend a bit on it that all
other values miss. Magnitudes are counted in bins of an eighth of an octave, one histogram a
channel, so that memory does not grow with the data.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from snn_deploy import fixedpoint as fp

__all__ = ["MagnitudeHistogram"]

Real = npt.NDArray[np.float64]

BINS_PER_OCTAVE = 8
OCTAVES = 24  # on either side of 1; what is smaller or larger counts in the first or last bin
BINS = 2 * OCTAVES * BINS_PER_OCTAVE
FINER = 12  # octaves below the maximum that are tried as the largest magnitude


@dataclass(eq=False)
class MagnitudeHistogram:
    """Counts of magnitudes (width, bins), those of 0 apart."""

    width: int
    counts: npt.NDArray[np.int64] = field(init=False)
    steps: int = 0

    def __post_init__(self) -> None:
        self.counts = np.zeros((self.width, BINS), dtype=np.int64)

    def add(self, signal: Real) -> None:
        """Count a signal (steps, width)."""
        magnitude = np.abs(signal)
        _, column = np.nonzero(magnitude)
        octave = np.log2(magnitude[magnitude > 0])
        place = np.clip(np.floor((octave + OCTAVES) * BINS_PER_OCTAVE), 0, BINS - 1)
        index = column * BINS + place.astype(np.int64)
        counted = np.bincount(index, minlength=self.counts.size)
        self.counts += counted.reshape(self.counts.shape)
        self.steps += len(signal)

    def merged(self) -> MagnitudeHistogram:
        """Give the histogram of all channels as one."""
        whole = MagnitudeHistogram(1)
        whole.counts = self.counts.sum(axis=0, keepdims=True)
        whole.steps = self.steps * self.width
        return whole

    def percentile(self, share: float) -> Real:
        """Give per channel (width,) the upper edge of the bin below which ``share`` % lie."""
        zeros = self.steps - self.counts.sum(axis=1)
        below = zeros[:, None] + np.cumsum(self.counts, axis=1)
        enough = below >= share / 100.0 * self.steps
        edges = 2.0 ** ((np.arange(BINS) + 1) / BINS_PER_OCTAVE - OCTAVES)
        return np.where(zeros >= share / 100.0 * self.steps, 0.0, edges[enough.argmax(axis=1)])

    def least_squares(self, largest: Real, bits: int) -> Real:
        """Give per channel (width,) the reach of the exponent that loses least in mean squares.

        An exponent e loses ``4**-e / 12`` to rounding, and by clipping the square of what is beyond
        the largest mantissa. Tried are that at which ``largest`` (width,) fits, and finer ones.
        """
        limit = fp.limit_of(bits)
        widest = np.floor(np.log2(limit / np.maximum(largest, 2.0**-OCTAVES)))
        middles = 2.0 ** ((np.arange(BINS) + 0.5) / BINS_PER_OCTAVE - OCTAVES)
        reaches, losses = [], []
        for finer in range(FINER + 1):
            reach = limit * 2.0 ** -(widest + finer)
            beyond = np.maximum(middles - reach[:, None], 0.0)
            if not finer:
                beyond[:] = 0.0  # it holds the largest: only its bin's middle may lie beyond
            clipped = (self.counts * np.square(beyond)).sum(axis=1) / max(self.steps, 1)
            reaches.append(reach)
            losses.append(clipped + np.square(reach / limit) / 12.0)
        best = np.argmin(losses, axis=0)
        chosen: Real = np.asarray(reaches)[best, np.arange(self.width)]
        return chosen

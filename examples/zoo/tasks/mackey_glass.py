"""The Mackey-Glass equation (1977), whose series are chaotic: say what comes next.

``dx/dt = 0.2 x(t - τ) / (1 + x(t - τ)¹⁰) - 0.1 x(t)``
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from snn_deploy.examples.zoo.tasks.task import Split, divide

__all__ = ["make", "trajectories"]

_PARTS = 10  # Euler steps within a unit of time
_MEAN, _SPREAD = 0.9, 0.23  # of the series, so that inputs are about normalised
_DISCARDED = 300  # units of time until a trajectory is on the attractor


def make(
    random: np.random.Generator,
    train: int,
    test: int,
    steps: int,
    horizon: int,
    unknown: int,
    delay: int,
) -> Split:
    """Give series (B, steps, 1), a step a unit of time, and as targets what they are ``horizon``
    steps later; NaN for the first ``unknown`` steps, in which too little was seen.
    """
    series = trajectories(random, train + test, steps + horizon, delay)[..., None]
    targets = series[:, horizon:].copy()
    targets[:, :unknown] = np.nan
    inputs = (series[:, :steps] - _MEAN) / _SPREAD
    return divide({"inputs": inputs.astype(np.float32), "targets": targets}, train)


def trajectories(
    random: np.random.Generator, count: int, steps: int, delay: int
) -> npt.NDArray[np.float64]:
    """Give series (count, steps) from different pasts, each a constant."""
    past = np.repeat(random.uniform(0.5, 1.3, (1, count)), delay * _PARTS, axis=0)
    ring, x, series = past.copy(), past[0], np.empty((steps, count))
    for part in range((_DISCARDED + steps) * _PARTS):
        place = part % len(ring)
        late, ring[place] = ring[place].copy(), x
        square = late * late
        fifth = square * square * late
        x = x + (0.2 * late / (1 + fifth * fifth) - 0.1 * x) / _PARTS
        step, rest = divmod(part + 1, _PARTS)
        if rest == 0 and step > _DISCARDED:
            series[step - _DISCARDED - 1] = x
    return series.T

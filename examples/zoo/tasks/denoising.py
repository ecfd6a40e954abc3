"""Take noise off a signal while it comes in: three tones of any pitch in white noise."""

from __future__ import annotations

import numpy as np

from snn_deploy.examples.zoo.tasks.task import Split, divide

__all__ = ["make"]

_TONES = 3
_PERIODS = (8.0, 64.0)  # steps


def make(
    random: np.random.Generator, train: int, test: int, steps: int, noise: float, unknown: int
) -> Split:
    """Give noisy signals (B, steps, 1), and as targets the clean ones, whose power is 1.

    ``noise`` is the noise's standard deviation. The first ``unknown`` steps do not count.
    """
    shape = (train + test, _TONES, 1)
    low, high = np.log(_PERIODS)
    turn = 2 * np.pi * np.arange(steps) / np.exp(random.uniform(low, high, shape))
    clean = np.sin(turn + random.uniform(0, 2 * np.pi, shape)).sum(axis=1)
    clean *= np.sqrt(2 / _TONES)
    inputs = clean + noise * random.standard_normal(clean.shape)
    targets = clean.copy()
    targets[:, :unknown] = np.nan
    arrays = {"inputs": inputs[..., None].astype(np.float32), "targets": targets[..., None]}
    return divide(arrays, train)

"""Synthetic keywords: ten words of three tones that glide, as spike counts of bands of an ear."""

from __future__ import annotations

import numpy as np

from snn_deploy.examples.zoo.tasks.task import Split, divide

__all__ = ["WORDS", "make"]

WORDS = (
    ((0.1, 0.5), (0.5, 0.9), (0.9, 0.3)),
    ((0.1, 0.5), (0.9, 0.5), (0.5, 0.1)),
    ((0.9, 0.3), (0.3, 0.3), (0.5, 0.9)),
    ((0.5, 0.9), (0.1, 0.5), (0.3, 0.3)),
    ((0.3, 0.3), (0.9, 0.3), (0.1, 0.5)),
    ((0.5, 0.1), (0.1, 0.5), (0.9, 0.5)),
    ((0.9, 0.5), (0.5, 0.1), (0.5, 0.9)),
    ((0.3, 0.3), (0.5, 0.9), (0.5, 0.1)),
    ((0.5, 0.9), (0.9, 0.5), (0.3, 0.3)),
    ((0.9, 0.3), (0.1, 0.5), (0.5, 0.9)),
)
"""Where each word's tones begin and end, as shares of all bands. Words share their tones: what
tells them apart is their order and direction.
"""

_WIDTH = 0.06  # of a tone, as a share of all bands


def make(
    random: np.random.Generator, train: int, test: int, steps: int, bands: int, noise: float
) -> Split:
    """Give counts (B, steps, bands), Poisson, and which word was said.

    Speakers differ in pace, in when they begin, in pitch and in loudness; ``noise`` is the mean
    count of each band and step from elsewhere.
    """
    count = train + test
    words = random.integers(0, len(WORDS), count)
    begin = random.uniform(0.0, 0.25, count)
    pace = random.uniform(0.5, 0.75, count)  # share of the steps that the word takes
    pitch = random.uniform(-0.08, 0.08, count)
    loud = random.uniform(1.0, 3.0, count)
    time = (np.arange(steps) / steps - begin[:, None]) / pace[:, None]
    said = (time >= 0) & (time < 1)
    tone = np.clip((3 * time).astype(int), 0, 2)
    ends = np.array(WORDS)[words[:, None], tone]
    within = np.clip(3 * time - tone, 0, 1)
    place = ends[..., 0] + within * (ends[..., 1] - ends[..., 0]) + pitch[:, None]
    band = (np.arange(bands) + 0.5) / bands
    shape = np.exp(-0.5 * ((band - place[..., None]) / _WIDTH) ** 2)
    rate = noise + loud[:, None, None] * shape * said[..., None]
    inputs = random.poisson(rate).astype(np.float32)
    return divide({"inputs": inputs, "labels": words.astype(np.int64)}, train)

"""Copying (Hochreiter & Schmidhuber 1997): remember some symbols, wait, and say them in order."""

from __future__ import annotations

import numpy as np

from snn_deploy.examples.zoo.tasks.task import Split, divide

__all__ = ["make"]


def make(
    random: np.random.Generator, train: int, test: int, symbols: int, count: int, wait: int
) -> Split:
    """Give one-hot symbols (B, 2 count + wait, symbols + 1), the last channel says "now".

    The symbols come in the first ``count`` steps; in the last ``count`` ones, in which alone the
    answer counts, they are to be said.
    """
    total, steps = train + test, 2 * count + wait
    said = random.integers(0, symbols, (total, count))
    inputs = np.zeros((total, steps, symbols + 1), np.float32)
    inputs[:, :count, :symbols] = np.eye(symbols, dtype=np.float32)[said]
    inputs[:, -count:, symbols] = 1
    labels = np.full((total, steps), -1, np.int64)
    labels[:, -count:] = said
    return divide({"inputs": inputs, "labels": labels}, train)

"""scikit-learn's 8 × 8 digits (Alpaydin & Kaynak 1998), row by row: the bundled example's data."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from snn_deploy.examples.zoo.tasks.task import Split

__all__ = ["make"]

FOLDER = Path(__file__).parents[2] / "seqdigits_uni"


def make(random: np.random.Generator) -> Split:
    """Give 1,437 sequences to train on and 360 to test with, (B, 64, 1); nothing is drawn."""
    with np.load(FOLDER / "train.npz") as train, np.load(FOLDER / "test.npz") as test:
        return dict(train), dict(test)

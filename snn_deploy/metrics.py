"""Figures of merit that several commands print."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["accuracy", "agreement"]


def accuracy(logits: npt.NDArray[Any] | None, labels: npt.NDArray[np.int64] | None) -> float | None:
    """Give the share of sequences whose largest logit is at their label; None where undefined.

    logits (B, classes), labels (B,).
    """
    if logits is None or labels is None or logits.ndim != 2 or len(logits) != len(labels):
        return None
    return float((logits.argmax(axis=-1) == labels).mean())


def agreement(first: npt.NDArray[Any], second: npt.NDArray[Any]) -> float:
    """Give the share of predictions, (B,) or (B, steps), on which two logits agree."""
    return float((first.argmax(axis=-1) == second.argmax(axis=-1)).mean())

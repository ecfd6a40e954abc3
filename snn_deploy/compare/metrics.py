"""Figures of merit that several commands print."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["accuracy", "agreement", "cross_entropy", "share_of_right"]

Labels = npt.NDArray[np.int64]


def accuracy(logits: npt.NDArray[Any] | None, labels: Labels | None) -> float | None:
    """Give the share of labels that have the largest logit; None where undefined.

    logits (B, classes), labels (B,); or logits (B, steps, classes), labels (B, steps). Negative
    labels do not count.
    """
    if logits is None or labels is None or logits.shape[:-1] != labels.shape:
        return None
    return share_of_right(logits.argmax(axis=-1), labels)


def share_of_right(predictions: npt.NDArray[Any], labels: Labels | None) -> float | None:
    """The same from the predictions themselves, of the labels' shape."""
    if labels is None or predictions.shape != labels.shape or not (labels >= 0).any():
        return None
    return float((predictions == labels)[labels >= 0].mean())


def agreement(first: npt.NDArray[Any], second: npt.NDArray[Any]) -> float:
    """Give the share of predictions, (B,) or (B, steps), on which two logits agree."""
    return float((first.argmax(axis=-1) == second.argmax(axis=-1)).mean())


def cross_entropy(logits: npt.NDArray[Any], labels: Labels) -> float:
    """Give the sum over labels of -log of their probability, in nats.

    logits (n, classes), which may be log-probabilities already; labels (n,), negative ones do not
    count.
    """
    rows = np.flatnonzero(labels >= 0)
    largest = logits.max(axis=-1, keepdims=True)
    log_sum = np.log(np.exp(logits - largest).sum(axis=-1)) + largest[:, 0]
    return float((log_sum[rows] - logits[rows, labels[rows]]).sum())

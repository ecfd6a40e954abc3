"""How good logits are: accuracy, and cross-entropy where accuracies tie."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from snn_deploy.data.inputs import Data
from snn_deploy.training.labelled import labels_of

__all__ = ["Score", "score"]


@dataclass(frozen=True)
class Score:
    """Share of right answers, and mean cross-entropy in nats."""

    accuracy: float
    loss: float

    def better_than(self, other: Score) -> bool:
        """Compare by accuracy, and by loss where that is the same."""
        return (self.accuracy, -self.loss) > (other.accuracy, -other.loss)


def score(logits: npt.NDArray[np.float64], data: Data) -> Score:
    """Score logits (B, classes) against the data's labels (B,)."""
    labels = labels_of(data)
    shifted = logits - logits.max(axis=-1, keepdims=True)
    log_share = shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))
    of_label = np.take_along_axis(log_share, labels[:, None], axis=-1)
    right = logits.argmax(axis=-1) == labels
    return Score(float(right.mean()), float(-of_label.mean()))

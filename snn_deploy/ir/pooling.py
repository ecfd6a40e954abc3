"""How a sequence becomes one vector."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

__all__ = ["PoolMode", "Pooling"]

PoolMode = Literal["mean", "sum", "last", "first"]


@dataclass(frozen=True)
class Pooling:
    """The mean, the sum, the last or the first of a sequence's steps.

    Parameters
    ----------
    mode
        Which of them.
    valid
        Whether over the first ``lengths`` steps of each sequence, else over all.
    """

    mode: PoolMode
    valid: bool

    def pool(
        self, signal: npt.NDArray[np.float64], lengths: npt.NDArray[np.int64]
    ) -> npt.NDArray[np.float64]:
        """Give one vector a sequence, (B, H), of (B, L, H), in float64."""
        steps = signal.shape[1]
        counts = lengths if self.valid else np.full(len(signal), steps)
        if self.mode == "first":
            return signal[:, 0]
        if self.mode == "last":
            return np.asarray(signal[np.arange(len(signal)), counts - 1])
        taken = np.arange(steps) < counts[:, None]
        total: npt.NDArray[np.float64] = np.where(taken[..., None], signal, 0.0).sum(axis=1)
        return total / counts[:, None] if self.mode == "mean" else total

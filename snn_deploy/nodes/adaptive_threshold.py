"""A threshold that past crossings raise: the soma of D-RF."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from snn_deploy.nodes.float_node import FloatNode, Signal

if TYPE_CHECKING:
    from snn_deploy.engines.float_ops import Context

__all__ = ["AdaptiveThreshold"]


@dataclass(frozen=True, kw_only=True, eq=False)
class AdaptiveThreshold(FloatNode):
    """``y[t] = x[t] >= base + Σ_k rise_k p[t-k]``, ``p[t] = x[t] >= base``, k = 1 … K.

    Past crossings of the *fixed* threshold raise it, not past spikes: no feedback, a line of K
    taps. rise (K,), the same for all channels; p is 0 before the sequence.
    """

    spikes: ClassVar[bool] = True

    channels: int
    base: float
    rise: Signal

    @property
    def width(self) -> int:
        return self.channels

    def evaluate(self, sources: Sequence[Signal], context: Context) -> Signal:
        (x,) = sources
        crossed = (x >= self.base).astype(float)
        threshold = np.full_like(x, self.base)
        for lag, rise in enumerate(self.rise[: x.shape[1] - 1], start=1):
            threshold[:, lag:] += rise * crossed[:, :-lag]
        return (x >= threshold).astype(float)

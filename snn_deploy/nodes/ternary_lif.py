"""A leaky neuron that fires with the sign of its potential."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from snn_deploy.nodes.float_node import FloatNode, Signal
from snn_deploy.nodes.ternary import ternarise

if TYPE_CHECKING:
    from snn_deploy.engines.float_ops import Context

__all__ = ["TernaryLif"]


@dataclass(frozen=True, kw_only=True, eq=False)
class TernaryLif(FloatNode):
    """``v = decay * v + x[t]``; ``y[t] = [v >= threshold] - [v <= -threshold]``; v = 0 on either.

    threshold (H,) is a current, positive.
    """

    spikes: ClassVar[bool] = True

    threshold: Signal
    decay: float = 0.125

    @property
    def width(self) -> int:
        return int(self.threshold.shape[0])

    def evaluate(self, sources: Sequence[Signal], context: Context) -> Signal:
        (x,) = sources
        y = np.empty_like(x)
        v = np.zeros_like(x[:, 0])
        for t in range(x.shape[1]):
            v = self.decay * v + x[:, t]
            y[:, t] = ternarise(v, self.threshold)
            v = np.where(y[:, t] != 0, 0.0, v)
        return y

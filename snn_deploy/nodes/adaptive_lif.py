"""The adaptive LIF neuron of two real states: SiLIF, cAdLIF, adLIF."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from snn_deploy.nodes.float_node import FloatNode, Signal

if TYPE_CHECKING:
    from snn_deploy.engines.float_ops import Context

__all__ = ["AdaptiveLif"]


@dataclass(frozen=True, kw_only=True, eq=False)
class AdaptiveLif(FloatNode):
    """``w[t] = beta w[t-1] + a u[t-1] + b y[t-1]``,
    ``u[t] = alpha (u[t-1] - y[t-1]) + (1 - alpha) (x[t] - w[t])``, ``y[t] = u[t] > 1``.

    w is the adaptation current, u the potential; all are 0 before the sequence, as deployed (the
    authors draw them anew for every run). alpha, beta, a, b (H,), clamped as the authors do.
    """

    spikes: ClassVar[bool] = True

    alpha: Signal
    beta: Signal
    a: Signal
    b: Signal

    @property
    def width(self) -> int:
        return int(self.alpha.shape[0])

    def evaluate(self, sources: Sequence[Signal], context: Context) -> Signal:
        (x,) = sources
        y = np.empty_like(x)
        w = u = s = np.zeros_like(x[:, 0])
        for t in range(x.shape[1]):
            w = self.beta * w + self.a * u + self.b * s
            u = self.alpha * (u - s) + (1 - self.alpha) * (x[:, t] - w)
            s = (u > 1).astype(float)
            y[:, t] = s
        return y

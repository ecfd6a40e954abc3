"""A leaky neuron that its own spikes hold back for a while."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from snn_deploy.nodes.float_node import FloatNode, Signal

if TYPE_CHECKING:
    from snn_deploy.engines.float_ops import Context

__all__ = ["RefractoryLif"]


@dataclass(frozen=True, kw_only=True, eq=False)
class RefractoryLif(FloatNode):
    """``v[t] = decay v[t-1] + x[t] - r[t-1]``, ``y[t] = v[t] >= threshold``,
    ``r[t] = refractory_decay r[t-1] + strength y[t]``; v and r are 0 before the sequence.

    A spike leaves v as it is; r is what holds the neuron back. threshold and strength (H,).
    """

    spikes: ClassVar[bool] = True

    threshold: Signal
    strength: Signal
    decay: float
    refractory_decay: float

    @property
    def width(self) -> int:
        return int(self.threshold.shape[0])

    def evaluate(self, sources: Sequence[Signal], context: Context) -> Signal:
        (x,) = sources
        y = np.empty_like(x)
        v = r = np.zeros_like(x[:, 0])
        for t in range(x.shape[1]):
            v = self.decay * v + x[:, t] - r
            y[:, t] = v >= self.threshold
            r = self.refractory_decay * r + self.strength * y[:, t]
        return y

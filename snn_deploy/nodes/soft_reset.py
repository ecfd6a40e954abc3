"""A neuron whose spikes lower its potential by the threshold, and whose potential is given."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from snn_deploy.nodes.float_node import FloatNode, Signal

if TYPE_CHECKING:
    from snn_deploy.engines.float_ops import Context

__all__ = ["SoftReset"]


@dataclass(frozen=True, kw_only=True, eq=False)
class SoftReset(FloatNode):
    """``y[t] = x[t] >= threshold + r[t]``, ``r[t+1] = decay * (r[t] + threshold y[t])``, r[0] = 0.

    x is the potential as it would be without resets. With the decay of the potential itself this
    is a leaky neuron with soft reset. threshold > 0; decay (H,). ``backwards``: from the last step
    to the first.
    """

    spikes: ClassVar[bool] = True

    threshold: float
    decay: Signal
    backwards: bool = False

    @property
    def width(self) -> int:
        return int(self.decay.shape[0])

    def evaluate(self, sources: Sequence[Signal], context: Context) -> Signal:
        (x,) = sources
        y = np.empty_like(x)
        r = np.zeros_like(x[:, 0])
        steps = range(x.shape[1])
        for t in reversed(steps) if self.backwards else steps:
            y[:, t] = x[:, t] >= self.threshold + r
            r = self.decay * (r + self.threshold * y[:, t])
        return y

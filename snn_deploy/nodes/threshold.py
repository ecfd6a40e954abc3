"""A comparison with a fixed level: the spike of Binary S4D and of resonate-and-fire neurons."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from snn_deploy.nodes.float_node import FloatNode, Signal

if TYPE_CHECKING:
    from snn_deploy.engines.float_ops import Context

__all__ = ["Threshold"]


@dataclass(frozen=True, kw_only=True, eq=False)
class Threshold(FloatNode):
    """``y[t] = x[t] > level``, or ``x[t] >= level`` where ``inclusive``; level (H,).

    No leak and no reset: the neuron remembers nothing.
    """

    spikes: ClassVar[bool] = True
    pointwise: ClassVar[bool] = True

    level: Signal
    inclusive: bool

    @property
    def width(self) -> int:
        return int(self.level.shape[0])

    def evaluate(self, sources: Sequence[Signal], context: Context) -> Signal:
        (x,) = sources
        fired = x >= self.level if self.inclusive else x > self.level
        return fired.astype(float)

"""A comparison with a fixed level: the spike of Binary S4D and of resonate-and-fire neurons."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from snn_deploy.nodes.float_node import Signal, SpikingNode

if TYPE_CHECKING:
    from snn_deploy.engines.float_ops import Context
    from snn_deploy.quantize.builder import Builder

__all__ = ["Threshold"]


@dataclass(frozen=True, kw_only=True, eq=False)
class Threshold(SpikingNode):
    """``y[t] = x[t] > level``, or ``x[t] >= level`` where ``inclusive``; level (H,).

    No leak and no reset: the neuron remembers nothing.
    """

    pointwise: ClassVar[bool] = True

    level: Signal
    inclusive: bool

    @property
    def width(self) -> int:
        return int(self.level.shape[0])

    @property
    def levels(self) -> Signal:
        return self.level[None]

    def evaluate(self, sources: Sequence[Signal], context: Context) -> Signal:
        (x,) = sources
        fired = x >= self.level if self.inclusive else x > self.level
        return fired.astype(float)

    def quantize(self, builder: Builder) -> None:
        from snn_deploy.nodes.level_soma import LevelSoma
        from snn_deploy.quantize.levels import level_above, level_of

        source = builder.format_of(self.inputs[0].source)
        least = level_of if self.inclusive else level_above
        units = 2.0 ** source.exponents(self.width)
        builder.add(
            LevelSoma(
                name=self.name,
                inputs=self.inputs,
                level=least(self.level * units, source.bits),
                level_bits=source.bits,
            )
        )

"""The sum of two streams."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from snn_deploy.nodes.float_node import Channelwise, Signal

if TYPE_CHECKING:
    from snn_deploy.engines.float_ops import Context
    from snn_deploy.quantize.builder import Builder

__all__ = ["Residual"]


@dataclass(frozen=True, kw_only=True, eq=False)
class Residual(Channelwise):
    """``y = x_0 + x_1``: the residual stream and a layer's output."""

    pointwise: ClassVar[bool] = True
    adds: ClassVar[bool] = True
    narrowable: ClassVar[tuple[str, ...]] = ("residual_bits",)

    def evaluate(self, sources: Sequence[Signal], context: Context) -> Signal:
        return sources[0] + sources[1]

    def largest(self, sources: Sequence[Signal], spiking: Sequence[bool]) -> Signal:
        return np.asarray(np.sum(sources, axis=0))

    def quantize(self, builder: Builder) -> None:
        from snn_deploy.nodes.requantize import Requantize

        output = builder.formats[self.name]
        exponents = [builder.format_of(e.source).exponents(self.channels) for e in self.inputs]
        align = (output.exponents(self.channels) - np.stack(exponents)).astype(np.int8)
        builder.add(
            Requantize(
                name=self.name,
                inputs=self.inputs,
                output=output,
                channels=self.channels,
                align=align if align.any() else None,
            )
        )

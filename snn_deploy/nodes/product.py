"""The element-wise product of two streams."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from snn_deploy.ir.formats import Format
from snn_deploy.nodes.float_node import Channelwise, Signal
from snn_deploy.nodes.rules import MAX_SHIFT

if TYPE_CHECKING:
    from snn_deploy.engines.float_ops import Context
    from snn_deploy.quantize.builder import Builder

__all__ = ["Product"]


@dataclass(frozen=True, kw_only=True, eq=False)
class Product(Channelwise):
    """``y[t] = x_0[t] * x_1[t]``, channel by channel."""

    pointwise: ClassVar[bool] = True

    def evaluate(self, sources: Sequence[Signal], context: Context) -> Signal:
        left, right = sources
        return left * right

    def largest(self, sources: Sequence[Signal], spiking: Sequence[bool]) -> Signal:
        return sources[0] * sources[1]

    def input_format(self, builder: Builder, linear: Any) -> Format:
        """Give the format of a factor that ``linear`` computes: as wide as a half of a gate."""
        return builder.own_format(linear.name, builder.config.at(linear.name).gate_bits)

    def quantize(self, builder: Builder) -> None:
        from snn_deploy.nodes.multiply import Multiply
        from snn_deploy.quantize.formats import no_finer

        left, right = (builder.format_of(e.source).exponents(self.width) for e in self.inputs)
        output = no_finer(builder.formats[self.name], left + right)
        shift = np.minimum(left + right - output.exponents(self.width), MAX_SHIFT)
        node = Multiply(
            name=self.name, inputs=self.inputs, output=output, shift=shift.astype(np.int8)
        )
        builder.add(node)

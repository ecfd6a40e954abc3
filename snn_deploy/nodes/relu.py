"""The rectified linear unit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from snn_deploy.nodes.float_node import Channelwise, Signal

if TYPE_CHECKING:
    from snn_deploy.engines.float_ops import Context
    from snn_deploy.quantize.builder import Builder

__all__ = ["Relu"]


@dataclass(frozen=True, kw_only=True, eq=False)
class Relu(Channelwise):
    """``y = max(x, 0)``."""

    pointwise: ClassVar[bool] = True

    def evaluate(self, sources: Sequence[Signal], context: Context) -> Signal:
        return np.maximum(sources[0], 0.0)

    def largest(self, sources: Sequence[Signal], spiking: Sequence[bool]) -> Signal:
        return sources[0]

    def quantize(self, builder: Builder) -> None:
        from snn_deploy.nodes.rectify import Rectify

        output, source = builder.formats[self.name], builder.format_of(self.inputs[0].source)
        align = output.exponents(self.width) - source.exponents(self.width)
        node = Rectify(
            name=self.name, inputs=self.inputs, output=output, align=align.astype(np.int8)
        )
        builder.add(node)

"""A gain and an offset a channel: a folded batch-norm."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np
import numpy.typing as npt

from snn_deploy.ir.formats import Format
from snn_deploy.nodes.float_node import FloatNode, Signal

if TYPE_CHECKING:
    from snn_deploy.engines.float_ops import Context
    from snn_deploy.quantize.builder import Builder

__all__ = ["Affine"]

Real = npt.NDArray[np.float64]


@dataclass(frozen=True, kw_only=True, eq=False)
class Affine(FloatNode):
    """``y[t] = scale * x[t] + shift``: a folded batch-norm; scale and shift (width,)."""

    stream: ClassVar[str | None] = "norm_bits"
    pointwise: ClassVar[bool] = True
    governed_by: ClassVar[str] = "norm_bits"
    narrowable: ClassVar[tuple[str, ...]] = ("norm_bits",)

    scale: Real
    shift: Real

    @property
    def width(self) -> int:
        return int(self.scale.shape[0])

    def evaluate(self, sources: Sequence[Signal], context: Context) -> Signal:
        return self.scale * sources[0] + self.shift

    def largest(self, sources: Sequence[Signal], spiking: Sequence[bool]) -> Signal:
        return np.asarray(np.abs(self.scale) * sources[0] + np.abs(self.shift))

    def quantize(self, builder: Builder) -> None:
        from snn_deploy.nodes.requantize import Requantize

        (edge,) = self.inputs
        source = builder.format_of(edge.source)
        output = self._fitting(builder, source)
        step = 2.0 ** (output.exponents(self.width) - source.exponents(self.width))
        mean = builder.mean(edge.source, self.width)
        builder.add(
            Requantize(
                name=self.name,
                inputs=self.inputs,
                output=output,
                channels=self.width,
                rescale=builder.gain(self.name, self.scale * step, self.shift, output, mean),
            )
        )

    def _fitting(self, builder: Builder, source: Format) -> Format:
        """Give the output's format, no finer than offset and gain allow in each channel: where a
        batch-norm's variance was next to nothing, they are huge and cancel.
        """
        from snn_deploy.quantize.formats import fitting

        gain = self.scale * 2.0 ** -source.exponents(self.width)
        return fitting(builder.formats[self.name], gain, self.shift, builder.config.at(self.name))

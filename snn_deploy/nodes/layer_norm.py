"""Layer norm: each step's channels, centred and scaled."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np
import numpy.typing as npt

from snn_deploy import fixedpoint as fp
from snn_deploy.nodes.float_node import FloatNode, Signal

if TYPE_CHECKING:
    from snn_deploy.engines.float_ops import Context
    from snn_deploy.quantize.builder import Builder

__all__ = ["LayerNorm"]

Real = npt.NDArray[np.float64]


@dataclass(frozen=True, kw_only=True, eq=False)
class LayerNorm(FloatNode):
    """``y = (x - mean(x)) / sqrt(var(x) + epsilon) * weight + bias`` over channels, biased var."""

    approximation: ClassVar[str] = "mean and deviation are integers, within a proven error"
    stream: ClassVar[str | None] = "norm_bits"
    pointwise: ClassVar[bool] = True
    governed_by: ClassVar[str] = "norm_bits"
    narrowable: ClassVar[tuple[str, ...]] = ("norm_bits",)

    weight: Real
    bias: Real
    epsilon: float

    @property
    def width(self) -> int:
        return int(self.weight.shape[0])

    def evaluate(self, sources: Sequence[Signal], context: Context) -> Signal:
        centred = sources[0] - sources[0].mean(axis=-1, keepdims=True)
        variance = (centred**2).mean(axis=-1, keepdims=True)
        normal: Signal = centred / np.sqrt(variance + self.epsilon)
        return normal * self.weight + self.bias

    def largest(self, sources: Sequence[Signal], spiking: Sequence[bool]) -> Signal:
        return np.asarray(np.abs(self.weight) * np.sqrt(self.width) + np.abs(self.bias))

    def quantize(self, builder: Builder) -> None:
        from snn_deploy.quantize.norms import quantize_layer_norm

        source, output = self.inputs[0].source, builder.formats[self.name]
        # a quotient has the root of the sum of squares below it, and not of their mean
        gain = self.weight * np.sqrt(self.width)
        step = 2.0 ** (output.exponents(self.width) - fp.QUOTIENT_FRACTION)
        builder.add(
            quantize_layer_norm(
                self,
                builder.format_of(source),
                builder.bounds[source],
                output,
                builder.gain(self.name, gain * step, self.bias, output),
                builder.config.at(self.name),
            )
        )

"""A convolution over the frame that a step holds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np
import numpy.typing as npt

from snn_deploy.ir.windows import Windows
from snn_deploy.nodes.float_node import FloatNode, Signal

if TYPE_CHECKING:
    from snn_deploy.engines.float_ops import Context
    from snn_deploy.quantize.builder import Builder

__all__ = ["SpatialConvolution"]

Real = npt.NDArray[np.float64]


@dataclass(frozen=True, kw_only=True, eq=False)
class SpatialConvolution(FloatNode):
    """``y[f, p] = Σ_k weight[f, k] · x[reads(p, k)] + bias[f]`` in every step, of that step alone.

    x is a frame and y one, map after map: filter f at place p is channel ``f · places + p``; see
    ``Windows`` for what tap k reads at p. weight (filters, maps of a group, …), bias (filters,).
    A convolution over time is ``Conv1d``.
    """

    pointwise: ClassVar[bool] = True
    governed_by: ClassVar[str] = "weight_bits"
    narrowable: ClassVar[tuple[str, ...]] = ("weight_bits",)

    windows: Windows
    weight: Real
    bias: Real

    @property
    def width(self) -> int:
        return len(self.weight) * self.windows.places

    @property
    def frame(self) -> Windows:
        return self.windows

    def evaluate(self, sources: Sequence[Signal], context: Context) -> Signal:
        y: Signal = self.windows.weigh(self.weight, sources[0])
        y += np.repeat(self.bias, self.windows.places)
        return y

    def largest(self, sources: Sequence[Signal], spiking: Sequence[bool]) -> Signal:
        bias = np.repeat(self.bias, self.windows.places)
        high = self.windows.weigh(np.maximum(self.weight, 0.0), sources[0])
        low = self.windows.weigh(np.minimum(self.weight, 0.0), sources[0])
        if not spiking[0]:
            return np.asarray(high - low + np.abs(bias))
        return np.asarray(np.maximum(np.abs(high + bias), np.abs(low + bias)))

    def quantize(self, builder: Builder) -> None:
        from snn_deploy.quantize.convolutions import add_convolution

        add_convolution(builder, self, self.windows, self.weight, self.bias)

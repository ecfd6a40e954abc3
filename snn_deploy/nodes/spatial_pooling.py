"""Sums and averages over places of the frame that a step holds."""

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

__all__ = ["SpatialPooling"]

Real = npt.NDArray[np.float64]


@dataclass(frozen=True, kw_only=True, eq=False)
class SpatialPooling(FloatNode):
    """``y[m, p] = factor · Σ_k x[m, p · stride + k]`` in every step: each map's, each place's sum.

    ``windows`` have a group a map. factor 1 gives sums, 1 over the kernel's taps averages (zeros
    outside of the frame count). Pools over time are of ``Readout``.
    """

    pointwise: ClassVar[bool] = True

    windows: Windows
    factor: float = 1.0

    @property
    def width(self) -> int:
        return self.windows.maps * self.windows.places

    @property
    def frame(self) -> Windows:
        return self.windows

    @property
    def weight(self) -> Real:
        """Its kernels, all of ``factor``: (maps, 1, …)."""
        return np.full((self.windows.maps, 1, *self.windows.kernel), self.factor)

    def evaluate(self, sources: Sequence[Signal], context: Context) -> Signal:
        return self.windows.weigh(self.weight, sources[0])

    def largest(self, sources: Sequence[Signal], spiking: Sequence[bool]) -> Signal:
        return self.windows.weigh(np.abs(self.weight), sources[0])

    def quantize(self, builder: Builder) -> None:
        from snn_deploy.quantize.convolutions import add_convolution

        bias = np.zeros(self.windows.maps)
        add_convolution(builder, self, self.windows, self.weight, bias)

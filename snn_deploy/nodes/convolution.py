"""A convolution over time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np
import numpy.typing as npt

from snn_deploy.nodes.float_node import FloatNode, Signal

if TYPE_CHECKING:
    from snn_deploy.engines.float_ops import Context
    from snn_deploy.quantize.builder import Builder

__all__ = ["Conv1d"]

Real = npt.NDArray[np.float64]


@dataclass(frozen=True, kw_only=True, eq=False)
class Conv1d(FloatNode):
    """``y[t] = Σ_k weight[:, :, k] · x[t + k - before] + bias``, as many steps out as in.

    x is 0 outside the sequence; before = (K - 1) // 2, so K // 2 steps of the future are read.
    weight (out, in, K), bias (out,).
    """

    governed_by: ClassVar[str] = "weight_bits"

    weight: Real
    bias: Real

    @property
    def width(self) -> int:
        return int(self.weight.shape[0])

    def evaluate(self, sources: Sequence[Signal], context: Context) -> Signal:
        taps = self.weight.shape[2]
        before = (taps - 1) // 2
        steps = sources[0].shape[1]
        padded = np.pad(sources[0], ((0, 0), (before, taps // 2), (0, 0)))
        windows = (padded[:, k : k + steps] @ self.weight[:, :, k].T for k in range(taps))
        return np.asarray(sum(windows, start=self.bias))

    def largest(self, sources: Sequence[Signal], spiking: Sequence[bool]) -> Signal:
        return np.asarray(np.abs(self.weight).sum(axis=2) @ sources[0] + np.abs(self.bias))

    def quantize(self, builder: Builder) -> None:
        from snn_deploy.quantize.encoders import convolution_weights, convolution_window
        from snn_deploy.quantize.linear import add_linear

        window = convolution_window(self, builder.format_of(self.inputs[0].source))
        builder.add(window)
        output, weight = builder.formats[self.name], convolution_weights(self)
        add_linear(builder, self.name, window.name, weight, self.bias, output)

"""A linear map of channels."""

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

__all__ = ["Linear"]

Real = npt.NDArray[np.float64]


@dataclass(frozen=True, kw_only=True, eq=False)
class Linear(FloatNode):
    """``y[t] = weight · x[t] + bias``; weight (out, in), bias (out,).

    ``weight_words``: how many words of synapses an integer form needs for each weight, where what
    one word misses would change what the network answers.
    """

    pointwise: ClassVar[bool] = True
    compensates: ClassVar[bool] = True
    governed_by: ClassVar[str] = "weight_bits"
    narrowable: ClassVar[tuple[str, ...]] = ("weight_bits",)

    weight: Real
    bias: Real
    weight_words: int = 1

    @property
    def width(self) -> int:
        return int(self.weight.shape[0])

    def evaluate(self, sources: Sequence[Signal], context: Context) -> Signal:
        y: Signal = sources[0] @ self.weight.T
        y += self.bias
        return y

    def largest(self, sources: Sequence[Signal], spiking: Sequence[bool]) -> Signal:
        if not spiking[0]:
            return np.asarray(np.abs(self.weight) @ sources[0] + np.abs(self.bias))
        high = np.maximum(self.weight, 0).sum(axis=1) + self.bias
        low = np.minimum(self.weight, 0).sum(axis=1) + self.bias
        return np.asarray(np.maximum(np.abs(high), np.abs(low)))

    def quantize(self, builder: Builder) -> None:
        from snn_deploy.quantize.linear import add_linear, output_format
        from snn_deploy.quantize.words import add_words

        words = min(self.weight_words, builder.config.at(self.name).weight_words)
        if words > 1:
            add_words(builder, self, words)
            return
        output = output_format(builder, self)
        add_linear(builder, self.name, self.inputs[0].source, self.weight, self.bias, output)

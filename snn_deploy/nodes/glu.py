"""A gated linear unit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from snn_deploy.ir.formats import Format
from snn_deploy.nodes.float_node import Channelwise, Signal

if TYPE_CHECKING:
    from snn_deploy.engines.float_ops import Context
    from snn_deploy.quantize.builder import Builder

__all__ = ["Glu", "sigmoid"]


@dataclass(frozen=True, kw_only=True, eq=False)
class Glu(Channelwise):
    """``y = x[:H] * sigmoid(x[H:])``: a gated linear unit, value half first; input (2 H,)."""

    approximation: ClassVar[str] = "the sigmoid is a table"
    pointwise: ClassVar[bool] = True
    governed_by: ClassVar[str] = "weight_bits (then gate_bits and table_index_bits)"

    def evaluate(self, sources: Sequence[Signal], context: Context) -> Signal:
        value, gate = sources[0][..., : self.channels], sources[0][..., self.channels :]
        opened = sigmoid(gate)
        opened *= value
        return opened

    def largest(self, sources: Sequence[Signal], spiking: Sequence[bool]) -> Signal:
        return sources[0][: self.width]

    def input_format(self, builder: Builder, linear: Any) -> Format:
        """Give the format of its two halves, which ``linear`` computes."""
        from snn_deploy.quantize.gates import gate_format

        return gate_format(builder, linear, self.name)

    def quantize(self, builder: Builder) -> None:
        from snn_deploy.quantize.gates import quantize_glu

        quantize_glu(builder, self)


def sigmoid(x: Signal) -> Signal:
    """Give ``1 / (1 + exp(-x))``."""
    # both branches stay finite for any x; in place, since signals can be large
    shrunk = np.abs(x)
    np.exp(np.negative(shrunk, out=shrunk), out=shrunk)
    numerator = np.where(x >= 0, 1.0, shrunk)
    shrunk += 1.0
    numerator /= shrunk
    return numerator

"""The sigmoid linear unit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from snn_deploy.nodes.float_node import Channelwise, Signal

if TYPE_CHECKING:
    from snn_deploy.engines.float_ops import Context
    from snn_deploy.quantize.builder import Builder

__all__ = ["Silu"]


@dataclass(frozen=True, kw_only=True, eq=False)
class Silu(Channelwise):
    """``y = x · sigmoid(x)``."""

    approximation: ClassVar[str] = "the sigmoid is a table"
    pointwise: ClassVar[bool] = True

    def evaluate(self, sources: Sequence[Signal], context: Context) -> Signal:
        (x,) = sources
        return np.asarray(x * np.exp(-np.logaddexp(0.0, -x)))

    def largest(self, sources: Sequence[Signal], spiking: Sequence[bool]) -> Signal:
        return sources[0]

    def quantize(self, builder: Builder) -> None:
        from snn_deploy.nodes.glu import sigmoid
        from snn_deploy.quantize.gates import add_self_gate

        add_self_gate(builder, self, sigmoid)

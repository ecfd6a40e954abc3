"""The Gaussian error linear unit, exact (erf)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from snn_deploy.nodes.float_node import Channelwise, Signal

if TYPE_CHECKING:
    from snn_deploy.engines.float_ops import Context
    from snn_deploy.quantize.builder import Builder

__all__ = ["Gelu", "gelu", "normal"]

_erf = np.vectorize(math.erf, otypes=[np.float64])


def normal(x: Signal) -> Signal:
    """Give Φ(x), the normal distribution function."""
    return 0.5 * (1.0 + np.asarray(_erf(x / math.sqrt(2.0))))


def gelu(x: Signal) -> Signal:
    """Give ``x Φ(x)``."""
    return x * normal(x)


@dataclass(frozen=True, kw_only=True, eq=False)
class Gelu(Channelwise):
    """``y = x Φ(x) = x / 2 · (1 + erf(x / √2))``."""

    approximation: ClassVar[str] = "the curve is a table"
    pointwise: ClassVar[bool] = True

    def evaluate(self, sources: Sequence[Signal], context: Context) -> Signal:
        return gelu(sources[0])

    def largest(self, sources: Sequence[Signal], spiking: Sequence[bool]) -> Signal:
        return sources[0]

    def quantize(self, builder: Builder) -> None:
        from snn_deploy.quantize.gates import add_self_gate

        add_self_gate(builder, self, normal)

"""Spikes drawn with a probability: the samplers of P-SpikeSSM."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from snn_deploy.nodes.float_node import FloatNode, Signal

if TYPE_CHECKING:
    from snn_deploy.engines.float_ops import Context

__all__ = ["StochasticSpikes"]


@dataclass(frozen=True, kw_only=True, eq=False)
class StochasticSpikes(FloatNode):
    """``y[t] = x[t] > U_draw[t]``, U uniform on [0, 1): a spike with probability x, clipped.

    Nodes with the same ``draw`` compare with the same numbers: (L, width) of them a sequence.
    """

    spikes: ClassVar[bool] = True

    channels: int
    draw: int

    @property
    def width(self) -> int:
        return self.channels

    def evaluate(self, sources: Sequence[Signal], context: Context) -> Signal:
        (x,) = sources
        return (x > context.draws.uniforms(self.draw, x.shape, self.name)).astype(float)

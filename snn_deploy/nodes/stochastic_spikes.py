"""Spikes drawn with a probability: the samplers of P-SpikeSSM."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from snn_deploy.errors import ConfigError
from snn_deploy.ir.node import Channels
from snn_deploy.nodes.float_node import Signal, SpikingNode

if TYPE_CHECKING:
    from snn_deploy.engines.float_ops import Context
    from snn_deploy.quantize.builder import Builder

__all__ = ["StochasticSpikes"]


@dataclass(frozen=True, kw_only=True, eq=False)
class StochasticSpikes(Channels, SpikingNode):
    """``y[t] = x[t] > U_draw[t]``, U uniform on [0, 1): a spike with probability x, clipped.

    Nodes with the same ``draw`` compare with the same numbers: (L, width) of them a sequence.
    """

    approximation: ClassVar[str] = "drawn by a seeded generator of integers"
    governed_by: ClassVar[str] = "residual_bits"

    draw: int

    @property
    def levels(self) -> Signal:
        return np.stack([np.zeros(self.width), np.ones(self.width)])  # between them all draws lie

    def quantize(self, builder: Builder) -> None:
        from snn_deploy.nodes.drawn_soma import DRAW_BITS, DrawnSoma, first_words

        exponents = builder.format_of(self.inputs[0].source).exponents(self.width)
        if exponents.min() < 0 or exponents.max() > DRAW_BITS:
            raise ConfigError(
                f"node '{self.name}': what it compares with draws of {DRAW_BITS} bits has steps of "
                f"2**{-int(exponents.min())} to 2**{-int(exponents.max())}; set norm_bits nearer 20"
            )
        builder.add(
            DrawnSoma(
                name=self.name,
                inputs=self.inputs,
                draw=self.draw,
                first=first_words(builder.config.seed, self.draw, self.width),
                shift=(DRAW_BITS - exponents).astype(np.int8),
            )
        )

    def evaluate(self, sources: Sequence[Signal], context: Context) -> Signal:
        (x,) = sources
        return (x > context.draws.uniforms(self.draw, x.shape, self.name)).astype(float)

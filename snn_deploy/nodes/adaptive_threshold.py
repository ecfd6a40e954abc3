"""A threshold that past crossings raise: the soma of D-RF."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from snn_deploy.ir.node import Channels
from snn_deploy.nodes.float_node import Signal, SpikingNode, Step

if TYPE_CHECKING:
    from snn_deploy.engines.float_ops import Context
    from snn_deploy.quantize.builder import Builder

__all__ = ["AdaptiveThreshold"]


@dataclass(frozen=True, kw_only=True, eq=False)
class AdaptiveThreshold(Channels, SpikingNode):
    """``y[t] = x[t] >= base + Σ_k rise_k p[t-k]``, ``p[t] = x[t] >= base``, k = 1 … K.

    Past crossings of the *fixed* threshold raise it, not past spikes: no feedback, a line of K
    taps. rise (K,), the same for all channels; p is 0 before the sequence.
    """

    driven: ClassVar[bool] = True

    base: float
    rise: Signal

    def evaluate(self, sources: Sequence[Signal], context: Context) -> Signal:
        (x,) = sources
        crossed = (x >= self.base).astype(float)
        threshold = np.full_like(x, self.base)
        for lag, rise in enumerate(self.rise[: x.shape[1] - 1], start=1):
            threshold[:, lag:] += rise * crossed[:, :-lag]
        return (x >= threshold).astype(float)

    def start(self, batch: int, context: Context) -> Step:
        line = [np.zeros((batch, self.width)) for _ in self.rise]

        def step(sources: Sequence[Signal]) -> Signal:
            (x,) = sources
            threshold = np.full_like(x, self.base)
            for rise, crossed in zip(self.rise, line, strict=True):
                threshold += rise * crossed
            line[:] = [(x >= self.base).astype(float), *line][: len(line)]
            return (x >= threshold).astype(float)

        return step

    def quantize(self, builder: Builder) -> None:
        from snn_deploy.nodes.crossing_soma import CrossingSoma
        from snn_deploy.quantize.levels import level_of

        config = builder.config.at(self.name)
        units = 2.0 ** builder.format_of(self.inputs[0].source).exponents(self.width)
        builder.add(
            CrossingSoma(
                name=self.name,
                inputs=self.inputs,
                base=level_of(self.base * units, config.state_bits),
                rise=level_of(self.rise[:, None] * units, config.state_bits),
                level_bits=config.state_bits,
            )
        )

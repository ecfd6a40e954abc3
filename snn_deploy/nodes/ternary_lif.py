"""A leaky neuron that fires with the sign of its potential."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from snn_deploy.nodes.float_node import Signal, SpikingNode, Step
from snn_deploy.nodes.ternary import ternarise

if TYPE_CHECKING:
    from snn_deploy.engines.float_ops import Context
    from snn_deploy.quantize.builder import Builder

__all__ = ["TernaryLif"]


@dataclass(frozen=True, kw_only=True, eq=False)
class TernaryLif(SpikingNode):
    """``v = decay * v + x[t]``; ``y[t] = [v >= threshold] - [v <= -threshold]``; v = 0 on either.

    threshold (H,) is a current, positive.
    """

    signed: ClassVar[bool] = True
    driven: ClassVar[bool] = True

    threshold: Signal
    decay: float = 0.125

    @property
    def width(self) -> int:
        return int(self.threshold.shape[0])

    def start(self, batch: int, context: Context) -> Step:
        v = np.zeros((batch, self.width))

        def step(sources: Sequence[Signal]) -> Signal:
            nonlocal v
            v = self.decay * v + sources[0]
            fired = ternarise(v, self.threshold)
            v = np.where(fired != 0, 0.0, v)
            return fired

        return step

    def quantize(self, builder: Builder) -> None:
        from snn_deploy.nodes.ternary_soma import TernarySoma
        from snn_deploy.quantize.levels import guard_bits, kept_of, level_of

        source = self.inputs[0].source
        config, exponents = builder.config.at(self.name), builder.format_of(source).exponents
        units = 2.0 ** exponents(self.width)
        # what stays after a step is below the threshold
        align = guard_bits(builder.bounds[source] + self.threshold * units, config.state_bits)
        builder.add(
            TernarySoma(
                name=self.name,
                inputs=self.inputs,
                threshold=level_of(self.threshold * units * 2.0**align, config.state_bits),
                kept=int(kept_of(self.decay, config.decay_bits)),
                decay_bits=config.decay_bits,
                state_bits=config.state_bits,
                align=align,
            )
        )

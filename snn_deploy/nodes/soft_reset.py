"""A neuron whose spikes lower its potential by the threshold, and whose potential is given."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from snn_deploy.nodes.float_node import Signal, SpikingNode, Step

if TYPE_CHECKING:
    from snn_deploy.engines.float_ops import Context
    from snn_deploy.quantize.builder import Builder

__all__ = ["SoftReset"]


@dataclass(frozen=True, kw_only=True, eq=False)
class SoftReset(SpikingNode):
    """``y[t] = x[t] >= threshold + r[t]``, ``r[t+1] = decay * (r[t] + threshold y[t])``, r[0] = 0.

    x is the potential as it would be without resets. With the decay of the potential itself this
    is a leaky neuron with soft reset. threshold > 0; decay (H,). ``backwards``: from the last step
    to the first.
    """

    driven: ClassVar[bool] = True

    threshold: float
    decay: Signal
    backwards: bool = False

    @property
    def width(self) -> int:
        return int(self.decay.shape[0])

    def evaluate(self, sources: Sequence[Signal], context: Context) -> Signal:
        (x,) = sources
        y = np.empty_like(x)
        step = self._start(len(x))
        steps = range(x.shape[1])
        for t in reversed(steps) if self.backwards else steps:
            y[:, t] = step([x[:, t]])
        return y

    def start(self, batch: int, context: Context) -> Step:
        return super().start(batch, context) if self.backwards else self._start(batch)

    def _start(self, batch: int) -> Step:
        r = np.zeros((batch, self.width))

        def step(sources: Sequence[Signal]) -> Signal:
            nonlocal r
            fired = (sources[0] >= self.threshold + r).astype(np.float64)
            r = self.decay * (r + self.threshold * fired)
            return fired

        return step

    def quantize(self, builder: Builder) -> None:
        from snn_deploy.nodes.soft_reset_soma import SoftResetSoma
        from snn_deploy.quantize.levels import guard_bits, kept_of, level_of

        source = self.inputs[0].source
        config, exponents = builder.config.at(self.name), builder.format_of(source).exponents
        align = guard_bits(builder.bounds[source], config.state_bits)
        threshold = self.threshold * 2.0 ** (exponents(self.width) + align)
        builder.add(
            SoftResetSoma(
                name=self.name,
                inputs=self.inputs,
                threshold=level_of(threshold, config.state_bits),
                kept=kept_of(self.decay, config.decay_bits),
                decay_bits=config.decay_bits,
                state_bits=config.state_bits,
                align=align,
                backwards=self.backwards,
            )
        )

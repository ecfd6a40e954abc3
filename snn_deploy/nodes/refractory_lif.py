"""A leaky neuron that its own spikes hold back for a while."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from snn_deploy.nodes.float_node import Signal, SpikingNode, Step

if TYPE_CHECKING:
    from snn_deploy.engines.float_ops import Context
    from snn_deploy.quantize.builder import Builder

__all__ = ["RefractoryLif"]


@dataclass(frozen=True, kw_only=True, eq=False)
class RefractoryLif(SpikingNode):
    """``v[t] = decay v[t-1] + x[t] - r[t-1]``, ``y[t] = v[t] >= threshold``,
    ``r[t] = refractory_decay r[t-1] + strength y[t]``; v and r are 0 before the sequence.

    A spike leaves v as it is; r is what holds the neuron back. threshold and strength (H,).
    """

    driven: ClassVar[bool] = True

    threshold: Signal
    strength: Signal
    decay: float
    refractory_decay: float

    @property
    def width(self) -> int:
        return int(self.threshold.shape[0])

    def start(self, batch: int, context: Context) -> Step:
        v = r = np.zeros((batch, self.width))

        def step(sources: Sequence[Signal]) -> Signal:
            nonlocal v, r
            v = self.decay * v + sources[0] - r
            fired = (v >= self.threshold).astype(np.float64)
            r = self.refractory_decay * r + self.strength * fired
            return fired

        return step

    def quantize(self, builder: Builder) -> None:
        from snn_deploy.nodes.refractory_soma import RefractorySoma
        from snn_deploy.quantize.levels import guard_bits, kept_of, level_of

        source = self.inputs[0].source
        config, exponents = builder.config.at(self.name), builder.format_of(source).exponents
        units = 2.0 ** exponents(self.width)
        held_back = self.strength * units / (1.0 - self.refractory_decay)
        worst = (builder.bounds[source] + held_back) / (1.0 - self.decay)
        align = guard_bits(worst, config.state_bits)
        units = units * 2.0**align
        builder.add(
            RefractorySoma(
                name=self.name,
                inputs=self.inputs,
                threshold=level_of(self.threshold * units, config.state_bits),
                strength=level_of(self.strength * units, config.state_bits),
                kept=int(kept_of(self.decay, config.decay_bits)),
                refractory_kept=int(kept_of(self.refractory_decay, config.decay_bits)),
                decay_bits=config.decay_bits,
                state_bits=config.state_bits,
                align=align,
            )
        )

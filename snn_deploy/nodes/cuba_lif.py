"""The leaky integrate-and-fire neuron as exchange formats describe it, its parameters a neuron."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from snn_deploy.nodes.float_node import Signal, SpikingNode, Step

if TYPE_CHECKING:
    from snn_deploy.engines.float_ops import Context
    from snn_deploy.quantize.builder import Builder

__all__ = ["CubaLif"]


@dataclass(frozen=True, kw_only=True, eq=False)
class CubaLif(SpikingNode):
    """``i[t] = current_decay i[t-1] + gain x[t]``, ``v[t] = left[t-1] + i[t]``,
    ``y[t] = v[t] > threshold``, or ``>=`` where ``inclusive``;
    ``left[t] = decay v[t] - reset y[t]``, or ``reset`` after a spike where it ``resets_to``.

    i is the synaptic current, v the potential, left what a step leaves of it; both start at 0,
    which stands for the potential at rest. ``current_decay`` 0: no current, a plain LIF. decay 1:
    no leak. What ``reset`` takes away or sets has decayed once. All (H,); decays 0 … 1.
    """

    governed_by: ClassVar[str] = "decay_bits or state_bits"
    narrowable: ClassVar[tuple[str, ...]] = ("decay_bits", "state_bits")

    current_decay: Signal
    decay: Signal
    gain: Signal
    threshold: Signal
    reset: Signal
    resets_to: bool
    inclusive: bool

    @property
    def width(self) -> int:
        return int(self.decay.shape[0])

    def start(self, batch: int, context: Context) -> Step:
        i = left = np.zeros((batch, self.width))

        def step(sources: Sequence[Signal]) -> Signal:
            nonlocal i, left
            i = self.current_decay * i + self.gain * sources[0]
            v = left + i
            fired = v >= self.threshold if self.inclusive else v > self.threshold
            left = self.decay * v
            left = (
                np.where(fired, self.reset, left) if self.resets_to else left - self.reset * fired
            )
            return fired.astype(np.float64)

        return step

    def quantize(self, builder: Builder) -> None:
        from snn_deploy import fixedpoint as fp
        from snn_deploy.nodes.cuba_soma import CubaSoma
        from snn_deploy.nodes.rules import MAX_SHIFT
        from snn_deploy.quantize.levels import level_above, level_of
        from snn_deploy.quantize.states import state_units

        config = builder.config.at(self.name)
        unit = np.maximum(np.abs(self.threshold), np.abs(self.reset))
        unit = np.where(unit > 0, unit, 1.0)
        gain, none = self.gain / unit, 0 * unit
        step = np.array([[self.current_decay, none], [self.current_decay, self.decay]])
        taken = none if self.resets_to else self.reset / unit
        units = state_units(self, builder, step, np.array([[gain, none], [gain, -taken]]))
        factor = gain * 2.0 ** (units.state - units.drive)
        align = np.ceil(np.log2(np.maximum(np.abs(factor) / fp.limit_of(config.decay_bits), 1.0)))
        words = {
            "gain": fp.multiplier_of(factor * 2.0**-align, config.decay_bits, MAX_SHIFT),
            "leak": fp.multiplier_of(1 - self.decay, config.decay_bits, MAX_SHIFT),
            "fade": fp.multiplier_of(1 - self.current_decay, config.decay_bits, MAX_SHIFT),
        }
        if not self.current_decay.any():
            words["fade"] = (None, None)
        least = level_of if self.inclusive else level_above
        builder.add(
            CubaSoma(
                name=self.name,
                inputs=self.inputs,
                **{name: mantissa for name, (mantissa, _) in words.items()},
                **{f"{name}_shift": shift for name, (_, shift) in words.items()},
                align=align.astype(np.int8),
                threshold=least(self.threshold / unit * 2.0**units.state, config.state_bits),
                reset=units.level(self.reset / unit),
                resets_to=self.resets_to,
                coefficient_bits=config.decay_bits,
                state_bits=config.state_bits,
            )
        )

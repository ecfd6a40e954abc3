"""The adaptive LIF neuron of two real states: SiLIF, cAdLIF, adLIF."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from snn_deploy.nodes.float_node import Signal, SpikingNode, Step

if TYPE_CHECKING:
    from snn_deploy.engines.float_ops import Context
    from snn_deploy.quantize.builder import Builder

__all__ = ["AdaptiveLif"]


@dataclass(frozen=True, kw_only=True, eq=False)
class AdaptiveLif(SpikingNode):
    """``w[t] = beta w[t-1] + a u[t-1] + b y[t-1]``,
    ``u[t] = alpha (u[t-1] - y[t-1]) + (1 - alpha) (x[t] - w[t])``, ``y[t] = u[t] > 1``.

    w is the adaptation current, u the potential; all are 0 before the sequence, as deployed (the
    authors draw them anew for every run). alpha, beta, a, b (H,), clamped as the authors do.
    """

    governed_by: ClassVar[str] = "decay_bits or state_bits"
    narrowable: ClassVar[tuple[str, ...]] = ("decay_bits", "state_bits")

    alpha: Signal
    beta: Signal
    a: Signal
    b: Signal

    @property
    def width(self) -> int:
        return int(self.alpha.shape[0])

    def start(self, batch: int, context: Context) -> Step:
        w = u = s = np.zeros((batch, self.width))

        def step(sources: Sequence[Signal]) -> Signal:
            nonlocal w, u, s
            w = self.beta * w + self.a * u + self.b * s
            u = self.alpha * (u - s) + (1 - self.alpha) * (sources[0] - w)
            context.note_states(self.name, w, u)
            s = np.asarray(u > 1, dtype=np.float64)
            return s

        return step

    def quantize(self, builder: Builder) -> None:
        from snn_deploy import fixedpoint as fp
        from snn_deploy.nodes.adaptation_soma import AdaptationSoma
        from snn_deploy.nodes.rules import MAX_SHIFT
        from snn_deploy.quantize.states import state_units

        config, leak = builder.config.at(self.name), 1 - self.alpha
        step = np.array([[self.beta, self.a], [-leak * self.beta, self.alpha - leak * self.a]])
        driven = np.array([[0 * leak, self.b], [leak, -self.alpha - leak * self.b]])
        units = state_units(self, builder, step, driven)

        def factor(name: str, value: Signal) -> dict[str, Any]:
            mantissa, shift = fp.multiplier_of(value, config.decay_bits, MAX_SHIFT)
            return {name: mantissa, f"{name}_shift": shift}

        builder.add(
            AdaptationSoma(
                name=self.name,
                inputs=self.inputs,
                **factor("fade", 1 - self.beta),
                **factor("pull", self.a),
                **factor("leak", leak),
                rise=units.level(self.b),
                drop=units.level(self.alpha),
                threshold=units.level(1.0),
                align=np.clip(units.state - units.drive, -MAX_SHIFT, 24).astype(np.int8),
                coefficient_bits=config.decay_bits,
                state_bits=config.state_bits,
            )
        )

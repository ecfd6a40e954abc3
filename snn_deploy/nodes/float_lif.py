"""The leaky integrate-and-fire neuron, exact or as its surrogate in training."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import numpy.typing as npt

from snn_deploy import fixedpoint as fp
from snn_deploy.nodes.float_node import Signal, SpikingNode, Step
from snn_deploy.nodes.surrogate import SurrogateWeights

if TYPE_CHECKING:
    from snn_deploy.engines.float_ops import Context
    from snn_deploy.quantize.builder import Builder

__all__ = ["Lif"]

Real = npt.NDArray[np.float64]


@dataclass(frozen=True, kw_only=True, eq=False)
class Lif(SpikingNode):
    """``v = decay * v + x[t] / threshold``; ``y[t] = v >= 1``; ``v = 0`` on a spike.

    threshold (H,) is a current: the drive that fires a neuron at rest in one step.

    With ``surrogate`` weights the float-surrogate backend spikes where
    ``net(x / threshold)[t] + x[t] / threshold >= 1`` instead.
    """

    driven: ClassVar[bool] = True

    threshold: Real
    decay: float = 0.125
    surrogate: SurrogateWeights | None = None

    @property
    def width(self) -> int:
        return int(self.threshold.shape[0])

    @property
    def unfolded(self) -> Signal | None:
        return None if np.all(self.threshold == 1.0) else self.threshold

    def folded(self) -> Lif:
        return replace(self, threshold=np.ones_like(self.threshold))

    @property
    def has_surrogate(self) -> bool:
        return self.surrogate is not None

    def evaluate(self, sources: Sequence[Signal], context: Context) -> Signal:
        if context.neuron == "exact":
            return super().evaluate(sources, context)
        assert self.surrogate is not None  # else the engine refuses it
        return self.surrogate.fire(sources[0] / self.threshold)

    def start(self, batch: int, context: Context) -> Step:
        v = np.zeros((batch, self.width))

        def step(sources: Sequence[Signal]) -> Signal:
            nonlocal v
            v = self.decay * v + sources[0] / self.threshold
            fired = v >= 1.0
            v[fired] = 0.0
            return fired.astype(np.float64)

        return step

    def quantize(self, builder: Builder) -> None:
        from snn_deploy.nodes.lif import ChipLif, LifSoma
        from snn_deploy.nodes.lif_registers import LOIHI

        registers = builder.lif
        decay = fp.round_half_up(np.asarray((1.0 - self.decay) * 2.0**registers.decay_bits))
        fields: dict[str, Any] = {
            "name": self.name,
            "inputs": self.inputs,
            "channels": self.width,
            "threshold": 1 << builder.drive_exponent(self.inputs[0].source),
            "decay": int(decay),
        }
        if registers == LOIHI:
            builder.add(LifSoma(**fields))
        else:
            builder.add(ChipLif(**fields, registers=registers))

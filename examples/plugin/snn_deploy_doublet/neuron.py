"""The neuron: once as it was trained, in float64, and once as the chip computes it, in integers.

``Doublet`` is what a converter builds networks of; its ``quantize`` adds a ``DoubletSoma``, whose
``step`` is a program. From that program follow the engines, the worst case, the costs, and what a
chip must support.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from snn_deploy.ir.network import Network
from snn_deploy.ir.node import Channels
from snn_deploy.ir.program import Tracer, Value, multiply_shift, saturate, select
from snn_deploy.nodes.base import Int32, Soma
from snn_deploy.nodes.float_node import Signal, SpikingNode, Step
from snn_deploy.nodes.rules import fits, require, require_range

if TYPE_CHECKING:
    from snn_deploy.engines.float_ops import Context
    from snn_deploy.quantize.builder import Builder

__all__ = ["Doublet", "DoubletSoma"]


@dataclass(frozen=True, kw_only=True, eq=False)
class DoubletSoma(Soma):
    """``v = sat(ms(v, kept, decay_bits - 1) + (x << align))``; ``y = [v >= threshold] or echo``.

    A neuron that fires twice: echo is whether v was over the threshold a step before; v = 0 then.
    """

    threshold: Int32
    kept: int
    decay_bits: int
    state_bits: int
    align: int

    @property
    def width(self) -> int:
        return int(self.threshold.shape[0])

    def check(self, network: Network) -> None:
        require_range(self, "decay_bits", self.decay_bits, 2, 24)
        require_range(self, "state_bits", self.state_bits, 2, 32)
        require_range(self, "align", self.align, 0, 24)
        require_range(self, "kept", self.kept, 0, 2 ** (self.decay_bits - 1) - 1)
        inside = fits(self.threshold, self.state_bits) and bool((self.threshold > 0).all())
        require(inside, self, f"threshold is outside 1 … 2**{self.state_bits - 1} - 1")

    def step(self, t: Tracer) -> Value:
        v, echo = t.state("membrane", self.state_bits), t.state("echo", 2)
        kept = t.parameter("kept", self.kept, self.decay_bits)
        threshold = t.parameter("threshold", self.threshold, self.state_bits)
        held = multiply_shift(v, kept, self.decay_bits - 1) + (t.input() << self.align)
        held = saturate(held, self.state_bits, "membrane")
        over = held >= threshold
        t.next(v, select(over, 0, held))
        t.next(echo, over)
        return over | echo


@dataclass(frozen=True, kw_only=True, eq=False)
class Doublet(Channels, SpikingNode):
    """``v = decay v + x``, ``y = [v >= 1] or echo``; echo is [v >= 1] a step before; v = 0 then."""

    driven = True

    decay: float

    def start(self, batch: int, context: Context) -> Step:
        v = np.zeros((batch, self.width))
        echo = np.zeros(v.shape, bool)

        def step(sources: Sequence[Signal]) -> Signal:
            nonlocal v, echo
            v = self.decay * v + sources[0]
            over = v >= 1.0
            y, echo, v = over | echo, over, np.where(over, 0.0, v)
            return y.astype(np.float64)

        return step

    def quantize(self, builder: Builder) -> None:
        from snn_deploy.quantize.levels import guard_bits, kept_of, level_of

        config = builder.config.at(self.name)
        source = self.inputs[0].source
        units = 2.0 ** builder.format_of(source).exponents(self.width)
        align = guard_bits(builder.bounds[source] + units, config.state_bits)
        soma = DoubletSoma(
            name=self.name,
            inputs=self.inputs,
            threshold=level_of(units * 2.0**align, config.state_bits),
            kept=int(kept_of(self.decay, config.decay_bits)),
            decay_bits=config.decay_bits,
            state_bits=config.state_bits,
            align=align,
        )
        builder.add(soma)

"""TernarySoma: a leaky neuron that fires with the sign of its potential."""

from __future__ import annotations

from dataclasses import dataclass

from snn_deploy.ir.formats import Format
from snn_deploy.ir.network import Network
from snn_deploy.ir.program import Tracer, Value, multiply_shift, saturate, select
from snn_deploy.nodes.base import Int32, IntegerNode
from snn_deploy.nodes.rules import fits, require, require_range, require_shape

__all__ = ["TernarySoma"]

TERNARY = Format(2, 0)


@dataclass(frozen=True, kw_only=True, eq=False)
class TernarySoma(IntegerNode):
    """``v = sat(ms(v, kept, decay_bits - 1) + (x << align))``,
    ``y = [v >= threshold] - [v <= -threshold]``; v = 0 where y is not, and at the start.

    v is ``state_bits`` wide, as is threshold (H,), positive; kept is of the whole layer,
    0 … 2**(decay_bits - 1) - 1. It sends graded messages of two bits.
    """

    threshold: Int32
    kept: int
    decay_bits: int
    state_bits: int
    align: int
    output: Format = TERNARY

    @property
    def width(self) -> int:
        return int(self.threshold.shape[0])

    def check(self, network: Network) -> None:
        require_range(self, "decay_bits", self.decay_bits, 2, 24)
        require_range(self, "state_bits", self.state_bits, 2, 32)
        require_range(self, "align", self.align, 0, 24)
        require_shape(self, "threshold", self.threshold, (self.width,))
        inside = fits(self.threshold, self.state_bits) and bool((self.threshold > 0).all())
        require(inside, self, f"threshold is outside 1 … 2**{self.state_bits - 1} - 1")
        require_range(self, "kept", self.kept, 0, 2 ** (self.decay_bits - 1) - 1)

    def check_output(self) -> None:
        require(self.output == TERNARY, self, "its output must be -1, 0 or 1 of two bits")

    def step(self, t: Tracer) -> Value:
        v = t.state("membrane", self.state_bits)
        kept = t.parameter("kept", self.kept, self.decay_bits)
        threshold = t.parameter("threshold", self.threshold, self.state_bits)
        held = multiply_shift(v, kept, self.decay_bits - 1) + (t.input() << self.align)
        held = saturate(held, self.state_bits, "membrane")
        up, down = held >= threshold, -held >= threshold
        t.next(v, select(up | down, 0, held))
        return up - down

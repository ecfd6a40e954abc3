"""SoftResetSoma: spikes raise what the potential must reach."""

from __future__ import annotations

from dataclasses import dataclass

from snn_deploy.ir.network import Network
from snn_deploy.ir.program import Tracer, Value, minimum, multiply_shift, saturate, select
from snn_deploy.nodes.base import Int32, Soma
from snn_deploy.nodes.rules import fits, require, require_range, require_shape, within

__all__ = ["SoftResetSoma"]


@dataclass(frozen=True, kw_only=True, eq=False)
class SoftResetSoma(Soma):
    """``level = r + threshold``, ``y = x' >= level``, x' = x << align,
    ``r = sat(ms(y ? level : r, kept, decay_bits - 1))``; r starts at 0.

    r is ``state_bits`` wide, as is threshold (H,), positive; kept (H,) is 0 …
    2**(decay_bits - 1) - 1. ``backwards``: from the last step to the first.
    """

    threshold: Int32
    kept: Int32
    decay_bits: int
    state_bits: int
    align: int
    backwards: bool = False

    @property
    def width(self) -> int:
        return int(self.threshold.shape[0])

    @property
    def runs_backwards(self) -> bool:
        return self.backwards

    def check(self, network: Network) -> None:
        require_range(self, "decay_bits", self.decay_bits, 2, 24)
        require_range(self, "state_bits", self.state_bits, 2, 32)
        require_range(self, "align", self.align, 0, 24)
        for name in ("threshold", "kept"):
            require_shape(self, name, getattr(self, name), (self.width,))
        inside = fits(self.threshold, self.state_bits) and bool((self.threshold > 0).all())
        require(inside, self, f"threshold is outside 1 … 2**{self.state_bits - 1} - 1")
        inside = within(self.kept, 0, 2 ** (self.decay_bits - 1) - 1)
        require(inside, self, f"kept is negative, or exceeds {self.decay_bits} bits")

    def step(self, t: Tracer) -> Value:
        r = t.state("reset", self.state_bits)
        threshold = t.parameter("threshold", self.threshold, self.state_bits)
        kept = t.parameter("kept", self.kept, self.decay_bits)
        x, level = t.input() << self.align, r + threshold
        spike = x >= level
        # where it spikes the level is at most x: so is the minimum the level, and its bound x's
        raised = select(spike, minimum(level, x), r)
        lower = multiply_shift(raised, kept, self.decay_bits - 1)
        t.next(r, saturate(lower, self.state_bits, "reset"))
        return spike

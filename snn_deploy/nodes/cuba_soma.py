"""CubaSoma: a leaky neuron, with or without a synaptic current, its parameters a neuron."""

from __future__ import annotations

from dataclasses import dataclass

from snn_deploy.ir.network import Network
from snn_deploy.ir.program import Tracer, Value, multiply_shift, saturate, select, signed_shift
from snn_deploy.nodes.base import SHIFT_BITS, Int8, Int32, Soma
from snn_deploy.nodes.rules import require, require_between, require_range, require_words

__all__ = ["CubaSoma"]

LEVELS = ("threshold", "reset")


@dataclass(frozen=True, kw_only=True, eq=False)
class CubaSoma(Soma):
    """``i' = sat(i - ms(i, fade) + ms(x << align, gain))``, ``v = sat(left + i')``,
    ``y = v >= threshold``, ``left' = sat(v - ms(v, leak) - reset y)``, or ``reset`` after a spike
    where it ``resets_to``.

    i and left start at 0. Each ms shifts by its own ``…_shift`` (H,): what is lost a step is
    stored, not what is kept, so that 16 bits tell the slowest decay from none. Without ``fade``
    there is no current: i' is ``ms(x << align, gain)``. fade, leak and gain (H,) are
    ``coefficient_bits`` wide; threshold and reset (H,), like i and left, ``state_bits``.
    """

    fade: Int32 | None
    fade_shift: Int8 | None
    leak: Int32
    leak_shift: Int8
    gain: Int32
    gain_shift: Int8
    align: Int8
    threshold: Int32
    reset: Int32
    resets_to: bool
    coefficient_bits: int
    state_bits: int

    @property
    def width(self) -> int:
        return int(self.threshold.shape[0])

    def check(self, network: Network) -> None:
        require_range(self, "coefficient_bits", self.coefficient_bits, 2, 24)
        require_range(self, "state_bits", self.state_bits, 2, 32)
        both = (self.fade is None) == (self.fade_shift is None)
        require(both, self, "has one of fade and fade_shift, not both")
        factors = ("leak", "gain") if self.fade is None else ("leak", "gain", "fade")
        require_words(self, factors, self.width, self.coefficient_bits)
        require_words(self, LEVELS, self.width, self.state_bits)
        for name in factors:
            require_between(self, f"{name}_shift", getattr(self, f"{name}_shift"), (self.width,))
        require_between(self, "align", self.align, (self.width,), 0, 24)

    def step(self, t: Tracer) -> Value:
        bits = self.state_bits

        def part(x: Value, name: str) -> Value:
            factor = t.parameter(name, getattr(self, name), self.coefficient_bits)
            shift = t.parameter(f"{name}_shift", getattr(self, f"{name}_shift"), SHIFT_BITS)
            return multiply_shift(x, factor, shift)

        driven = signed_shift(t.input(), t.parameter("align", self.align, SHIFT_BITS))
        current = part(driven, "gain")
        if self.fade is not None:
            i = t.state("current", bits)
            current = saturate(i - part(i, "fade") + current, bits, "current")
            t.next(i, current)
        left = t.state("potential", bits)
        v = saturate(left + current, bits, "potential")
        threshold, reset = (t.parameter(name, getattr(self, name), bits) for name in LEVELS)
        spike = v >= threshold
        kept = v - part(v, "leak")
        kept = select(spike, reset, kept) if self.resets_to else kept - select(spike, reset, 0)
        t.next(left, saturate(kept, bits, "left"))
        return spike

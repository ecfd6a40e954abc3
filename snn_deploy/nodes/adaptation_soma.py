"""AdaptationSoma: a leaky neuron that an adaptation current holds back, of SiLIF and cAdLIF."""

from __future__ import annotations

from dataclasses import dataclass

from snn_deploy.ir.network import Network
from snn_deploy.ir.program import Tracer, Value, multiply_shift, saturate, select, signed_shift
from snn_deploy.nodes.base import SHIFT_BITS, Int8, Int32, Soma
from snn_deploy.nodes.rules import MAX_SHIFT, require_between, require_range, require_words

__all__ = ["AdaptationSoma"]

FACTORS, LEVELS = ("fade", "pull", "leak"), ("rise", "drop", "threshold")


@dataclass(frozen=True, kw_only=True, eq=False)
class AdaptationSoma(Soma):
    """``w' = sat(w - ms(w, fade) + ms(u, pull) + rise y)``,
    ``u' = sat(u - ms(u, leak) + ms((x << align) - w', leak) - drop y)``, ``y' = u' > threshold``.

    y is the spike of the step before; w, u and y start at 0. Each ms shifts by its own
    ``…_shift`` (H,): what is lost a step is stored, not what is kept, so that 16 bits tell the
    slowest decay from none. fade, pull and leak (H,) are ``coefficient_bits`` wide; rise, drop and
    threshold (H,), like w and u, ``state_bits``. A negative ``align`` (H,) is a right shift.
    """

    fade: Int32
    fade_shift: Int8
    pull: Int32
    pull_shift: Int8
    leak: Int32
    leak_shift: Int8
    rise: Int32
    drop: Int32
    threshold: Int32
    align: Int8
    coefficient_bits: int
    state_bits: int

    @property
    def width(self) -> int:
        return int(self.threshold.shape[0])

    def check(self, network: Network) -> None:
        require_range(self, "coefficient_bits", self.coefficient_bits, 2, 24)
        require_range(self, "state_bits", self.state_bits, 2, 32)
        require_words(self, FACTORS, self.width, self.coefficient_bits)
        require_words(self, LEVELS, self.width, self.state_bits)
        for name in FACTORS:
            require_between(self, f"{name}_shift", getattr(self, f"{name}_shift"), (self.width,))
        require_between(self, "align", self.align, (self.width,), -MAX_SHIFT, 24)

    def step(self, t: Tracer) -> Value:
        bits = self.state_bits
        w, u, fired = t.state("adaptation", bits), t.state("potential", bits), t.state("fired", 2)
        rise, drop, threshold = (t.parameter(k, getattr(self, k), bits) for k in LEVELS)

        factors = {
            name: (
                t.parameter(name, getattr(self, name), self.coefficient_bits),
                t.parameter(f"{name}_shift", getattr(self, f"{name}_shift"), SHIFT_BITS),
            )
            for name in FACTORS
        }

        def part(x: Value, name: str) -> Value:
            return multiply_shift(x, *factors[name])

        held = w - part(w, "fade") + part(u, "pull") + select(fired, rise, 0)
        held = saturate(held, bits, "adaptation")
        driven = signed_shift(t.input(), t.parameter("align", self.align, SHIFT_BITS))
        risen = u - part(u, "leak") + part(driven - held, "leak") - select(fired, drop, 0)
        risen = saturate(risen, bits, "potential")
        spike = risen > threshold
        t.next(w, held)
        t.next(u, risen)
        t.next(fired, spike)
        return spike

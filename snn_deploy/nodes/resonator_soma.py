"""ResonatorSoma: a rotating, leaking state that fires and is pushed back, of C-SiLIF and RF."""

from __future__ import annotations

from dataclasses import dataclass

from snn_deploy.ir.network import Network
from snn_deploy.ir.program import Tracer, Value, multiply_shift, saturate, select
from snn_deploy.nodes.base import SHIFT_BITS, Int8, Int32, Soma
from snn_deploy.nodes.rules import (
    MAX_SHIFT,
    fits,
    require,
    require_between,
    require_range,
    require_shape,
    require_words,
)

__all__ = ["ResonatorSoma"]

LEVELS = ("reset_real", "reset_imag", "threshold")


@dataclass(frozen=True, kw_only=True, eq=False)
class ResonatorSoma(Soma):
    """``u' = sat(u p - v q + ms(x, gain) - reset_real y)``,
    ``v' = sat(u q + v p - reset_imag y)``, ``y' = u' > threshold``.

    y is the spike of the step before; u, v and y start at 0. pole (W, 2, H) holds W words of p and
    of q, the first with ``pole_shift`` fractional bits, each next one ``coefficient_bits - 1`` bits
    further down: ``u p = Σ_w ms(u, pole_w, shift_w)``. One word turns and decays well enough unless
    a state decays slowly. Factors are ``coefficient_bits`` wide; resets and threshold (H,), like u
    and v, ``state_bits``.
    """

    pole: Int32
    pole_shift: int
    gain: Int32
    gain_shift: Int8
    reset_real: Int32
    reset_imag: Int32
    threshold: Int32
    coefficient_bits: int
    state_bits: int

    @property
    def width(self) -> int:
        return int(self.threshold.shape[0])

    @property
    def shifts(self) -> list[int]:
        """By how much the product with each word of a pole is shifted."""
        return [self.pole_shift + k * (self.coefficient_bits - 1) for k in range(len(self.pole))]

    def check(self, network: Network) -> None:
        bits = self.coefficient_bits
        require_range(self, "coefficient_bits", bits, 2, 24)
        require_range(self, "state_bits", self.state_bits, 2, 32)
        require_range(self, "words of a pole", len(self.pole), 1, 2)
        require_shape(self, "pole", self.pole, (len(self.pole), 2, self.width))
        require(fits(self.pole, bits), self, f"pole exceeds {bits} bits")
        for shift in self.shifts:
            require_range(self, "shift of a pole", shift, 0, MAX_SHIFT)
        require_words(self, ("gain",), self.width, bits)
        require_words(self, LEVELS, self.width, self.state_bits)
        require_between(self, "gain_shift", self.gain_shift, (self.width,))

    def step(self, t: Tracer) -> Value:
        bits, wide = self.state_bits, self.coefficient_bits
        u, v, fired = t.state("real", bits), t.state("imag", bits), t.state("fired", 2)
        p, q = (
            [t.parameter(f"{name}{k}", word[part], wide) for k, word in enumerate(self.pole)]
            for part, name in enumerate(("pole_real", "pole_imag"))
        )
        gain = t.parameter("gain", self.gain, wide)
        gain_shift = t.parameter("gain_shift", self.gain_shift, SHIFT_BITS)
        reset_real, reset_imag, threshold = (t.parameter(k, getattr(self, k), bits) for k in LEVELS)

        def times(x: Value, words: list[Value]) -> Value:
            whole, *fine = map(multiply_shift, [x] * len(words), words, self.shifts)
            return whole + fine[0] if fine else whole

        driven = multiply_shift(t.input(), gain, gain_shift)
        real = times(u, p) - times(v, q) + driven - select(fired, reset_real, 0)
        imag = times(u, q) + times(v, p) - select(fired, reset_imag, 0)
        real, imag = saturate(real, bits, "real"), saturate(imag, bits, "imag")
        spike = real > threshold
        t.next(u, real)
        t.next(v, imag)
        t.next(fired, spike)
        return spike

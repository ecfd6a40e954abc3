"""RefractorySoma: a leaky neuron that its own spikes hold back for a while."""

from __future__ import annotations

from dataclasses import dataclass

from snn_deploy.ir.network import Network
from snn_deploy.ir.program import Tracer, Value, multiply_shift, saturate, select
from snn_deploy.nodes.base import Int32, Soma
from snn_deploy.nodes.rules import require_range, require_words

__all__ = ["RefractorySoma"]


@dataclass(frozen=True, kw_only=True, eq=False)
class RefractorySoma(Soma):
    """``v = sat(ms(v, kept, k) + (x << align) - r)``, ``y = v >= threshold``,
    ``r = sat(ms(r, refractory_kept, k) + strength y)``; k = decay_bits - 1, v and r start at 0.

    v and r are ``state_bits`` wide, as are threshold and strength (H,); kept and refractory_kept
    are of the whole layer, 0 … 2**k - 1.
    """

    threshold: Int32
    strength: Int32
    kept: int
    refractory_kept: int
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
        require_words(self, ("threshold", "strength"), self.width, self.state_bits)
        for name in ("kept", "refractory_kept"):
            most = 2 ** (self.decay_bits - 1) - 1
            require_range(self, name, getattr(self, name), 0, most)

    def step(self, t: Tracer) -> Value:
        bits, by = self.state_bits, self.decay_bits - 1
        v, r = t.state("membrane", bits), t.state("refractory", bits)
        kept = t.parameter("kept", self.kept, self.decay_bits)
        kept_r = t.parameter("refractory_kept", self.refractory_kept, self.decay_bits)
        threshold = t.parameter("threshold", self.threshold, bits)
        strength = t.parameter("strength", self.strength, bits)
        held = multiply_shift(v, kept, by) + (t.input() << self.align) - r
        held = saturate(held, bits, "membrane")
        spike = held >= threshold
        t.next(v, held)
        back = multiply_shift(r, kept_r, by) + select(spike, strength, 0)
        t.next(r, saturate(back, bits, "refractory"))
        return spike

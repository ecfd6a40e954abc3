"""ChipResonator: Loihi 2's resonate-and-fire neuron, as Lava's fixed-point models define it."""

from __future__ import annotations

from dataclasses import dataclass

from snn_deploy.ir.network import Network
from snn_deploy.ir.program import Tracer, Value, decay_towards_zero, saturate, select
from snn_deploy.nodes.base import Int32, Soma
from snn_deploy.nodes.lif_registers import LOIHI
from snn_deploy.nodes.rules import require_between, require_range

__all__ = ["ChipResonator"]

MOST_DECAY = (1 << LOIHI.decay_bits) - 1
MOST_THRESHOLD = (1 << 17) - 1
MOST_ALIGN = 16


@dataclass(frozen=True, kw_only=True, eq=False)
class ChipResonator(Soma):
    """``u' = sat(trunc(u cos / 4096) - trunc(v sin / 4096) + (x_0 << align))``,
    ``v' = sat(trunc(u sin / 4096) + trunc(v cos / 4096) + (x_1 << align))``.

    By its ``phase``, ``y = u' >= threshold << 6`` in the step in which v rises from below 0 to 0 or
    more, and nothing is reset; else ``y = v' >= threshold << 6``, and a spike leaves ``u = 0`` and
    ``v = (threshold << 6) - 1``. u and v start at 0, clipped to ±(2**23 - 1); x_0 and x_1 are the
    two ports. sin and cos (H,), 0 … 4095, are what a step keeps and turns; threshold (H,),
    0 … 2**17 - 1. What is the same for all neurons, a core keeps once. (Lava's RF and RF_IZ.)
    """

    ports = 2

    sin: Int32
    cos: Int32
    threshold: Int32
    phase: bool
    align: int = LOIHI.align_bits

    @property
    def width(self) -> int:
        return int(self.threshold.shape[0])

    def check(self, network: Network) -> None:
        limits = {"sin": MOST_DECAY, "cos": MOST_DECAY, "threshold": MOST_THRESHOLD}
        for name, most in limits.items():
            require_between(self, name, getattr(self, name), (self.width,), 0, most)
        require_range(self, "align", self.align, 0, MOST_ALIGN)

    def step(self, t: Tracer) -> Value:
        bits, unity = LOIHI.membrane_bits, LOIHI.decay_bits
        u, v = t.state("real", bits), t.state("imag", bits)
        sin = t.alike("sin", self.sin, unity + 1)
        cos = t.alike("cos", self.cos, unity + 1)
        threshold = t.alike("threshold", self.threshold << LOIHI.align_bits, bits)

        def kept(word: Value, part: Value) -> Value:
            return decay_towards_zero(word, part, unity)

        real = kept(u, cos) - kept(v, sin) + (t.input(0) << self.align)
        imag = kept(u, sin) + kept(v, cos) + (t.input(1) << self.align)
        real, imag = saturate(real, bits, "real"), saturate(imag, bits, "imag")
        if self.phase:
            spike = (real >= threshold) & (imag >= 0) & (v < 0)
            t.next(u, real)
            t.next(v, imag)
            return spike
        spike = imag >= threshold
        t.next(u, select(spike, 0, real))
        t.next(v, select(spike, threshold - 1, imag))
        return spike

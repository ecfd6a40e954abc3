"""ChipCuba: Loihi's leaky integrate-and-fire neuron with the synaptic current that it has."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from snn_deploy.ir.network import Network
from snn_deploy.ir.program import Tracer, Value, decay_towards_zero, saturate, select
from snn_deploy.nodes.base import Int32, Soma
from snn_deploy.nodes.lif_registers import LOIHI, LifRegisters
from snn_deploy.nodes.rules import require_between, require_range, require_words

__all__ = ["ChipCuba"]

UNITY = 1 << LOIHI.decay_bits
THRESHOLD_BITS = 18  # one more than Loihi's register: the highest ones are never passed
BIAS_BITS = 24
MOST_ALIGN = 16


@dataclass(frozen=True, kw_only=True, eq=False)
class ChipCuba(Soma):
    """``u = sat(trunc(u * (4096 - fade) / 4096) + (x << align))``,
    ``v = sat(trunc(v * (4096 - decay) / 4096) + u + (bias << 6))``;
    ``y = v > threshold << 6``; ``v = 0`` on a spike.

    u is the current and v the potential, clipped to ±(2**23 - 1). fade and decay (H,), 0 … 4096,
    are what a step takes away: 4096 leaves nothing, so that a fade of 4096 is ``LifSoma``.
    threshold (H,), 0 … 2**18 - 1, and bias (H,), 24 bits; align is Loihi's 6, and what a unit of
    the synapses stands for. What is the same for all neurons, a core keeps once.
    """

    fade: Int32
    decay: Int32
    threshold: Int32
    bias: Int32
    align: int = LOIHI.align_bits

    @property
    def width(self) -> int:
        return int(self.threshold.shape[0])

    @property
    def lif_registers(self) -> LifRegisters:
        return LOIHI

    @property
    def needs(self) -> tuple[str, ...]:
        return ("lif_neurons",)

    def widths(self, network: Network) -> Iterator[tuple[str, str, int]]:
        yield from ()  # the chip's own

    def check(self, network: Network) -> None:
        limits = {"fade": UNITY, "decay": UNITY, "threshold": (1 << THRESHOLD_BITS) - 1}
        for name, most in limits.items():
            require_between(self, name, getattr(self, name), (self.width,), 0, most)
        require_words(self, ["bias"], self.width, BIAS_BITS)
        require_range(self, "align", self.align, 0, MOST_ALIGN)

    def step(self, t: Tracer) -> Value:
        bits, unity, align = LOIHI.membrane_bits, LOIHI.decay_bits, LOIHI.align_bits
        u, v = t.state("current", bits), t.state("potential", bits)
        kept_u = t.alike("kept_current", UNITY - self.fade, unity)
        kept_v = t.alike("kept", UNITY - self.decay, unity)
        threshold = t.alike("threshold", self.threshold << align, THRESHOLD_BITS)
        current = decay_towards_zero(u, kept_u, unity) + (t.input() << self.align)
        current = saturate(current, bits, "current")
        held = decay_towards_zero(v, kept_v, unity) + current
        if self.bias.any():
            held = held + t.alike("bias", self.bias << align, BIAS_BITS)
        held = saturate(held, bits, "potential")
        spike = held > threshold
        t.next(u, current)
        t.next(v, select(spike, 0, held))
        return spike

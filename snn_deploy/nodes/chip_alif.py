"""ChipAlif: SLAYER's ALIF, a neuron with a current, a threshold that rises, and refractoriness."""

from __future__ import annotations

from dataclasses import dataclass

from snn_deploy.ir.network import Network
from snn_deploy.ir.program import Tracer, Value, decay_towards_zero, saturate, select
from snn_deploy.nodes.base import Int32, Soma
from snn_deploy.nodes.lif_registers import LOIHI
from snn_deploy.nodes.rules import require_between, require_range

__all__ = ["ChipAlif"]

UNITY = 1 << LOIHI.decay_bits
MOST_THRESHOLD = (1 << 17) - 1
MOST_BIAS = (1 << 17) - 1
MOST_ALIGN = 16
FADES = ("fade", "decay", "threshold_decay", "refractory_decay")


@dataclass(frozen=True, kw_only=True, eq=False)
class ChipAlif(Soma):
    """``u = sat(kept(u, fade) + (x << align) + (bias << 6))``, ``v = sat(kept(v, decay) + u)``;
    ``a = kept(a, threshold_decay)``, ``r = kept(r, refractory_decay)``,
    ``θ = (threshold << 6) + a``; ``y = v >= θ + r``; a spike adds ``rise << 6`` to a and ``2 θ`` to
    r, for the next step.

    ``kept(s, d)`` is ``trunc(s (4096 - d) / 4096)``. u is the current, v the potential, which
    nothing resets, a by how much the threshold is raised, and r how refractory the neuron is; all
    start at 0, clipped to ±(2**23 - 1). The decays (H,), 0 … 4096; threshold, rise (H,),
    0 … 2**17 - 1; bias (H,), within as much. What is the same for all neurons, a core keeps once.
    """

    fade: Int32
    decay: Int32
    threshold_decay: Int32
    refractory_decay: Int32
    threshold: Int32
    rise: Int32
    bias: Int32
    align: int = LOIHI.align_bits

    @property
    def width(self) -> int:
        return int(self.threshold.shape[0])

    def check(self, network: Network) -> None:
        limits = dict.fromkeys(FADES, (0, UNITY))
        limits |= dict.fromkeys(("threshold", "rise"), (0, MOST_THRESHOLD))
        for name, (low, high) in {**limits, "bias": (-MOST_BIAS, MOST_BIAS)}.items():
            require_between(self, name, getattr(self, name), (self.width,), low, high)
        require_range(self, "align", self.align, 0, MOST_ALIGN)

    def step(self, t: Tracer) -> Value:
        bits, unity, six = LOIHI.membrane_bits, LOIHI.decay_bits, LOIHI.align_bits
        names = ("current", "potential", "raised", "refractory")
        words = [t.state(name, bits) for name in names]
        u, v, raised, refractory = (
            decay_towards_zero(word, t.alike(f"kept_{name}", UNITY - decay, unity), unity)
            for word, name, decay in zip(
                words, names, (getattr(self, name) for name in FADES), strict=True
            )
        )
        drive = t.input() << self.align
        if self.bias.any():
            drive = drive + t.alike("bias", self.bias << six, bits)
        current = saturate(u + drive, bits, "current")
        potential = saturate(v + current, bits, "potential")
        threshold = raised + t.alike("threshold", self.threshold << six, bits)
        spike = potential >= threshold + refractory
        rise = t.alike("rise", self.rise << six, bits)
        raised = saturate(raised + select(spike, rise, 0), bits, "raised")
        refractory = saturate(refractory + select(spike, threshold << 1, 0), bits, "refractory")
        for word, following in zip(words, (current, potential, raised, refractory), strict=True):
            t.next(word, following)
        return spike

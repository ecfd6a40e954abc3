"""LifSoma: Loihi's leaky integrate-and-fire neuron."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from snn_deploy import fixedpoint as fp
from snn_deploy.ir.formats import SPIKE, Format
from snn_deploy.ir.network import Network
from snn_deploy.ir.program import Tracer, Value, decay_towards_zero, saturate, select
from snn_deploy.nodes.base import IntegerNode
from snn_deploy.nodes.rules import require

__all__ = ["LifSoma"]


@dataclass(frozen=True, kw_only=True, eq=False)
class LifSoma(IntegerNode):
    """Loihi's LIF: ``v = trunc(v * (4096 - decay) / 4096) + (x << 6)``, clipped to ±(2**23 - 1);
    ``y = v > threshold << 6``; ``v = 0`` on a spike.

    decay 3584 is the 1/8 of SpikingSSM; threshold 0 … 2**17 - 1 is the drive that stands for 1;
    x is 18 bits wide at the most. These widths are the chip's: see ``[neuron.lif]`` of a profile.
    """

    spikes = True

    channels: int
    threshold: int
    decay: int
    output: Format = SPIKE

    @property
    def width(self) -> int:
        return self.channels

    @property
    def needs(self) -> tuple[str, ...]:
        return ("lif_neurons",)

    def widths(self, network: Network) -> Iterator[tuple[str, str, int]]:
        (form,) = self.source_formats(network)
        yield "drive_bits", "drive_bits", form.bits

    def check(self, network: Network) -> None:
        (form,) = self.source_formats(network)
        drive, threshold, decay = fp.DRIVE_BITS, fp.THRESHOLD_BITS, fp.DECAY_UNITY_BITS
        require(form.bits <= drive, self, f"a drive of {form.bits} bits, over {drive}")
        fits = 0 <= self.threshold < 1 << threshold
        require(fits, self, f"threshold {self.threshold} exceeds {threshold} bits")
        fits = 0 <= self.decay < 1 << decay
        require(fits, self, f"decay {self.decay} is outside 0 … {(1 << decay) - 1}")

    def check_output(self) -> None:
        require(self.output == SPIKE, self, f"its output must be spikes, {SPIKE}")

    def step(self, t: Tracer) -> Value:
        v = t.state("membrane", fp.MEMBRANE_BITS)
        unity, align = fp.DECAY_UNITY_BITS, fp.LIF_ALIGN_BITS
        kept = t.parameter("kept", (1 << unity) - self.decay, unity)
        threshold = t.parameter("threshold", self.threshold << align, fp.THRESHOLD_BITS)
        leaked = decay_towards_zero(v, kept, unity)
        held = saturate(leaked + (t.input() << align), fp.MEMBRANE_BITS, "membrane")
        spike = held > threshold
        t.next(v, select(spike, 0, held))
        return spike

"""LifSoma: Loihi's leaky integrate-and-fire neuron; ChipLif: the same with other registers."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from snn_deploy.ir.network import Network
from snn_deploy.ir.node import Channels
from snn_deploy.ir.program import Tracer, Value, decay_towards_zero, saturate, select
from snn_deploy.nodes.base import Soma
from snn_deploy.nodes.lif_registers import LOIHI, LifRegisters
from snn_deploy.nodes.rules import MAX_FACTOR_BITS, require, require_product, require_range

__all__ = ["ChipLif", "LifSoma"]


@dataclass(frozen=True, kw_only=True, eq=False)
class _Lif(Channels, Soma):
    """What every chip's LIF computes, in its own registers."""

    threshold: int
    decay: int

    @property
    def lif_registers(self) -> LifRegisters:
        raise NotImplementedError

    @property
    def needs(self) -> tuple[str, ...]:
        return ("lif_neurons",)

    def widths(self, network: Network) -> Iterator[tuple[str, str, int]]:
        (form,) = self.source_formats(network)
        yield "drive_bits", "drive_bits", form.bits

    def check(self, network: Network) -> None:
        (form,) = self.source_formats(network)
        bits = self.lif_registers
        drive, threshold, decay = bits.drive_bits, bits.threshold_bits, bits.decay_bits
        require(
            form.bits <= drive,
            self,
            f"a drive of {form.bits} bits, over {drive}; convert with --set drive_bits={drive}",
        )
        fits = 0 <= self.threshold < 1 << threshold
        require(fits, self, f"threshold {self.threshold} exceeds {threshold} bits")
        fits = 0 <= self.decay < 1 << decay
        require(fits, self, f"decay {self.decay} is outside 0 … {(1 << decay) - 1}")

    def step(self, t: Tracer) -> Value:
        bits = self.lif_registers
        v = t.state("membrane", bits.membrane_bits)
        unity, align = bits.decay_bits, bits.align_bits
        kept = t.parameter("kept", (1 << unity) - self.decay, unity)
        threshold = t.parameter("threshold", self.threshold << align, bits.threshold_bits)
        leaked = decay_towards_zero(v, kept, unity)
        held = saturate(leaked + (t.input() << align), bits.membrane_bits, "membrane")
        spike = held > threshold
        t.next(v, select(spike, 0, held))
        return spike


@dataclass(frozen=True, kw_only=True, eq=False)
class LifSoma(_Lif):
    """Loihi's LIF: ``v = trunc(v * (4096 - decay) / 4096) + (x << 6)``, clipped to ±(2**23 - 1);
    ``y = v > threshold << 6``; ``v = 0`` on a spike.

    decay 3584 is the 1/8 of SpikingSSM; threshold 0 … 2**17 - 1 is the drive that stands for 1;
    x is 18 bits wide at the most. These widths are the chip's: see ``[lif]`` of a profile.
    """

    @property
    def lif_registers(self) -> LifRegisters:
        return LOIHI


@dataclass(frozen=True, kw_only=True, eq=False)
class ChipLif(_Lif):
    """The LIF of a chip whose ``registers`` are not Loihi's: the equation of :class:`LifSoma` with
    ``2**decay_bits`` for 4096, ``align_bits`` for 6, and ``membrane_bits`` for 24.
    """

    registers: LifRegisters

    @property
    def lif_registers(self) -> LifRegisters:
        return self.registers

    def check(self, network: Network) -> None:
        bits = self.registers
        require_range(self, "membrane_bits", bits.membrane_bits, 2, MAX_FACTOR_BITS)
        require_range(self, "align_bits", bits.align_bits, 0, bits.membrane_bits - 2)
        require_range(self, "decay_bits", bits.decay_bits, 1, MAX_FACTOR_BITS - 1)
        require_range(self, "threshold_bits", bits.threshold_bits, 1, bits.drive_bits)
        require_product(self, "a membrane's decay", bits.membrane_bits, bits.decay_bits + 1)
        super().check(network)

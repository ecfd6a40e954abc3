"""Registers of a chip's own leaky integrate-and-fire neuron."""

from __future__ import annotations

from dataclasses import dataclass

from snn_deploy import fixedpoint as fp

__all__ = ["LOIHI", "LifRegisters"]


@dataclass(frozen=True)
class LifRegisters:
    """Widths of a chip's own LIF, in bits.

    Parameters
    ----------
    decay_bits
        Decays are fractions of ``2**decay_bits``.
    align_bits
        How far drives and thresholds are shifted to the left.
    membrane_bits
        The membrane, signed.
    threshold_bits
        A threshold, unsigned, before it is shifted.
    """

    decay_bits: int = fp.DECAY_UNITY_BITS
    align_bits: int = fp.LIF_ALIGN_BITS
    membrane_bits: int = fp.MEMBRANE_BITS
    threshold_bits: int = fp.THRESHOLD_BITS

    @property
    def drive_bits(self) -> int:
        """The widest drive: shifted, it fits the membrane."""
        return self.membrane_bits - self.align_bits

    def __str__(self) -> str:
        return (
            f"decays of {self.decay_bits} bits, a shift by {self.align_bits}, membranes of "
            f"{self.membrane_bits} and thresholds of {self.threshold_bits}"
        )


LOIHI = LifRegisters()

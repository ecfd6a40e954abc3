"""FPGAs that open tools place and route for: what they have, and from where that is known.

Sources: Lattice, "ECP5 and ECP5-5G Family Data Sheet" (FPGA-DS-02012), table 1.1; "iCE40 UltraPlus
Family Data Sheet" (FPGA-DS-02008), table 1.1; shapes of block RAM: "ECP5 and ECP5-5G Memory Usage
Guide" (FPGA-TN-02204) and "Memory Usage Guide for iCE40 Devices" (FPGA-TN-02002).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from snn_deploy.errors import ConfigError
from snn_deploy.plugins import unknown_name

__all__ = ["PARTS", "Part", "find_part"]


@dataclass(frozen=True)
class Part:
    """An FPGA.

    Parameters
    ----------
    name, device, board
        What it is called here and by its maker, and boards that have it.
    block_rams, shapes
        How many block RAMs, and the (words, bits) that each can be.
    multipliers, factor_bits
        How many, and how wide their signed inputs are.
    luts
        Of four inputs.
    synthesis, route
        The command of yosys, and the tool that places and routes, with its options.
    """

    name: str
    device: str
    board: str
    block_rams: int
    shapes: tuple[tuple[int, int], ...]
    multipliers: int
    factor_bits: int
    luts: int
    synthesis: str
    route: tuple[str, ...]

    def blocks(self, width: int, depth: int) -> int:
        """Give how many block RAMs a memory takes."""
        return min(-(-depth // words) * -(-width // bits) for words, bits in self.shapes)

    def products(self, widths: Sequence[tuple[int, int]]) -> int:
        """Give how many multipliers products of such widths take."""
        each = self.factor_bits - 1
        return sum(max(-(-(a - 1) // each), 1) * max(-(-(b - 1) // each), 1) for a, b in widths)


_ECP5 = ((16384, 1), (8192, 2), (4096, 4), (2048, 9), (1024, 18), (512, 36))
_ICE40 = ((2048, 2), (1024, 4), (512, 8), (256, 16))

PARTS = {
    part.name: part
    for part in (
        Part(
            "ice40-up5k",
            "iCE40UP5K-SG48",
            "iCEBreaker, UPduino",
            30,
            _ICE40,
            8,
            16,
            5280,
            "synth_ice40 -dsp",
            ("nextpnr-ice40", "--up5k", "--package", "sg48"),
        ),
        Part(
            "ecp5-25k",
            "LFE5U-25F-6",
            "Colorlight i5, ULX3S 25F",
            56,
            _ECP5,
            28,
            18,
            24288,
            "synth_ecp5",
            ("nextpnr-ecp5", "--25k", "--package", "CABGA381", "--speed", "6"),
        ),
        Part(
            "ecp5-85k",
            "LFE5U-85F-6",
            "ULX3S 85F",
            208,
            _ECP5,
            156,
            18,
            83640,
            "synth_ecp5",
            ("nextpnr-ecp5", "--85k", "--package", "CABGA381", "--speed", "6"),
        ),
    )
}
"""By name, the smallest first."""


def find_part(name: str) -> Part:
    """Give the part called ``name``.

    Raises
    ------
    ConfigError
        If there is none.
    """
    if name not in PARTS:
        raise ConfigError(unknown_name("part", name, PARTS))
    return PARTS[name]

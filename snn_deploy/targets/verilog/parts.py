"""FPGAs that open tools place and route for; what they have is in their profiles."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from snn_deploy.errors import ConfigError
from snn_deploy.plugins import unknown_name
from snn_deploy.targets.verilog.resources import Resources

__all__ = ["PARTS", "USUAL", "Part", "find_part"]

USUAL = "ecp5-25k"
"""What is built for where nobody says."""


@dataclass(frozen=True)
class Part:
    """An FPGA.

    Parameters
    ----------
    name, device, board
        What it is called here and by its maker, and boards that have it.
    pins
        How many of its package a design can use.
    synthesis, route
        The command of yosys, and the tool that places and routes, with its options.
    """

    name: str
    device: str
    board: str
    pins: int
    synthesis: str
    route: tuple[str, ...]

    @cached_property
    def resources(self) -> Resources:
        """What it has, by the profile of its name, ``-`` as ``_``."""
        from snn_deploy.mapping.profile import load_bundled

        return Resources.of(load_bundled(self.name.replace("-", "_")))


PARTS = {
    part.name: part
    for part in (
        Part(
            "ice40-up5k",
            "iCE40UP5K-SG48",
            "iCEBreaker, UPduino",
            39,
            "synth_ice40 -device u -dsp",
            ("nextpnr-ice40", "--up5k", "--package", "sg48"),
        ),
        Part(
            "ecp5-25k",
            "LFE5U-25F-6",
            "Colorlight i5, ULX3S 25F",
            197,
            "synth_ecp5",
            ("nextpnr-ecp5", "--25k", "--package", "CABGA381", "--speed", "6"),
        ),
        Part(
            "ecp5-85k",
            "LFE5U-85F-6",
            "ULX3S 85F",
            205,
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

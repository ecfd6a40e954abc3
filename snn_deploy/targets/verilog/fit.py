"""Does a network's core fit an FPGA? Worked out from its design, before anything is synthesised."""

from __future__ import annotations

from collections.abc import Iterator

from snn_deploy.errors import TargetError
from snn_deploy.ir.network import Network
from snn_deploy.mapping.check import Violation
from snn_deploy.mapping.profile import Profile
from snn_deploy.targets.verilog.estimate import estimate, fitting
from snn_deploy.targets.verilog.resources import Resources

__all__ = ["part_violations"]

_NEEDED = {"block_rams": "block RAMs", "multipliers": "multipliers"}
_ADVICE = "convert with narrower formats, train with fewer modes or channels, or take a larger part"


def part_violations(network: Network, profile: Profile) -> Iterator[Violation]:
    """List what keeps a lowered network from an FPGA: what Verilog cannot express, its resources.

    Raises
    ------
    TargetError
        If the profile's own numbers are none of an FPGA.
    """
    there = Resources.of(profile)
    name = network.output.name
    try:
        expected = estimate(fitting(network, there))
    except TargetError as error:
        yield Violation("fpga", name, str(error), "or choose another target")
        return
    for key, told in _NEEDED.items():
        needed, most = getattr(expected, key)(there), getattr(there, key)
        if needed > most:
            problem = f"{needed:,} {told}; the part has {most:,}, {needed - most:,} fewer"
            yield Violation(f"fpga.{key}", name, problem, _ADVICE)

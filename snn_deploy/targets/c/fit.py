"""Does a network's C99 fit a board? Worked out from its tables and structs, before any compiler."""

from __future__ import annotations

from collections.abc import Iterator

from snn_deploy.errors import TargetError
from snn_deploy.ir.network import Network
from snn_deploy.mapping.check import Violation
from snn_deploy.mapping.profile import Profile
from snn_deploy.targets.c.sizes import CODE_BYTES, data_sizes
from snn_deploy.targets.c.source import Source

__all__ = ["board_violations"]

_ADVICE = {
    "flash_bytes": "convert with narrower weights (--set weight_bits=4), or take a larger board",
    "ram_bytes": "train with fewer modes or channels, or take a larger board",
}


def board_violations(network: Network, profile: Profile) -> Iterator[Violation]:
    """List what keeps a lowered network from a board: what C99 cannot express, flash, RAM."""
    try:
        source = Source(network)
    except TargetError as error:
        yield Violation(
            "board", network.output.name, str(error), "or choose a target that is a chip"
        )
        return
    sizes = data_sizes(source)
    code = CODE_BYTES * len(source.layout.network.nodes)
    flash = sizes["weights (flash)"] + code
    ram = sizes["state (RAM)"] + sizes["work (RAM)"]
    for rule, size, told in (
        ("flash_bytes", flash, f"of weights, and about {code:,} of code"),
        ("ram_bytes", ram, "of state and work"),
    ):
        limit = getattr(profile.board, rule)
        if limit is not None and limit.value is not None and size > limit.value:
            beyond = size - limit.value
            problem = f"{size:,} bytes {told}; the board has {limit.value:,}, {beyond:,} fewer"
            yield Violation(f"board.{rule}", network.output.name, problem, _ADVICE[rule])

"""What a network takes of a board, and how each figure is known.

Memories are worked out before anything is compiled. Instructions are counted on a simulated core,
where they are asked for.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from snn_deploy.reports.quantities import count, kibibytes, quantity

if TYPE_CHECKING:
    from snn_deploy.engines.result import IntArray
    from snn_deploy.ir.network import Network
    from snn_deploy.mapping.profile import Profile
    from snn_deploy.mapping.schema import Limit

__all__ = ["Basis", "BoardFigure", "board_figures"]

Basis = Literal["worked out", "simulated", "specified", "assumed"]
MOST_STEPS = 64  # of one sequence, that are run on a simulated core


@dataclass(frozen=True)
class BoardFigure:
    """One figure: what it is of, as text and as a number of a unit, and how it is known."""

    title: str
    text: str
    value: float
    unit: str
    basis: Basis


def board_figures(
    network: Network, profile: Profile, inputs: IntArray | None = None
) -> tuple[BoardFigure, ...]:
    """Give what a network takes of its target, if that is a board; else nothing.

    Parameters
    ----------
    inputs
        Mantissas (B, L, d_input): the first sequence is run on a simulated core. None: none is.

    Raises
    ------
    BackendUnavailableError, BackendError
        If a tool is missing, or failed.
    """
    if profile.board.flash_bytes is None:
        return ()
    return tuple(_on_board(network, profile, inputs))


def _on_board(network: Network, profile: Profile, inputs: IntArray | None) -> Iterator[BoardFigure]:
    from snn_deploy.targets.c.sizes import CODE_BYTES, data_sizes
    from snn_deploy.targets.c.source import Source

    source, board = Source(network), profile.board
    sizes = data_sizes(source)
    ram = sizes["state (RAM)"] + sizes["work (RAM)"]
    code = CODE_BYTES * len(source.layout.network)
    yield _bytes("weights in flash", sizes["weights (flash)"], board.flash_bytes, "worked out")
    yield _bytes("code in flash", code, None, "assumed")
    yield _bytes("RAM", ram, board.ram_bytes, "worked out")
    clock = None if board.clock_mhz is None else board.clock_mhz.value
    if clock is not None:
        known = board.clock_mhz is not None and board.clock_mhz.known == "specified"
        yield _clock(clock, "specified" if known else "assumed")
    core = _simulated_core(profile)
    if inputs is None or core is None:
        return
    each = _instructions(network, core, inputs[:1, :MOST_STEPS])
    yield BoardFigure("instructions a step", count(each), each, "instructions", "simulated")
    if clock is not None:  # one instruction a cycle
        yield _rate("steps a second", clock * 1e6 / each, "assumed")


def _simulated_core(profile: Profile) -> str | None:
    """Name the simulated core of a board's profile, or of one that it extends by name."""
    from snn_deploy.targets.c.boards import BOARDS

    name = profile.name.replace("_", "-")
    return next((core for core in BOARDS if core.startswith(name)), None)


def _instructions(network: Network, core: str, inputs: IntArray) -> float:
    from snn_deploy.targets.c.boards import BOARDS
    from snn_deploy.targets.c.target import CTarget

    with tempfile.TemporaryDirectory(prefix="snn-deploy-") as made:
        CTarget().emit(network, Path(made), "0" * 64, inputs)
        return BOARDS[core].run(Path(made)).instructions / inputs.shape[1]


def _bytes(title: str, size: int, limit: Limit | None, basis: Basis) -> BoardFigure:
    most = None if limit is None else limit.value
    text = kibibytes(size) + ("" if most is None else f" of {kibibytes(most)}")
    return BoardFigure(title, text, size, "bytes", basis)


def _clock(megahertz: float, basis: Basis) -> BoardFigure:
    return BoardFigure("clock", quantity(megahertz * 1e6, "Hz"), megahertz * 1e6, "Hz", basis)


def _rate(title: str, each: float, basis: Basis) -> BoardFigure:
    return BoardFigure(title, count(each), each, "1/s", basis)

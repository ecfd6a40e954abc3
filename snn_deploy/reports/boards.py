"""What a network takes of a board or an FPGA, and how each figure is known.

Memories are worked out before anything is compiled. Instructions are counted on a simulated core,
and cells and clocks are those of a design that was placed and routed, where they are asked for.
"""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from snn_deploy.errors import ConfigError
from snn_deploy.io.deployment_file import deployment_bytes
from snn_deploy.reports.quantities import count, kibibytes, quantity

if TYPE_CHECKING:
    from snn_deploy.deployment import Deployment
    from snn_deploy.engines.result import IntArray
    from snn_deploy.ir.network import Network
    from snn_deploy.mapping.profile import Profile
    from snn_deploy.mapping.schema import Limit

__all__ = ["Basis", "BoardFigure", "board_figures", "is_built_from"]

Basis = Literal["worked out", "simulated", "placed and routed", "specified", "assumed"]
MOST_STEPS = 64  # of one sequence, that are run on a simulated core


@dataclass(frozen=True)
class BoardFigure:
    """One figure: what it is of, as text and as a number of a unit, and how it is known."""

    title: str
    text: str
    value: float
    unit: str
    basis: Basis


def is_built_from(folder: Path, deployment: Deployment) -> bool:
    """Whether Verilog in a folder was exported from a deployment.

    Raises
    ------
    DeploymentError
        If there is none.
    """
    from snn_deploy.targets.verilog.estimate import Estimate

    content = deployment_bytes(deployment.network, deployment.origin)
    return Estimate.read(folder).sha256 == hashlib.sha256(content).hexdigest()


def board_figures(
    deployment: Deployment,
    profile: Profile,
    inputs: IntArray | None = None,
    built: Path | None = None,
) -> tuple[BoardFigure, ...]:
    """Give what a deployment takes of its target, if that is a board or an FPGA; else nothing.

    Parameters
    ----------
    inputs
        Mantissas (B, L, d_input): the first sequence is run on a simulated core. None: none is.
    built
        A folder into which it was exported, and that was placed and routed.

    Raises
    ------
    BackendUnavailableError, BackendError
        If a tool is missing, or failed.
    ConfigError
        If the folder was not placed for this target.
    """
    if profile.board.flash_bytes is not None:
        return tuple(_on_board(deployment.network, profile, inputs))
    if profile.fpga.block_rams is not None:
        return tuple(_on_fpga(deployment, profile, built))
    return ()


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


def _on_fpga(deployment: Deployment, profile: Profile, built: Path | None) -> Iterator[BoardFigure]:
    from snn_deploy.targets.verilog.estimate import estimate, fitting
    from snn_deploy.targets.verilog.parts import PARTS
    from snn_deploy.targets.verilog.resources import Resources
    from snn_deploy.targets.verilog.synthesis import read_placed

    there = Resources.of(profile)
    part = next((p for p in PARTS.values() if p.name.replace("-", "_") == profile.name), None)
    expected = estimate(fitting(deployment.network, there))
    placed = None if part is None or built is None else read_placed(built, part)
    if built is not None and placed is None:
        raise ConfigError(f"{built}: was not placed for {profile.name}; snn-deploy build does it")
    for what, known, most in (
        ("block RAMs", expected.block_rams(there), there.block_rams),
        ("multipliers", expected.multipliers(there), there.multipliers),
        ("luts", None, there.luts),
    ):
        number = known if placed is None else placed.used[what]
        basis: Basis = "worked out" if placed is None else "placed and routed"
        if number is not None:
            yield BoardFigure(what, f"{number:,} of {most:,}", number, what, basis)
    cycles = expected.most_cycles
    yield BoardFigure("most cycles a step", f"{cycles:,}", cycles, "cycles", "worked out")
    if placed is not None:
        yield _clock(placed.megahertz, "placed and routed")
        rate = placed.megahertz * 1e6 / cycles
        yield _rate("steps a second", rate, "placed and routed")


def _bytes(title: str, size: int, limit: Limit | None, basis: Basis) -> BoardFigure:
    most = None if limit is None else limit.value
    text = kibibytes(size) + ("" if most is None else f" of {kibibytes(most)}")
    return BoardFigure(title, text, size, "bytes", basis)


def _clock(megahertz: float, basis: Basis) -> BoardFigure:
    return BoardFigure("clock", quantity(megahertz * 1e6, "Hz"), megahertz * 1e6, "Hz", basis)


def _rate(title: str, each: float, basis: Basis) -> BoardFigure:
    return BoardFigure(title, count(each), each, "1/s", basis)

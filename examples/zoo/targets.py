"""What a network takes of hardware that anyone can own: boards and an FPGA, before it is built."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from snn_deploy import Deployment
from snn_deploy.data.inputs import Data
from snn_deploy.errors import TargetError
from snn_deploy.mapping.profile import load_profile
from snn_deploy.reports.suitability import judge
from snn_deploy.run.simulation import encode
from snn_deploy.targets.c.boards import BOARDS
from snn_deploy.targets.c.target import CTarget
from snn_deploy.targets.verilog.estimate import Estimate
from snn_deploy.targets.verilog.parts import PARTS
from snn_deploy.targets.verilog.target import VerilogTarget

__all__ = ["on_boards", "on_fpga"]

_BOARDS = {"cortex_m4": "cortex-m4", "rv32": "rv32imc"}  # profile -> the core that is simulated
_PART = "ecp5-25k"
_UNNAMED = "0" * 64  # a digest that stands for none


def on_boards(deployment: Deployment, data: Data) -> list[dict[str, Any]]:
    """Give for each board its name, clock and bytes, and the instructions of one test sequence;
    ``None`` where the tools that count them are not installed, ``refused`` where it does not fit.
    """
    return [_on_board(deployment, data, profile, core) for profile, core in _BOARDS.items()]


def _on_board(deployment: Deployment, data: Data, name: str, core: str) -> dict[str, Any]:
    profile, network = load_profile(name), deployment.network
    clock = profile.board.clock_mhz
    assert clock is not None  # boards have one
    facts: dict[str, Any] = {"name": name, "summary": profile.summary, "clock_mhz": clock.value}
    judged = judge(network, profile)
    if judged.grade == "refused":
        return {**facts, "refused": "; ".join(judged.reasons)}
    with tempfile.TemporaryDirectory() as made:
        folder, inputs = Path(made), encode(network, data.inputs[:1])[0]
        CTarget().emit(network, folder, _UNNAMED, inputs)
        sizes, board = CTarget().sizes(network, folder), BOARDS[core]
        if board.missing():
            return {**facts, "sizes": dict(sizes), "instructions": None}
        measured = board.run(folder)
    if not measured.passed:
        raise TargetError(f"{core}: the exported C99 answers otherwise than the network")
    return {**facts, "sizes": dict(sizes), "instructions": measured.instructions}


def on_fpga(deployment: Deployment) -> dict[str, Any]:
    """Give the cycles of a step, least and most, and what it takes of a part; or ``refused``."""
    part = PARTS[_PART]
    facts: dict[str, Any] = {"name": _PART, "device": part.device}
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        try:
            VerilogTarget().emit(deployment.network, folder, _UNNAMED)
        except TargetError as error:
            return {**facts, "refused": str(error)}
        expected, there = Estimate.read(folder), part.resources
    return {
        **facts,
        "least_cycles": expected.least_cycles,
        "most_cycles": expected.most_cycles,
        "block_rams": [expected.block_rams(there), there.block_rams],
        "multipliers": [expected.multipliers(there), there.multipliers],
        "fits": expected.fits(there),
    }

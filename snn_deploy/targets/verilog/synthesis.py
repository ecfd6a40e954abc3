"""Synthesis, placement and routing by open tools, and what they say."""

from __future__ import annotations

import json
import re
import shutil
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from snn_deploy.errors import (
    BackendError,
    BackendUnavailableError,
    DeploymentError,
    TargetError,
)
from snn_deploy.io.reading import read_regular
from snn_deploy.progress import doing
from snn_deploy.targets.verilog.estimate import Estimate
from snn_deploy.targets.verilog.parts import PARTS, Part
from snn_deploy.targets.verilog.simulators import run_tool

__all__ = ["Placed", "find_tool", "place", "read_placed"]

_SECONDS = 7200.0
_MOST_BYTES = 1 << 28  # of the router's report, which lists every path
_CELLS = {
    "luts": ("TRELLIS_COMB", "ICESTORM_LC"),
    "registers": ("TRELLIS_FF",),
    "block RAMs": ("DP16KD", "ICESTORM_RAM"),
    "multipliers": ("MULT18X18D", "ICESTORM_DSP"),
}
_LUTS = {"LUT4": 1, "CCU2C": 2, "TRELLIS_DPR16X4": 4, "SB_LUT4": 1}
"""How many look-up tables a cell of the synthesised design takes, at the least."""


@dataclass(frozen=True)
class Placed:
    """What a design took, and how fast it is.

    Parameters
    ----------
    used
        How many of each kind of cell: ``luts``, ``registers``, ``block RAMs``, ``multipliers``.
    top
        The module: ``snn_serial`` where the core has more ports than the package has pins.
    megahertz
        The highest clock that the router's timing analysis allows.
    """

    used: Mapping[str, int]
    top: str
    megahertz: float


def find_tool(name: str) -> str:
    """Give the path of a tool, or of its build for all machines from PyPI.

    Raises
    ------
    BackendUnavailableError
        If there is none.
    """
    beside = str(Path(sys.executable).parent)
    for called in (name, f"yowasp-{name}"):
        found = shutil.which(called) or shutil.which(called, path=beside)
        if found is not None:
            return found
    raise BackendUnavailableError(
        f"building needs {name}, which is not installed; pip install 'snn-deploy[fpga]', or "
        f"install it from your system's packages"
    )


def place(folder: Path, part: Part) -> Placed:
    """Synthesise, place and route what was exported into a folder, there.

    Raises
    ------
    BackendUnavailableError, BackendError
        If a tool is missing, or failed.
    TargetError
        If the part is too small.
    """
    expected = Estimate.read(folder)
    expected.check(part)
    top = _top(expected, part)
    name, *options = part.route
    yosys, router = find_tool("yosys"), find_tool(name)
    netlist, report = f"{part.name}.json", f"{part.name}-report.json"
    cells = f"{part.name}-cells.json"
    # all of the flow but its last part: that names cells for people, which takes minutes
    flow = f"{part.synthesis} -top {top} -run :check"
    script = f"read_verilog -sv snn.v serial.v; {flow}; clean; blackbox =A:whitebox; "
    script += f"tee -q -o {cells} stat -json; write_json {netlist}"
    _run([yosys, "-q", "-l", f"{part.name}-yosys.log", "-p", script], folder)
    _check_luts(json.loads((folder / cells).read_text()), part)
    call = [router, *options, "--json", netlist, "--report", report, "--freq", "100"]
    call += ["--timing-allow-fail", "--seed", "1"]
    call += ["--textcfg", f"{part.name}.config"] if name.endswith("ecp5") else []
    call += ["--asc", f"{part.name}.asc"] if name.endswith("ice40") else []
    _run([*call, "--log", f"{part.name}-nextpnr.log"], folder)
    return _placed(json.loads((folder / report).read_text()), top)


def read_placed(folder: Path, part: Part) -> Placed | None:
    """Read what :func:`place` was told of a folder and a part; None: it was not placed there.

    Raises
    ------
    DeploymentError
        If the router's report is damaged.
    """
    report, top = folder / f"{part.name}-report.json", _top(Estimate.read(folder), part)
    try:
        return _placed(json.loads(read_regular(report, _MOST_BYTES)), top)
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise DeploymentError(f"{report}: damaged: {error}; build it again") from error


def _top(expected: Estimate, part: Part) -> str:
    """Name the module for a part: the one behind a few pins, where it has few."""
    return "snn" if expected.pins <= part.pins else "snn_serial"


def _check_luts(found: Mapping[str, Any], part: Part) -> None:
    """Refuse what cannot be placed, before the router tries for long."""
    cells = found["design"]["num_cells_by_type"]
    taken = sum(count * cells.get(name, 0) for name, count in _LUTS.items())
    if taken <= part.resources.luts:
        return
    larger = [other.name for other in PARTS.values() if other.resources.luts >= taken]
    cure = f"export it for {larger[0]}" if larger else "use fewer kinds of layer"
    raise TargetError(
        f"it takes {taken:,} look-up tables at the least; {part.name} ({part.device}) has "
        f"{part.resources.luts:,}: {cure}"
    )


def _run(call: list[str], folder: Path) -> None:
    with doing(f"running {Path(call[0]).name}"):
        done = run_tool(call, folder, _SECONDS)
    if done.returncode:
        told = re.sub(r"\s+", " ", done.stderr[-1000:])
        raise BackendError(f"{Path(call[0]).name} ended with {done.returncode}: {told}")


def _placed(report: Mapping[str, Mapping[str, Mapping[str, float]]], top: str) -> Placed:
    cells = report["utilization"]
    used = {
        what: sum(int(cells[name]["used"]) for name in names if name in cells)
        for what, names in _CELLS.items()
    }
    clocks = [clock["achieved"] for clock in report["fmax"].values()]
    return Placed(used, top, min(clocks, default=0.0))

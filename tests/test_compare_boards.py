"""``compare`` on boards and FPGAs: what a network takes of them, and how each figure is known."""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path

import lowered
import pytest
from test_compare import data_for, deployment, rows

from snn_deploy.deployment import Deployment
from snn_deploy.errors import ConfigError, DeploymentError
from snn_deploy.io.deployment_file import deployment_bytes
from snn_deploy.page.comparison_page import ComparisonPage, render_comparison_page
from snn_deploy.reports.compare import compare_deployments
from snn_deploy.reports.compare_table import basis_lines
from snn_deploy.targets.c.boards import BOARDS
from snn_deploy.targets.c.sizes import data_sizes
from snn_deploy.targets.c.source import Source
from snn_deploy.targets.registry import get_target

REPORT = {
    "utilization": {
        "TRELLIS_COMB": {"used": 1234},
        "DP16KD": {"used": 7},
        "MULT18X18D": {"used": 5},
    },
    "fmax": {"clk": {"achieved": 90.0}},
}


@pytest.fixture(scope="module")
def several() -> list[tuple[str, Deployment]]:
    network = lowered.network()
    return [(name, deployment(network, name)) for name in ("cortex_m7", "ecp5_25k", "loihi2")]


@pytest.fixture(scope="module")
def built(several: list[tuple[str, Deployment]], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The FPGA's Verilog, with what a router would have said."""
    folder = tmp_path_factory.mktemp("core")
    made = several[1][1]
    content = deployment_bytes(made.network, made.origin)
    get_target("verilog").emit(made.network, folder, hashlib.sha256(content).hexdigest())
    (folder / "ecp5-25k-report.json").write_text(json.dumps(REPORT))
    return folder


def test_each_figure_says_how_it_is_known(
    several: list[tuple[str, Deployment]], built: Path
) -> None:
    found = compare_deployments(several, data_for(several[0][1].network), built=[built])
    shown = rows(found)
    sizes = data_sizes(Source(several[0][1].network))
    weights = f"{sizes['weights (flash)'] / 1024:.1f} KiB of 2.0 MiB"
    assert shown["weights in flash"] == [weights, "–", "–"]
    assert shown["clock"] == ["480 MHz", "90 MHz", "–"]
    assert shown["block RAMs"] == ["–", "7 of 56", "–"]
    assert shown["luts"] == ["–", "1,234 of 24,288", "–"]
    board, fpga, chip = basis_lines(found)
    assert "weights in flash, RAM: worked out" in board
    assert "clock: specified" in board
    assert "block RAMs, multipliers, luts, clock, steps a second: placed and routed" in fpga
    assert "time, energy: modelled from constants, 12 assumed" in chip
    assert "placed and routed" in render_comparison_page(ComparisonPage(found, "data"))
    figures = {f["title"]: f for f in found.to_json()["deployments"][1]["board"]}
    assert figures["clock"]["value"] == 90e6
    assert figures["most cycles a step"]["basis"] == "worked out"


def test_before_it_was_built(several: list[tuple[str, Deployment]]) -> None:
    found = compare_deployments(several[1:], data_for(several[0][1].network))
    assert "clock" not in rows(found)
    fpga, _ = basis_lines(found)
    assert fpga.endswith("memory, block RAMs, multipliers, most cycles a step: worked out")


@pytest.mark.slow
def test_instructions_on_a_simulated_core(several: list[tuple[str, Deployment]]) -> None:
    missing = BOARDS["cortex-m7"].missing()
    if missing is not None:
        pytest.skip(f"needs {missing}")
    data = data_for(several[0][1].network)
    found = compare_deployments(several[::2], data, on_boards=True)
    figures = {figure.title: figure for figure in found.candidates[0].board}
    counted = figures["instructions a step"]
    assert counted.basis == "simulated"
    assert 100 < counted.value < 100_000
    assert figures["steps a second"].value == pytest.approx(480e6 / counted.value)
    assert figures["steps a second"].basis == "assumed"


def test_what_was_not_built_from_them(
    several: list[tuple[str, Deployment]], built: Path, tmp_path: Path
) -> None:
    data = data_for(several[0][1].network)
    with pytest.raises(ConfigError, match="was exported from none of these deployments"):
        compare_deployments(several[::2], data, built=[built])
    with pytest.raises(DeploymentError, match="cannot be read"):
        compare_deployments(several, data, built=[tmp_path])
    damaged = Path(shutil.copytree(built, tmp_path / "damaged"))
    report = damaged / "ecp5-25k-report.json"
    report.write_text("{}")
    with pytest.raises(DeploymentError, match="damaged: 'utilization'; build it again"):
        compare_deployments(several, data, built=[damaged])
    report.unlink()
    with pytest.raises(ConfigError, match="was not placed for ecp5_25k; snn-deploy build does it"):
        compare_deployments(several, data, built=[damaged])

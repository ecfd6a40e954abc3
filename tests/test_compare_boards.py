"""``compare`` on boards: what a network takes of them, and how each figure is known."""

from __future__ import annotations

import lowered
import pytest
from test_compare import data_for, deployment, rows

from snn_deploy.deployment import Deployment
from snn_deploy.page.comparison_page import ComparisonPage, render_comparison_page
from snn_deploy.reports.compare import compare_deployments
from snn_deploy.reports.compare_table import basis_lines
from snn_deploy.targets.c.boards import BOARDS
from snn_deploy.targets.c.sizes import data_sizes
from snn_deploy.targets.c.source import Source


@pytest.fixture(scope="module")
def several() -> list[tuple[str, Deployment]]:
    network = lowered.network()
    return [(name, deployment(network, name)) for name in ("cortex_m7", "loihi2")]


def test_each_figure_says_how_it_is_known(several: list[tuple[str, Deployment]]) -> None:
    found = compare_deployments(several, data_for(several[0][1].network))
    shown = rows(found)
    sizes = data_sizes(Source(several[0][1].network))
    weights = f"{sizes['weights (flash)'] / 1024:.1f}K of 2.0M"
    assert shown["weights in flash"] == [weights, "–"]
    assert shown["clock"] == ["480 MHz", "–"]
    board, chip = basis_lines(found)
    assert "weights in flash, RAM: worked out" in board
    assert "clock: specified" in board
    assert "time, energy: modelled from constants, 12 assumed" in chip
    assert "weights in flash, RAM: worked out" in render_comparison_page(
        ComparisonPage(found, "data")
    )
    figures = {f["title"]: f for f in found.to_json()["deployments"][0]["board"]}
    assert figures["clock"]["value"] == 480e6
    assert figures["code in flash"]["basis"] == "assumed"


@pytest.mark.slow
def test_instructions_on_a_simulated_core(several: list[tuple[str, Deployment]]) -> None:
    missing = BOARDS["cortex-m7"].missing()
    if missing is not None:
        pytest.skip(f"needs {missing}")
    data = data_for(several[0][1].network)
    found = compare_deployments(several, data, on_boards=True)
    figures = {figure.title: figure for figure in found.candidates[0].board}
    counted = figures["instructions a step"]
    assert counted.basis == "simulated"
    assert 100 < counted.value < 100_000
    assert figures["steps a second"].value == pytest.approx(480e6 / counted.value)
    assert figures["steps a second"].basis == "assumed"

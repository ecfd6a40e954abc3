"""Verilog for real parts: what is estimated, what is refused, and what open tools make of it."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner
from networks import float_inputs, float_network

import snn_deploy
from snn_deploy.cli.main import commands
from snn_deploy.errors import BackendUnavailableError, DeploymentError, TargetError
from snn_deploy.targets.verilog import synthesis
from snn_deploy.targets.verilog.estimate import FILE, Estimate
from snn_deploy.targets.verilog.parts import PARTS
from snn_deploy.targets.verilog.target import VerilogTarget

ECP5 = PARTS["ecp5-25k"]


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("exported")
    network = float_network(width=20, modes=2, layers=1)
    deployed = snn_deploy.convert(network, target="loihi2", calibration=float_inputs(network))
    VerilogTarget().emit(deployed.network, folder, "0" * 64)
    return folder


def test_blocks_and_products() -> None:
    assert [ECP5.blocks(*size) for size in ((36, 512), (36, 513), (8, 2048), (19, 1024))] == [
        1,
        2,
        1,
        2,
    ]
    assert ECP5.products([(18, 18), (19, 18), (16, 2)]) == 4
    assert PARTS["ice40-up5k"].products([(18, 16), (16, 16)]) == 3


def test_an_estimate_is_read_back(exported: Path) -> None:
    found = Estimate.read(exported)
    assert found.text == (exported / FILE).read_text()
    assert found.least_cycles < found.most_cycles
    assert found.fits(ECP5)
    assert len(found.products) <= found.multipliers(PARTS["ice40-up5k"])


def test_a_part_that_is_too_small(exported: Path) -> None:
    found = Estimate.read(exported)
    wide = replace(found, memories=((36, 512 * 100),))
    told = r"takes 100 block RAMs, \d+ multipliers; ecp5-25k \(LFE5U-25F-6\) has 56 and 28: use ecp"
    with pytest.raises(TargetError, match=told):
        wide.check(ECP5)
    with pytest.raises(TargetError, match="use fewer or narrower layers"):
        replace(found, memories=((36, 512 * 1000),)).check(ECP5)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("{", "damaged"),
        ("[" * 100_000, "damaged"),
        ("{}", "'sha256' is missing"),
        ('{"sha256": "../x"}', "damaged"),
    ],
)
def test_a_damaged_estimate(text: str, told: str, tmp_path: Path) -> None:
    (tmp_path / FILE).write_text(text)
    with pytest.raises(DeploymentError, match=told):
        Estimate.read(tmp_path)


def test_a_negative_size(exported: Path, tmp_path: Path) -> None:
    found = json.loads((exported / FILE).read_text())
    (tmp_path / FILE).write_text(json.dumps({**found, "memories": [[-1, 5]]}))
    with pytest.raises(DeploymentError, match="damaged"):
        Estimate.read(tmp_path)


def test_no_export(tmp_path: Path) -> None:
    with pytest.raises(DeploymentError, match="export the deployment with --format verilog first"):
        Estimate.read(tmp_path)


def test_without_tools(exported: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr("sys.executable", str(tmp_path / "python"))
    with pytest.raises(BackendUnavailableError, match=r"needs yosys.*snn-deploy\[fpga\]") as found:
        synthesis.place(exported, ECP5)
    assert found.value.exit_code == 3


@pytest.mark.slow
def test_placed_and_routed(exported: Path) -> None:
    """A small network on a real part takes what was estimated."""
    try:
        synthesis.find_tool("yosys")
        synthesis.find_tool("nextpnr-ecp5")
    except BackendUnavailableError as error:
        pytest.skip(str(error))
    words = ["build", str(exported), "--part", "ecp5-25k"]
    done = CliRunner().invoke(commands, words, standalone_mode=False)
    assert done.exception is None, done.exception
    lines = done.output.splitlines()
    expected = Estimate.read(exported)
    for what, count in (
        ("block RAMs", expected.block_rams(ECP5)),
        ("multipliers", expected.multipliers(ECP5)),
    ):
        (line,) = (line for line in lines if what in line)
        assert int(line.split()[0]) == count, line
    assert any("MHz" in line for line in lines)

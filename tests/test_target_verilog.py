"""Verilog: the same integers as the reference engine, in both simulators; text that is safe."""

from __future__ import annotations

import dataclasses
import hashlib
import subprocess
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from lava_networks import loops
from networks import MAKERS, around, extreme_inputs, float_inputs, float_network
from random_networks import Limits, random_network, random_run
from verilog_runs import assert_same, needs_icarus

import snn_deploy
from snn_deploy.cli.main import commands
from snn_deploy.engines.result import Run
from snn_deploy.engines.session import run_whole
from snn_deploy.errors import BackendUnavailableError, TargetError
from snn_deploy.ir.node import Node
from snn_deploy.targets.engine import VerilogEngine
from snn_deploy.targets.verilog.target import VerilogTarget

CAUSAL = Limits(causal=True)


@needs_icarus
@pytest.mark.slow
@pytest.mark.parametrize("kind", MAKERS, ids=lambda kind: kind.__name__)
def test_a_node_of_each_kind(kind: type[Node], tmp_path: Path) -> None:
    rng = np.random.default_rng(5)
    network = around(kind, rng)
    inputs = extreme_inputs(network, rng, batch=2, steps=9)
    run = Run(inputs, rng.integers(1, inputs.shape[1] + 1, len(inputs)), network.names)
    in_two_directions = not kind.lowered and hasattr(kind, "run")
    if in_two_directions or any(node.runs_backwards for node in network):
        refused = "runs from|has no step of its own"
    elif not network.placed("chip")[1:] and network.output in network.placed("host"):
        refused = "is computed by the host alone"
    elif any(value.operation == "convolution" for node in network for value in node.program):
        refused = "the operation 'convolution'"
    else:
        assert_same(network, run, tmp_path)
        return
    with pytest.raises(TargetError, match=f"({refused}).*Verilog is not written for yet; use"):
        VerilogTarget().emit(network, tmp_path, "0" * 64)
    assert not list(tmp_path.iterdir())


@needs_icarus
def test_recurrent_layers(tmp_path: Path) -> None:
    """A LIF that hears its own spikes through synapses, echoes, and the past of others."""
    rng = np.random.default_rng(1)
    network = loops()
    inputs = extreme_inputs(network, rng, steps=12)
    assert_same(network, Run(inputs, np.full(len(inputs), 12), network.names), tmp_path)


@needs_icarus
@pytest.mark.slow
@pytest.mark.parametrize("seed", [2, 5, 7, 8, 31, 36, 38, 39, 51, 56])
def test_a_random_network(seed: int, tmp_path: Path) -> None:
    network = random_network(seed, replace(CAUSAL, host=seed % 3 == 0))
    assert_same(network, random_run(network, seed, batch=2, steps=9), tmp_path)


@pytest.fixture(scope="module")
def small() -> snn_deploy.Deployment:
    network = float_network(d_in=2)
    return snn_deploy.convert(network, target="loihi2", calibration=float_inputs(network))


@needs_icarus
def test_the_bench(small: snn_deploy.Deployment, tmp_path: Path) -> None:
    """It holds back words at random."""
    VerilogTarget().emit(small.network, tmp_path, "0" * 64)
    assert "PASSED" in _bench(tmp_path)
    wrong = (tmp_path / "outputs.hex").read_text().splitlines()
    wrong[0] = f"{int(wrong[0], 16) ^ 1:0{len(wrong[0])}x}"
    (tmp_path / "outputs.hex").write_text("\n".join(wrong) + "\n")
    told = _bench(tmp_path)
    assert "FAILED" in told
    assert "1 differing" in told


@needs_icarus
@pytest.mark.slow
def test_verify(small: snn_deploy.Deployment, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("snn_deploy.targets.verilog.simulators.SIMULATORS", ("iverilog",))
    inputs = float_inputs(float_network(d_in=2), batch=2, steps=7)
    (compared,) = small.verify(inputs, backends=("native", "verilog")).engines
    assert compared.passed, str(compared)


_LIGHTS = """\
module lights;
reg clk = 0;
always #5 clk = ~clk;
wire passed, failed;
snn_selftest dut (clk, passed, failed);
always @(posedge clk) if (passed || failed) begin
    $display("%s", passed ? "PASSED" : "FAILED");
    $finish;
end
endmodule
"""


@needs_icarus
def test_the_lights_of_a_board(small: snn_deploy.Deployment, tmp_path: Path) -> None:
    VerilogTarget().emit(small.network, tmp_path, "0" * 64)
    (tmp_path / "lights.v").write_text(_LIGHTS)
    assert _bench(tmp_path, "lights", "selftest.v").split() == ["PASSED"]
    wrong = (tmp_path / "outputs.hex").read_text().splitlines()
    wrong[-1] = f"{int(wrong[-1], 16) ^ 1:0{len(wrong[-1])}x}"
    (tmp_path / "outputs.hex").write_text("\n".join(wrong) + "\n")
    assert _bench(tmp_path, "lights", "selftest.v").split() == ["FAILED"]


def _bench(folder: Path, top: str = "tb", *more: str) -> str:
    files = [f"{top}.v", "snn.v", *more]
    call = ["iverilog", "-g2005", "-s", top, "-o", "tb.vvp", *files]
    subprocess.run(call, cwd=folder, check=True)
    call = ["vvp", "-n", "tb.vvp"]
    return subprocess.run(call, cwd=folder, check=True, capture_output=True, text=True).stdout


def test_an_export(small: snn_deploy.Deployment, tmp_path: Path) -> None:
    file, folders = tmp_path / "d.safetensors", (tmp_path / "a", tmp_path / "b" / "c")
    small.save(file)
    for folder in folders:
        words = ["export", str(file), "--format", "verilog", "-o", str(folder)]
        done = CliRunner().invoke(commands, words, standalone_mode=False)
        assert done.exception is None
        assert f"wrote {folder / 'snn.v'}" in done.output
    first, second = ({p.name: p.read_bytes() for p in f.iterdir()} for f in folders)
    assert first == second
    assert hashlib.sha256(file.read_bytes()).hexdigest() in first["snn.v"].decode()
    assert all(content.endswith(b"\n") for content in first.values())


def test_hostile_names_stay_in_their_comments(small: snn_deploy.Deployment, tmp_path: Path) -> None:
    hostile = '*/ `include "/etc/passwd"\n$finish; evil \\'
    names = {name: f"{hostile}{name}" for name in small.network.names}
    nodes = tuple(
        dataclasses.replace(
            node,
            name=names[node.name],
            inputs=tuple(dataclasses.replace(e, source=names[e.source]) for e in node.inputs),
        )
        for node in small.network
    )
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    VerilogTarget().emit(dataclasses.replace(small.network, nodes=nodes), tmp_path / "a", "0" * 64)
    VerilogTarget().emit(small.network, tmp_path / "b", "0" * 64)
    texts = [(tmp_path / folder / "snn.v").read_text() for folder in "ab"]
    assert "evil" in texts[0]
    bare = [[line.split("//")[0] for line in text.splitlines()] for text in texts]
    assert bare[0] == bare[1]
    assert not set(texts[0]) & {"\\"}
    assert {p.name for p in (tmp_path / "a").iterdir()} == {
        p.name for p in (tmp_path / "b").iterdir()
    }


def test_without_a_simulator(
    small: snn_deploy.Deployment, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    inputs = np.zeros((1, 2, 2), np.int64)
    run = Run(inputs, np.array([2]), small.network.names)
    with pytest.raises(BackendUnavailableError, match="no verilator, no iverilog; install one"):
        run_whole(VerilogEngine(), small.network, run)

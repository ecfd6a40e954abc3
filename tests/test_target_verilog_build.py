"""Verilog for real parts: what is estimated, what is refused, and what open tools make of it."""

from __future__ import annotations

import json
import subprocess
from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from networks import extreme_inputs, float_inputs, float_network
from verilog_runs import assert_same, needs_icarus

import snn_deploy
from snn_deploy.cli.main import commands
from snn_deploy.engines.result import Run
from snn_deploy.errors import BackendUnavailableError, DeploymentError, TargetError
from snn_deploy.ir.network import Network
from snn_deploy.mapping.check import find_violations
from snn_deploy.mapping.profile import load_profile
from snn_deploy.targets.vectors import STEPS
from snn_deploy.targets.verilog import synthesis
from snn_deploy.targets.verilog.design import Design
from snn_deploy.targets.verilog.estimate import FILE, Estimate, estimate, fitting
from snn_deploy.targets.verilog.parts import PARTS, Part
from snn_deploy.targets.verilog.resources import Resources
from snn_deploy.targets.verilog.target import VerilogTarget

ECP5, ICE40 = (PARTS[name].resources for name in ("ecp5-25k", "ice40-up5k"))

_BIT_BY_BIT = """\
`timescale 1ns / 1ps
module bits;
reg clk = 0;
always #5 clk = ~clk;
reg rst = 1, in_bit = 0, in_shift = 0, in_valid = 0, in_first = 0, in_last = 0;
reg out_ready = 0, out_shift = 0, last;
wire in_ready, out_valid, out_bit, out_last;
reg [{inputs} - 1:0] words [0:{words} - 1];
reg [{outputs} - 1:0] wanted [0:{answers} - 1], word;
integer n, k, place = 0, differing = 0;
snn_serial dut (clk, rst, in_bit, in_shift, in_valid, in_ready, in_first, in_last, out_valid,
    out_ready, out_shift, out_bit, out_last);
initial begin
    $readmemh("inputs.hex", words);
    $readmemh("outputs.hex", wanted);
    repeat (4) @(negedge clk);
    rst = 0;
    for (n = 0; n < {words}; n = n + 1) begin
        in_shift = 1;
        for (k = {inputs} - 1; k >= 0; k = k - 1) begin
            in_bit = words[n][k];
            @(negedge clk);
        end
        in_shift = 0;
        in_valid = 1;
        in_first = n % {sequence} < {width};
        in_last = n % {sequence} >= {sequence} - {width};
        while (!in_ready) @(negedge clk);
        @(negedge clk);
        in_valid = 0;
        last = n % {sequence} != {sequence} - 1;
        while (!last) begin
            while (!out_valid) @(negedge clk);
            @(negedge clk);
            out_shift = 1;
            for (k = 0; k < {outputs}; k = k + 1) begin
                word = {{word, out_bit}};
                @(negedge clk);
            end
            out_shift = 0;
            if (word !== wanted[place]) differing = differing + 1;
            place = place + 1;
            last = out_last;
            out_ready = 1;
            @(negedge clk);
            out_ready = 0;
        end
    end
    $display("%0d answers, %0d differing", place, differing);
    $finish;
end
endmodule
"""


@pytest.fixture(scope="module")
def network() -> Network:
    network = float_network(width=20, modes=2, layers=1)
    return snn_deploy.convert(network, target="loihi2", calibration=float_inputs(network)).network


@pytest.fixture(scope="module")
def exported(network: Network, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("exported")
    VerilogTarget().emit(network, folder, "0" * 64)
    return folder


def test_a_profile_judges_before_synthesis(network: Network) -> None:
    """Exactly what the design takes is enough."""
    ample = load_profile("ecp5_25k")
    assert find_violations(network, ample) == ()
    for key, told in (("block_rams", "block RAMs"), ("multipliers", "multipliers")):
        none = ample.with_overrides({f"fpga.{key}": 0})
        (broken,) = find_violations(network, none)  # of the narrowest core
        there = Resources.of(none)
        needed = getattr(estimate(fitting(network, there)), key)(there)
        assert broken.rule == f"fpga.{key}"
        assert f"{needed} {told}; the part has 0, {needed} fewer" in broken.problem
        assert find_violations(network, ample.with_overrides({f"fpga.{key}": needed})) == ()


def test_what_verilog_cannot_express_is_no_target() -> None:
    two_ways = float_network(reverse=True)
    data = float_inputs(two_ways)
    with pytest.raises(TargetError, match=r"(?s)ecp5_85k.*runs from a sequence's end"):
        snn_deploy.convert(two_ways, target="ecp5_85k", calibration=data)


def test_a_core_for_a_part(network: Network, exported: Path, tmp_path: Path) -> None:
    """Where logic has no memory, all of it is block RAM, and products are cut for 16 bits."""
    VerilogTarget("ice40-up5k").emit(network, tmp_path, "0" * 64)
    found, usual = Estimate.read(tmp_path), Estimate.read(exported)
    assert (found.part, usual.part) == ("ice40-up5k", "ecp5-25k")
    assert 'style = "distributed"' in (exported / "snn.v").read_text()
    assert 'style = "distributed"' not in (tmp_path / "snn.v").read_text()
    assert all(bits <= 16 for pair in found.products for bits in pair)
    assert max(bits for pair in usual.products for bits in pair) > 16
    told = "exported for ecp5-25k, which has memory in its logic.*with --part ice40-up5k"
    with pytest.raises(TargetError, match=told):
        usual.check(PARTS["ice40-up5k"])


@needs_icarus
def test_a_core_for_a_small_part_is_the_same_network(network: Network, tmp_path: Path) -> None:
    rng = np.random.default_rng(3)
    run = Run(extreme_inputs(network, rng, batch=2, steps=4), np.full(2, 4), network.names)
    assert_same(network, run, tmp_path, target=VerilogTarget("ice40-up5k"))


@needs_icarus
def test_cycles_are_known_before(network: Network, tmp_path: Path) -> None:
    """A step's cycles by the events that there are; those of the answers come on top."""
    rng = np.random.default_rng(4)
    inputs = extreme_inputs(network, rng, batch=2, steps=6)
    target = VerilogTarget("ice40-up5k")  # a target at a time, so that each event counts
    target.emit(network, tmp_path, "0" * 64, inputs)
    program = target.build(network, tmp_path, "iverilog")
    program.run(Run(inputs, np.full(2, 6)))
    expected = Estimate.read(tmp_path)
    assert expected.least_cycles < expected.usual_cycles < expected.most_cycles
    entering = network.input.width  # the cycles in which the core waits for words
    left = program.cycles - 12 * (expected.usual_cycles - entering)
    assert 0 <= left <= 2 * expected.closing_cycles + 12


@needs_icarus
def test_words_bit_by_bit(network: Network, exported: Path, tmp_path: Path) -> None:
    """Behind a few pins the core answers the same."""
    VerilogTarget().emit(network, tmp_path, "0" * 64)
    inputs, answers = ((tmp_path / f"{n}.hex").read_text().split() for n in ("inputs", "outputs"))
    bits = Design(network, ECP5).port_bits
    text = _BIT_BY_BIT.format(
        inputs=bits[0],
        outputs=bits[1],
        words=len(inputs),
        answers=len(answers),
        sequence=STEPS * network.input.width,
        width=network.input.width,
    )
    (tmp_path / "bits.v").write_text(text)
    call = ["iverilog", "-g2005", "-s", "bits", "-o", "bits.vvp", "bits.v", "serial.v", "snn.v"]
    subprocess.run(call, cwd=tmp_path, check=True)
    done = subprocess.run(
        ["vvp", "-n", "bits.vvp"], cwd=tmp_path, check=True, capture_output=True, text=True
    )
    assert done.stdout.split("\n")[0] == f"{len(answers)} answers, 0 differing"


def test_export_for_a_part(network: Network, tmp_path: Path) -> None:
    deployed = float_network(width=3, modes=1, layers=1)
    file = tmp_path / "d.safetensors"
    snn_deploy.convert(deployed, target="loihi2", calibration=float_inputs(deployed)).save(file)
    words = ["export", str(file), "--part", "ice40-up5k", "-o", str(tmp_path / "out"), "--format"]
    done = CliRunner().invoke(commands, [*words, "verilog"], standalone_mode=False)
    assert done.exception is None
    assert Estimate.read(tmp_path / "out").part == "ice40-up5k"
    refused = CliRunner().invoke(commands, [*words, "c"], standalone_mode=False)
    assert "--part: format c is for no FPGA" in str(refused.exception)


def test_blocks_and_products() -> None:
    assert [ECP5.blocks(*size) for size in ((36, 512), (36, 513), (8, 2048), (19, 1024))] == [
        1,
        2,
        1,
        2,
    ]
    assert ECP5.products([(18, 18), (19, 18), (16, 2)]) == 4
    assert ICE40.products([(18, 16), (16, 16)]) == 3
    sizes = ((16, 256), (17, 256), (2, 2048), (2, 2049))
    assert [ICE40.blocks(*size) for size in sizes] == [1, 2, 1, 2]


def test_what_is_made_of_block_ram() -> None:
    """An iCE40's logic has no memory; tables of a few constants are logic everywhere."""
    assert [ECP5.is_block(words, constant=False) for words in (128, 129)] == [False, True]
    assert [ICE40.is_block(words, constant=False) for words in (0, 1)] == [False, True]
    assert [ICE40.is_block(words, constant=True) for words in (16, 17)] == [False, True]


@pytest.mark.parametrize("part", PARTS.values(), ids=list(PARTS))
def test_parts_say_where_their_numbers_are_from(part: Part) -> None:
    profile = load_profile(part.name.replace("-", "_"))
    told = {key for key, _ in profile.constants() if key.startswith("fpga.")}
    assert told == {f"fpga.{field.name}" for field in fields(Resources)}
    assert profile.cores is None


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"fpga.luts": 5}, "without fpga.block_rams, .*: give all"),
        ({f"fpga.{field.name}": 1 for field in fields(Resources)}, "two bits at least"),
    ],
)
def test_numbers_that_are_no_fpga(changed: dict[str, int], told: str) -> None:
    with pytest.raises(TargetError, match=told):
        Resources.of(load_profile("cpu").with_overrides(changed))


def test_an_estimate_is_read_back(exported: Path) -> None:
    found = Estimate.read(exported)
    assert found.text == (exported / FILE).read_text()
    assert found.least_cycles < found.most_cycles
    assert found.fits(ECP5)
    assert len(found.products) <= found.multipliers(ICE40)


def test_a_part_that_is_too_small(exported: Path) -> None:
    found = Estimate.read(exported)
    wide = replace(found, memories=((36, 512 * 100),))
    told = r"takes 100 block RAMs, \d+ multipliers; ecp5-25k \(LFE5U-25F-6\) has 56 and 28: use ecp"
    with pytest.raises(TargetError, match=told):
        wide.check(PARTS["ecp5-25k"])
    with pytest.raises(TargetError, match="use fewer or narrower layers"):
        replace(found, memories=((36, 512 * 1000),)).check(PARTS["ecp5-25k"])


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
        synthesis.place(exported, PARTS["ecp5-25k"])
    assert found.value.exit_code == 3


def test_too_many_tables_are_refused_before_placing(
    exported: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(synthesis, "find_tool", lambda name: name)

    def run(call: list[str], folder: Path) -> None:
        assert call[0] == "yosys"
        cells = {"LUT4": 20_000, "CCU2C": 2000, "TRELLIS_DPR16X4": 73, "DP16KD": 5}
        found = {"design": {"num_cells_by_type": cells}}
        (folder / "ecp5-25k-cells.json").write_text(json.dumps(found))

    monkeypatch.setattr(synthesis, "_run", run)
    told = r"takes 24,292 look-up tables at the least.*has 24,288: export it for ecp5-85k"
    with pytest.raises(TargetError, match=told):
        synthesis.place(exported, PARTS["ecp5-25k"])


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

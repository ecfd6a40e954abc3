"""``snn-deploy check``: exact, approximate or refused, on every target, and boards of C99."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from networks import float_network

import snn_deploy
import snn_deploy.errors
import snn_deploy.targets.registry
from snn_deploy.cli.main import main
from snn_deploy.errors import TargetError
from snn_deploy.io.deployment_file import read_deployment
from snn_deploy.mapping.check import find_violations
from snn_deploy.mapping.profile import list_profiles, load_profile
from snn_deploy.targets.c.sizes import CODE_BYTES, data_sizes, memory_sizes
from snn_deploy.targets.c.source import Source

EXAMPLE = Path(__file__).parents[1] / "examples" / "seqdigits_uni"
CHECKPOINT, TRAIN = str(EXAMPLE / "seqdigits_uni.ckpt"), str(EXAMPLE / "train.npz")
BOARDS = ("cortex_m0plus", "cortex_m4", "cortex_m7", "rv32")


@pytest.fixture(scope="module")
def deployed(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("check") / "digits.safetensors"
    snn_deploy.convert(CHECKPOINT, calibration=TRAIN).save(path)
    return str(path)


def code_of(*words: str) -> Any:
    with pytest.raises(SystemExit) as left:
        main(["check", *words])
    return left.value.code


def test_a_checkpoint_is_judged_on_every_target(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    written = tmp_path / "check.json"
    assert code_of(CHECKPOINT, "--calibration", TRAIN, "--json", str(written)) == 0
    found = {one["target"]: one for one in json.loads(written.read_text())}
    assert sorted(found) == sorted(list_profiles())
    assert found["loihi2"]["grade"] == "approximate"
    assert found["loihi2"]["cores"] == 1
    assert any("Glu: the sigmoid is a table" in line for line in found["loihi2"]["changes"])
    assert any("measured on 256 sequences" in line for line in found["loihi2"]["changes"])
    assert found["loihi1"]["grade"] == "refused"
    assert (
        "'layers.0.ssm', 'layers.1.ssm', 'encoder' and 6 more (Dendrite, "
        in found["loihi1"]["reasons"][0]
    )
    out = capsys.readouterr().out
    assert "refused, loihi1, loihi1_fitted: supports.programmable_neurons" in out
    assert out.count("the sigmoid is a table") == 1


def test_a_deployment_is_exact_or_refused(deployed: str) -> None:
    found = {one.target: one for one in snn_deploy.check(deployed)}
    assert {one.grade for one in found.values()} == {"exact", "refused"}
    assert found["loihi2"].changes == ()
    assert snn_deploy.check(snn_deploy.load(deployed), ["loihi2"])[0] == found["loihi2"]


def test_what_was_not_measured_is_said() -> None:
    with pytest.warns(snn_deploy.errors.SnnDeployWarning, match="no calibration data"):
        (found,) = snn_deploy.check(CHECKPOINT, ["loihi2"])
    assert "by how much was not measured" in found.changes[-1]


def test_the_exit_code_is_that_of_the_targets_named(deployed: str) -> None:
    assert code_of(deployed, "--target", "loihi2", "--target", "cpu") == 0
    assert code_of(deployed, "--target", "loihi2", "--target", "loihi1") == 1
    assert code_of(deployed, "--target", "loihi2", "--set", "limits.cores_per_chip=0") == 1
    assert code_of(deployed, "--target", "loihi3") == 2
    assert code_of("no.ckpt") == 2


def test_a_board_is_judged_by_memory_before_compiling(deployed: str) -> None:
    network, _ = read_deployment(deployed)
    sizes = data_sizes(Source(network))
    flash = sizes["weights (flash)"] + CODE_BYTES * len(network)
    ram = sizes["state (RAM)"] + sizes["work (RAM)"]
    fits = {"board.flash_bytes": flash, "board.ram_bytes": ram}
    board = load_profile("cortex_m4")
    assert find_violations(network, board.with_overrides(fits)) == ()
    for rule, size in fits.items():
        (broken,) = find_violations(network, board.with_overrides({rule: size - 1}))
        assert broken.rule == rule
        assert f"the board has {size - 1:,}, 1 fewer" in broken.problem
    (found,) = snn_deploy.check(deployed, ["cortex_m4"], settings={"board.ram_bytes": 1024})
    assert found.grade == "refused"
    assert "of state and work; the board has 1,024" in found.reasons[0]


def test_the_code_that_is_assumed_is_more_than_a_compiler_makes(
    deployed: str, tmp_path: Path
) -> None:
    network, _ = read_deployment(deployed)
    snn_deploy.targets.registry.get_target("c").emit(network, tmp_path, "0" * 64)
    made = memory_sizes(Source(network), tmp_path).get("code for a Cortex-M4 (flash)")
    if made is None:
        pytest.skip("needs arm-none-eabi-gcc")
    assert 0 < made < CODE_BYTES * len(network)


def test_conversion_for_a_board_obeys_it() -> None:
    data = np.random.default_rng(0).uniform(-1, 1, (4, 16, 1)).astype(np.float32)
    assert snn_deploy.convert(
        float_network(), target="cortex_m0plus", calibration=data
    ).profile.board
    two_ways = float_network(reverse=True)
    assert snn_deploy.convert(two_ways, target="cortex_m4", calibration=data).profile.board
    every_step = two_ways.answering(steps="all")
    told = r"(?s)cortex_m4.*is the answer at every step, and others wait for a sequence's end"
    with pytest.raises(TargetError, match=told):
        snn_deploy.convert(every_step, target="cortex_m4", calibration=data)


@pytest.mark.parametrize("name", BOARDS)
def test_boards_say_where_their_numbers_are_from(name: str) -> None:
    board = load_profile(name)
    told = dict(board.constants())
    for key in ("board.flash_bytes", "board.ram_bytes", "board.clock_mhz"):
        assert told[key].source == "board"
    assert board.cores is None

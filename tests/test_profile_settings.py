"""Profiles of the user's own, and numbers that are set: a deployment keeps them."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import snn_deploy
from snn_deploy.errors import ConfigError, DeploymentError, TargetError
from snn_deploy.io.deployment_file import write_deployment
from snn_deploy.mapping.profile import list_profiles, load_profile, parse_profile, split_settings


@pytest.fixture(scope="module")
def example(root: Path) -> Path:
    return root / "examples" / "seqdigits_uni"


@pytest.fixture(scope="module")
def checkpoint(example: Path) -> Path:
    return example / "seqdigits_uni.ckpt"


@pytest.fixture(scope="module")
def inputs(example: Path) -> np.ndarray:
    return np.load(example / "test.npz")["inputs"][:4]


def convert(checkpoint: Path, inputs: np.ndarray, **settings: object) -> snn_deploy.Deployment:
    return snn_deploy.convert(checkpoint, calibration=inputs, settings=settings)


def test_settings_are_parted() -> None:
    settings = {"weight_bits": 4, "limits.chips": 2, "nodes": {}}
    assert split_settings(settings) == ({"limits.chips": 2}, {"weight_bits": 4, "nodes": {}})


def test_a_deployment_keeps_what_was_set(
    checkpoint: Path, inputs: np.ndarray, tmp_path: Path
) -> None:
    made = convert(checkpoint, inputs, **{"limits.cores_per_chip": "7", "weight_bits": 6})
    made.save(tmp_path / "made.safetensors")
    again = snn_deploy.load(tmp_path / "made.safetensors")
    assert again.profile == made.profile
    assert again.profile.cores == 7
    report = again.report(inputs)
    assert report.placement is not None
    assert len(report.placement.cores) <= 7
    assert "Set by the user: limits.cores_per_chip." in report.notes


def test_a_limit_that_was_set_is_obeyed(checkpoint: Path, inputs: np.ndarray) -> None:
    with pytest.raises(TargetError, match=r"a weight of 8 bits, the target has 4"):
        convert(checkpoint, inputs, **{"limits.weight_bits": 4})


def test_unknown_settings_are_refused(checkpoint: Path, inputs: np.ndarray) -> None:
    with pytest.raises(TargetError, match=r"unknown profile setting 'limits.wings'"):
        convert(checkpoint, inputs, **{"limits.wings": 4})
    with pytest.raises(ConfigError, match=r"unknown setting 'wings.chips'"):
        convert(checkpoint, inputs, **{"wings.chips": 4})


def test_a_report_may_try_another_number(checkpoint: Path, inputs: np.ndarray) -> None:
    made = convert(checkpoint, inputs)
    usual = made.report(inputs)
    dear = made.with_profile_settings({"energy.neuron_update_pj": 665.0}).report(inputs)
    assert dear.dynamic_j.typical > 5 * usual.dynamic_j.typical
    with pytest.raises(TargetError, match="unknown profile setting"):
        made.with_profile_settings({"energy.neuron_update": 665.0})


def test_every_message_of_a_real_network_is_counted(checkpoint: Path, inputs: np.ndarray) -> None:
    report = convert(checkpoint, inputs).report(inputs)
    assert report.activity.bounded == ()
    assert report.timing is not None
    assert report.timing.sampled_steps == inputs.shape[0] * inputs.shape[1]


MINE = """extends = "loihi2"
name = "mine"
version = "0.1.0"
[sources]
me = "my lab"
[limits]
chips = { value = 2, known = "measured", source = "me" }
"""


@pytest.fixture
def mine(checkpoint: Path, inputs: np.ndarray, tmp_path: Path) -> snn_deploy.Deployment:
    """A deployment for a profile of the user's own, whose file is gone."""
    file = tmp_path / "chip.toml"
    file.write_text(MINE)
    settings = {"energy.ac_pj": 20}
    made = snn_deploy.convert(checkpoint, target=str(file), calibration=inputs, settings=settings)
    file.unlink()
    return made


def test_a_deployment_holds_the_user_s_own_profile(
    mine: snn_deploy.Deployment, checkpoint: Path, inputs: np.ndarray, tmp_path: Path
) -> None:
    assert (mine.origin.profile, mine.origin.profile_version) == ("mine", "0.1.0")
    mine.save(tmp_path / "made.safetensors")
    again = snn_deploy.load(tmp_path / "made.safetensors")
    assert again.origin == mine.origin
    assert again.profile == mine.profile
    assert (again.profile.name, again.profile.cores) == ("mine", 256)
    assert again.profile.overrides == ("energy.ac_pj",)
    assert again.report(inputs).to_json() == mine.report(inputs).to_json()
    assert str(tmp_path).encode() not in (tmp_path / "made.safetensors").read_bytes()


def test_where_a_profile_s_file_was_makes_no_difference(
    mine: snn_deploy.Deployment, checkpoint: Path, inputs: np.ndarray, tmp_path: Path
) -> None:
    (tmp_path / "elsewhere").mkdir()
    file = tmp_path / "elsewhere" / "other.toml"
    file.write_text(MINE)
    settings = {"energy.ac_pj": 20}
    other = snn_deploy.convert(checkpoint, target=str(file), calibration=inputs, settings=settings)
    for name, made in (("one", mine), ("other", other)):
        made.save(tmp_path / name)
    assert (tmp_path / "one").read_bytes() == (tmp_path / "other").read_bytes()


@pytest.mark.parametrize("name", list_profiles())
def test_a_profile_survives_storage(name: str) -> None:
    profile = load_profile(name)
    assert parse_profile(json.loads(json.dumps(profile.to_dict())), name) == profile


def test_only_the_user_s_own_profile_is_stored(checkpoint: Path, inputs: np.ndarray) -> None:
    assert convert(checkpoint, inputs).origin.profile_data == {}


def test_a_stored_profile_is_checked(mine: snn_deploy.Deployment, tmp_path: Path) -> None:
    wrong = replace(mine.origin, profile_data={**mine.origin.profile_data, "wings": 2})
    write_deployment(tmp_path / "wrong", mine.network, wrong)
    told = "made for a profile that cannot be loaded: profile 'mine': unknown key 'wings'"
    with pytest.raises(DeploymentError, match=told):
        snn_deploy.load(tmp_path / "wrong")

"""Numbers of a profile that the user sets: kept by the deployment, told by the report."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import snn_deploy
from snn_deploy.errors import ConfigError, TargetError
from snn_deploy.mapping.profile import split_settings


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

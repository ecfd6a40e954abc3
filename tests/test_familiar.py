"""Data that is not like that of calibration is told, though nothing of it clips."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import snn_deploy
from snn_deploy import examples
from snn_deploy.cli.main import main
from snn_deploy.deployment import Deployment
from snn_deploy.errors import SnnDeployWarning

EXAMPLE = Path(examples.__file__).parent / "seqdigits_uni"
CHECKPOINT = EXAMPLE / "seqdigits_uni.ckpt"


@pytest.fixture(scope="module")
def deployment() -> Deployment:
    return snn_deploy.convert(CHECKPOINT, calibration=EXAMPLE / "train.npz")


@pytest.fixture(scope="module")
def inputs() -> Any:
    with np.load(EXAMPLE / "test.npz") as data:
        return data["inputs"][:16]


def test_the_facts_are_kept(deployment: Deployment, tmp_path: Path) -> None:
    with np.load(EXAMPLE / "train.npz") as data:
        seen = data["inputs"][:256]
    deployment.save(tmp_path / "d")
    kept = snn_deploy.load(tmp_path / "d").origin.calibration
    assert (kept["minimum"], kept["maximum"]) == (seen.min(), seen.max())
    assert kept["mean"] == seen.mean(dtype=np.float64)
    assert kept["steps"] == seen.shape[1]


def test_data_as_in_training_says_nothing(deployment: Deployment, inputs: Any) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error", SnnDeployWarning)
        deployment.simulate(inputs)
        deployment.simulate(inputs[:1, :20])


@pytest.mark.parametrize(
    "change",
    [
        lambda x: (x - x.mean()) / (4 * x.std()),
        lambda x: -x,
        lambda x: np.ones_like(x) * x.max(),
    ],
    ids=["standardised", "negated", "constant"],
)
def test_data_of_another_distribution(deployment: Deployment, inputs: Any, change: Any) -> None:
    with pytest.warns(SnnDeployWarning, match="distributed otherwise than those of calibration"):
        deployment.simulate(change(inputs).astype(np.float32))


@pytest.mark.parametrize(
    "words",
    [
        "simulate D --data X",
        "simulate D --data X --limit 8",
        "simulate D --data X --chunk 16",
        "evaluate D --data X -o E",
        "evaluate D --data X -o E --workers 1",
        "report D --data X",
        "report D --data X --html H",
        "verify D --data X",
        "compare D D --data X",
    ],
)
def test_every_command_tells_it(
    deployment: Deployment,
    inputs: Any,
    words: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    deployment.save("D")
    for name, data, told in (("X", -inputs, 1), ("Y", inputs, 0)):
        np.savez(f"{name}.npz", inputs=data)
        with pytest.raises(SystemExit) as ended:
            main(words.replace("X", f"{name}.npz").split())
        assert ended.value.code == 0
        warned = capsys.readouterr().err
        assert warned.count("distributed otherwise than those of calibration") == told


def test_longer_sequences(deployment: Deployment, inputs: Any) -> None:
    with pytest.warns(SnnDeployWarning, match="sequences of 64 steps, and these are of 128"):
        deployment.simulate(np.concatenate([inputs, inputs], 1))


def test_constant_calibration_data() -> None:
    with pytest.warns(SnnDeployWarning, match=r"all calibration inputs are 0\.5"):
        snn_deploy.convert(CHECKPOINT, calibration=np.full((4, 64, 1), 0.5, np.float32))

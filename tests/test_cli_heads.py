"""What the commands say of networks whose answer the host finishes: language models, retrieval."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from head_networks import ENDINGS, STEPS, deployed
from networks import float_inputs

from snn_deploy.cli.main import commands
from snn_deploy.errors import DataError
from snn_deploy.io.deployment_file import Provenance, write_deployment
from snn_deploy.mapping.profile import load_profile
from snn_deploy.run import answers

CLASSES = 16


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A language model and a network that compares, with data for each."""
    folder = tmp_path_factory.mktemp("heads")
    version = str(load_profile("loihi2").version)
    summary = {"source": "calibration", "sequences": 4, "steps": STEPS}
    origin = Provenance("loihi2", version, "tiny.ckpt", "0" * 64, summary, {}, "0.1.0")
    rng = np.random.default_rng(0)
    for name, ending, labels in (
        ("lm", "language model", rng.integers(0, CLASSES, (6, STEPS))),
        ("pairs", "retrieval", rng.integers(0, 2, 3)),
    ):
        network = deployed(ENDINGS[ending]())
        write_deployment(folder / f"{name}.safetensors", network, origin)
        inputs = float_inputs(network, 6, STEPS).astype(np.float32)
        np.savez(folder / f"{name}.npz", inputs=inputs, labels=labels)
    return folder


def run(folder: Path, command: str, name: str, *words: Any) -> str:
    given = [command, folder / f"{name}.safetensors", *words]
    if command != "inspect":
        given += ["--data", folder / f"{name}.npz"]
    done = CliRunner().invoke(commands, [str(word) for word in given], standalone_mode=False)
    if done.exception:
        raise done.exception
    return done.output


def test_inspect_lists_the_host_s_nodes(folder: Path) -> None:
    shown = run(folder, "inspect", "lm")
    assert " ".join(shown.splitlines()[-1].split()).startswith(
        "decoder AdaptiveLogSoftmax 16 float, host"
    )
    assert "\nhost\n  decoder = AdaptiveLogSoftmax(" in run(folder, "inspect", "lm", "--text")


def test_evaluate_gives_perplexity(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.json"
    shown = run(folder, "evaluate", "lm", "-o", out, "--shard-size", 4)
    result = json.loads(out.read_text())
    assert result["labelled"] == 6 * STEPS
    assert result["accuracy"] == result["correct"] / result["labelled"]
    expected = np.exp(result["cross_entropy_micronats"] / 1e6 / result["labelled"])
    assert result["perplexity"] == pytest.approx(expected)
    assert f"of {6 * STEPS} steps, perplexity {result['perplexity']:.2f}" in shown


def test_limits_count_pairs(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.npz"
    shown = run(folder, "simulate", "pairs", "--limit", 2, "-o", out)
    assert "4 sequences of 20 steps" in shown
    with np.load(out) as file:
        assert file["logits"].shape == (2, 2)
        assert file["predictions"].shape == (2,)
        assert file["spike_counts/layers.0"].shape == (4, 4)


def test_labels_of_pairs_are_half_as_many(folder: Path) -> None:
    with np.load(folder / "pairs.npz") as file:
        inputs = file["inputs"]
    np.savez(folder / "wrong.npz", inputs=inputs, labels=np.zeros(6, np.int64))
    given = ["verify", folder / "pairs.safetensors", "--data", folder / "wrong.npz"]
    done = CliRunner().invoke(commands, [str(word) for word in given], standalone_mode=False)
    assert isinstance(done.exception, DataError)
    assert "labels of shape (6,) for 3 pairs of sequences; give one each" in str(done.exception)


def test_logits_that_are_too_large_are_left_out(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(answers, "LOGIT_BYTES", 100)
    out = tmp_path / "out.npz"
    shown = run(folder, "simulate", "lm", "-o", out)
    assert "logits are left out: the scores of so many steps and words are too large" in shown
    with np.load(out) as file:
        assert "logits" not in file
        assert file["predictions"].shape == (6, STEPS)


def test_report_says_what_runs_on_the_host(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.json"
    run(folder, "report", "lm", "--json", out, "--html", tmp_path / "out.html")
    (work,) = json.loads(out.read_text())["host"]
    assert work["kind"] == "AdaptiveLogSoftmax"
    assert (work["parameters"], work["macs"], work["per"]) == (89, 71, "step")
    assert work["bytes"] == 4 * 89
    assert "log-probabilities of 16 words" in (tmp_path / "out.html").read_text(encoding="utf-8")

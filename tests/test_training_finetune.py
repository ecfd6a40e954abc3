"""Fine-tuning as a user runs it: the command, its files, its refusals.

Needs torch: `make env`, then `.venv/bin/python -m pytest tests/test_training_finetune.py`.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

torch = pytest.importorskip("torch", reason="training needs torch (make env)")

from synthetic import random_inputs, tiny_spikingssm_state
from zoo import Variant, zoo_variants

from snn_deploy import convert
from snn_deploy.api import load_float_network
from snn_deploy.checkpoint import read_checkpoint
from snn_deploy.cli.main import main
from snn_deploy.data.inputs import load_data
from snn_deploy.engines.floating import run_float
from snn_deploy.examples import train_seqdigits
from snn_deploy.ir.text import format_network
from snn_deploy.training.finetune import FineTuned, FineTuning, prepare_finetuning
from snn_deploy.training.loop import Schedule
from snn_deploy.training.scores import Score
from snn_deploy.training.writing import RECORD

SETTINGS = {"weight_bits": 3}


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    """A small checkpoint as the authors' code writes it."""
    tensors, config = tiny_spikingssm_state(d_model=12, d_state=8)
    path = tmp_path / "tiny.ckpt"
    state = {key: torch.from_numpy(value) for key, value in tensors.items()}
    torch.save({"state_dict": state, "hyper_parameters": config}, path)
    return path


@pytest.fixture
def data(checkpoint: Path) -> Path:
    """What the float network says, as labels: there is something to lose and to win back."""
    read = read_checkpoint(checkpoint)
    inputs = random_inputs(read.config or {}, read.tensors, 80, 24, 5)
    labels = run_float(load_float_network(checkpoint), inputs).logits.argmax(axis=-1)
    return _save(checkpoint.with_name("train.npz"), inputs=inputs, labels=labels)


def _save(path: Path, **arrays: npt.ArrayLike) -> Path:
    np.savez(path, **arrays)
    return path


def _run(*words: Any) -> int:
    with pytest.raises(SystemExit) as done:
        main([str(word) for word in ("finetune", *words)])
    return int(done.value.code or 0)


def _tune(checkpoint: Path, data: Path, epochs: int = 4) -> tuple[FineTuning, FineTuned]:
    job = prepare_finetuning(
        checkpoint, data, settings=SETTINGS, schedule=Schedule(epochs, batch_size=16)
    )
    return job, job.run()


def test_command_writes_what_convert_reads(
    checkpoint: Path, data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out, before = tmp_path / "out.ckpt", checkpoint.read_bytes()
    words = ("--set", "weight_bits=3", "--epochs", 4, "--batch-size", 16, "-o", out)
    assert _run(checkpoint, "--data", data, *words) == 0
    printed = capsys.readouterr()
    assert "on 8 validation sequences" in printed.out
    assert f"convert {out} --target loihi2 --calibration {data} --set weight_bits=3" in printed.out
    assert printed.err.count("deployed") == 5  # before, and four epochs
    assert checkpoint.read_bytes() == before
    written, source = read_checkpoint(out), read_checkpoint(checkpoint)
    assert written.config == source.config
    assert list(written.tensors) == list(source.tensors)
    record = written.extras[RECORD]
    assert record["checkpoint_sha256"] == source.sha256
    assert record["settings"] == {"weight_bits": "3"}
    convert(out, calibration=data, settings=SETTINGS)


def test_converting_the_result_gives_the_network_that_was_judged(
    checkpoint: Path, data: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out.ckpt"
    words = ("--set", "weight_bits=3", "--epochs", 4, "--batch-size", 16, "-o", out)
    assert _run(checkpoint, "--data", data, *words) == 0
    job, tuned = _tune(checkpoint, data)
    _, judged = job.deployer.convert(tuned.checkpoint.tensors)
    deployment = convert(out, calibration=data, settings=SETTINGS)
    assert format_network(deployment.network) == format_network(judged.lowered)
    logits = deployment.simulate(job.held_out).logits
    assert np.array_equal(logits, judged.answer(job.held_out))
    right = logits.argmax(axis=-1) == job.held_out.labels
    assert right.mean() == tuned.best.deployed.accuracy


def test_fine_tuning_wins_back_what_coarse_weights_lost(checkpoint: Path, data: Path) -> None:
    _, tuned = _tune(checkpoint, data, epochs=12)
    assert tuned.original.accuracy == 1.0
    assert tuned.best.epoch > 0
    assert tuned.best.deployed.better_than(tuned.start.deployed)


def test_same_seed_same_file(checkpoint: Path, data: Path, tmp_path: Path) -> None:
    files = [tmp_path / name for name in ("a.ckpt", "b.ckpt", "c.ckpt")]
    for seed, out in zip((1, 1, 2), files, strict=True):
        words = ("--epochs", 2, "--batch-size", 16, "--seed", seed, "-o", out)
        assert _run(checkpoint, "--data", data, "--set", "weight_bits=3", *words) == 0
    first, same, other = (file.read_bytes() for file in files)
    assert first == same
    assert first != other


def test_safetensors_come_with_their_configuration(
    checkpoint: Path, data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "st" / "out.safetensors"
    out.parent.mkdir()
    words = ("--epochs", 1, "--batch-size", 16, "-o", out)
    assert _run(checkpoint, "--data", data, *words) == 0
    assert read_checkpoint(out).config == read_checkpoint(checkpoint).config
    convert(out, calibration=data)
    assert _run(checkpoint, "--data", data, *words) == 0  # its own file may be written again
    (out.parent / "config.json").write_text(json.dumps({"model": {}}))
    assert _run(checkpoint, "--data", data, *words) == 2
    assert "config.json exists and says something else" in capsys.readouterr().err


def test_validation_data_of_its_own(
    checkpoint: Path, data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    held_out = _save(tmp_path / "val.npz", inputs=np.ones((3, 9, 1), np.float32), labels=[0, 1, 2])
    words = ("--validation", held_out, "--epochs", 1, "-o", tmp_path / "out.ckpt")
    assert _run(checkpoint, "--data", data, *words) == 0
    assert "on 3 validation sequences" in capsys.readouterr().out


def test_interrupting_keeps_the_best_epoch_so_far(
    checkpoint: Path,
    data: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from snn_deploy.cli.finetune import _Report

    def interrupt(report: _Report, evaluation: Any, best: Any) -> None:
        if evaluation.epoch == 2:
            raise KeyboardInterrupt
        if evaluation.epoch == 1:
            report.save(evaluation, prepare_finetuning(checkpoint, data).deployer.model.source)

    monkeypatch.setattr(_Report, "__call__", interrupt)
    out = tmp_path / "out.ckpt"
    assert _run(checkpoint, "--data", data, "--epochs", 3, "-o", out) == 130
    assert f"{out} holds epoch 1, the best so far" in capsys.readouterr().err
    assert read_checkpoint(out).extras[RECORD]["epoch"] == 1


def test_a_start_that_no_epoch_beats_is_written_unchanged(
    checkpoint: Path,
    data: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(Score, "better_than", lambda self, other: False)
    out = tmp_path / "out.ckpt"
    assert _run(checkpoint, "--data", data, "--epochs", 1, "-o", out) == 0
    printed = capsys.readouterr()
    assert "warning: no epoch was better than the checkpoint as it was" in printed.err
    assert "the network of epoch 0" in printed.out
    source = read_checkpoint(checkpoint).tensors
    for key, value in read_checkpoint(out).tensors.items():
        assert np.array_equal(value, source[key])


def test_without_torch_the_message_says_how_to_get_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    assert _run("a.ckpt", "--data", "b.npz", "-o", "c.ckpt") == 3
    assert "pip install 'snn-deploy[torch]'" in capsys.readouterr().err


def test_the_checkpoint_itself_is_never_overwritten(
    checkpoint: Path, data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = checkpoint.read_bytes()
    assert _run(checkpoint, "--data", data, "-o", checkpoint) == 2
    assert "is the checkpoint itself; choose another name with -o" in capsys.readouterr().err
    assert checkpoint.read_bytes() == before


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("out.npz", "out.npz: name the output *.ckpt (PyTorch) or *.safetensors"),
        ("nowhere/out.ckpt", "the folder"),
        ("other.ckpt", "other.ckpt exists and was not written by training"),
    ],
)
def test_impossible_outputs_are_refused_before_any_work(
    checkpoint: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str, message: str
) -> None:
    (tmp_path / "other.ckpt").write_bytes(checkpoint.read_bytes())
    assert _run(checkpoint, "--data", "not there.npz", "-o", tmp_path / name) == 2
    assert message in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({}, "no array 'labels' of integers, one class for each sequence"),
        ({"labels": [0, 9]}, "labels[1] is class 9, but the network knows 4, 0 … 3"),
        ({"labels": [0.5, 0.25]}, "are no classes; this network answers with one of 4"),
    ],
)
def test_data_without_usable_labels_is_refused(
    checkpoint: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    arrays: dict[str, Any],
    message: str,
) -> None:
    data = _save(tmp_path / "d.npz", inputs=np.ones((2, 9, 1), np.float32), **arrays)
    assert _run(checkpoint, "--data", data, "-o", tmp_path / "out.ckpt") == 2
    assert message in capsys.readouterr().err
    assert not (tmp_path / "out.ckpt").exists()


def test_unknown_settings_and_targets_are_refused(
    checkpoint: Path, data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = (checkpoint, "--data", data, "-o", tmp_path / "out.ckpt")
    assert _run(*words, "--set", "weight_bit=4") == 2
    assert "unknown setting 'weight_bit'" in capsys.readouterr().err
    assert _run(*words, "--target", "loihi9") == 2
    assert "loihi9" in capsys.readouterr().err


def test_a_learning_rate_that_diverges_is_stopped(
    checkpoint: Path, data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ("--learning-rate", 1e30, "--epochs", 3, "-o", tmp_path / "out.ckpt")
    assert _run(checkpoint, "--data", data, *words) == 2
    printed = capsys.readouterr().err
    assert "error: training has led to parameters that cannot be deployed: " in printed
    assert "choose a lower learning rate" in printed


@pytest.mark.parametrize(
    "variant",
    zoo_variants(lambda meta: meta["name"] in ("dec_last_len", "enc_position", "enc_conv1d")),
)
def test_what_the_host_computes_is_trained_too(variant: Variant, tmp_path: Path) -> None:
    """Tokens, positions and convolutions: on eight sequences, again and again."""
    test, oracle = variant.arrays("test"), variant.arrays("oracle")
    arrays = {name: test[name] for name in ("inputs", "lengths") if name in test}
    arrays["labels"] = oracle["logits_bptt_f64"].argmax(axis=-1)
    repeated = {name: np.concatenate([array] * 5) for name, array in arrays.items()}
    path = _save(tmp_path / "train.npz", **repeated)
    _, tuned = _tune(variant.folder / variant.meta["file"], path)
    assert tuned.best.deployed.loss < tuned.start.deployed.loss


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_example_learns(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "seqdigits.ckpt"
    monkeypatch.setattr(sys, "argv", ["train_seqdigits.py", "-o", str(out), "--epochs", "5"])
    train_seqdigits.main()
    share = float(capsys.readouterr().out.splitlines()[-1].split(": ")[1].split("%")[0])
    assert share > 50
    assert load_float_network(out).names[-1] == "decoder"


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_seqdigits_at_four_bits_is_within_a_sequence_of_float(root: Path, tmp_path: Path) -> None:
    example = root / "examples" / "seqdigits_uni"
    source, train = example / "seqdigits_uni.ckpt", example / "train.npz"
    out = tmp_path / "out.ckpt"
    assert _run(source, "--data", train, "--set", "weight_bits=4", "--epochs", 2, "-o", out) == 0
    deployment = convert(out, calibration=train, settings={"weight_bits": 4})
    test = load_data(example / "test.npz", deployment.network)
    exact = run_float(load_float_network(source), test.inputs).logits.argmax(axis=-1)
    right = (deployment.simulate(test).predictions == test.labels).sum()
    assert right >= (exact == test.labels).sum() - 1


def test_what_is_meant_of_a_checkpoint_is_trained(
    checkpoint: Path, data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Keys under a prefix, and a loss's weights beside them, as ``convert`` reads them."""
    held = torch.load(checkpoint, weights_only=False)
    tensors = {f"student.net.{key}": value for key, value in held["state_dict"].items()}
    held["state_dict"] = {**tensors, "criterion.weight": torch.ones(3)}
    other, out = tmp_path / "other.ckpt", tmp_path / "out.ckpt"
    torch.save(held, other)
    words = ("--ignore-key", "criterion.*", "--prefix", "student.net.")
    assert _run(other, "--data", data, *words, "--epochs", 1, "-o", out) == 0
    assert list(read_checkpoint(out).tensors) == list(read_checkpoint(checkpoint).tensors)
    assert _run(other, "--data", data, "--weights", "ema", "--epochs", 1, "-o", out) == 2
    assert "fine-tuning, which goes on with the trained weights, takes no weights" in (
        capsys.readouterr().err
    )

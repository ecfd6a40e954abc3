"""Wrong uses of the command line: exit code 2, one message that says what to do, no file."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

import snn_deploy
from snn_deploy import examples
from snn_deploy.cli import console
from snn_deploy.cli.main import main

EXAMPLE = Path(examples.__file__).parent / "seqdigits_uni"
CHECKPOINT, TRAIN, TEST = (EXAMPLE / n for n in ("seqdigits_uni.ckpt", "train.npz", "test.npz"))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A deployment ``d``, data, and files that are neither."""
    folder = tmp_path_factory.mktemp("refusals")
    snn_deploy.convert(CHECKPOINT, calibration=TRAIN).save(folder / "d")
    (folder / "text").write_text("hello\n")
    (folder / "empty").write_bytes(b"")
    (folder / "folder").mkdir()
    (folder / "no_model.yaml").write_text("train: {seed: 1}\n")
    (folder / "other_size.yaml").write_text(
        "model: {_name_: spikingssm, d_model: 32, n_layers: 2}\nencoder: linear\n"
        "decoder: {_name_: sequence, mode: pool}\n"
    )
    (folder / "other_family.yaml").write_text("model: {_name_: mamba}\n")
    (folder / "negative.yaml").write_text("model: {_name_: spikingssm, d_model: -3}\n")
    (folder / "profile.toml").write_text("name = 'x'\n")
    (folder / "formats.toml").write_text("weight_bits = 99\n")
    with np.load(TEST) as data:
        np.savez(folder / "data.npz", inputs=data["inputs"][:2])
        np.savez(folder / "misnamed.npz", a=data["inputs"][:2])
        np.savez(folder / "wide.npz", inputs=np.zeros((2, 5, 3), np.float32))
    return folder


CONVERT = [
    ("nothing", "cannot use the checkpoint nothing: no such file or directory"),
    ("folder", "folder: it is a folder; name the checkpoint file in it"),
    ("text", "neither a PyTorch checkpoint nor safetensors (its first bytes are b'hello"),
    ("empty", "the file is empty"),
    ("data.npz", "it is an archive of numpy arrays; name the checkpoint"),
    ("d", "d is a deployment already; name the CHECKPOINT it came from"),
    ("CKPT --target loihi3", "unknown target 'loihi3'; there are: algorithm_45nm, alia_point"),
    ("CKPT --target profile.toml", "profile 'profile.toml': key 'schema_version' is missing"),
    ("CKPT --target nothing.toml", "cannot read the profile nothing.toml: No such file"),
    ("CKPT --target loihi1 --calibration data.npz", "supports.programmable_neurons: 'layers"),
    ("CKPT --config nothing.yaml", "cannot read the configuration nothing.yaml: no such file"),
    ("CKPT --config no_model.yaml", "has no section 'model'; give the training run's complete"),
    ("CKPT --config other_size.yaml", "'encoder.0.weight' has shape (64, 1), expected (32, any)"),
    ("CKPT --config other_family.yaml", "model._name_ is 'mamba'; known families: spikingssm"),
    ("CKPT --config negative.yaml", "option 'model.d_model' is -3: Input should be greater"),
    ("CKPT --calibration text", "its first bytes are b'hello\\n'); write one with numpy"),
    ("CKPT --calibration folder", "folder: a folder; data is an .npz with an array 'inputs'"),
    ("CKPT --calibration misnamed.npz", "no array 'inputs' in it; it holds: a"),
    ("CKPT --calibration CKPT", "it holds: archive/data.pkl, "),
    ("CKPT --calibration wide.npz", "this network takes (sequences, steps, 1) floats"),
    ("CKPT --output-steps -3", "'-3' is none of: one, all, or a number of last steps"),
    ("CKPT --set weight_bits=9", "weight_bits=9: input should be less than or equal to 8"),
    ("CKPT --set wheight_bits=4", "unknown setting 'wheight_bits'; there are: input_bits"),
    ("CKPT --set weight_bits", "'weight_bits': write KEY=VALUE"),
    ("CKPT --set limits.nonsense=1", "unknown profile setting 'limits.nonsense'; there are: "),
    ("CKPT --set limits.chips=-1", "limits.chips.value: Input should be greater than or equal"),
    ("CKPT --set limits.memory_per_core_bytes=1000 --calibration data.npz",
     "limits.memory_per_core_bytes: 9,068 of 1,000; fewer modes, narrower layers"),
    ("CKPT --set readout_bits=24 --calibration data.npz",
     "of 24 bits, the target has 16; convert with --set decay_bits=16 --set readout_bits=16"),
    ("CKPT --formats nothing.toml", "cannot read the formats nothing.toml: No such file"),
    ("CKPT --formats formats.toml", "weight_bits=99: input should be less than or equal to 8"),
    ("CKPT --search", "--search needs --calibration DATA.npz"),
    ("CKPT --report", "--report needs --calibration DATA.npz, which it runs"),
    ("CKPT --search-for energy", "--search-for energy goes with --search"),
    ("CKPT --search --search-for energy --target cpu --calibration data.npz",
     "target 'cpu' has no energy constants to search by: search for memory (--search-for memory)"),
    ("CKPT -o folder", "folder: it is a folder; name a file"),
    ("CKPT -o nowhere/x", "the folder nowhere does not exist"),
    ("CKPT -o CKPT", "exists and is the checkpoint itself; choose another name with -o"),
    ("CKPT -o text", "text exists and is not a deployment; choose another name with -o"),
]  # fmt: skip
OTHERS = [
    ("simulate d --data nothing.npz", "nothing.npz: no such file"),
    ("simulate d --data wide.npz", "this network takes (sequences, steps, 1) floats"),
    ("simulate d --data data.npz --limit -1", "-1 is not in the range x>=1"),
    ("simulate d --data data.npz --backend gpu", "'gpu' is not one of 'native', 'reference'"),
    ("simulate d --data data.npz --backend float", "--backend float takes the CHECKPOINT"),
    ("simulate d --data data.npz --config no_model.yaml", "--config belongs to a CHECKPOINT"),
    ("simulate d --data data.npz --output-steps all", "--output-steps belongs to a CHECKPOINT"),
    ("simulate d --data data.npz --chunk 8 --config no_model.yaml", "--config belongs to a CHECKP"),
    ("simulate d --data data.npz --chunk 8 --device loihi2", "loihi2 needs --backend lava"),
    ("simulate CKPT --data data.npz", "is not a deployment; make one with: snn-deploy convert"),
    ("simulate d --data data.npz -o d", "d: this command reads it; name another"),
    ("simulate d --data data.npz -o data.npz", "data.npz: this command reads it; name another"),
    ("simulate d --data data.npz --trace data.npz", "data.npz: this command reads it; name"),
    ("verify d --data data.npz --json d", "d: this command reads it; name another"),
    ("verify d --data data.npz --against nothing", "cannot use the checkpoint nothing: no such"),
    ("verify d --data data.npz --backends native", "name at least two engines to compare"),
    ("verify d --data data.npz --backends native,foo", "unknown backend 'foo'; there are: native"),
    ("verify CKPT --data data.npz", "make one with: snn-deploy convert CHECKPOINT"),
    ("report d --data data.npz --json data.npz", "data.npz: this command reads it; name another"),
    ("report d --data data.npz --html d", "d: this command reads it; name another"),
    ("report d --data data.npz --json x --html x", "x: two results would go there; name another"),
    ("simulate d --data data.npz --trace x -o x", "x: two results would go there; name another"),
    ("evaluate d --data data.npz -o data.npz", "data.npz: this command reads it; name another"),
    ("compare d d --data data.npz --json d", "d: this command reads it; name another"),
    ("inspect nothing", "no such file or directory"),
    ("targets nothing", "unknown target 'nothing'; there are: "),
    ("nonsense", "No such command 'nonsense'"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("line", "message"), [(f"convert {line}", message) for line, message in CONVERT] + OTHERS
)
def test_wrong_uses_are_explained(
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    line: str,
    message: str,
) -> None:
    monkeypatch.chdir(folder)
    before = {path: path.read_bytes() for path in folder.iterdir() if path.is_file()}
    words = [str(CHECKPOINT) if word == "CKPT" else word for word in line.split()]
    with pytest.raises(SystemExit) as left:
        main(words)
    told = capsys.readouterr().err.replace(f"{folder}/", "")
    assert left.value.code == 2
    assert "Traceback" not in told
    assert message in told
    assert len(re.findall("^(error|Error): ", told, re.MULTILINE)) == 1
    assert {path: path.read_bytes() for path in folder.iterdir() if path.is_file()} == before


def test_a_full_disk_leaves_nothing_behind(
    folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    resource = pytest.importorskip("resource", reason="this system cannot limit the size of files")
    _, most = resource.getrlimit(resource.RLIMIT_FSIZE)
    monkeypatch.chdir(tmp_path)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, most))
    try:
        with pytest.raises(SystemExit) as left:
            main(["convert", str(CHECKPOINT), "--calibration", str(folder / "data.npz")])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))
    assert left.value.code == 2
    assert re.search(
        r"cannot write .*seqdigits_uni\.safetensors: .*; nothing was written",
        capsys.readouterr().err,
    )
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(("total", "told"), [(1.0, "50%"), (4.0, "2/4")])
def test_progress_on_a_terminal(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], total: float, told: str
) -> None:
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    monkeypatch.setenv("TERM", "xterm")
    with console.progress_bar("working", total) as progress:
        progress(total / 2)
    shown = capsys.readouterr().err
    assert "working" in shown
    assert told in shown

"""Commands on terminals, pipes and environments that are not those of the developers."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

import snn_deploy
from snn_deploy import examples
from snn_deploy.cli.main import commands

EXAMPLE = Path(examples.__file__).parent / "seqdigits_uni"
TEST = EXAMPLE / "test.npz"


@pytest.fixture(scope="module")
def deployment(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("terminals") / "d.safetensors"
    snn_deploy.convert(EXAMPLE / "seqdigits_uni.ckpt", calibration=EXAMPLE / "train.npz").save(path)
    return path


def run(*words: object, **environment: str) -> subprocess.CompletedProcess[bytes]:
    paths = {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    command = [sys.executable, "-m", "snn_deploy", *map(str, words)]
    return subprocess.run(
        command, capture_output=True, check=False, env=os.environ | paths | environment
    )


@pytest.mark.parametrize("encoding", ["ascii", "gbk", "cp437", "latin-1", "utf-8"])
def test_every_encoding_of_output(tmp_path: Path, deployment: Path, encoding: str) -> None:
    written = tmp_path / "r.json", tmp_path / "r.html"
    files = ("--json", written[0], "--html", written[1])
    words = ("report", deployment, "--data", TEST, "--limit", 2, *files)
    done = run(*words, PYTHONIOENCODING=encoding)
    assert (done.returncode, done.stderr.count(b"error")) == (0, 0)
    assert json.loads(written[0].read_text("utf-8"))
    assert written[1].read_text("utf-8").startswith("<!doctype html>")
    shown = done.stdout.decode(encoding)
    assert "nJ" in shown or "J" in shown
    assert "?" not in shown  # everything that is printed has a spelling
    if encoding == "ascii":
        assert "..." in shown or "+/-" in shown or " - " in shown


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        ("SNN_DEPLOY_THREADS", "0", "SNN_DEPLOY_THREADS=0: the number of threads is at least 1"),
        ("SNN_DEPLOY_TARGET", "abacus", "SNN_DEPLOY_TARGET=abacus: this machine has"),
    ],
)
def test_an_environment_that_cannot_be_meant(
    deployment: Path, name: str, value: str, told: str
) -> None:
    words = ("simulate", deployment, "--data", TEST, "--limit", 1)
    done = run(*words, **{name: value})
    assert done.returncode == 2
    assert told in done.stderr.decode()
    assert run(*words, "--backend", "reference", **{name: value}).returncode == 0


@pytest.mark.parametrize("columns", [40, 50, 80])
@pytest.mark.parametrize("command", ["report", "compare"])
def test_no_table_loses_its_first_column_or_breaks_a_figure(
    deployment: Path, command: str, columns: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    several = (deployment,) if command == "report" else (deployment,) * 3
    words = [command, *several, "--data", TEST, "--limit", 2]
    monkeypatch.setenv("COLUMNS", str(columns))
    done = CliRunner().invoke(commands, list(map(str, words)), standalone_mode=False)
    lines = done.output.splitlines()
    if command == "report":
        size = lines[lines.index("Size") : lines.index("Activity a sequence, counted")]
        named = [line.split()[0] for line in size if line.startswith((" layers", " total"))]
        assert named[:3] == ["layers.0", "layers.1", "total"]
        assert any("synapses" in line for line in size)
        assert not any(line.strip() == "." for line in size)
    else:
        energies = [line for line in lines if line.startswith(" energy")]
        assert energies
        assert all(any(map(str.isdigit, line)) for line in energies)
        assert sum(line.count("loihi2") for line in lines if line.startswith(" target")) == 3

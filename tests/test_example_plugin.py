"""The example package is built, installed into an empty folder, and used as any other's."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

EXAMPLE = Path(__file__).parent.parent / "examples" / "plugin"
HIDDEN, CLASSES, CHANNELS = 6, 4, 3


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the package installed in it, from a wheel made without network."""
    pytest.importorskip("setuptools")
    folder = tmp_path_factory.mktemp("plugin")
    source = shutil.copytree(EXAMPLE, folder / "source", ignore=shutil.ignore_patterns("build"))
    build = "from setuptools import build_meta; print(build_meta.build_wheel('dist'))"
    made = subprocess.run(
        [sys.executable, "-c", build],
        check=False,
        cwd=source,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert made.returncode == 0, made.stderr
    with zipfile.ZipFile(next((source / "dist").glob("*.whl"))) as wheel:
        wheel.extractall(folder / "site")
    return folder / "site"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint of the family, and data."""
    folder, rng = tmp_path_factory.mktemp("work"), np.random.default_rng(0)
    tensors = {}
    for i, width in enumerate((CHANNELS, HIDDEN)):
        tensors[f"layers.{i}.weight"] = rng.normal(0, 2 / np.sqrt(width), (HIDDEN, width))
        tensors[f"layers.{i}.bias"] = np.full(HIDDEN, 0.1)
        tensors[f"layers.{i}.doublet_decay"] = np.array(0.75)
    tensors["readout.weight"] = rng.normal(size=(CLASSES, HIDDEN))
    tensors["readout.bias"] = np.zeros(CLASSES)
    save_file({k: v.astype(np.float32) for k, v in tensors.items()}, folder / "net.safetensors")
    x = rng.normal(0, 0.7, (8, 20, CHANNELS)).astype(np.float32)
    np.savez(folder / "data.npz", inputs=x, labels=rng.integers(0, CLASSES, 8))
    return folder


def run(site: Path, folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    paths = [str(site), str(EXAMPLE.parent.parent)]
    return subprocess.run(
        [sys.executable, "-m", "snn_deploy", *words],
        check=False,
        cwd=folder,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(paths)},
        capture_output=True,
        text=True,
        timeout=240,
    )


def test_doctor_lists_all_of_it(site: Path, folder: Path) -> None:
    shown = run(site, folder, "doctor").stdout
    for name in ("doublet", "Doublet", "DoubletSoma", "doublet_chip"):
        assert f"ok       '{name}' of the package snn-deploy-doublet" in shown


def test_without_it_the_checkpoint_is_refused(folder: Path) -> None:
    done = run(folder, folder, "convert", "net.safetensors", "-o", "none.safetensors")
    assert done.returncode == 2
    assert not (folder / "none.safetensors").exists()


def test_its_checkpoints_are_deployed_on_its_chip(site: Path, folder: Path) -> None:
    words = ("--target", "doublet_chip", "--calibration", "data.npz", "-o", "out.safetensors")
    done = run(site, folder, "convert", "net.safetensors", *words)
    assert done.returncode == 0, done.stderr
    checked = run(
        site,
        folder,
        *("verify", "out.safetensors", "--data", "data.npz", "--against", "net.safetensors"),
        *("--json", "v.json"),
    )
    assert checked.returncode == 0, checked.stderr
    found = json.loads((folder / "v.json").read_text())
    assert found["passed"]
    assert found["accuracy"]["agreement"] == 1.0
    spikes = {s["node"]: s["spike_rate"] for s in found["accuracy"]["signals"]}
    assert 0.1 < spikes["layers.0.lif"] < 0.9
    told = run(site, folder, "report", "out.safetensors", "--data", "data.npz")
    assert "doublet_chip 0.1.0" in told.stdout
    gone = run(folder, folder, "simulate", "out.safetensors", "--data", "data.npz")
    assert gone.returncode == 2  # the file names a kind that nothing knows here


def test_decays_that_are_none_are_refused(site: Path, folder: Path, tmp_path: Path) -> None:
    from safetensors.numpy import load_file

    tensors = load_file(folder / "net.safetensors")
    tensors["layers.1.doublet_decay"] = np.array(1.5, np.float32)
    save_file(tensors, tmp_path / "net.safetensors")
    done = run(site, tmp_path, "convert", "net.safetensors", "-o", "out.safetensors")
    assert done.returncode == 2
    assert "layers.1.doublet_decay is 1.5; a decay lies in 0 … 1" in done.stderr

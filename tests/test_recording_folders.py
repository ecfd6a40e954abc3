"""Folders of recordings of events, a folder for each class: as data sets are unpacked."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from networks import float_network
from test_data_containers import CAMERA, FOUR, PIXELS, TIMES, UNITS, expected, frames, hdf5

import snn_deploy
from snn_deploy.cli.main import commands
from snn_deploy.data import files
from snn_deploy.data.data_file import Binning, DataFile
from snn_deploy.data.events import orchard_events
from snn_deploy.data.inputs import load_data
from snn_deploy.errors import DataError, SnnDeployWarning
from snn_deploy.evaluation.dataset import open_dataset

SPLIT = {"yes": [0, 2], "no": [1]}
"""Which of TIMES and UNITS are recordings of which class; sorted, 'no' is 0."""


def record(path: Path, row: int) -> None:
    """Write a recording in the form that the path's ending names."""
    path.parent.mkdir(parents=True, exist_ok=True)
    t, x = TIMES[row], UNITS[row]
    if path.suffix == ".npy":
        events = np.zeros(len(t), [("t", "<f8"), ("x", "<i2")])
        events["t"], events["x"] = t, x
        np.save(path, events)
    elif path.suffix == ".npz":
        np.savez(path, t=t, x=x)
    else:
        hdf5(path, events__times=t, events__units=x)


def recordings(folder: Path, suffix: str = ".npz", **names: str) -> DataFile:
    for name, rows in SPLIT.items():
        for row in rows:
            record(folder / names.get(name, name) / f"{row}{suffix}", row)
    return DataFile(str(folder), binning=Binning(0.01))


@pytest.mark.parametrize("suffix", [".npy", ".npz", ".h5"])
def test_a_folder_of_recordings(tmp_path: Path, suffix: str) -> None:
    file = recordings(tmp_path, suffix)
    (tmp_path / "yes" / ".DS_Store").write_bytes(b"x")
    (tmp_path / ".git").mkdir()
    told = r"3 recordings of 2 classes: 0 'no' \(1\), 1 'yes' \(2\); see that training"
    with pytest.warns(SnnDeployWarning, match=told):
        data = load_data(file, FOUR)
    # a class after the other, so that any first part has all of them
    np.testing.assert_array_equal(data.inputs, expected()[[1, 0, 2]])
    np.testing.assert_array_equal(data.labels, [0, 1, 1])
    np.testing.assert_array_equal(data.lengths, [3, 6, 1])
    with pytest.warns(SnnDeployWarning, match=told):
        dataset = open_dataset(file, FOUR)
    np.testing.assert_array_equal(dataset.inputs, data.inputs)
    assert {path.name for path in dataset.stamps} == {f"{i}{suffix}" for i in range(3)}
    blind = load_data(dataclasses.replace(file, labels_key=""), FOUR)  # and nothing is warned of
    assert blind.labels is None
    np.testing.assert_array_equal(blind.inputs, data.inputs)


def test_folders_that_are_numbers_are_the_labels(tmp_path: Path) -> None:
    file = recordings(tmp_path, yes="2", no="10")
    wide = float_network(d_in=4, classes=11, layers=0)
    with pytest.warns(SnnDeployWarning, match=r"2 '2' \(2\), 10 '10' \(1\)"):
        data = load_data(file, wide)
    np.testing.assert_array_equal(data.labels, [2, 10, 2])
    with (
        pytest.warns(SnnDeployWarning, match="2 classes"),
        pytest.raises(DataError, match="is class 10, but the network knows"),
    ):
        load_data(file, FOUR)


def test_a_file_of_several_recordings_is_of_one_class(tmp_path: Path) -> None:
    file = recordings(tmp_path)
    np.savez(tmp_path / "no" / "1.npz", t=[0.0, 0.0], x=[1, 2], offsets=[0, 1, 2])
    with pytest.warns(SnnDeployWarning, match="2 classes"):
        data = load_data(file, FOUR)
    np.testing.assert_array_equal(data.labels, [0, 0, 1, 1])
    np.testing.assert_array_equal(data.inputs[:2, 0], np.eye(4)[[1, 2]])


def forty_bits(*events: tuple[int, int, int, int]) -> bytes:
    return b"".join(bytes([x, y]) + (p << 23 | t).to_bytes(3, "big") for t, x, y, p in events)


def test_recordings_of_40_bits_an_event(tmp_path: Path) -> None:
    for name in ("0", "1"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "a.bin").write_bytes(forty_bits(*PIXELS))
    file = DataFile(str(tmp_path), binning=Binning(1000.0, camera=(3, 2)))
    with pytest.warns(SnnDeployWarning, match=r"0 '0' \(1\), 1 '1' \(1\)"):
        data = load_data(file, CAMERA)
    np.testing.assert_array_equal(data.inputs, np.repeat(frames(), 2, axis=0))
    alone = dataclasses.replace(file, path=str(tmp_path / "0" / "a.bin"))
    np.testing.assert_array_equal(load_data(alone, CAMERA).inputs, frames())


def test_time_that_passed_in_40_bits() -> None:
    content = forty_bits(
        (2**23 - 1, 1, 2, 1), (0, 0, 240, 0), (5, 3, 4, 0), (0, 9, 240, 1), (6, 0, 0, 1)
    )
    found = orchard_events(content, "a.bin")
    assert found["t"].tolist() == [2**23 - 1, 2**13 + 5, 2**14 + 6]
    assert found["x"].tolist() == [1, 3, 0]
    assert found["y"].tolist() == [2, 4, 0]
    assert found["p"].tolist() == [1, 0, 1]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda f: (f / "yes" / "0.aedat4").write_bytes(b"x"), "0.aedat4: no recording that is re"),
        (lambda f: (f / "labels.csv").write_text("x"), "labels.csv in it, where a folder of recor"),
        (lambda f: (f / "maybe").mkdir(), "maybe: a class without a recording"),
        (lambda f: (f / "yes" / "more").mkdir(), "more: a folder in what should be a class's; nam"),
        (lambda f: (f / "yes" / "0.npz").write_bytes(b"x"), "0.npz: not a readable .npz of plain"),
        (lambda f: (f / "yes" / "0.npz").write_bytes(b"PK"), "0.npz: not a readable recording ("),
        (lambda f: (f / "yes" / "9.npy").write_bytes(b"x"), "9.npy: not a readable .npy ("),
        (lambda f: (f / "yes" / "9.h5").write_bytes(b"x"), "9.h5: not a readable HDF5 file"),
        (lambda f: (f / "yes" / "9.bin").write_bytes(b"1234"), "9.bin: 4 bytes, no whole number o"),
        (lambda f: (f / "yes" / "9.npy").symlink_to(f / "none"), "9.npy: not a readable .npy (No"),
        (lambda f: os.mkfifo(f / "yes" / "9.npz"), "9.npz: not a readable recording ("),
        (lambda f: np.savez(f / "yes" / "9.npz", t=[0], x=[4]), "9.npz: events on channels 4 … 4,"),
        (lambda f: np.savez(f / "yes" / "9.npz", t=[-1], x=[3]), "9.npz: an event is before 0, or"),
        (lambda f: np.savez(f / "yes" / "9.npz", t=[0, 1], x=[3]), "9.npz: times, channels of eve"),
        (lambda f: np.savez(f / "yes" / "9.npz", inputs=[3]), "9.npz: no times of events in it, c"),
    ],
)
def test_folders_that_are_none(tmp_path: Path, change: Callable[[Path], Any], message: str) -> None:
    file = recordings(tmp_path)
    change(tmp_path)
    for read in (load_data, open_dataset):
        with pytest.raises(DataError) as refused:
            read(file, FOUR)
        assert message in str(refused.value)


def test_folders_of_the_same_number(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="two of its classes' folders are the same number"):
        load_data(recordings(tmp_path, yes="1", no="01"), FOUR)


def test_what_is_told_of_a_folder_must_be_of_use(tmp_path: Path) -> None:
    file = recordings(tmp_path)
    for key in ("labels_key", "targets_key", "lengths_key"):
        with pytest.raises(DataError, match="are its folders' names"):
            load_data(dataclasses.replace(file, **{key: "y"}), FOUR)
    with pytest.raises(DataError, match="in a folder for each class, are read with --bin STEP"):
        open_dataset(str(tmp_path), FOUR)
    (tmp_path / "d.csv").write_text("t,x\n0,1\n")
    with pytest.raises(DataError, match=r"text holds no events; save them as \.npz"):
        load_data(dataclasses.replace(file, path=str(tmp_path / "d.csv")), FOUR)


def test_recordings_that_are_too_many(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = recordings(tmp_path)
    monkeypatch.setattr(files, "MOST_BYTES", 50)
    with pytest.raises(DataError, match=r"events up to .*npz take over .* fewer recordings"):
        load_data(file, FOUR)


def test_commands_take_folders_of_recordings(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)  # where evaluate writes its results
    network = float_network(d_in=4, classes=2)
    file = recordings(tmp_path / "data")
    with pytest.warns(SnnDeployWarning, match="2 classes"):
        deployed = snn_deploy.convert(network, calibration=load_data(file, network))
    deployed.save(tmp_path / "n.safetensors")
    for command in ("simulate", "evaluate", "report", "verify"):
        words = [command, str(tmp_path / "n.safetensors"), "--data", file.path, "--bin", "0.01"]
        with pytest.warns(SnnDeployWarning, match=r"0 'no' \(1\), 1 'yes' \(2\)"):
            done = CliRunner().invoke(commands, words, standalone_mode=False)
        assert done.exception is None, done.output

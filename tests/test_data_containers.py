"""Data in text tables, in HDF5, and as events: what is taken, and what is refused."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from networks import float_inputs, float_network

import snn_deploy
from snn_deploy.cli.data_options import BinningType
from snn_deploy.cli.main import commands
from snn_deploy.data.data_file import Binning, DataFile
from snn_deploy.data.events import bin_events
from snn_deploy.data.inputs import load_data
from snn_deploy.data.recordings import open_recording
from snn_deploy.errors import BackendUnavailableError, DataError, SnnDeployWarning
from snn_deploy.evaluation.dataset import open_dataset
from snn_deploy.io import hdf5 as hdf5_files

ONE = float_network(d_in=1, layers=0)
FOUR = float_network(d_in=4, layers=0)
X = float_inputs(ONE, batch=3, steps=5).astype(np.float32)
LABELS = np.array([2, 0, 1])


def numbers(values: Any, delimiter: str = ",") -> str:
    return "\n".join(delimiter.join(repr(float(v)) for v in row) for row in values)


def table(tmp_path: Path, text: str, name: str = "d.csv", **keys: Any) -> Any:
    (tmp_path / name).write_text(text, encoding="utf-8")
    return load_data(DataFile(str(tmp_path / name), **keys), ONE)


# --- text tables


@pytest.mark.parametrize(
    ("name", "delimiter"), [("d.csv", ","), ("d.csv", ";"), ("d.tsv", "\t"), ("d.txt", " ")]
)
def test_a_line_is_a_sequence(tmp_path: Path, name: str, delimiter: str) -> None:
    data = table(tmp_path, numbers(X[..., 0], delimiter) + "\n\n", name)
    np.testing.assert_array_equal(data.inputs.astype(np.float32), X)
    assert data.labels is None


def test_a_column_is_one_sequence(tmp_path: Path) -> None:
    data = table(tmp_path, "\n".join(str(v) for v in (0.5, 1.5, -2.25)))
    np.testing.assert_array_equal(data.inputs, [[[0.5], [1.5], [-2.25]]])


@pytest.mark.parametrize("heading", ["label", "Class", "y", '"target"'])
def test_headed_labels(tmp_path: Path, heading: str) -> None:
    lines = [f"{heading},s0,s1,s2,s3,s4"]
    lines += [f"{label},{numbers([x])}" for label, x in zip(LABELS, X[..., 0], strict=True)]
    data = table(tmp_path, "\ufeff" + "\r\n".join(lines))
    np.testing.assert_array_equal(data.labels, LABELS)
    np.testing.assert_array_equal(data.inputs.astype(np.float32), X)


def test_labels_by_the_number_of_their_column(tmp_path: Path) -> None:
    text = numbers(np.concatenate([X[..., 0], LABELS[:, None]], axis=1))
    data = table(tmp_path, text, labels_key="5")
    np.testing.assert_array_equal(data.labels, LABELS)
    np.testing.assert_array_equal(data.inputs.astype(np.float32), X)


def test_whole_numbers_are_told_as_such(tmp_path: Path) -> None:
    with pytest.warns(SnnDeployWarning, match="are read as the whole numbers that they are"):
        data = table(tmp_path, "1,2,3\n4,5,6")
    np.testing.assert_array_equal(data.inputs[..., 0], [[1, 2, 3], [4, 5, 6]])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("1.5,2\n3", "not a table of numbers: "),
        ("1.5,2\n3,x", "could not convert string 'x' to float64 at row 1"),
        ("a,b\n1.5,x", "counted from 0 below the headings"),
        ("a,b\n1.5,2,3", "2 headings over lines of 3 numbers"),
        ("1.5,nan\n1,2", "NaN or infinite"),
        ("label\n1\n2", "no column is left for the inputs"),
        ("1.5,2\n__import__('os'),3", "could not convert string"),
    ],
)
def test_tables_that_are_none(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(DataError) as refused:
        table(tmp_path, text)
    assert message in str(refused.value)
    assert str(tmp_path / "d.csv") in str(refused.value)


def test_an_empty_table(tmp_path: Path) -> None:
    with pytest.raises(DataError), pytest.warns(UserWarning, match="no data"):
        table(tmp_path, "")


def test_other_text_is_refused(tmp_path: Path) -> None:
    (tmp_path / "d.csv").write_bytes(b"1.5,\xff\xfe\n")
    with pytest.raises(DataError, match="no text in UTF-8"):
        load_data(tmp_path / "d.csv", ONE)
    with pytest.raises(DataError, match="no such file"):
        load_data(tmp_path / "none.csv", ONE)


# --- HDF5


def written(path: Path, fill: Callable[[Any, Any], None]) -> Path:
    h5py = pytest.importorskip("h5py")
    with h5py.File(path, "w") as root:
        fill(root, h5py)
    return path


def test_arrays_of_hdf5(tmp_path: Path) -> None:
    def fill(root: Any, h5py: Any) -> None:
        root["X"], root["y"] = X, LABELS
        root["extra/names"] = ["a", "b"]

    data = load_data(written(tmp_path / "d.h5", fill), ONE)
    np.testing.assert_array_equal(data.inputs, X)
    np.testing.assert_array_equal(data.labels, LABELS)


def test_arrays_in_groups_by_their_path(tmp_path: Path) -> None:
    def fill(root: Any, h5py: Any) -> None:
        root["train/x"], root["test/x"] = X[:1], X[1:]

    file = written(tmp_path / "d.hdf5", fill)
    data = load_data(DataFile(str(file), inputs_key="test/x"), ONE)
    np.testing.assert_array_equal(data.inputs, X[1:])


def test_hdf5_needs_h5py(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = written(tmp_path / "d.h5", lambda root, h5py: root.create_dataset("x", data=X))
    monkeypatch.setitem(__import__("sys").modules, "h5py", None)
    with pytest.raises(BackendUnavailableError, match=r"pip install 'snn-deploy\[hdf5\]'"):
        load_data(file, ONE)


def test_links_lead_nowhere(tmp_path: Path) -> None:
    written(tmp_path / "other.h5", lambda root, h5py: root.create_dataset("x", data=X))

    def fill(root: Any, h5py: Any) -> None:
        root["x"] = h5py.ExternalLink(str(tmp_path / "other.h5"), "x")

    with pytest.raises(DataError, match="points elsewhere"):
        load_data(written(tmp_path / "d.h5", fill), ONE)


@pytest.mark.parametrize("content", [b"\x89HDF\r\n\x1a\n", b"nothing", b""])
def test_damaged_hdf5(tmp_path: Path, content: bytes) -> None:
    pytest.importorskip("h5py")
    (tmp_path / "d.h5").write_bytes(content)
    with pytest.raises(DataError, match="not a readable HDF5 file"):
        load_data(tmp_path / "d.h5", ONE)


def test_hdf5_by_another_name(tmp_path: Path) -> None:
    (tmp_path / "d.npz").write_bytes(b"\x89HDF\r\n\x1a\n")
    with pytest.raises(DataError, match=r"call it .h5"):
        load_data(tmp_path / "d.npz", ONE)


# --- events

TIMES = [np.array([0.0, 0.012, 0.013, 0.055]), np.array([0.02]), np.array([])]
UNITS = [np.array([3, 0, 0, 1]), np.array([2]), np.array([], int)]


def expected() -> Any:
    wanted = np.zeros((3, 6, 4), np.float32)
    wanted[0, 0, 3], wanted[0, 1, 0], wanted[0, 5, 1], wanted[1, 2, 2] = 1, 2, 1, 1
    return wanted


def test_events_are_counted_in_their_steps() -> None:
    inputs, lengths = bin_events(TIMES, UNITS, 4, Binning(0.01), "d")
    np.testing.assert_array_equal(inputs, expected())
    np.testing.assert_array_equal(lengths, [6, 3, 1])


def test_an_event_on_a_border_belongs_to_the_step_that_begins() -> None:
    times = [np.arange(100) * 0.01]  # doubles that fall short of some borders
    inputs, _ = bin_events(times, [np.zeros(100, int)], 1, Binning(0.01), "d")
    np.testing.assert_array_equal(inputs[0, :, 0], np.ones(100))
    whole, _ = bin_events([np.arange(0, 100_000, 1000)], [np.zeros(100, int)], 1, Binning(1e3), "")
    np.testing.assert_array_equal(whole[0, :, 0], np.ones(100))


def test_steps_are_cut_and_filled_up() -> None:
    with pytest.warns(SnnDeployWarning, match="1 events of 5 are later than step 4"):
        inputs, lengths = bin_events(TIMES, UNITS, 4, Binning(0.01, 4), "d")
    np.testing.assert_array_equal(inputs, expected()[:, :4])
    np.testing.assert_array_equal(lengths, [4, 3, 1])
    inputs, lengths = bin_events(TIMES, UNITS, 4, Binning(0.01, 9), "d")
    np.testing.assert_array_equal(inputs[:, :6], expected())
    assert inputs.shape == (3, 9, 4)
    np.testing.assert_array_equal(lengths, [6, 3, 1])


def test_events_as_the_heidelberg_digits_are_kept(tmp_path: Path) -> None:
    def fill(root: Any, h5py: Any) -> None:
        for name, rows, kind in (("times", TIMES, "float16"), ("units", UNITS, "uint16")):
            held = root.create_dataset(f"spikes/{name}", (3,), h5py.vlen_dtype(np.dtype(kind)))
            for i, row in enumerate(rows):
                held[i] = row.astype(kind)
        root["labels"] = LABELS
        root["extra/speaker"] = [1, 2, 3]
        root["extra/keys"] = ["a", "b", "c"]

    file = str(written(tmp_path / "d.h5", fill))
    data = load_data(DataFile(file, binning=Binning(0.01)), FOUR)
    np.testing.assert_array_equal(data.inputs, expected())
    np.testing.assert_array_equal(data.labels, LABELS)
    np.testing.assert_array_equal(data.lengths, [6, 3, 1])
    with pytest.raises(DataError, match="no array 'inputs' in it"):
        load_data(file, FOUR)
    with pytest.raises(DataError, match="rows of different lengths or text; events are binned"):
        load_data(DataFile(file, inputs_key="spikes/times"), FOUR)


def flat(tmp_path: Path, **more: Any) -> DataFile:
    offsets = np.cumsum([0, *map(len, TIMES)])
    arrays = {"t": np.concatenate(TIMES), "x": np.concatenate(UNITS), "offsets": offsets}
    np.savez(tmp_path / "d.npz", **{k: v for k, v in {**arrays, **more}.items() if v is not None})
    return DataFile(str(tmp_path / "d.npz"), binning=Binning(0.01))


def test_events_one_after_the_other(tmp_path: Path) -> None:
    data = load_data(flat(tmp_path, labels=LABELS), FOUR)
    np.testing.assert_array_equal(data.inputs, expected())
    np.testing.assert_array_equal(data.labels, LABELS)
    alone = load_data(flat(tmp_path, offsets=None), FOUR)
    np.testing.assert_array_equal(alone.inputs[0], expected().sum(axis=0))


def test_polarities_lie_one_behind_the_other(tmp_path: Path) -> None:
    units, polarity = np.concatenate(UNITS) % 2, np.array([0, 1, 0, 1, 1])
    data = load_data(flat(tmp_path, x=units, p=polarity), FOUR)
    assert data.inputs[0, 0, 1] == 1  # 3 % 2, off
    assert data.inputs[0, 1, 0] == data.inputs[0, 1, 2] == 1  # 0, one of each
    assert data.inputs.sum() == 5
    signs = load_data(flat(tmp_path, x=units, p=2 * polarity - 1), FOUR)
    np.testing.assert_array_equal(signs.inputs, data.inputs)


# a camera of 3 columns and 2 rows, of two polarities
PIXELS = [(0, 2, 1, 1), (1500, 0, 1, 0), (1900, 0, 1, 0), (4000, 1, 0, True)]
CAMERA = float_network(d_in=12, layers=0)
RECORDS = np.array(PIXELS, [("t", "<i8"), ("x", "<i2"), ("y", "<i2"), ("p", "?")])
TONIC = np.array([(x, y, t, p) for t, x, y, p in PIXELS], [(n, int) for n in "xytp"])


def frames() -> Any:
    """What Tonic's ToFrame counts: (steps, polarities, rows, columns)."""
    wanted = np.zeros((5, 2, 2, 3), np.float32)
    for t, x, y, p in PIXELS:
        wanted[t // 1000, int(p), y, x] += 1
    return wanted.reshape(1, 5, 12)


def hdf5(path: Path, **held: Any) -> None:
    def fill(root: Any, h5py: Any) -> None:
        for name, value in held.items():
            root[name.replace("__", "/")] = value

    written(path, fill)


@pytest.mark.parametrize(
    ("name", "save"),
    [
        ("d.npy", lambda path: np.save(path, RECORDS)),
        ("d.npy", lambda path: np.save(path, TONIC)),
        ("d.npz", lambda path: np.savez(path, events=TONIC)),
        ("d.npz", lambda path: np.savez_compressed(path, **{n: TONIC[n] for n in "txyp"})),
        ("d.h5", lambda path: hdf5(path, events=TONIC)),
        ("d.h5", lambda path: hdf5(path, **{f"events__{n}": TONIC[n] for n in "txyp"})),
    ],
    ids=["records", "Tonic", "Tonic.npz", "arrays", "HDF5 records", "HDF5 groups"],
)
def test_events_of_a_camera(tmp_path: Path, name: str, save: Callable[[Path], None]) -> None:
    save(tmp_path / name)
    file = DataFile(str(tmp_path / name), binning=Binning(1000.0, camera=(3, 2)))
    np.testing.assert_array_equal(load_data(file, CAMERA).inputs, frames())
    np.testing.assert_array_equal(open_dataset(file, CAMERA).inputs, frames())
    np.testing.assert_array_equal(open_recording(file, CAMERA).inputs, frames())


def test_recordings_of_a_camera_one_after_the_other(tmp_path: Path) -> None:
    np.savez(tmp_path / "d.npz", events=TONIC, offsets=[0, 3, 4], labels=[1, 2])
    file = DataFile(str(tmp_path / "d.npz"), binning=Binning(1000.0, camera=(3, 2)))
    data = load_data(file, CAMERA)
    np.testing.assert_array_equal(data.inputs.sum(axis=0), frames()[0])
    np.testing.assert_array_equal(data.labels, [1, 2])
    np.testing.assert_array_equal(data.lengths, [2, 5])


def test_a_camera_without_polarities_is_square_unless_it_is_told(tmp_path: Path) -> None:
    np.savez(tmp_path / "d.npz", t=[0, 1], x=[1, 0], y=[0, 1])
    square = load_data(DataFile(str(tmp_path / "d.npz"), binning=Binning(1.0)), FOUR)
    np.testing.assert_array_equal(square.inputs, [[[0, 1, 0, 0], [0, 0, 1, 0]]])
    told = DataFile(str(tmp_path / "d.npz"), binning=Binning(1.0, camera=(2, 2)))
    np.testing.assert_array_equal(load_data(told, FOUR).inputs, square.inputs)


@pytest.mark.parametrize(
    ("camera", "change", "message"),
    [
        (None, {}, "a camera of as many rows as columns and two polarities does not give the 12"),
        ((3, 3), {}, "a camera of 3 × 3 pixels and two polarities does not give the 12 channels"),
        ((2, 3), {}, "x: events on channels 0 … 2, but the network takes 2"),
        ((6, 1), {}, "y: events on channels 0 … 1, but the network takes 1"),
        ((3, 2), {"y": None}, "events of a camera have rows, 'y', and there are none"),
        ((3, 2), {"p": None}, "a camera of 3 × 2 pixels does not give the 12 channels"),
        ((3, 2), {"y": [0, 1]}, "times, channels, lines, polarities of events are not equally"),
        ((3, 2), {"y": [0.0, 1, 0, 0]}, "y: channels of events of dtype float64; need whole"),
        ((3, 2), {"x": np.zeros((4, 2), int)}, "of shape (4, 2); give one number an event"),
    ],
)
def test_cameras_that_do_not_fit(
    tmp_path: Path, camera: Any, change: dict[str, Any], message: str
) -> None:
    arrays = {n: TONIC[n] for n in "txyp"} | change
    np.savez(tmp_path / "d.npz", **{n: v for n, v in arrays.items() if v is not None})
    with pytest.raises(DataError) as refused:
        load_data(DataFile(str(tmp_path / "d.npz"), binning=Binning(1000.0, camera=camera)), CAMERA)
    assert message in str(refused.value)


@pytest.mark.parametrize(
    "descr",
    [
        "[('t', '|O')]",
        "[('t', '<i8', (2,))]",
        "[('t', [('u', '<i8')])]",
        "[('t', '<U4')]",
        "[('t', '<i8'), ('t', '<i8')]",
        "[]",
        "[" + "('t', '<i8')," * 40 + "]",
        "[('t', '<i8')" + " " * 4000,
        "[" + ("('t'" + " " * 150 + ", '<i8')" + " " * 150) * 30 + "x]",
    ],
)
def test_records_that_are_not_of_numbers(tmp_path: Path, descr: str) -> None:
    header = f"{{'descr': {descr}, 'fortran_order': False, 'shape': (0,), }}\n".encode()
    content = b"\x93NUMPY\x01\0" + len(header).to_bytes(2, "little") + header
    (tmp_path / "d.npy").write_bytes(content)
    with pytest.raises(DataError, match=r"not a readable \.npy"):
        load_data(DataFile(str(tmp_path / "d.npy"), binning=Binning(1.0)), FOUR)


def test_records_are_no_arrays_without_bin(tmp_path: Path) -> None:
    np.savez(tmp_path / "d.npz", inputs=TONIC)
    with pytest.raises(DataError, match="Python objects or structures"):
        load_data(tmp_path / "d.npz", CAMERA)


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"x": np.array([3, 0, 0, 1, 4])}, "events on channels 0 … 4, but the network takes 4"),
        ({"x": np.array([3, 0, 0, 1, -1])}, "events on channels -1 … 3"),
        ({"x": np.array([3.0, 0, 0, 1, 2])}, "channels of events of dtype float64; need whole"),
        ({"x": np.array([3, 0, 0, 1, 2]), "p": np.ones(5, int)}, "takes 2 of a polarity"),
        ({"x": np.array([3, 0])}, "offsets must rise from 0 to 2"),
        ({"x": np.zeros((5, 2), int)}, "channels of events of shape (5, 2); give one number"),
        ({"t": np.array([0, 1, 2, 3, -1e-9])}, "an event is before 0, or at no time at all"),
        ({"t": np.array([0, 1, 2, 3, np.nan])}, "an event is before 0, or at no time at all"),
        ({"t": np.array([0, 1, 2, 3, 1e300])}, "take over 4 GiB: give a longer --bin"),
        ({"offsets": np.array([0, 4, 2, 5])}, "offsets must rise from 0 to 5"),
        ({"offsets": np.array([0, 4])}, "offsets must rise from 0 to 5"),
        ({"offsets": np.array([0.0, 5.0])}, "offsets must rise from 0 to 5"),
        ({"t": None}, "no times of events in it, called t or times or time"),
        ({"x": None}, "no channels of events in it, called x or units or channels"),
    ],
)
def test_events_that_are_none(tmp_path: Path, more: dict[str, Any], message: str) -> None:
    with pytest.raises(DataError) as refused:
        load_data(flat(tmp_path, **more), FOUR)
    assert message in str(refused.value)


def test_rows_that_share_their_numbers_do_not_multiply(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fill(root: Any, h5py: Any) -> None:
        held = root.create_dataset("times", (50,), h5py.vlen_dtype(np.dtype("f8")))
        for i in range(50):
            held[i] = np.zeros(100)

    file = written(tmp_path / "d.h5", fill)
    monkeypatch.setattr(hdf5_files, "MOST_BYTES", 20_000)
    with pytest.raises(DataError, match="'/times' and what is before it are over"):
        load_data(DataFile(str(file), binning=Binning(1)), FOUR)


def test_commands_take_events(tmp_path: Path) -> None:
    network = float_network(d_in=4)
    file = flat(tmp_path, labels=LABELS)
    deployed = snn_deploy.convert(network, calibration=load_data(file, network))
    deployed.save(tmp_path / "n.safetensors")
    out = tmp_path / "o.npz"
    words = ["simulate", tmp_path / "n.safetensors", "--data", file.path, "-o", out]
    done = CliRunner().invoke(
        commands, [str(word) for word in (*words, "--bin", "0.01,6")], standalone_mode=False
    )
    assert done.exception is None, done.output
    assert "3 sequences of 6 steps" in done.output
    np.testing.assert_array_equal(
        np.load(out)["logits"], deployed.simulate(load_data(file, network)).logits
    )


@pytest.mark.parametrize("value", ["1000,34x34", "1e3,100,34x34"])
def test_a_camera_is_told_with_its_steps(value: str) -> None:
    found = BinningType().convert(value, None, None)
    assert found == Binning(1000.0, 100 if value.count(",") == 2 else None, (34, 34))


@pytest.mark.parametrize(
    "value",
    ["0", "-1", "nan", "inf", "a", "1,0", "1,x", "1,2,3", "1,0x2", "1,2x", "1,2x2,3", "1,2x2x2"],
)
def test_steps_that_are_none(value: str) -> None:
    done = CliRunner().invoke(commands, ["simulate", "a", "--data", "b", "--bin", value])
    assert done.exit_code == 2
    assert "is no length of a step, such as 0.01" in done.output


def test_how_data_is_read_goes_to_workers() -> None:
    file = DataFile("a", binning=Binning(0.5, 3))
    assert pickle.loads(pickle.dumps(file)) == file

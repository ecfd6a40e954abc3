"""Input data: what is wrong with it is told before anything runs."""

from __future__ import annotations

import io
import random
import re
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from checkpoint_files import Call, write_legacy, write_zip
from networks import float_inputs, float_network

from snn_deploy.data.data_file import DataFile
from snn_deploy.data.inputs import Data, check_data, load_data
from snn_deploy.errors import DataError, SnnDeployWarning
from snn_deploy.ir.formats import Edge
from snn_deploy.ir.network import Network
from snn_deploy.nodes.embedding import Embedding
from snn_deploy.nodes.float_inputs import TokenInput
from snn_deploy.passes.pipeline import compile_network
from snn_deploy.passes.quantize import Calibration
from snn_deploy.quantize.config import QuantizationConfig

REAL = float_network(d_in=2, layers=0)
TOKENS = Network(
    "float",
    (
        TokenInput(name="input", vocabulary=5),
        Embedding(name="encoder", inputs=(Edge("input"),), table=np.zeros((5, 3))),
    ),
    "all",
)
X = float_inputs(REAL, batch=3, steps=4).astype(np.float32)


def with_value(value: float, *position: int) -> Any:
    changed = X.copy()
    changed[position] = value
    return changed


# --- what is accepted


def test_arrays_are_completed() -> None:
    data = check_data(REAL, X)
    assert data.inputs is X
    assert data.labels is None
    np.testing.assert_array_equal(data.lengths, [4, 4, 4])
    assert data.lengths.dtype == np.int64
    assert len(data) == 3


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64", ">f4"])
def test_floats_of_every_width(dtype: str) -> None:
    assert check_data(REAL, X.astype(dtype)).inputs.dtype == dtype


@pytest.mark.parametrize("dtype", ["int8", "uint8", "int64", "uint64"])
def test_tokens_of_every_width(dtype: str) -> None:
    tokens = np.array([[0, 4, 2]], dtype)
    np.testing.assert_array_equal(check_data(TOKENS, tokens).inputs, tokens)


def test_lists_are_arrays() -> None:
    data = check_data(TOKENS, [[0, 1], [2, 3]], labels=[1, 0], lengths=[2, 1])
    np.testing.assert_array_equal(data.inputs, [[0, 1], [2, 3]])
    assert data.labels is not None
    np.testing.assert_array_equal(data.labels, [1, 0])
    np.testing.assert_array_equal(data.lengths, [2, 1])


def test_integer_networks_take_the_same_data() -> None:
    lowered = compile_network(REAL, QuantizationConfig(), Calibration(X))
    np.testing.assert_array_equal(check_data(lowered, X).inputs, X)
    with pytest.raises(DataError, match=r"takes \(sequences, steps, 2\) floats"):
        check_data(lowered, X[..., :1])


ONE = float_network(d_in=1, layers=0)
BY_STEP = REAL.answering(steps="all")


def test_a_network_with_one_output_has_no_classes() -> None:
    last = replace(REAL["decoder"], weight=REAL["decoder"].weight[:1], bias=np.zeros(1))
    regression = REAL.rewrite({"decoder": (last,)})
    assert check_data(regression, X, labels=np.zeros(3)).labels is None


@pytest.mark.parametrize(
    "labels",
    [
        np.array([2, 0, 1]),
        np.array([[2], [0], [1]]),
        np.eye(3, dtype=int)[[2, 0, 1]],
        np.eye(3)[[2, 0, 1]],
        np.eye(3, dtype=bool)[[2, 0, 1]],
        np.array([2.0, 0.0, 1.0]),
    ],
)
def test_labels_in_the_forms_that_people_have(labels: Any) -> None:
    read = check_data(REAL, X, labels=labels).labels
    assert read is not None
    np.testing.assert_array_equal(read, [2, 0, 1])
    assert read.dtype == np.int64


@pytest.mark.parametrize("form", ["plain", "one more axis", "one-hot"])
def test_labels_of_every_step(form: str) -> None:
    plain = np.random.default_rng(0).integers(0, 3, (3, 4))
    forms = {"plain": plain, "one more axis": plain[..., None], "one-hot": np.eye(3)[plain]}
    read = check_data(BY_STEP, X, labels=forms[form]).labels
    assert read is not None
    np.testing.assert_array_equal(read, plain)


@pytest.mark.parametrize(
    ("labels", "told"),
    [
        ([0, 3, 1], r"labels\[1\] is class 3, but the network knows 3, 0 … 2"),
        (np.full((3, 4), 1), r"labels of shape \(3, 4\) and dtype int64 are no classes"),
        ([0.5, 0, 1], r"dtype float64 are no classes.*--labels-key"),
        (np.eye(4)[[0, 1, 2]], r"shape \(3, 4\) and dtype int64 are no classes"),
        (np.array(["a", "b", "c"]), "are no classes"),
    ],
)
def test_labels_that_cannot_be_used(labels: Any, told: str) -> None:
    with pytest.raises(DataError, match=told):
        check_data(REAL, X, labels=labels)


def test_negative_labels_do_not_count() -> None:
    read = check_data(REAL, X, labels=[-1, 2, -100]).labels
    assert read is not None
    np.testing.assert_array_equal(read, [-1, 2, -100])


def test_one_feature_may_have_no_axis_of_its_own() -> None:
    one = X[..., :1]
    np.testing.assert_array_equal(check_data(ONE, one[..., 0]).inputs, one)


def test_swapped_axes() -> None:
    swapped = X.transpose(0, 2, 1)
    with pytest.raises(DataError, match=r"it looks like \(sequences, 2, steps\): say --layout bdl"):
        check_data(REAL, swapped)
    np.testing.assert_array_equal(check_data(REAL, swapped, layout="bdl").inputs, X)
    with pytest.raises(DataError, match="--layout bdl has swapped the last two axes"):
        check_data(REAL, X, layout="bdl")


@pytest.mark.parametrize("dtype", ["bool", "int8", "uint8", "int64"])
def test_whole_numbers_are_read_as_they_are(dtype: str) -> None:
    whole = np.random.default_rng(0).integers(0, 2, X.shape).astype(dtype)
    with pytest.warns(SnnDeployWarning, match=f"inputs of dtype {dtype} are read as"):
        read = check_data(REAL, whole).inputs
    np.testing.assert_array_equal(read, whole)
    assert read.dtype == np.float32


@pytest.mark.parametrize("number", [2**24 + 1, -(2**40)])
def test_whole_numbers_that_have_no_exact_float(number: int) -> None:
    whole = np.zeros(X.shape, np.int64)
    whole[1, 2, 0] = number
    with pytest.raises(DataError, match="where float32 is exact"):
        check_data(REAL, whole)


def test_parts_of_data() -> None:
    data = check_data(REAL, X, labels=[0, 2, 1], lengths=[1, 2, 3])
    part = data[1:]
    assert isinstance(part, Data)
    np.testing.assert_array_equal(part.inputs, X[1:])
    assert part.labels is not None
    np.testing.assert_array_equal(part.labels, [2, 1])
    np.testing.assert_array_equal(part.lengths, [2, 3])
    assert len(data.first(2)) == 2
    assert len(data.first(None)) == len(data.first(99)) == 3
    assert check_data(REAL, X).first(1).labels is None


# --- what is refused

WRONG: dict[str, tuple[Network, dict[str, Any], str]] = {
    "two dimensions": (
        REAL,
        {"inputs": X[0]},
        "inputs: shape (4, 2); this network takes (sequences, steps, 2) floats",
    ),
    "another width": (
        REAL,
        {"inputs": X[..., :1]},
        "inputs: shape (3, 4, 1); this network takes (sequences, steps, 2) floats",
    ),
    "one sequence": (REAL, {"inputs": X[0]}, "floats; it looks like one sequence: give it an axis"),
    "a number": (REAL, {"inputs": 3.0}, "inputs: shape (); this network takes"),
    "complex numbers": (REAL, {"inputs": X.astype(complex)}, "inputs: dtype complex128; this"),
    "objects": (REAL, {"inputs": X.astype(object)}, "inputs: dtype object; this network"),
    "text": (REAL, {"inputs": X.astype(str)}, "inputs: dtype <U"),
    "sequences of different lengths": (
        REAL,
        {"inputs": [[[1.0, 2.0]], [[1.0, 2.0], [3.0, 4.0]]]},
        "inputs: inputs are no array (",
    ),
    "NaN": (
        REAL,
        {"inputs": with_value(np.nan, 1, 3, 0)},
        "inputs: 1 values are NaN or infinite, the first at [1, 3, 0]; clean the data first",
    ),
    "infinities": (
        REAL,
        {"inputs": with_value(-np.inf, 2)},
        "inputs: 8 values are NaN or infinite, the first at [2, 0, 0]; clean the data first",
    ),
    "no sequence": (
        REAL,
        {"inputs": X[:0]},
        "inputs: shape (0, 4, 2) holds no step; need at least one sequence",
    ),
    "no step": (REAL, {"inputs": X[:, :0]}, "inputs: shape (3, 0, 2) holds no step; need at"),
    "tokens of three dimensions": (
        TOKENS,
        {"inputs": np.zeros((2, 3, 1), int)},
        "inputs: shape (2, 3, 1); this network takes (sequences, steps) tokens",
    ),
    "tokens that are floats": (
        TOKENS,
        {"inputs": np.zeros((2, 3))},
        "inputs: dtype float64; this network takes integer tokens",
    ),
    "tokens that are truths": (
        TOKENS,
        {"inputs": np.zeros((2, 3), bool)},
        "inputs: dtype bool; this network takes integer tokens",
    ),
    "a token too large": (
        TOKENS,
        {"inputs": [[0, 1, 2], [3, 5, 9]]},
        "inputs: token 5 at [1, 1] is outside the vocabulary, 0 … 4",
    ),
    "a negative token": (
        TOKENS,
        {"inputs": [[0, -1, 2]]},
        "inputs: token -1 at [0, 1] is outside the vocabulary, 0 … 4",
    ),
    "a token beyond 63 bits": (
        TOKENS,
        {"inputs": np.full((1, 1), 2**64 - 1, np.uint64)},
        "inputs: token 18446744073709551615 at [0, 0] is outside the vocabulary, 0 … 4",
    ),
    "no tokens": (TOKENS, {"inputs": np.zeros((0, 3), int)}, "inputs: shape (0, 3) holds no step"),
    "too few labels": (
        REAL,
        {"inputs": X, "labels": [1, 2]},
        "inputs: labels of shape (2,) for 3 sequences; give one each",
    ),
    "one label": (REAL, {"inputs": X, "labels": 1}, "inputs: labels of shape () for 3 sequences"),
    "too few lengths": (
        REAL,
        {"inputs": X, "lengths": [4, 4]},
        "lengths of shape (2,) and dtype int64; need one integer for each of 3 sequences",
    ),
    "lengths that are floats": (
        REAL,
        {"inputs": X, "lengths": [4.0, 4.0, 4.0]},
        "lengths of shape (3,) and dtype float64; need one integer for each of 3 sequences",
    ),
    "ragged lengths": (REAL, {"inputs": X, "lengths": [[1], [1, 2], 3]}, "lengths are no array ("),
    "a length of 0": (
        REAL,
        {"inputs": X, "lengths": [4, 0, 4]},
        "inputs: lengths[1] = 0 is outside 1 … 4 steps",
    ),
    "a length beyond the padding": (
        REAL,
        {"inputs": X, "lengths": [4, 4, 5]},
        "inputs: lengths[2] = 5 is outside 1 … 4 steps",
    ),
    "fewer steps than the answer": (
        Network("float", REAL.nodes, 9),
        {"inputs": X},
        "inputs: the answer is the last 9 steps, but the sequences have only 4; give longer ones",
    ),
}


@pytest.mark.filterwarnings("ignore:Creating an ndarray from ragged")  # before numpy 1.24
@pytest.mark.parametrize("case", WRONG.values(), ids=WRONG)
def test_wrong_data_is_refused(case: tuple[Network, dict[str, Any], str]) -> None:
    network, arrays, told = case
    with pytest.raises(DataError, match=re.escape(told)):
        check_data(network, **arrays)


# --- files


def test_a_file_is_read(tmp_path: Path) -> None:
    path = tmp_path / "data.npz"
    np.savez(path, inputs=X, labels=[1, 2, 0], lengths=[4, 1, 2], notes=np.array(["ignored"]))
    data = load_data(path, REAL)
    np.testing.assert_array_equal(data.inputs, X)
    assert data.labels is not None
    np.testing.assert_array_equal(data.labels, [1, 2, 0])
    np.testing.assert_array_equal(data.lengths, [4, 1, 2])
    np.savez_compressed(path, inputs=X)
    np.testing.assert_array_equal(load_data(str(path), REAL).inputs, X)


@pytest.mark.parametrize(
    ("names", "keys"),
    [
        (("x", "y", "length"), {}),
        (("X", "target", "seq_len"), {}),
        (("Data", "Labels", "LENS"), {}),
        (("a", "b", "c"), {"inputs_key": "a", "labels_key": "b", "lengths_key": "c"}),
        (("inputs", "labels", "lengths"), {"labels_key": "labels"}),
    ],
)
def test_arrays_by_other_names(tmp_path: Path, names: tuple[str, ...], keys: Any) -> None:
    arrays = dict(zip(names, (X, np.array([1, 2, 0]), np.array([4, 1, 2])), strict=True))
    np.savez(tmp_path / "data.npz", **arrays, note=np.zeros(3))
    data = load_data(DataFile(str(tmp_path / "data.npz"), **keys), REAL)
    np.testing.assert_array_equal(data.inputs, X)
    np.testing.assert_array_equal(data.labels, [1, 2, 0])
    np.testing.assert_array_equal(data.lengths, [4, 1, 2])


def test_keys_that_name_nothing_and_those_that_leave_out(tmp_path: Path) -> None:
    np.savez(tmp_path / "data.npz", inputs=X, labels=[7, 8, 9])
    path = str(tmp_path / "data.npz")
    with pytest.raises(DataError, match=r"no array 'z' in it \(--labels-key\); it holds: inputs"):
        load_data(DataFile(path, labels_key="z"), REAL)
    assert load_data(DataFile(path, labels_key=""), REAL).labels is None


def test_tensors_of_torch(tmp_path: Path) -> None:
    labels = np.array([1, 2, 0])
    forms: dict[str, Any] = {
        "table": {"x": X, "y": labels, "epoch": 3},
        "tuple": (X, labels),
        "alone": X,
    }
    for name, content in forms.items():
        for write in (write_zip, write_legacy):
            data = load_data(write(tmp_path / f"{name}.pt", content), REAL)
            np.testing.assert_array_equal(data.inputs, X)
            if name != "alone":
                np.testing.assert_array_equal(data.labels, labels)
    with pytest.raises(DataError, match="it holds no tensors by name"):
        load_data(write_zip(tmp_path / "x.pt", [1, 2, 3, 4]), REAL)
    with pytest.raises(DataError, match=r"refuses to load 'os\.system'"):
        load_data(write_zip(tmp_path / "x.pt", {"x": X, "z": Call("os.system", ("true",))}), REAL)


def test_messages_begin_with_the_file(tmp_path: Path) -> None:
    path = tmp_path / "data.npz"
    np.savez(path, inputs=X[0])
    with pytest.raises(DataError, match=f"^{re.escape(str(path))}: shape \\(4, 2\\)"):
        load_data(path, REAL)


def npz(**arrays: Any) -> bytes:
    content = io.BytesIO()
    np.savez(content, **arrays)
    return content.getvalue()


def bare(array: Any) -> bytes:
    content = io.BytesIO()
    np.save(content, array)
    return content.getvalue()


def zipped(**members: bytes) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        for name, value in members.items():
            archive.writestr(name, value)
    return content.getvalue()


BRACKETS = b"\x93NUMPY\x01\0\x28\x23" + b"(" * 9000
UNREADABLE = "not a readable .npz of plain arrays ("
FILES: dict[str, tuple[bytes, str]] = {
    "empty": (b"", UNREADABLE),
    "text": (b"inputs, labels\n1, 2\n", UNREADABLE),
    "a pickle": (b"\x80\x04\x95\x00.", UNREADABLE),
    "half a zip": (npz(inputs=X)[:100], UNREADABLE),
    "objects": (npz(inputs=np.array([{}, []], dtype=object)), UNREADABLE),
    "a bare array": (bare(X), "one bare array; save it as .npz under the name 'inputs'"),
    "no inputs": (npz(a=X, b=X), "no array 'inputs' in it; it holds: a, b"),
    "inputs twice": (
        npz(x=X, data=X),
        "'x' and 'data' could each be the inputs; say with --inputs",
    ),
    "a header of brackets": (
        zipped(**{"inputs.npy": BRACKETS}),
        UNREADABLE,
    ),
    "no array": (zipped(), "no array 'inputs' in it; it holds: nothing"),
    "a zip of something else": (zipped(inputs=b"hello"), UNREADABLE),
    "an array cut short": (zipped(**{"inputs.npy": bare(X)[:-8]}), UNREADABLE),
    "an array that says it is huge": (
        zipped(
            **{
                "inputs.npy": bare(X).replace(
                    b"(3, 4, 2), }" + b" " * 8, b"(3, 4, 2" + b"0" * 8 + b"), }"
                )
            }
        ),
        UNREADABLE,
    ),
}


@pytest.mark.parametrize("case", FILES.values(), ids=FILES)
def test_a_file_that_holds_no_data(tmp_path: Path, case: tuple[bytes, str]) -> None:
    content, told = case
    path = tmp_path / "data.npz"
    path.write_bytes(content)
    with pytest.raises(DataError, match=re.escape(f"{path}: ") + ".*" + re.escape(told)):
        load_data(path, REAL)


def test_no_file(tmp_path: Path) -> None:
    told = "data is an .npz with an array 'inputs'"
    for path, what in ((tmp_path / "missing.npz", "no such file"), (tmp_path, "a folder")):
        with pytest.raises(DataError, match=re.escape(f"{path}: {what}; {told}")):
            load_data(path, REAL)
    with pytest.raises(DataError, match="File name too long"):
        load_data(tmp_path / ("x" * 300), REAL)


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_damaged_files_give_data_or_an_error_of_ours(tmp_path: Path, save: Any) -> None:
    """Whatever byte changes: a message, or (in the zip's own fields) the same arrays."""
    path = tmp_path / "data.npz"
    save(path, inputs=X)
    content = path.read_bytes()
    rng = random.Random(0)
    refused = 0
    for _ in range(300):
        changed = bytearray(content)
        for _ in range(rng.choice([1, 1, 3])):
            changed[rng.randrange(len(changed))] = rng.randrange(256)
        path.write_bytes(changed)
        try:
            np.testing.assert_array_equal(load_data(path, REAL).inputs, X)
        except DataError:
            refused += 1
    assert refused > 100

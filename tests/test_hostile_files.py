"""What a file or an option may do to whoever names it: one message, exit code 2, and no more.

Each case was a traceback, a hang, gigabytes of memory, or a wrong figure once.
"""

from __future__ import annotations

import io
import json
import os
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from networks import float_network

import snn_deploy
from snn_deploy import examples
from snn_deploy.cli.main import main
from snn_deploy.data.inputs import load_data
from snn_deploy.deployment import Deployment
from snn_deploy.errors import ConfigError, DataError
from snn_deploy.io.checksummed import ForeignFileError, read_checksummed
from snn_deploy.quantize.config import parse_settings, read_formats
from snn_deploy.traces import read_trace

EXAMPLE = Path(examples.__file__).parent / "seqdigits_uni"
CHECKPOINT, TRAIN, TEST = (EXAMPLE / n for n in ("seqdigits_uni.ckpt", "train.npz", "test.npz"))


@pytest.fixture(scope="module")
def deployment() -> Deployment:
    return snn_deploy.convert(CHECKPOINT, calibration=TRAIN)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, deployment: Deployment) -> Path:
    folder = tmp_path_factory.mktemp("hostile")
    deployment.save(folder / "d")
    with np.load(TEST) as data:
        np.savez(folder / "data.npz", inputs=data["inputs"][:2])
    os.mkfifo(folder / "fifo")
    os.mkfifo(folder / "fifo.toml")
    os.mkfifo(folder / "fifo.npy")
    (folder / "device.toml").symlink_to("/dev/zero")
    (folder / "deep.toml").write_text("x = " + "[" * 400 + "]" * 400)
    (folder / "keys.toml").write_text(".".join(["a"] * 1000) + " = 1")
    (folder / "digits.toml").write_text("weight_bits = " + "9" * 5000)
    (folder / "many.toml").write_text("# " + "x" * (1 << 20))
    (folder / "null.toml").write_text('extends = "a\\u0000b.toml"')
    (folder / "other.toml").write_text('extends = "/dev/zero.toml"')
    (folder / "above.toml").write_text('extends = "../fifo.toml"')
    (folder / "beside.toml").write_text('extends = "fifo.toml"')
    header = b"{'descr': '<f4', 'fortran_order': False, 'shape': " + b"(" * 9000
    _write_npz(
        folder / "brackets.npz", b"\x93NUMPY\x02\x00" + len(header).to_bytes(4, "little") + header
    )
    huge = io.BytesIO()
    np.save(huge, np.zeros((1, 2, 1), np.float32))
    _write_npz(
        folder / "huge.npz", huge.getvalue().replace(b"(1, 2, 1), }   ", b"(9999, 9999, 9)}")
    )
    (folder / "set").mkdir()
    np.save(folder / "set" / "inputs.npy", np.zeros((2, 64, 1), np.float32))
    (folder / "set" / "labels.npy").symlink_to(folder / "nothing")
    return folder


def _write_npz(path: Path, inputs: bytes) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("inputs.npy", inputs)


REFUSED = [
    # what is named is no regular file
    ("inspect fifo", "it is not a regular file"),
    ("convert fifo", "it is not a regular file"),
    ("convert /dev/zero", "it is not a regular file"),
    ("convert CKPT --config fifo", "it is not a regular file"),
    ("convert CKPT --config /dev/zero", "it is not a regular file"),
    ("convert CKPT --formats fifo.toml", "it is not a regular file"),
    ("convert CKPT --formats device.toml", "it is not a regular file"),
    ("convert CKPT --target fifo.toml", "it is not a regular file"),
    ("convert CKPT --calibration fifo", "it is not a regular file"),
    ("targets device.toml", "it is not a regular file"),
    ("simulate d --data fifo", "it is not a regular file"),
    ("simulate d --data fifo.npy", "it is not a regular file"),
    ("simulate d --data data.npz --resume fifo", "it is not a regular file"),
    ("simulate fifo --data data.npz", "it is not a regular file"),
    ("evaluate d --data fifo.npy", "it is not a regular file"),
    ("evaluate d --data set", "labels.npy: not a readable .npy (No such file or directory)"),
    # numbers and nesting
    ("convert CKPT --formats deep.toml", "nested too deeply"),
    ("convert CKPT --formats keys.toml", "nested too deeply"),
    ("convert CKPT --formats digits.toml", "not valid TOML"),
    ("convert CKPT --formats many.toml", "it is larger than 1,048,576 bytes"),
    ("convert CKPT --target deep.toml", "nested too deeply"),
    ("convert CKPT --target keys.toml", "nested too deeply"),
    ("convert CKPT --target null.toml", "no file can have this name"),
    ("convert CKPT --target other.toml", "'extends' names a profile, or a file beside it"),
    ("convert CKPT --target above.toml", "'extends' names a profile, or a file beside it"),
    ("convert CKPT --target beside.toml", "cannot read the profile fifo.toml: it is not a reg"),
    (f"convert CKPT --set weight_bits={'9' * 400}", "weight_bits="),
    (f"convert CKPT --set lean_modes={'9' * 400}", "lean_modes="),
    (f"convert CKPT --set weight_bits={'9' * 5000}", "weight_bits="),
    ("convert CKPT --set input_range=1e308", "input_range=1e308"),
    (f"convert CKPT --set limits.chips={'9' * 400}", "limits.chips: not a finite number within"),
    (f"convert CKPT --set limits.chips={'9' * 5000}", "limits.chips="),
    ("convert CKPT --set energy.ac_pj=1e308", "energy.ac_pj: not a finite number within"),
    ("report d --data data.npz --set energy.ac_pj=1e308", "energy.ac_pj: not a finite number"),
    ("report d --data data.npz --set limits.chips=²", "limits.chips=²: not a number"),
    ("simulate d --data brackets.npz", "not a readable .npz of plain arrays"),
    ("simulate d --data huge.npz", "declares 3,599,280,036 bytes of numbers, and has"),
    # names that are none
    ("convert CKPT -o EMPTY", "it is empty; leave the option out, or name something"),
    ("simulate d --data data.npz --trace EMPTY", "it is empty"),
    ("report d --data data.npz --json EMPTY", "it is empty"),
    ("evaluate d --data data.npz -o EMPTY", "it is empty"),
    ("evaluate d --data data.npz --tls-key k", "need --cluster ADDRESS"),
]


@pytest.mark.timeout(60)
@pytest.mark.parametrize(("command", "told"), REFUSED, ids=[c[:60] for c, _ in REFUSED])
def test_one_message_and_exit_code_2(
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    command: str,
    told: str,
) -> None:
    monkeypatch.chdir(folder)
    before = sorted(folder.iterdir())
    words = {"CKPT": str(CHECKPOINT), "EMPTY": ""}
    with pytest.raises(SystemExit) as left:
        main([words.get(word, word) for word in command.split()])
    streams = capsys.readouterr()
    assert left.value.code == 2, streams.err
    assert told in streams.err
    assert len(streams.err) < 6000
    assert sorted(folder.iterdir()) == before


@pytest.mark.parametrize("samples", [1.5, "2", True, 0, -1, None])
def test_a_stream_of_no_number(deployment: Deployment, samples: Any) -> None:
    with pytest.raises(ConfigError, match="a stream has a whole number of sequences"):
        deployment.stream(samples)


# --- traces


@pytest.fixture
def trace(tmp_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "trace.npz"
    words = [
        "simulate",
        str(folder / "d"),
        "--data",
        str(folder / "data.npz"),
        "--trace",
        str(path),
    ]
    with pytest.raises(SystemExit) as left:
        main([*words, "--trace-format", "events", "--trace-nodes", "layers.0.*"])
    assert left.value.code == 0
    return path


TRACES: dict[str, tuple[str, Callable[[bytes], bytes], str]] = {
    "an emptied member": ("layers.0.ssm", lambda b: b"", "no .npy (its first bytes are b'')"),
    "a member that ends early": ("layers.0.ssm", lambda b: b[:-1], "bytes of numbers, and has"),
    "neurons that are not there": (
        "layers.0.lif/neurons",
        lambda b: b[:128] + b"\xff" * len(b[128:]),
        "layers.0.lif/neurons: 255 is outside 0 … 63",
    ),
    "offsets that divide nothing": (
        "layers.0.lif/offsets",
        lambda b: b[:128] + b"\x01" + b[129:],
        "layers.0.lif/offsets do not divide",
    ),
    "a shape of 2^60": (
        "layers.0.lif/shape",
        lambda b: b[:135] + b"\x10" + b[136:],
        "layers.0.lif/shape: 1152921504606846978 is outside 0 … 67108864",
    ),
}


@pytest.mark.parametrize("case", TRACES.values(), ids=TRACES)
def test_a_wrong_trace_is_named(
    trace: Path, case: tuple[str, Callable[[bytes], bytes], str]
) -> None:
    name, change, told = case
    with zipfile.ZipFile(trace) as archive:
        members = {each: archive.read(each) for each in archive.namelist()}
    with zipfile.ZipFile(trace, "w") as archive:
        for each, content in members.items():
            archive.writestr(each, change(content) if each == f"{name}.npy" else content)
    opened = read_trace(trace)
    with pytest.raises(DataError) as caught:
        _ = opened[name.partition("/")[0]]
    assert told in str(caught.value)


def test_a_flipped_bit_of_a_trace(trace: Path) -> None:
    content = bytearray(trace.read_bytes())
    with zipfile.ZipFile(trace) as archive:
        info = archive.getinfo("layers.0.ssm.npy")
    content[info.header_offset + 400] ^= 1
    trace.write_bytes(content)
    with pytest.raises(DataError, match=r"not a readable TRACE\.npz \(a damaged \.npz"):
        _ = read_trace(trace)["layers.0.ssm"]


# --- words


def test_the_end_of_a_file_is_no_ctrl_c(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def end(*arguments: Any) -> None:
        raise EOFError("no more")

    monkeypatch.setattr("snn_deploy.deployment.load", end)
    with pytest.raises(SystemExit) as left:
        main(["simulate", str(folder / "d"), "--data", str(folder / "data.npz")])
    assert left.value.code == 70  # a bug of ours, and told as one
    assert "internal error" in capsys.readouterr().err


def test_memory_that_is_missing_is_not_blamed_on_an_option(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def full(*arguments: Any) -> None:
        raise MemoryError

    monkeypatch.setattr("snn_deploy.deployment.load", full)
    with pytest.raises(SystemExit) as left:
        main(["inspect", str(folder / "d")])
    assert left.value.code == 2
    assert "not enough memory for this network and this data" in capsys.readouterr().err


def test_settings_and_formats_are_bounded(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="lean_modes"):
        parse_settings({"lean_modes": 2**40})
    (tmp_path / "x.toml").write_bytes(b"\xff")
    with pytest.raises(ConfigError, match="not UTF-8 text at byte 0"):
        read_formats(tmp_path / "x.toml")


@pytest.mark.parametrize("shape", [(0, 2**40, 2**40), (2**62, 0), (0,) * 33, (-1, 0)])
def test_empty_arrays_of_impossible_shapes(tmp_path: Path, shape: tuple[int, ...]) -> None:
    """Numpy multiplies the dimensions that are not 0, of an empty array too."""
    header = str({"descr": "<f4", "fortran_order": False, "shape": shape}).encode()
    member = b"\x93NUMPY\x01\0" + len(header).to_bytes(2, "little") + header
    with zipfile.ZipFile(tmp_path / "x.npz", "w") as archive:
        archive.writestr("inputs.npy", member)
    with pytest.raises(DataError, match=r"an \.npy of "):
        load_data(tmp_path / "x.npz", float_network(d_in=2, layers=0))
    entry = {"dtype": "F32", "shape": list(shape), "data_offsets": [0, 0]}
    document = {"__metadata__": {"snn-deploy-stream": "{}"}, "x": entry}
    text = json.dumps(document).encode()
    (tmp_path / "x").write_bytes(len(text).to_bytes(8, "little") + text)
    with pytest.raises(ForeignFileError, match="describes tensor 'x' wrongly"):
        read_checksummed("snn-deploy-stream", tmp_path / "x")

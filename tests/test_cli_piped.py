"""``simulate --data -``: steps as lines on standard input, answers as they come."""

from __future__ import annotations

import contextlib
import dataclasses
import io
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from host_rules import plain, tokens
from streamed import EXAMPLE, save_deployments

import snn_deploy
from snn_deploy.cli import stream
from snn_deploy.cli.main import commands
from snn_deploy.data.text_steps import read_steps
from snn_deploy.errors import ConfigError, DataError
from snn_deploy.ir.network import Network


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A deployment ``d``, and one that answers at every step, ``e``."""
    folder = tmp_path_factory.mktemp("piped")
    save_deployments(folder)
    return folder


@pytest.fixture(scope="module")
def sequence() -> np.ndarray:
    with np.load(EXAMPLE / "test.npz") as data:
        return np.asarray(data["inputs"][0])


def written(sequence: np.ndarray) -> bytes:
    file = io.BytesIO()
    np.savetxt(file, sequence, delimiter=",")
    return file.getvalue()


def command(folder: Path, name: str, *words: Any) -> list[str]:
    given = ["simulate", folder / f"{name}.safetensors", "--data", "-", *words]
    return [sys.executable, "-m", "snn_deploy", *(str(word) for word in given)]


def piped(
    folder: Path, name: str, lines: bytes, *words: Any, code: int = 0
) -> tuple[np.ndarray, str]:
    """Run the command as a process; give its answers, (lines, 2 + classes), and what it tells."""
    given = command(folder, name, *words)
    done = subprocess.run(given, input=lines, capture_output=True, check=False)
    told = done.stderr.decode()
    assert done.returncode == code, told
    assert "Traceback" not in told
    header, *rows = done.stdout.decode().splitlines()
    columns = header.split(",")
    assert columns[:3] == ["step", "prediction", "logit_0"]
    table = [[float(field) for field in row.split(",")] for row in rows]
    return np.array(table).reshape(len(rows), len(columns)), told


@pytest.mark.parametrize("chunk", [1, 20, 64, 1000])
def test_a_classifier_answers_each_chunk(folder: Path, sequence: np.ndarray, chunk: int) -> None:
    answers, told = piped(folder, "d", written(sequence), "--chunk", chunk)
    ends = sorted({*range(chunk, 64, chunk), 64})
    deployment = snn_deploy.load(folder / "d.safetensors")
    expected = [deployment.simulate(sequence[None, :end]).logits[0] for end in ends]
    np.testing.assert_array_equal(answers[:, 0], np.array(ends) - 1)
    np.testing.assert_array_equal(answers[:, 1], np.argmax(expected, axis=1))
    np.testing.assert_array_equal(answers[:, 2:], expected)
    assert "1 stream of 64 steps" in told
    assert "spike rate layers.0" in told


def test_an_answer_at_every_step(folder: Path, sequence: np.ndarray) -> None:
    answers, _ = piped(folder, "e", written(sequence))
    expected = snn_deploy.load(folder / "e.safetensors").simulate(sequence[None])
    np.testing.assert_array_equal(answers[:, 0], np.arange(64))
    np.testing.assert_array_equal(answers[:, 1], expected.predictions[0])
    np.testing.assert_array_equal(answers[:, 2:], expected.logits[0])


def test_answers_come_before_the_input_ends(folder: Path, sequence: np.ndarray) -> None:
    lines = written(sequence).splitlines(keepends=True)
    words = command(folder, "e", "--chunk", 4)
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin
        assert process.stdout
        assert process.stdout.readline().startswith(b"step,")
        for start in (0, 4):
            process.stdin.write(b"".join(lines[start : start + 4]))
            process.stdin.flush()
            steps = [process.stdout.readline().split(b",")[0] for _ in range(4)]
            assert steps == [b"%d" % step for step in range(start, start + 4)]
        process.stdin.close()
        assert process.stdout.read() == b""
        assert process.wait() == 0


def test_a_state_goes_on(folder: Path, sequence: np.ndarray, tmp_path: Path) -> None:
    state = tmp_path / "state"
    _, told = piped(folder, "d", written(sequence[:40]), "--save-state", state)
    assert f"wrote {state}" in told
    answers, told = piped(folder, "d", written(sequence[40:]), "--resume", state)
    expected = snn_deploy.load(folder / "d.safetensors").simulate(sequence[None]).logits
    np.testing.assert_array_equal(answers[:, 0], [63])
    np.testing.assert_array_equal(answers[:, 2:], expected)
    assert "1 stream of 24 steps (after 40 before)" in told


def test_a_bad_line_is_named(folder: Path, sequence: np.ndarray, tmp_path: Path) -> None:
    lines = written(sequence[:5]) + b"half\n"
    words = ("--chunk", 2, "--save-state", tmp_path / "state")
    answers, told = piped(folder, "d", lines, *words, code=2)
    np.testing.assert_array_equal(answers[:, 0], [1, 3])
    assert told == "error: standard input, line 6: 'half' is no finite number of 32 bits\n"
    assert list(tmp_path.iterdir()) == []


def test_no_lines_at_all(folder: Path) -> None:
    _, told = piped(folder, "d", b"", code=2)
    assert told == "error: standard input: no step came; write one a line\n"


@pytest.mark.parametrize("words", [["simulate", "e", "--data", "-"], ["targets", "loihi2"]])
def test_a_reader_that_goes_away(folder: Path, words: list[str], tmp_path: Path) -> None:
    if words[0] == "simulate":
        words = command(folder, "e", "--chunk", 1)
    else:
        words = [sys.executable, "-m", "snn_deploy", *words]
    pipes = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
    with subprocess.Popen(words, **pipes) as process:
        assert process.stdin
        assert process.stdout
        assert process.stderr
        process.stdout.close()
        with contextlib.suppress(BrokenPipeError):
            for _ in range(10_000):
                process.stdin.write(b"0.5\n")
                process.stdin.flush()
            process.stdin.close()
        assert process.stderr.read() == b""
        assert process.wait() == 0


def run(folder: Path, *words: Any, lines: bytes = b"0\n") -> Any:
    given = ["simulate", folder / "d.safetensors", "--data", "-", *words]
    arguments = [str(word) for word in given]
    return CliRunner().invoke(commands, arguments, input=lines, standalone_mode=False)


def test_what_has_no_end(folder: Path, tmp_path: Path) -> None:
    for words in (["-o", tmp_path / "o.npz"], ["--trace", tmp_path / "t.npz"]):
        error = run(folder, *words).exception
        assert isinstance(error, ConfigError)
        assert "--trace and -o need data of a known length, and --data - has no end" in str(error)
    error = run(folder, "--backend", "reference").exception
    assert "and --data - need --backend native, not reference" in str(error)
    assert list(tmp_path.iterdir()) == []


def test_no_stream(folder: Path, tmp_path: Path) -> None:
    deployment = snn_deploy.load(folder / "d.safetensors")
    network = dataclasses.replace(deployment.network, steps=64)
    dataclasses.replace(deployment, network=network).save(tmp_path / "d.safetensors")
    done = run(tmp_path)
    assert "weights are those for sequences of 64 steps, but a stream has no" in str(done.exception)
    assert done.output == ""


def test_more_logits_than_a_line_holds(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream, "MOST_PRINTED", 9)
    done = run(folder)
    assert done.stdout.splitlines()[0] == "step,prediction"
    assert done.stdout.splitlines()[1].startswith("0,")
    assert "logits are left out: 10 a line are too many" in done.stderr


# --- lines


def read(network: Network, lines: bytes, size: int = 2) -> list[np.ndarray]:
    return list(read_steps(io.BytesIO(lines), network, size))


def numbers(width: int) -> Network:
    return Network("lowered", (plain(width),), "all")


def test_lines_of_numbers() -> None:
    chunks = read(numbers(3), b"1,2,3\r\n -1.5, 2e-3 ,+.1\n7 8\t9")
    assert [chunk.shape for chunk in chunks] == [(1, 2, 3), (1, 1, 3)]
    assert {chunk.dtype for chunk in chunks} == {np.dtype(np.float32)}
    expected = np.array([[1, 2, 3], [-1.5, 2e-3, 0.1], [7, 8, 9]], np.float32)
    np.testing.assert_array_equal(np.concatenate(chunks, axis=1)[0], expected)


def test_lines_of_tokens() -> None:
    chunks = read(tokens(), b"3\n 0 \n2\n")
    assert [chunk.tolist() for chunk in chunks] == [[[3, 0]], [[2]]]
    assert {chunk.dtype for chunk in chunks} == {np.dtype(np.int64)}


def test_no_more_is_read_than_is_needed() -> None:
    taken = 0

    class Sensor(io.RawIOBase):
        def readline(self, size: Any = -1, /) -> bytes:
            nonlocal taken
            taken += 1
            return b"1 2\n"

    chunks: Iterator[np.ndarray] = read_steps(Sensor(), numbers(2), 5)  # type: ignore[arg-type]
    for count in range(1, 4):
        assert next(chunks).shape == (1, 5, 2)
        assert taken == 5 * count


@pytest.mark.parametrize(
    ("width", "lines", "told"),
    [
        (2, b"1,2\n1,2,3\n", r"standard input, line 2: 3 values; this network takes 2 a line"),
        (2, b"1,2\n\n3,4\n", r"line 2: 0 values"),
        (2, b"1,,2\n", r"line 1: 3 values"),
        (2, b"1,\n", r"line 1: '' is no finite number of 32 bits"),
        (2, b"x y\n", r"line 1: 'x' is no finite number"),
        (1, b"1\n1\nnan\n", r"line 3: 'nan' is no finite number"),
        (1, b"-inf", r"line 1: '-inf' is no finite number"),
        (1, b"1e39", r"line 1: '1e39' is no finite number of 32 bits"),
        (1, b"1_0", r"line 1: '1_0' is no finite number"),
        (1, b"\xff\n", r"line 1: '\ufffd' is no finite number"),
        (1, b"7" * 90, r"line 1: '7{40}…' is no finite number"),
        (1, b"0." + b"7" * 200, r"line 1: longer than 128 bytes; write one step a line"),
    ],
)
def test_lines_that_are_no_steps(width: int, lines: bytes, told: str) -> None:
    with pytest.raises(DataError, match=told):
        read(numbers(width), lines)


@pytest.mark.parametrize("line", [b"4", b"-1", b"1.0", b"", b"1 2", b"1_0", b"9" * 99])
def test_lines_that_are_no_tokens(line: bytes) -> None:
    with pytest.raises(DataError, match=r"line 2: '.*' is no token; .* one integer a line, 0 … 3"):
        read(tokens(), b"0\n" + line + b"\n")

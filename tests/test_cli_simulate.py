"""``simulate`` on the command line: data files, traces, streams and their state."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from streamed import EXAMPLE, save_deployments

import snn_deploy
from snn_deploy.cli import stream
from snn_deploy.cli.main import commands
from snn_deploy.errors import ConfigError, DataError, SnnDeployError
from snn_deploy.run import answers
from snn_deploy.traces import read_trace

SEQUENCES = 4


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A deployment ``d``, one that answers at every step ``e``, and data in several forms."""
    folder = tmp_path_factory.mktemp("simulate")
    save_deployments(folder)
    with np.load(EXAMPLE / "test.npz") as data:
        inputs, labels = data["inputs"][:SEQUENCES], data["labels"][:SEQUENCES]
    np.savez(folder / "data.npz", inputs=inputs, labels=labels)
    np.save(folder / "data.npy", inputs)
    np.save(folder / "one.npy", inputs[0])
    np.save(folder / "begin.npy", inputs[:, :40])
    np.save(folder / "end.npy", inputs[:, 40:])
    return folder


def run(folder: Path, deployment: str, data: str, *words: Any) -> str:
    """Run ``simulate``; give what it prints."""
    given = ["simulate", folder / f"{deployment}.safetensors", "--data", folder / data, *words]
    done = CliRunner().invoke(commands, [str(word) for word in given], standalone_mode=False)
    if done.exception:
        raise done.exception
    assert done.exit_code == 0, done.output
    return done.output


def arrays(path: Path) -> dict[str, np.ndarray]:
    with np.load(path) as content:
        return dict(content)


def assert_same(first: dict[str, np.ndarray], second: dict[str, np.ndarray]) -> None:
    assert first.keys() == second.keys()
    for name, array in first.items():
        np.testing.assert_array_equal(array, second[name], err_msg=name)
        assert array.dtype == second[name].dtype


@pytest.fixture(scope="module")
def whole(folder: Path) -> dict[str, dict[str, np.ndarray]]:
    """What whole sequences give: by deployment, OUT.npz and TRACE.npz."""
    found = {}
    for name in ("d", "e"):
        out, trace = folder / f"{name}-out.npz", folder / f"{name}-trace.npz"
        run(folder, name, "data.npz", "-o", out, "--trace", trace)
        found |= {f"{name}/out": arrays(out), f"{name}/trace": arrays(trace)}
    return found


def test_whole_sequences(folder: Path, whole: dict[str, dict[str, np.ndarray]]) -> None:
    deployment = snn_deploy.load(folder / "d.safetensors")
    inputs = np.load(folder / "data.npy")
    simulation = deployment.simulate(inputs, trace=deployment.network.names)
    np.testing.assert_array_equal(whole["d/out"]["logits"], simulation.logits)
    np.testing.assert_array_equal(whole["d/out"]["predictions"], simulation.predictions)
    assert sorted(whole["d/trace"]) == sorted(deployment.network.names)
    for name, trace in simulation.trace.items():
        np.testing.assert_array_equal(whole["d/trace"][name], trace, err_msg=name)
    assert whole["d/trace"]["layers.0.lif"].dtype == np.uint8
    printed = run(folder, "d", "data.npz")
    assert f"{SEQUENCES} sequences of 64 steps" in printed
    assert "accuracy" in printed


def test_an_array_on_disk(folder: Path, whole: Any, tmp_path: Path) -> None:
    run(folder, "d", "data.npy", "-o", tmp_path / "out.npz")
    assert_same(arrays(tmp_path / "out.npz"), whole["d/out"])
    run(folder, "d", "data.npy", "-o", tmp_path / "out.npz", "--limit", 2)
    np.testing.assert_array_equal(
        arrays(tmp_path / "out.npz")["logits"], whole["d/out"]["logits"][:2]
    )


@pytest.mark.parametrize("deployment", ["d", "e"])
@pytest.mark.parametrize("chunk", [1, 17, 64, 1000])
def test_a_stream_writes_what_whole_sequences_do(
    folder: Path, whole: Any, tmp_path: Path, deployment: str, chunk: int
) -> None:
    words = ["--chunk", chunk, "-o", tmp_path / "o.npz", "--trace", tmp_path / "t.npz"]
    printed = run(folder, deployment, "data.npz", *words)
    assert f"{SEQUENCES} streams of 64 steps" in printed
    assert ("accuracy" in printed) == (deployment == "d")
    assert_same(arrays(tmp_path / "o.npz"), whole[f"{deployment}/out"])
    assert_same(arrays(tmp_path / "t.npz"), whole[f"{deployment}/trace"])


def test_logits_too_large_for_a_disk(
    folder: Path, whole: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(answers, "LOGIT_BYTES", 10_000)
    monkeypatch.setattr(stream, "OUTPUT_BYTES", 1)  # a step at a time
    printed = run(folder, "e", "data.npz", "--chunk", 50, "-o", tmp_path / "out.npz")
    assert "logits are left out" in printed
    found = arrays(tmp_path / "out.npz")
    assert "logits" not in found
    np.testing.assert_array_equal(found["predictions"], whole["e/out"]["predictions"])


def test_one_long_sequence(folder: Path, whole: Any, tmp_path: Path) -> None:
    run(folder, "e", "one.npy", "--chunk", 10, "-o", tmp_path / "out.npz")
    np.testing.assert_array_equal(
        arrays(tmp_path / "out.npz")["logits"], whole["e/out"]["logits"][:1]
    )
    with pytest.raises(DataError, match=r"shape \(64, 1\); this network takes"):
        run(folder, "e", "one.npy")


@pytest.mark.parametrize("deployment", ["d", "e"])
def test_a_stream_in_two_runs(folder: Path, whole: Any, tmp_path: Path, deployment: str) -> None:
    state, out, trace = tmp_path / "state", tmp_path / "out.npz", tmp_path / "trace.npz"
    words = ["-o", out, "--trace", trace, "--save-state", state]
    run(folder, deployment, "begin.npy", *words)
    first, begun = arrays(out), arrays(trace)
    printed = run(folder, deployment, "end.npy", *words, "--resume", state)
    assert "streams of 24 steps (after 40 before)" in printed
    second = arrays(out)
    if deployment == "d":
        assert_same(second, whole["d/out"])
    else:
        joined = np.concatenate([first["logits"], second["logits"]], axis=1)
        np.testing.assert_array_equal(joined, whole["e/out"]["logits"])
    ended = arrays(trace)
    np.testing.assert_array_equal(ended.pop("@steps"), np.arange(40, 64))
    name = "layers.1.ssm"
    joined = np.concatenate([begun[name], ended[name]], axis=1)
    np.testing.assert_array_equal(joined, whole[f"{deployment}/trace"][name])
    run(
        folder, deployment, "end.npy", "--resume", state, "--trace", trace, "--trace-steps", "70:80"
    )
    assert read_trace(trace).steps.tolist() == list(range(70, 80))


@pytest.mark.parametrize("stream", [(), ("--chunk", 7)])
def test_chosen_nodes_and_steps(folder: Path, whole: Any, tmp_path: Path, stream: Any) -> None:
    words = [*stream, "--trace-nodes", "*.lif, layers.0.ssm", "--trace-steps", "5:40:3"]
    for form in ("dense", "events"):
        path = tmp_path / f"{form}.npz"
        run(folder, "d", "data.npz", "--trace", path, "--trace-format", form, *words)
        trace = read_trace(path)
        assert sorted(trace) == ["layers.0.lif", "layers.0.ssm", "layers.1.lif"]
        np.testing.assert_array_equal(trace.steps, range(5, 40, 3))
        for name, chosen in trace.items():
            np.testing.assert_array_equal(chosen, whole["d/trace"][name][:, 5:40:3], err_msg=name)
    events = arrays(tmp_path / "events.npz")
    assert {"layers.0.lif/steps", "layers.0.lif/neurons", "layers.0.ssm"} <= events.keys()
    assert "layers.0.lif" not in events


def test_the_float_network_s_trace(folder: Path, tmp_path: Path) -> None:
    checkpoint = EXAMPLE / "seqdigits_uni.ckpt"
    words = ["simulate", checkpoint, "--data", folder / "data.npz", "--backend", "float"]
    words += ["--trace", tmp_path / "t.npz", "--trace-nodes", "layers.*.lif"]
    done = CliRunner().invoke(commands, [str(word) for word in words], standalone_mode=False)
    assert done.exit_code == 0, done.output
    trace = arrays(tmp_path / "t.npz")
    assert trace.keys() == {"layers.0.lif", "layers.1.lif"}
    assert trace["layers.0.lif"].shape[:2] == (SEQUENCES, 64)
    again = [*words, "--trace-steps", "0:3"]
    done = CliRunner().invoke(commands, [str(word) for word in again], standalone_mode=False)
    assert "need an integer engine, not float" in str(done.exception)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--trace-nodes", "*.lif"], "need --trace FILE"),
        (["--chunk", "5", "--backend", "reference"], "need --backend native, not reference"),
        (["--trace", "t.npz", "--trace-nodes", "nothing"], "no node 'nothing' to trace"),
        (["--trace", "t.npz", "--trace-steps", "64:"], "none of them is among the steps 0 … 63"),
        (["--resume", "nothing"], "nothing: cannot be read"),
        (["--save-state", "no/where"], "the folder .* does not exist"),
    ],
)
def test_what_cannot_be(
    folder: Path, words: list[str], message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SnnDeployError, match=message):
        run(folder, "d", "data.npz", *words)
    assert list(tmp_path.iterdir()) == []


def test_a_stream_takes_no_checkpoint(folder: Path) -> None:
    words = ["simulate", str(EXAMPLE / "seqdigits_uni.ckpt"), "--data", str(folder / "data.npz")]
    done = CliRunner().invoke(commands, [*words, "--chunk", "5"], standalone_mode=False)
    assert isinstance(done.exception, ConfigError)
    assert "is not a deployment; make one with" in str(done.exception)


def test_steps_must_be_steps(folder: Path) -> None:
    for text in ("5", "1:2:3:4", "a:b", "-1:5"):
        words = ["simulate", "d", "--data", "x", "--trace", "t.npz", f"--trace-steps={text}"]
        done = CliRunner().invoke(commands, words)
        assert done.exit_code == 2
        assert "write START:STOP or START:STOP:EVERY" in done.output.replace("\n", " ")


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="looks at open files under /proc")
def test_a_killed_run_leaves_nothing(folder: Path, tmp_path: Path) -> None:
    np.save(folder / "long.npy", np.zeros((1, 3_000_000, 1), np.float32))
    words = [sys.executable, "-m", "snn_deploy", "simulate", folder / "e.safetensors"]
    words += ["--data", folder / "long.npy", "--chunk", "512"]
    words += ["-o", tmp_path / "o.npz", "--trace", tmp_path / "t.npz", "--save-state", "state"]
    with subprocess.Popen([str(w) for w in words], cwd=tmp_path) as process:
        while process.poll() is None and not _written_in(process.pid, tmp_path):
            time.sleep(0.02)
        assert process.poll() is None, "it ended before it wrote anything"
        os.kill(process.pid, signal.SIGKILL)
    assert list(tmp_path.iterdir()) == []


def _written_in(pid: int, folder: Path) -> int:
    """Count the bytes in files of a folder that a process has open."""
    size = 0
    for entry in Path(f"/proc/{pid}/fd").iterdir():
        with contextlib.suppress(OSError):  # closed meanwhile
            if str(entry.readlink()).startswith(str(folder)):
                size += entry.stat().st_size
    return size

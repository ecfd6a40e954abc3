"""Evaluation of whole test sets: counts, resuming after a kill, and damaged journals."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from concurrent.futures import CancelledError
from pathlib import Path

import numpy as np
import pytest

import snn_deploy
from snn_deploy import examples
from snn_deploy.errors import BackendError, BackendUnavailableError, DataError, OutputError
from snn_deploy.evaluation import evaluate, run
from snn_deploy.evaluation.journal import open_journal
from snn_deploy.evaluation.tally import Tally

EXAMPLE = Path(examples.__file__).parent / "seqdigits_uni"
SEQUENCES = 22
SHARD = 5


@pytest.fixture(scope="module")
def deployed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("evaluate")
    snn_deploy.convert(EXAMPLE / "seqdigits_uni.ckpt", calibration=EXAMPLE / "train.npz").save(
        folder / "d.safetensors"
    )
    with np.load(EXAMPLE / "test.npz") as data:
        inputs, labels = data["inputs"][:SEQUENCES], data["labels"][:SEQUENCES]
    np.savez(folder / "data.npz", inputs=inputs, labels=labels)
    (folder / "set").mkdir()
    np.save(folder / "set" / "inputs.npy", inputs)
    np.save(folder / "set" / "labels.npy", labels)
    return folder


def _evaluate(folder: Path, output: Path, data: str = "data.npz", **options: object) -> None:
    evaluate(folder / "d.safetensors", folder / data, output, shard_size=SHARD, **options)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def expected(deployed: Path) -> bytes:
    _evaluate(deployed, deployed / "expected.json")
    return (deployed / "expected.json").read_bytes()


def test_counts_are_those_of_one_simulation(deployed: Path, expected: bytes) -> None:
    with np.load(deployed / "data.npz") as data:
        inputs, labels = data["inputs"], data["labels"]
    simulation = snn_deploy.load(deployed / "d.safetensors").simulate(inputs)
    result = json.loads(expected)
    assert result["correct"] == int((simulation.predictions == labels).sum())
    assert result["accuracy"] == result["correct"] / SEQUENCES
    assert sum(result["confusion"].values()) == result["sequences"] == SEQUENCES
    for layer, counts in simulation.spike_counts.items():
        assert result["spikes"][layer] == counts.sum(axis=0).tolist()


def test_a_folder_and_an_array_give_what_the_npz_gives(deployed: Path, expected: bytes) -> None:
    for data in ("set", "set/inputs.npy"):
        _evaluate(deployed, deployed / "other.json", data)
        assert (deployed / "other.json").read_bytes() == expected


def test_a_journal_cut_anywhere_is_continued_to_the_same_result(
    deployed: Path, expected: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every possible state that a kill can leave: the journal's first n bytes, whatever n."""
    output = tmp_path / "out.json"
    journal = Path(f"{output}.journal")
    kept: list[bytes] = []
    monkeypatch.setattr(
        "snn_deploy.evaluation.journal.Journal.remove",
        lambda self: kept.append(journal.read_bytes()),
    )
    _evaluate(deployed, output)
    records = {
        number: json.loads(line[9:])["value"]
        for number, line in enumerate(kept[0].splitlines()[1:])
    }
    started: list[int] = []

    def rerun(task: object, shards: list[int]) -> object:
        started.extend(shards)
        return ((shard, records[shard]) for shard in shards)

    monkeypatch.setattr(run, "run_here", rerun)
    lines = len(kept[0].splitlines())
    for size in range(0, len(kept[0]) + 1, 37):
        started.clear()
        journal.write_bytes(kept[0][:size])
        _evaluate(deployed, output)
        assert output.read_bytes() == expected
        finished = max(kept[0][:size].count(b"\n") - 1, 0)
        assert started == list(range(finished, lines - 1)), "only unfinished shards run again"


def test_a_flipped_byte_in_the_journal_drops_what_follows(
    deployed: Path, expected: bytes, tmp_path: Path
) -> None:
    output = tmp_path / "out.json"
    _leave_journal(deployed, output, shards=3)
    journal = Path(f"{output}.journal")
    content = bytearray(journal.read_bytes())
    content[len(content) // 2] ^= 1
    journal.write_bytes(content)
    _evaluate(deployed, output)
    assert output.read_bytes() == expected


def _leave_journal(deployed: Path, output: Path, shards: int) -> None:
    class KilledError(Exception):
        pass

    def stop(self: object, shard: int, value: object, add: object = None) -> None:
        if shard == shards:
            raise KilledError

    with pytest.MonkeyPatch.context() as patch:
        from snn_deploy.evaluation.journal import Journal

        original = Journal.add

        def limited(self: Journal, shard: int, value: object) -> None:
            stop(self, shard, value)
            original(self, shard, value)

        patch.setattr(Journal, "add", limited)
        with pytest.raises(KilledError):
            _evaluate(deployed, output)
    assert not output.exists()


def test_killed_processes_resume_to_the_same_file(
    deployed: Path, expected: bytes, tmp_path: Path
) -> None:
    output = tmp_path / "out.json"
    journal = Path(f"{output}.journal")
    words = [sys.executable, "-m", "snn_deploy", "evaluate", str(deployed / "d.safetensors")]
    words += ["--data", str(deployed / "data.npz"), "-o", str(output), "--shard-size", str(SHARD)]
    words += ["--backend", "reference"]
    for lines in (1, 2, 4):
        with subprocess.Popen(words, stdout=subprocess.DEVNULL) as process:
            while process.poll() is None and _lines(journal) < lines:
                time.sleep(0.01)
            os.kill(process.pid, signal.SIGKILL)
        assert not output.exists() or process.returncode == 0
    subprocess.run(words, check=True, stdout=subprocess.DEVNULL)
    result, undisturbed = json.loads(output.read_text()), json.loads(expected)
    assert result.pop("backend") == "reference"
    del undisturbed["backend"]
    assert result == undisturbed
    assert not journal.exists()


def _lines(journal: Path) -> int:
    return journal.read_bytes().count(b"\n") if journal.exists() else 0


def test_a_journal_of_another_task_is_refused(deployed: Path, tmp_path: Path) -> None:
    output = tmp_path / "out.json"
    _leave_journal(deployed, output, shards=2)
    with pytest.raises(OutputError, match=r"journal of another evaluation .* --fresh"):
        _evaluate(deployed, output, backend="reference")
    _evaluate(deployed, output, backend="reference", fresh=True)
    assert output.exists()


def test_a_journal_in_use_is_refused(deployed: Path, tmp_path: Path) -> None:
    output = tmp_path / "out.json"
    with (
        open_journal(Path(f"{output}.journal"), {}, fresh=False),
        pytest.raises(OutputError, match="the same evaluation runs already"),
    ):
        _evaluate(deployed, output)


def test_unusable_data_is_refused_before_anything_is_written(
    deployed: Path, tmp_path: Path
) -> None:
    (tmp_path / "empty").mkdir()
    cases = {"empty": "no inputs.npy in it", "missing.npz": "no such file"}
    np.save(tmp_path / "labels.npy", np.zeros(3, np.int64))
    np.save(tmp_path / "inputs.npy", np.zeros((2, 4, 1), np.float32))
    cases["inputs.npy"] = "3 labels for 2 inputs"
    for name, message in cases.items():
        with pytest.raises(DataError, match=message):
            evaluate(deployed / "d.safetensors", tmp_path / name, tmp_path / "out.json")
    assert not (tmp_path / "out.json").exists()
    assert not (tmp_path / "out.json.journal").exists()


def test_tallies_add_up_in_any_order() -> None:
    a = Tally(2, 8, 1, 2, 500_000, {"0>1": 1}, {"1": 2}, {"l": [1, 2]}, {"x": 3})
    b = Tally(1, 4, 1, 1, 250_000, {"0>0": 1}, {"0": 1}, {"l": [0, 5]}, {})
    assert a + b == b + a
    assert (a + b).spikes == {"l": [1, 7]}
    assert Tally.from_json(json.loads(json.dumps((a + b).to_json()))) == a + b


def test_local_workers_give_the_same_file(deployed: Path, expected: bytes, tmp_path: Path) -> None:
    pytest.importorskip("distributed", reason="needs the extra 'cluster'")
    _evaluate(deployed, tmp_path / "out.json", workers=2)
    assert (tmp_path / "out.json").read_bytes() == expected


def test_a_killed_worker_loses_nothing(deployed: Path, expected: bytes, tmp_path: Path) -> None:
    distributed = pytest.importorskip("distributed", reason="needs the extra 'cluster'")
    finished: list[float] = []
    with distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, dashboard_address=None, processes=True
    ) as cluster:

        def kill_one(sequences: float) -> None:
            finished.append(sequences)
            if len(finished) == 2:
                os.kill(cluster.workers[0].pid, signal.SIGKILL)

        evaluate(
            deployed / "d.safetensors",
            deployed / "data.npz",
            tmp_path / "out.json",
            shard_size=1,
            cluster=cluster.scheduler_address,
            progress=kill_one,
        )
    assert finished == [1] * SEQUENCES
    result = json.loads((tmp_path / "out.json").read_text())
    assert result | {"shard_size": SHARD} == json.loads(expected)


def test_a_lost_scheduler_is_named(
    deployed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from snn_deploy.evaluation import workers

    class Lost:
        KilledWorker = RuntimeError

        def Client(self, address: str, **options: object) -> Lost:  # noqa: N802 - dask's name
            return self

        def __enter__(self) -> Lost:
            return self

        def __exit__(self, *error: object) -> None: ...

        def submit(self, *task: object, **options: object) -> Lost:
            return self

        def as_completed(self, futures: list[Lost]) -> list[Lost]:
            return futures

        def result(self) -> None:
            raise CancelledError

    monkeypatch.setattr(workers, "_import_distributed", Lost)
    with pytest.raises(BackendError, match="lost tcp://x:1, which handed out the shards"):
        _evaluate(deployed, tmp_path / "out.json", cluster="tcp://x:1")
    _evaluate(deployed, tmp_path / "out.json", backend="native")
    assert (tmp_path / "out.json").exists()


def test_a_cluster_that_does_not_answer_is_named(
    deployed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from snn_deploy.evaluation import workers

    class Distributed:
        @staticmethod
        def Client(address: str, **options: object) -> None:  # noqa: N802 - dask's name
            raise OSError("timed out")

    monkeypatch.setattr(workers, "_import_distributed", lambda: Distributed)
    with pytest.raises(BackendUnavailableError, match="no dask scheduler answers at tcp://x:1"):
        _evaluate(deployed, tmp_path / "out.json", cluster="tcp://x:1")

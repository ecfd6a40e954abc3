"""Evaluation of whole test sets: counts, resuming after a kill, and damaged journals."""

from __future__ import annotations

import contextlib
import fcntl
import json
import multiprocessing
import os
import shutil
import signal
import subprocess
import sys
import time
import zlib
from concurrent.futures import CancelledError
from pathlib import Path

import numpy as np
import pytest

import snn_deploy
from snn_deploy import examples
from snn_deploy.errors import (
    BackendError,
    BackendUnavailableError,
    ConfigError,
    DataError,
    OutputError,
    SnnDeployWarning,
)
from snn_deploy.evaluation import Cluster, evaluate, processes, run
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
    first = kept[0].index(b"\n") + 1  # is there from the journal's first moment
    for size in (0, *range(first, len(kept[0]) + 1, 37)):
        started.clear()
        journal.unlink(missing_ok=True)
        if size:
            journal.write_bytes(kept[0][:size])
        _evaluate(deployed, output)
        assert output.read_bytes() == expected
        finished = max(kept[0][:size].count(b"\n") - 1, 0)
        assert started == list(range(finished, lines - 1)), "only unfinished shards run again"


def test_a_damaged_line_is_told_and_only_its_shard_runs_again(
    deployed: Path, expected: bytes, tmp_path: Path
) -> None:
    output = tmp_path / "out.json"
    _leave_journal(deployed, output, shards=3)
    journal = Path(f"{output}.journal")
    lines = journal.read_bytes().split(b"\n")
    lines[2] = lines[2].replace(b'"shard":1', b'"shard":7')
    journal.write_bytes(b"\n".join(lines))
    with pytest.warns(SnnDeployWarning, match=r"1 of 3 finished shards are damaged \(line 3\)"):
        _evaluate(deployed, output)
    assert output.read_bytes() == expected


NO_JOURNALS: dict[str, bytes] = {
    "a diary": b"dear diary\n",
    "nothing": b"",
    "a journal of something else": b'8f1a3c2e {"task":{}}\n',
}


@pytest.mark.parametrize("fresh", [False, True])
@pytest.mark.parametrize("content", NO_JOURNALS.values(), ids=NO_JOURNALS)
def test_what_is_no_journal_is_left_alone(
    deployed: Path, tmp_path: Path, content: bytes, fresh: bool
) -> None:
    output = tmp_path / "out.json"
    precious = Path(f"{output}.journal")
    precious.write_bytes(content)
    with pytest.raises(OutputError, match="is no journal of an evaluation, so it is left alone"):
        _evaluate(deployed, output, fresh=fresh)
    assert precious.read_bytes() == content


@pytest.mark.parametrize("kind", ["link", "dangling link", "hard link", "pipe", "folder"])
def test_no_link_is_followed_and_nothing_else_is_opened(
    deployed: Path, tmp_path: Path, kind: str
) -> None:
    output = tmp_path / "out.json"
    _leave_journal(deployed, output, shards=1)
    journal, other = Path(f"{output}.journal"), tmp_path / "other"
    content = journal.read_bytes()
    if kind == "hard link":
        other.hardlink_to(journal)
    else:
        journal.rename(other)
        if kind.endswith("link"):
            journal.symlink_to(other if kind == "link" else tmp_path / "nothing")
        elif kind == "pipe":
            os.mkfifo(journal)
        else:
            journal.mkdir()
    with pytest.raises(OutputError, match="is no journal of an evaluation, so it is left alone"):
        _evaluate(deployed, output, fresh=True)
    assert other.read_bytes() == content
    assert os.path.lexists(journal)


def test_a_journal_whose_first_line_is_damaged_is_not_thrown_away(
    deployed: Path, tmp_path: Path
) -> None:
    output = tmp_path / "out.json"
    _leave_journal(deployed, output, shards=3)
    journal = Path(f"{output}.journal")
    content = bytearray(journal.read_bytes())
    content[20] ^= 1
    journal.write_bytes(content)
    with pytest.raises(OutputError, match="is damaged, so its 3 finished shards cannot be used"):
        _evaluate(deployed, output)
    assert journal.read_bytes() == content


WRONG_SHARDS = {
    "no number": {"shard": "0"},
    "no such shard": {"shard": 99},
    "another size": {"sequences": 9},
    "too many right": {"correct": 6},
    "a negative count": {"steps": -1},
    "a count of 400 digits": {"labelled": 10**400},
    "an unknown layer": {"spikes": {"x": [1]}},
    "too few neurons": {"spikes": {"layers.0": [1], "layers.1": [1]}},
    "an unknown node": {"saturated": {"x": 1}},
    "text": {"confusion": {"0>1": "2"}},
    "a class that is none": {"predictions": {"\u001b": 1}},
}


@pytest.mark.parametrize("change", WRONG_SHARDS.values(), ids=WRONG_SHARDS)
def test_a_right_checksum_excuses_no_wrong_content(
    deployed: Path, tmp_path: Path, change: dict[str, object]
) -> None:
    output = tmp_path / "out.json"
    _leave_journal(deployed, output, shards=2)
    journal = Path(f"{output}.journal")
    first, second, *_ = journal.read_bytes().splitlines()
    entry = json.loads(second[9:])
    for key, value in change.items():
        (entry if key in entry else entry["value"])[key] = value
    text = json.dumps(entry).encode()
    journal.write_bytes(b"%s\n%08x %s\n" % (first, zlib.crc32(text), text))
    with pytest.raises(OutputError, match="line 2: not what this evaluation would have written"):
        _evaluate(deployed, output)
    with pytest.warns(SnnDeployWarning, match="1 finished shards of an earlier run are discarded"):
        _evaluate(deployed, output, fresh=True)
    assert not journal.exists()


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
    with pytest.warns(SnnDeployWarning, match="2 finished shards of an earlier run are discarded"):
        _evaluate(deployed, output, backend="reference", fresh=True)
    assert output.exists()


def test_a_journal_in_use_is_refused(deployed: Path, tmp_path: Path) -> None:
    output = tmp_path / "out.json"
    _leave_journal(deployed, output, shards=1)
    with Path(f"{output}.journal").open("rb") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        with pytest.raises(OutputError, match="the same evaluation runs already"):
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
    _evaluate(deployed, tmp_path / "out.json", workers=2)
    assert (tmp_path / "out.json").read_bytes() == expected


def test_local_workers_open_no_port(deployed: Path, tmp_path: Path) -> None:
    """While they run, no process of ours listens to anything."""
    listening: list[str] = []

    def look(sequences: float) -> None:
        ours = {os.getpid(), *(child.pid for child in multiprocessing.active_children())}
        assert len(ours) == 3
        sockets = set()
        for link in (link for pid in ours for link in Path(f"/proc/{pid}/fd").iterdir()):
            with contextlib.suppress(FileNotFoundError):  # the folder itself, read just now
                sockets.add(str(link.readlink()))
        for table in ("tcp", "tcp6", "udp", "udp6"):
            rows = Path(f"/proc/net/{table}").read_text().splitlines()[1:]
            listening.extend(row for row in rows if f"socket:[{row.split()[9]}]" in sockets)
        rows = Path("/proc/net/unix").read_text().splitlines()[1:]
        named = [row for row in rows if len(row.split()) > 7]
        listening.extend(row for row in named if f"socket:[{row.split()[6]}]" in sockets)

    _evaluate(deployed, tmp_path / "out.json", workers=2, progress=look)
    assert listening == []


def test_a_killed_worker_loses_nothing(deployed: Path, expected: bytes, tmp_path: Path) -> None:
    finished: list[float] = []

    def kill_one(sequences: float) -> None:
        finished.append(sequences)
        if len(finished) == 2:
            child = multiprocessing.active_children()[0]
            assert child.pid is not None
            os.kill(child.pid, signal.SIGKILL)

    evaluate(
        deployed / "d.safetensors",
        deployed / "data.npz",
        tmp_path / "out.json",
        shard_size=1,
        workers=2,
        progress=kill_one,
    )
    assert finished == [1] * SEQUENCES
    result = json.loads((tmp_path / "out.json").read_text())
    assert result | {"shard_size": SHARD} == json.loads(expected)


def test_workers_that_always_die_are_named() -> None:
    with pytest.raises(BackendError, match="the workers that ran a shard died 4 times"):
        list(processes.map_in_processes(os._exit, [7], 1, 1))
    assert multiprocessing.active_children() == []


def test_what_a_worker_raises_is_raised_here(deployed: Path, tmp_path: Path) -> None:
    with pytest.raises(TypeError):
        list(processes.map_in_processes(len, [3], 1, 1))


def test_workers_leave_when_their_master_is_killed(tmp_path: Path) -> None:
    program = tmp_path / "master.py"
    program.write_text(
        "import os, time, multiprocessing\n"
        "from snn_deploy.evaluation.processes import map_in_processes\n"
        "if __name__ == '__main__':\n"
        "    for task, _ in map_in_processes(time.sleep, [0, 0, 1], 1, 1):\n"
        "        print(multiprocessing.active_children()[0].pid, flush=True)\n"
        "        os.kill(os.getpid(), 9)\n"
    )
    done = subprocess.run([sys.executable, program], capture_output=True, text=True, check=False)
    worker = int(done.stdout)
    for _ in range(100):
        if not Path(f"/proc/{worker}").exists():
            break
        time.sleep(0.1)
    assert not Path(f"/proc/{worker}").exists()


# --- a cluster


def test_a_cluster_gives_the_same_file(deployed: Path, expected: bytes, tmp_path: Path) -> None:
    distributed = pytest.importorskip("distributed", reason="needs the extra 'cluster'")
    with (
        distributed.LocalCluster(
            n_workers=1, threads_per_worker=1, dashboard_address=None, processes=False
        ) as cluster,
        pytest.warns(SnnDeployWarning, match="is reached without TLS: whoever else reaches it"),
    ):
        _evaluate(deployed, tmp_path / "out.json", workers=Cluster(cluster.scheduler_address))
    assert (tmp_path / "out.json").read_bytes() == expected


@pytest.mark.skipif(shutil.which("openssl") is None, reason="needs openssl to make certificates")
def test_a_cluster_with_tls(deployed: Path, expected: bytes, tmp_path: Path) -> None:
    distributed = pytest.importorskip("distributed", reason="needs the extra 'cluster'")
    for words in (
        "req -x509 -newkey rsa:2048 -nodes -keyout ca.key -out ca.pem -subj /CN=ca",
        "req -newkey rsa:2048 -nodes -keyout key.pem -out request -subj /CN=node",
        "x509 -req -in request -CA ca.pem -CAkey ca.key -CAcreateserial -out cert.pem",
    ):
        subprocess.run(["openssl", *words.split()], cwd=tmp_path, check=True, capture_output=True)
    ca, cert, key = (str(tmp_path / name) for name in ("ca.pem", "cert.pem", "key.pem"))
    both = {
        f"tls_{who}_{what}": file
        for who in ("client", "scheduler", "worker")
        for what, file in (("cert", cert), ("key", key))
    }
    security = distributed.Security(tls_ca_file=ca, require_encryption=True, **both)
    with distributed.LocalCluster(
        n_workers=1,
        threads_per_worker=1,
        dashboard_address=None,
        processes=False,
        protocol="tls://",
        security=security,
    ) as cluster:
        address = cluster.scheduler_address
        assert address.startswith("tls://")
        _evaluate(deployed, tmp_path / "out.json", workers=Cluster(address, ca, cert, key))
    assert (tmp_path / "out.json").read_bytes() == expected


WRONG_TLS = [
    (Cluster("tls://x:1", ca_file=os.devnull), "all of --tls-ca, --tls-cert and --tls-key"),
    (Cluster("tls://x:1", os.devnull, "b", "c"), "cannot read /dev/null, for TLS: it is not a reg"),
    (Cluster("tls://x:1", "no.pem", "b", "c"), "cannot read no.pem, for TLS: No such file"),
    (Cluster("tcp://x:1", "a", "b", "c"), "tcp://x:1: with TLS an address begins with tls://"),
]


@pytest.mark.parametrize(("cluster", "told"), WRONG_TLS)
def test_half_of_tls_is_refused(
    deployed: Path, tmp_path: Path, cluster: Cluster, told: str
) -> None:
    with pytest.raises(ConfigError, match=told):
        _evaluate(deployed, tmp_path / "out.json", workers=cluster)


TLS = Cluster("tls://x:1", *[__file__] * 3)


def test_a_lost_scheduler_is_named(
    deployed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from snn_deploy.evaluation import workers

    class Lost:
        KilledWorker = RuntimeError

        def Client(self, address: str, **options: object) -> Lost:  # noqa: N802 - dask's name
            return self

        def Security(self, **options: object) -> None: ...  # noqa: N802

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
    with pytest.raises(BackendError, match="lost tls://x:1, which handed out the shards"):
        _evaluate(deployed, tmp_path / "out.json", workers=TLS)
    _evaluate(deployed, tmp_path / "out.json", backend="native")
    assert (tmp_path / "out.json").exists()


def test_a_cluster_that_does_not_answer_is_named(
    deployed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from snn_deploy.evaluation import workers

    class Distributed:
        Security = dict

        @staticmethod
        def Client(address: str, **options: object) -> None:  # noqa: N802 - dask's name
            assert options["security"] == {
                "tls_ca_file": __file__,
                "tls_client_cert": __file__,
                "tls_client_key": __file__,
                "require_encryption": True,
            }
            raise OSError("timed out")

    monkeypatch.setattr(workers, "_import_distributed", lambda: Distributed)
    with pytest.raises(BackendUnavailableError, match="no dask scheduler answers at tls://x:1"):
        _evaluate(deployed, tmp_path / "out.json", workers=TLS)


# --- data that changes meanwhile


@pytest.mark.parametrize("change", ["overwritten", "shortened", "replaced", "deleted"])
@pytest.mark.parametrize("data", ["set", "data.npz"])
def test_changed_data_stops_the_evaluation(
    deployed: Path, expected: bytes, tmp_path: Path, data: str, change: str
) -> None:
    if data == "set":
        shutil.copytree(deployed / "set", tmp_path / "set")
        file = tmp_path / "set" / "inputs.npy"
    else:
        file = Path(shutil.copy(deployed / "data.npz", tmp_path / "data.npz"))
    whole = file.read_bytes()
    done: list[float] = []

    def change_it(sequences: float) -> None:
        done.append(sequences)
        if len(done) != 2:
            return
        if change == "overwritten":
            with file.open("r+b") as opened:
                opened.seek(len(whole) // 2)
                opened.write(b"\x00" * 8)
        elif change == "shortened":
            os.truncate(file, len(whole) // 2)
        else:
            file.rename(tmp_path / "old")
            if change == "replaced":
                file.write_bytes(whole)

    options = {"shard_size": SHARD, "progress": change_it}
    with pytest.raises(DataError, match=r"was changed while it was evaluated|cannot be read"):
        evaluate(deployed / "d.safetensors", tmp_path / data, tmp_path / "out.json", **options)  # type: ignore[arg-type]
    assert done == [SHARD] * 2
    file.write_bytes(whole)
    evaluate(deployed / "d.safetensors", tmp_path / data, tmp_path / "out.json", shard_size=SHARD)
    assert (tmp_path / "out.json").read_bytes() == expected


def test_a_link_to_nothing_is_no_missing_file(deployed: Path, tmp_path: Path) -> None:
    shutil.copytree(deployed / "set", tmp_path / "set")
    (tmp_path / "set" / "labels.npy").unlink()
    (tmp_path / "set" / "labels.npy").symlink_to(tmp_path / "nothing")
    with pytest.raises(DataError, match=r"labels\.npy: not a readable \.npy \(No such file"):
        evaluate(deployed / "d.safetensors", tmp_path / "set", tmp_path / "out.json")

"""Lava missing, failing, hanging, killed: one clear error, and nothing left behind."""

from __future__ import annotations

import importlib.util
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from lava_networks import delays, lowered, relay, source, synapses

from snn_deploy.engines.lava import supervisor
from snn_deploy.engines.lava.availability import check_available
from snn_deploy.engines.lava.engine import LavaEngine
from snn_deploy.engines.lava.job import Device, Job, JobFolder
from snn_deploy.engines.lava.supervisor import timeout_seconds
from snn_deploy.engines.result import Result, Run
from snn_deploy.engines.session import run_whole
from snn_deploy.errors import BackendError, BackendUnavailableError, ConfigError
from snn_deploy.ir.network import Network

FAULTS = Path(__file__).parent / "lava_faults.py"
on_lava = [pytest.mark.lava, pytest.mark.timeout(60)]


class Diary:
    """What a faulty child noted about itself."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def noted(self, kind: str) -> list[str]:
        lines = self.path.read_text().split("\n") if self.path.exists() else []
        return [line.split()[1] for line in lines if line.startswith(kind)]

    def alive(self) -> bool:
        try:
            os.killpg(int(self.noted("group")[0]), 0)
        except ProcessLookupError:
            return False
        return True

    def shared_memory(self) -> list[str]:
        return [name for name in self.noted("memory") if Path("/dev/shm", name).exists()]


@pytest.fixture
def diary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Diary:
    path = tmp_path / "diary"
    monkeypatch.setenv("LAVA_FAULTS_DIARY", str(path))
    return Diary(path)


@pytest.fixture
def folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where temporary folders are made."""
    place = tmp_path / "temporary"
    place.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(place))
    monkeypatch.setenv("TMPDIR", str(place))  # for child processes
    return place


@pytest.fixture
def broken(
    monkeypatch: pytest.MonkeyPatch, diary: Diary, folders: Path
) -> Iterator[Callable[[str], Result]]:
    """Run a small network with a fault; afterwards nothing must be left of it."""

    def run(fault: str, **options: Any) -> Result:
        monkeypatch.setattr(supervisor, "WORKER", (sys.executable, str(FAULTS), fault))
        return run_whole(LavaEngine(), small(), steps(**options))

    yield run
    assert diary.noted("group")
    assert not diary.alive()
    assert diary.shared_memory() == []
    assert list(folders.iterdir()) == []


def small() -> Network:
    return lowered(source(), synapses("sum", ("input", 1), np.eye(4, 3)), relay("answer", "sum"))


def steps(count: int = 20, **options: Any) -> Run:
    return Run(np.ones((2, count, 3), dtype=np.int64), np.full(2, count), ["answer"], **options)


class TestFailures:
    pytestmark = on_lava

    @pytest.mark.parametrize(
        ("fault", "process"),
        [
            ("own model fails", "answer"),
            ("stock model fails", "sum"),
            ("recorder fails", "recorder"),
        ],
    )
    def test_an_exception_comes_with_its_node_and_traceback(
        self, broken: Callable[[str], Result], diary: Diary, fault: str, process: str
    ) -> None:
        with pytest.raises(BackendError) as caught:
            broken(fault)
        message = str(caught.value)
        assert message.startswith(
            f"Lava failed at step 3 of 41, in the process of node '{process}'"
        )
        assert "ValueError: the table has come loose" in message
        assert "line" in message
        assert diary.noted("memory")

    def test_a_killed_process_is_named(self, broken: Callable[[str], Result]) -> None:
        with pytest.raises(BackendError, match=r"'answer'.*\n.*killed by SIGKILL \(out of memory"):
            broken("own model is killed")

    def test_a_hang_ends_with_the_node_that_was_computing(
        self, broken: Callable[[str], Result], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("SNN_DEPLOY_LAVA_TIMEOUT", "15")
        with pytest.raises(
            BackendError,
            match=r"no sign of life for 15 s at step 3 of 41; computing at that moment: answer. .*"
            r"set SNN_DEPLOY_LAVA_TIMEOUT(.|\n)*Its log ends:\nabout to hang",
        ):
            broken("own model hangs")

    def test_a_hang_of_a_stock_model(
        self, broken: Callable[[str], Result], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("SNN_DEPLOY_LAVA_TIMEOUT", "15")
        with pytest.raises(BackendError, match=r"for 15 s at step 3 of 41\. It was ended"):
            broken("stock model hangs")

    def test_a_hang_before_the_first_step(
        self, broken: Callable[[str], Result], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("SNN_DEPLOY_LAVA_TIMEOUT", "5")
        with pytest.raises(BackendError, match=r"for 5 s before the first step"):
            broken("start hangs")

    def test_a_child_that_ends_without_a_word(self, broken: Callable[[str], Result]) -> None:
        with pytest.raises(
            BackendError, match=r"exit code 7 before the first step\nIts log ends:\ngoodbye"
        ):
            broken("child leaves")

    def test_a_broken_installation(self, broken: Callable[[str], Result]) -> None:
        with pytest.raises(
            BackendUnavailableError,
            match=r"lava-nc is installed, but it cannot be imported; reinstall it(.|\n)*"
            r"lava.proc.lif.models",
        ):
            broken("lava is broken")

    def test_nothing_is_left_after_success(
        self, broken: Callable[[str], Result], diary: Diary
    ) -> None:
        assert broken("none").trace["answer"].sum() == 2 * 20 * 3
        assert diary.noted("memory")


class TestInterruption:
    pytestmark = on_lava

    def test_ctrl_c(self, broken: Callable[..., Result]) -> None:
        def interrupt(fraction: float) -> None:
            raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            broken("none", count=5000, progress=interrupt)

    def test_death_of_the_caller(self, diary: Diary, folders: Path) -> None:
        caller = start_hanging(folders)
        try:
            wait_for(lambda: len(diary.noted("memory")) > 5)
            assert diary.alive()
        finally:
            caller.send_signal(signal.SIGKILL)
            caller.wait()
        wait_for(lambda: not diary.alive())
        wait_for(lambda: not diary.shared_memory())
        assert list(folders.iterdir()) == []

    def test_death_of_the_caller_and_its_child_at_once(
        self, broken: Callable[[str], Result], diary: Diary, folders: Path
    ) -> None:
        """Nobody is left to clear away: the next run does."""
        caller = start_hanging(folders)
        wait_for(lambda: len(diary.noted("memory")) > 5)
        os.kill(caller.pid, signal.SIGSTOP)
        os.killpg(int(diary.noted("group")[0]), signal.SIGKILL)
        caller.kill()
        caller.wait()
        assert list(folders.glob("*/pymp-*"))
        for name in diary.shared_memory():
            Path("/dev/shm", name).unlink()  # which only Python's resource tracker could
        diary.path.unlink()
        broken("none")
        assert list(folders.iterdir()) == []


def start_hanging(folders: Path) -> subprocess.Popen[bytes]:
    script = f"""
        import sys, tempfile
        sys.path.insert(0, {str(FAULTS.parent)!r})
        from test_lava_failures import *
        tempfile.tempdir = {str(folders)!r}
        supervisor.WORKER = (sys.executable, {str(FAULTS)!r}, "own model hangs")
        run_whole(LavaEngine(), small(), steps())
        """
    lines = "\n".join(line.strip() for line in script.splitlines())
    return subprocess.Popen([sys.executable, "-c", lines])


def wait_for(condition: Callable[[], bool], seconds: float = 30.0) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.05)


class TestHardware:
    pytestmark = on_lava

    def test_without_the_extension(self) -> None:
        with pytest.raises(
            BackendUnavailableError,
            match=r"device loihi2 needs Intel's extension.*lava\.magma\.core\.model\.nc and no "
            r"module nxcore.*--device cpu",
        ):
            run_whole(LavaEngine(device="loihi2"), small(), steps())

    def test_processes_without_microcode_are_named(
        self, broken: Callable[[str], Result], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("snn_deploy.engines.lava.engine.check_available", lambda device: None)
        monkeypatch.setattr(LavaEngine.__init__, "__defaults__", ("loihi2",))
        with pytest.raises(
            BackendUnavailableError,
            match=r"1 of 4 processes have no microcode model for Loihi 2.*: answer\. ",
        ):
            broken("none")


class TestAvailability:
    @pytest.fixture
    def installed(self, monkeypatch: pytest.MonkeyPatch) -> list[str]:
        """Pretend Python 3.10 with just these modules."""
        names = ["lava.magma", "lava.magma.core.model.nc", "nxcore"]

        def find(name: str) -> object | None:
            if name == "lava.magma" and name not in names:
                raise ModuleNotFoundError("No module named 'lava'")
            return object() if name in names else None

        monkeypatch.setattr(sys, "version_info", (3, 10, 13, "final", 0))
        monkeypatch.setattr(importlib.util, "find_spec", find)
        return names

    @pytest.mark.parametrize("device", ["cpu", "loihi2"])
    def test_everything_is_there(self, installed: list[str], device: Device) -> None:
        check_available(device)

    def test_lava_is_missing(self, installed: list[str]) -> None:
        installed.remove("lava.magma")
        with pytest.raises(
            BackendUnavailableError, match=r"not installed: pip install 'snn-deploy\[lava\]'"
        ) as caught:
            run_whole(LavaEngine(), small(), steps())
        assert caught.value.exit_code == 3

    def test_another_python(self, installed: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(sys, "version_info", (3, 12, 1, "final", 0))
        with pytest.raises(
            BackendUnavailableError, match=r"Python 3\.10 only, and this is Python 3\.12"
        ):
            check_available()

    def test_half_of_the_extension(self, installed: list[str]) -> None:
        installed.remove("nxcore")
        with pytest.raises(BackendUnavailableError, match=r"there is no module nxcore\. It is"):
            check_available("loihi2")


class TestTimeout:
    def test_default_and_setting(self) -> None:
        assert timeout_seconds({}) == 120
        assert timeout_seconds({"SNN_DEPLOY_LAVA_TIMEOUT": "0.5"}) == 0.5

    @pytest.mark.parametrize("text", ["0", "-1", "nan", "soon", ""])
    def test_refused(self, text: str) -> None:
        with pytest.raises(ConfigError, match=f"SNN_DEPLOY_LAVA_TIMEOUT='{text}': it takes a pos"):
            timeout_seconds({"SNN_DEPLOY_LAVA_TIMEOUT": text})


class TestJobFolder:
    def test_a_job_comes_back_as_it_was(self, tmp_path: Path) -> None:
        network = delays()
        inputs = np.arange(30).reshape(2, 5, 3)
        folder = JobFolder(tmp_path)
        folder.write_job(Job(network, inputs, np.array([5, 2]), ("input", "soma"), "cpu"))
        job = folder.read_job()
        assert job.network.names == network.names
        assert job.network["mean"].inputs == network["mean"].inputs
        assert np.array_equal(job.inputs, inputs)
        assert job.lengths.tolist() == [5, 2]
        assert (job.recorded, job.device) == (("input", "soma"), "cpu")

    def test_no_room_for_it(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def full(self: JobFolder, job: Job) -> None:
            raise OSError(28, "No space left on device")

        monkeypatch.setattr("snn_deploy.engines.lava.engine.check_available", lambda device: None)
        monkeypatch.setattr(JobFolder, "write_job", full)
        with pytest.raises(BackendError, match=r"No space left on device; .* TMPDIR"):
            run_whole(LavaEngine(), small(), steps())

    @pytest.mark.parametrize("what", ["folder", "room"])
    def test_a_full_temporary_folder(
        self, what: str, folders: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def full(*arguments: Any, **options: Any) -> None:
            raise OSError(28, "No space left on device")

        monkeypatch.setattr("snn_deploy.engines.lava.engine.check_available", lambda device: None)
        if what == "folder":
            monkeypatch.setattr(tempfile, "mkdtemp", full)
        else:
            monkeypatch.setattr(os, "posix_fallocate", full)
        with pytest.raises(BackendError, match=r"No space left on device; .* TMPDIR"):
            run_whole(LavaEngine(), small(), steps())
        assert list(folders.iterdir()) == []

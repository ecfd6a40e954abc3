"""The child process: runs a job on Lava and leaves its signals, or a note of why it could not.

    python -m snn_deploy.engines.lava.worker FOLDER

It leads a process group of its own, which the engine ends as a whole.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import sys
import tempfile
import threading
import time
import traceback
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from snn_deploy.engines.lava.job import Device, Failure, JobFolder, Pulse

if TYPE_CHECKING:
    from snn_deploy.engines.lava.builder import Wiring

__all__ = ["main"]

POLL_SECONDS = 0.05
AFTERMATH_SECONDS = 5.0
LIKELY_CAUSES = {
    signal.SIGKILL: " (out of memory?)",
    signal.SIGBUS: " (no room left in the folder for temporary files?)",
}


class _ProcessFailedError(Exception):
    def __init__(self, process: str, reason: str) -> None:
        super().__init__(reason)
        self.process = process


def main(folder: JobFolder) -> None:
    """Run the job in ``folder``; never returns, since a broken Lava would not let it end."""
    tempfile.tempdir = (
        os.curdir
    )  # the job's folder: in it lie the sockets, whose names have a limit
    threading.Thread(target=_end_with_parent, args=(folder, os.getppid()), daemon=True).start()
    try:
        failure = _missing_lava() or _run(folder)
    except _ProcessFailedError as error:
        failure = Failure(str(error), error.process)
    except BaseException:  # noqa: BLE001 - whatever it was, the engine must hear of it
        failure = Failure(traceback.format_exc())
    if failure is not None:
        with contextlib.suppress(OSError):  # a full disk: then the exit code tells
            folder.write_failure(failure)
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0 if failure is None else 1)


def _end_with_parent(folder: JobFolder, parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(1.0)
    shutil.rmtree(folder.path, ignore_errors=True)
    # not SIGKILL: Python's resource tracker survives this one and removes the shared memory
    os.killpg(0, signal.SIGTERM)


def _missing_lava() -> Failure | None:
    """Tell a broken installation apart from our own faults."""
    # networkx asks of each graph whether it is a table of pandas, half a second of imports
    sys.modules["pandas"] = None  # type: ignore[assignment]
    try:
        import lava.proc.dense.models
        import lava.proc.lif.models  # noqa: F401
    except Exception:  # noqa: BLE001 - a broken package raises anything
        return Failure(
            "the package lava-nc is installed, but it cannot be imported; reinstall it: "
            f"pip install --force-reinstall 'snn-deploy[lava]'\n{traceback.format_exc()}",
            unavailable=True,
        )
    return None


def _run(folder: JobFolder) -> Failure | None:
    from snn_deploy.engines.lava.builder import wire_segment
    from snn_deploy.engines.lava.segments import cut_network

    job = folder.read_job()
    pulse = folder.open_pulse(job.network, "r+")
    pulse.prepared()
    for segment in cut_network(job.network):
        wiring = wire_segment(job, segment, folder, pulse)
        if job.device == "loihi2" and wiring.without_microcode:
            return Failure(_unplaceable(wiring), unavailable=True)
        _run_segment(wiring, job.device, pulse)
    return None


def _unplaceable(wiring: Wiring) -> str:
    lacking = wiring.without_microcode
    return (
        f"device loihi2: {len(lacking)} of {len(wiring.models)} processes have no microcode model "
        "for Loihi 2, so that Lava's hardware run configuration cannot place them on the chip: "
        f"{', '.join(lacking)}. The network runs in simulation with --device cpu"
    )


def _run_segment(wiring: Wiring, device: Device, pulse: Pulse) -> None:
    from lava.magma.core.run_conditions import RunSteps

    pulse.prepared()
    executable = wiring.recorder.compile(wiring.run_config(device))
    pulse.prepared()
    wiring.recorder.create_runtime(executable=executable)
    runtime = wiring.recorder.runtime
    pulse.prepared()
    runtime.start(RunSteps(num_steps=wiring.steps, blocking=False))
    actors = _actors(runtime)
    _watch(runtime, actors)
    runtime.wait()
    runtime.stop()
    _raise_exceptions(actors)  # of processes that failed as they stopped


def _watch(runtime: Any, actors: Mapping[str, Any]) -> None:
    """Wait until all steps are done.

    Lava's own waiting never ends when a process that others wait for has failed, and keeps the
    exception to itself; so look at the operating system's processes from outside.
    """
    from lava.magma.runtime.mgmt_token_enums import MGMT_RESPONSE, enum_equal

    ports = runtime.service_to_runtime
    while not all(port.probe() for port in ports):
        if not all(actor.is_alive() for actor in actors.values()):
            break
        time.sleep(POLL_SECONDS)
    else:
        if all(enum_equal(port.peek(), MGMT_RESPONSE.DONE) for port in ports):
            return
    _raise_culprit(actors)


def _actors(runtime: Any) -> dict[str, Any]:
    """Give the operating system's processes by the name of the Lava process they run."""
    names = [process.name for process in runtime._executable.proc_builders]
    actors = runtime._messaging_infrastructure.actors
    services = [f"runtime service {i}" for i in range(len(actors) - len(names))]
    return dict(zip((*names, *services), actors, strict=True))


def _raise_culprit(actors: Mapping[str, Any]) -> NoReturn:
    """Find who failed; the first that is seen to have ended need not be the culprit."""
    deadline = time.monotonic() + AFTERMATH_SECONDS
    while time.monotonic() < deadline:
        _raise_exceptions(actors)
        for name, actor in actors.items():
            if actor.exitcode:
                raise _ProcessFailedError(name, _ending(actor.exitcode))
        time.sleep(POLL_SECONDS)
    raise _ProcessFailedError("unknown", "Lava stopped the run and gave no reason")


def _raise_exceptions(actors: Mapping[str, Any]) -> None:
    for name, actor in actors.items():
        if actor.exception:
            raise _ProcessFailedError(name, actor.exception[1])


def _ending(code: int) -> str:
    if code > 0:
        return f"it ended with exit code {code} and no traceback"
    killer = signal.Signals(-code)
    return f"it was killed by {killer.name}{LIKELY_CAUSES.get(killer, '')}"


if __name__ == "__main__":
    main(JobFolder(Path(sys.argv[1])))

"""Runs a job in a child process and gets it back under every circumstance.

Lava starts one operating-system process for each of its own. Where one of them fails, the others
wait for it for ever. So the child leads a session of its own; it is watched for signs of life; and
whatever happens, a failure, a time-out or Ctrl-C, the whole session is ended and cleared away.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import snn_deploy
from snn_deploy.engines.lava.job import Failure, Job, JobFolder, Pulse
from snn_deploy.errors import BackendError, BackendUnavailableError, ConfigError

__all__ = ["DEFAULT_TIMEOUT_SECONDS", "TIMEOUT_VARIABLE", "run_supervised", "timeout_seconds"]

TIMEOUT_VARIABLE = "SNN_DEPLOY_LAVA_TIMEOUT"
DEFAULT_TIMEOUT_SECONDS = 120.0
WORKER = (sys.executable, "-m", "snn_deploy.engines.lava.worker")
POLL_SECONDS = 0.05
GRACE_SECONDS = 3.0
LOG_TAIL_CHARACTERS = 4000


def timeout_seconds(environment: Mapping[str, str] = os.environ) -> float:
    """Read how long the child may show no sign of life.

    Raises
    ------
    ConfigError
        If the variable holds no positive number.
    """
    text = environment.get(TIMEOUT_VARIABLE, str(DEFAULT_TIMEOUT_SECONDS))
    with contextlib.suppress(ValueError):
        if float(text) > 0:
            return float(text)
    raise ConfigError(
        f"{TIMEOUT_VARIABLE}={text!r}: it takes a positive number, the seconds that Lava may go "
        f"without finishing a step (default {DEFAULT_TIMEOUT_SECONDS:g})"
    )


def run_supervised(job: Job, folder: JobFolder, steps: int, moved: Callable[[int], None]) -> None:
    """Run ``job``, whose files are in ``folder``, to its end.

    ``steps`` is how many steps the whole job has; ``moved`` is told how many of them are done.

    Raises
    ------
    BackendUnavailableError
        If Lava cannot be imported, or processes cannot be placed on the wanted device.
    BackendError
        If the child crashed or stopped showing signs of life.
    """
    limit = timeout_seconds()
    pulse = folder.open_pulse(job.network, "r")
    with _child(folder) as child:
        silent_since, last = time.monotonic(), pulse.counts.tolist()
        while child.poll() is None and folder.read_failure() is None:
            time.sleep(POLL_SECONDS)
            if pulse.counts.tolist() != last:
                silent_since, last = time.monotonic(), pulse.counts.tolist()
                moved(last[0])
            elif time.monotonic() - silent_since > limit:
                raise BackendError(_hung(pulse, steps, limit) + _tail(folder))
        failure = folder.read_failure()
        if failure is not None:
            raise _error_of(failure, job, pulse, steps, folder)
        if child.returncode != 0:
            code, where = child.returncode, _where(pulse, steps)
            raise BackendError(
                f"Lava's child process ended with exit code {code} {where}{_tail(folder)}"
            )


@contextlib.contextmanager
def _child(folder: JobFolder) -> Iterator[subprocess.Popen[bytes]]:
    """Start the worker at the head of a session; end the session on the way out."""
    root = Path(snn_deploy.__file__).parent.parent
    paths = [str(root), os.environ.get("PYTHONPATH", "")]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, paths))}
    with folder.log.open("wb") as log:
        child = subprocess.Popen(
            [*WORKER, str(folder.path)],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            env=environment,
            cwd=folder.path,  # nothing in the user's folder may shadow a module
            start_new_session=True,
        )
        try:
            yield child
        finally:
            _end_session(child)


def _end_session(child: subprocess.Popen[bytes]) -> None:
    """End what is left of the child's process group, gently first.

    Python's resource tracker lives in the group, too. It ignores SIGTERM; once all the others are
    gone it removes the shared memory they left behind, and ends.
    """
    for number in (signal.SIGTERM, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(child.pid, number)
        deadline = time.monotonic() + GRACE_SECONDS
        while time.monotonic() < deadline:
            child.poll()
            if not _has_members(child.pid):
                return
            time.sleep(POLL_SECONDS)


def _has_members(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True


def _where(pulse: Pulse, steps: int) -> str:
    done = int(pulse.counts[0])
    if done in {0, steps}:
        return "after the last step" if done else "before the first step"
    return f"at step {done + 1} of {steps}"


def _hung(pulse: Pulse, steps: int, limit: float) -> str:
    busy = pulse.busy_nodes()
    computing = f"; computing at that moment: {', '.join(busy)}" if busy else ""
    return (
        f"Lava showed no sign of life for {limit:g} s {_where(pulse, steps)}{computing}. It was "
        f"ended. If the machine is merely slow, set {TIMEOUT_VARIABLE} to more seconds; if not, "
        "the backends native and reference run the same network"
    )


def _error_of(
    failure: Failure, job: Job, pulse: Pulse, steps: int, folder: JobFolder
) -> BackendError | BackendUnavailableError:
    if failure.unavailable:
        return BackendUnavailableError(failure.reason)
    named = f", in the process of node '{failure.process}'" if failure.process else ""
    return BackendError(
        f"Lava failed {_where(pulse, steps)}{named}. The backends native and reference run the "
        f"same network.\n{failure.reason.strip()}{_tail(folder)}"
    )


def _tail(folder: JobFolder) -> str:
    text = folder.log.read_text(encoding="utf-8", errors="replace").strip()
    return f"\nIts log ends:\n{text[-LOG_TAIL_CHARACTERS:]}" if text else ""

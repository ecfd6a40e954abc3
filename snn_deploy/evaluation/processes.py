"""Work handed to processes of this machine, over pipes that nobody else can reach.

A process that dies takes only its own piece of work with it, which then goes to another; and where
the process that hands out the work dies, all others see the end of their pipes and leave.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import signal
import warnings
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator
from multiprocessing.connection import Connection, wait
from typing import Any

from snn_deploy.errors import BackendError

__all__ = ["RETRIES", "map_in_processes"]

RETRIES = 3  # how often work is given to another process after its own died


def map_in_processes(
    function: Callable[[Any], Any], work: Iterable[int], workers: int, threads: int
) -> Iterator[tuple[int, Any]]:
    """Call ``function`` on each piece of work, ``workers`` at a time; give what is done first.

    Each process's engine uses so many ``threads``. What a call raises is raised here.

    Raises
    ------
    BackendError
        If the processes of one piece of work died again and again.
    """
    waiting = deque(work)
    deaths: Counter[int] = Counter()
    running: dict[Connection, _Worker] = {}
    try:
        while waiting or any(worker.task is not None for worker in running.values()):
            while waiting and len(running) < workers:
                worker = _Worker(function, threads)
                running[worker.pipe] = worker
            for worker in running.values():
                if waiting and worker.task is None:
                    worker.give(waiting.popleft())
            for pipe in wait([p for p, worker in running.items() if worker.task is not None]):
                worker = running[pipe]  # type: ignore[index]  # only connections were waited for
                task, outcome = worker.take()
                if outcome is None:
                    del running[worker.pipe]
                    deaths[task] += 1
                    waiting.appendleft(task)
                    if deaths[task] > RETRIES:
                        raise _died(worker.exit_code)
                elif isinstance(outcome[0], BaseException):
                    raise outcome[0]
                else:
                    yield task, outcome[0]
    finally:
        for worker in running.values():
            worker.end()


class _Worker:
    """A process, the pipe to it, and the piece of work that it has."""

    def __init__(self, function: Callable[[Any], Any], threads: int) -> None:
        # a new interpreter: a copy of this one could inherit locks of its threads
        context = multiprocessing.get_context("spawn")
        self.pipe, theirs = context.Pipe()
        self._process = context.Process(target=_serve, args=(theirs, function, threads))
        self._process.daemon = True
        self._process.start()
        theirs.close()
        self.task: int | None = None

    @property
    def exit_code(self) -> int | None:
        self._process.join(1.0)
        return self._process.exitcode

    def give(self, task: int) -> None:
        self.task = task
        with contextlib.suppress(OSError):  # if it died, the end of its pipe will tell
            self.pipe.send(task)

    def take(self) -> tuple[int, tuple[Any] | None]:
        """Give the work that was done and its outcome; None if the process died."""
        task, self.task = self.task, None
        assert task is not None  # only those that have work are waited for
        try:
            return task, (self.pipe.recv(),)
        except (EOFError, OSError):
            return task, None

    def end(self) -> None:
        self._process.terminate()
        self._process.join()
        self.pipe.close()


def _serve(pipe: Connection, function: Callable[[Any], Any], threads: int) -> None:
    """Work until the other end of the pipe is closed."""
    from snn_deploy.engines.native.threads import use_threads

    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the one that hands out the work
    use_threads(threads)
    warnings.simplefilter("ignore")  # what is clipped is counted in the result
    while True:
        try:
            task = pipe.recv()
        except EOFError:
            return
        try:
            outcome = function(task)
        except Exception as error:  # noqa: BLE001 - raised again where the work was handed out
            outcome = error
        pipe.send(outcome)


def _died(code: int | None) -> BackendError:
    return BackendError(
        f"the workers that ran a shard died {RETRIES + 1} times (exit code {code}): give them more "
        "memory, or smaller shards with --shard-size. What was finished is kept"
    )

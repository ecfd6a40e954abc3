"""The cores that the native engine uses: all that this process may, or ``SNN_DEPLOY_THREADS``."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache

from snn_deploy.errors import ConfigError

__all__ = ["THREADS", "run_together", "thread_count", "use_threads"]

THREADS = "SNN_DEPLOY_THREADS"

_used: list[int] = []


def thread_count() -> int:
    """Count the cores that are used.

    Raises
    ------
    ConfigError
        If the variable of the environment is no positive number.
    """
    if _used:
        return _used[-1]
    wanted = os.environ.get(THREADS)
    if wanted is None:
        affinity = getattr(os, "sched_getaffinity", None)  # not everywhere
        return len(affinity(0)) if affinity else os.cpu_count() or 1
    if not wanted.isdecimal() or int(wanted) < 1:
        raise ConfigError(f"{THREADS}={wanted}: the number of threads is at least 1")
    return int(wanted)


def use_threads(count: int) -> None:
    """Use so many cores from now on: where several processes share the machine."""
    _used[:] = [count]


def run_together(works: Sequence[Callable[[], object]]) -> None:
    """Call ``works`` side by side, the first one in this thread.

    Those that another thread has not begun when that one is done are left out: whatever is to be
    done, any of them does it all.
    """
    first, *rest = works
    if not rest:
        first()
        return
    helpers = _helpers(len(rest), os.getpid())  # threads do not go along into a forked process
    others = [helpers.submit(work) for work in rest]
    try:
        first()
    finally:
        for other in others:
            if not other.cancel():
                other.result()


@lru_cache(maxsize=1)
def _helpers(count: int, process: int) -> ThreadPoolExecutor:
    """Give threads that wait for work."""
    return ThreadPoolExecutor(count, thread_name_prefix="snn-deploy")

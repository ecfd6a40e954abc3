"""How many cores the native engine uses: all that this process may, or ``SNN_DEPLOY_THREADS``."""

from __future__ import annotations

import os

from snn_deploy.errors import ConfigError

__all__ = ["THREADS", "thread_count", "use_threads"]

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

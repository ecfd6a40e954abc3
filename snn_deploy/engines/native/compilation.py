"""How the native engine's loops are compiled, and where the machine code is kept.

numba keeps it beside the source, or in the user's cache folder where that cannot be written (or
where ``NUMBA_CACHE_DIR`` says). Where nothing can be written, each process compiles for itself.
"""

from __future__ import annotations

import hashlib
import logging
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

from snn_deploy.errors import BackendUnavailableError

try:
    import numba
    from numba.core import event
except Exception as error:  # numba reads its environment on import, and fails in its own words
    raise BackendUnavailableError(
        f"the native engine needs numba, which cannot be used here ({error}): check the NUMBA_… "
        "variables of the environment, or use --backend reference"
    ) from error
if numba.config.DISABLE_JIT:  # type: ignore[attr-defined]
    raise BackendUnavailableError(
        "the native engine is compiled by numba, which NUMBA_DISABLE_JIT forbids: unset it, or use "
        "--backend reference"
    )

__all__ = ["compiled", "fingerprint", "inlined", "thread_count", "use_threads"]


def compiled(function: Callable[..., Any]) -> Callable[..., Any]:
    """Compile a loop that releases the GIL, on its first call; its machine code is cached."""
    try:
        return numba.njit(nogil=True, cache=True, boundscheck=False)(function)
    except RuntimeError:  # numba's word for: no folder to cache in
        return numba.njit(nogil=True, boundscheck=False)(function)


def fingerprint(*modules: ModuleType) -> int:
    """Give a number that changes with the source of some modules.

    numba looks only at the file of the function that it caches, not at those of the functions that
    this one calls; what a function has in its closure, though, distinguishes cached code.
    """
    digest = hashlib.sha256()
    for module in modules:
        if module.__file__ is not None:
            digest.update(Path(module.__file__).read_bytes())
    return int.from_bytes(digest.digest()[:7], "big")


def inlined(function: Callable[..., Any]) -> Callable[..., Any]:
    """Compile a helper into the loops that call it."""
    return numba.njit(nogil=True, boundscheck=False)(function)


def thread_count() -> int:
    """All cores that this process may use, or as many as ``NUMBA_NUM_THREADS`` says."""
    config: Any = numba.config
    return int(config.NUMBA_NUM_THREADS)


def use_threads(count: int) -> None:
    """Use so many cores from now on: where several processes share the machine."""
    config: Any = numba.config
    config.NUMBA_NUM_THREADS = count


class _Announcement(event.Listener):
    """Says once, after a second of it, that loops are being compiled."""

    def __init__(self, say: Callable[[str], None], patience: float) -> None:
        self._say, self._patience = say, patience
        self._started: float | None = None
        self._running = 0
        self._lock = threading.Lock()
        self.said = False

    def on_start(self, event: Any) -> None:
        with self._lock:
            self._running += 1
            if self._started is None:
                self._started = time.monotonic()
                timer = threading.Timer(self._patience, self._look)
                timer.daemon = True
                timer.start()
        self._look()

    def on_end(self, event: Any) -> None:
        with self._lock:
            self._running -= 1

    def _look(self) -> None:
        with self._lock:
            begun = time.monotonic() if self._started is None else self._started
            late = time.monotonic() - begun >= self._patience
            if self.said or not (late and self._running):
                return
            self.said = True
        self._say("compiling the native engine for this machine; its code is kept for next time")


PATIENCE_SECONDS = 1.0
_ANNOUNCEMENT = _Announcement(logging.getLogger("snn_deploy").info, PATIENCE_SECONDS)
event.register("numba:compile", _ANNOUNCEMENT)  # type: ignore[no-untyped-call]

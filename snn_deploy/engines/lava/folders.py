"""The folders of jobs: removed with all that Lava left in them, however a run ended.

Whoever runs a job holds a lock in its folder. Where the run and its child were killed at once, so
that neither could clear away, the next run finds a folder whose lock nobody holds, and does.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from snn_deploy.engines.lava.job import JobFolder
from snn_deploy.errors import SnnDeployWarning

__all__ = ["temporary_job_folder"]

PREFIX = "snn-deploy-lava-"
LOCK = "lock"


@contextmanager
def temporary_job_folder() -> Iterator[JobFolder]:
    """Make a folder for the block, and remove it and those that killed runs left behind.

    Raises
    ------
    OSError
        If none can be made.
    """
    _clear_abandoned(Path(tempfile.gettempdir()))
    path = Path(tempfile.mkdtemp(prefix=f".{PREFIX}"))
    try:
        with (path / LOCK).open("wb") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            path = path.rename(path.with_name(path.name[1:]))  # from now on it can be abandoned
            yield JobFolder(path)
    finally:
        _remove(path)


def _clear_abandoned(place: Path) -> None:
    for path in place.glob(f"{PREFIX}*"):
        try:
            if path.is_symlink() or path.stat().st_uid != os.getuid():
                continue
            with (path / LOCK).open("rb") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                _remove(path)
        except OSError:  # in use, or being made or removed just now
            continue


def _remove(path: Path) -> None:
    shutil.rmtree(path, ignore_errors=True)
    if path.exists():
        warnings.warn(
            f"{path} could not be removed: what Lava left in it stays there",
            SnnDeployWarning,
            stacklevel=2,
        )

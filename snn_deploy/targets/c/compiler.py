"""Which C compiler there is, and calling it."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

from snn_deploy.errors import BackendError, BackendUnavailableError

__all__ = ["STRICT", "compile_program", "find_compiler"]

STRICT = ("-std=c99", "-Wall", "-Wextra", "-Wconversion", "-Wpedantic", "-Werror")
_NAMES = ("cc", "gcc", "clang")
_SECONDS = 300.0


def find_compiler() -> str:
    """Give the C compiler of this machine: what ``CC`` names, or else ``cc``, ``gcc``, ``clang``.

    Raises
    ------
    BackendUnavailableError
        If there is none.
    """
    wanted = os.environ.get("CC", "").split()[:1] or list(_NAMES)
    for name in wanted:
        found = shutil.which(name)
        if found is not None:
            return found
    raise BackendUnavailableError(
        f"the c backend needs a C compiler, and there is no {', no '.join(wanted)}; install one "
        "(Debian: apt install gcc), or name one in the variable CC"
    )


def compile_program(
    compiler: str, sources: Sequence[Path], program: Path, options: Sequence[str] = ()
) -> None:
    """Compile a program for this machine, clean under strict warnings.

    Raises
    ------
    BackendError
        If the compiler refuses it; the message ends with what it said.
    """
    call = [compiler, *STRICT, "-O2", *options, *map(str, sources), "-o", str(program)]
    try:
        done = subprocess.run(call, capture_output=True, text=True, timeout=_SECONDS, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise BackendError(f"{compiler} could not be run: {error}") from error
    if done.returncode:
        raise BackendError(f"{compiler} refused what was written for it: {done.stderr[-2000:]}")

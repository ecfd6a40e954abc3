"""The simulators of Verilog that there are, and calling them."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

from snn_deploy.errors import BackendError, BackendUnavailableError

__all__ = ["SIMULATORS", "compile_bench", "find_simulator", "run_tool"]

SIMULATORS = ("verilator", "iverilog")
_SECONDS = 1200.0


def find_simulator(wanted: str | None = None) -> str:
    """Give the simulator of this machine, the fastest first.

    Raises
    ------
    BackendUnavailableError
        If there is none.
    """
    for name in (wanted,) if wanted else SIMULATORS:
        if shutil.which(name) is not None:
            return name
    names = wanted or "verilator, no iverilog"
    raise BackendUnavailableError(
        f"the verilog backend needs a simulator, and there is no {names}; install one "
        "(Debian: apt install verilator, version 5 or above, or iverilog)"
    )


def compile_bench(simulator: str, top: str, sources: Sequence[str], folder: Path) -> list[str]:
    """Compile a test bench in a folder, there; give the call that runs it.

    Raises
    ------
    BackendError
        If the simulator refuses it; the message ends with what it said.
    """
    if simulator == "iverilog":
        call = ["iverilog", "-g2005-sv", "-s", top, "-o", f"{top}.vvp", *sources]
        done = run_tool(call, folder)
        program = ["vvp", "-n", f"{top}.vvp"]
    else:
        call = ["verilator", "--binary", "--timing", "-O3", "-Wno-lint", "-Wno-fatal", "-j", "2"]
        call += ["--top-module", top, "--Mdir", f"{top}.build", "-o", top, *sources]
        done = run_tool(call, folder)
        program = [str(folder / f"{top}.build" / top)]
    if done.returncode:
        told = (done.stderr or done.stdout)[-2000:]
        raise BackendError(f"{simulator} refused what was written for it: {told}")
    return program


def run_tool(
    call: Sequence[str], folder: Path, seconds: float = _SECONDS
) -> subprocess.CompletedProcess[str]:
    """Run a tool in a folder.

    Raises
    ------
    BackendError
        If it cannot be started, or does not end.
    """
    try:
        return subprocess.run(
            call, cwd=folder, capture_output=True, text=True, timeout=seconds, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise BackendError(f"{call[0]} could not be run: {error}") from error

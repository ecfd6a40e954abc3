"""Time and memory of the command line on networks at full size: the table of docs/full-size.md."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from snn_deploy.api import load
from snn_deploy.cli import main
from snn_deploy.errors import SnnDeployError
from snn_deploy.examples.full_size import CONFIGURATIONS, Configuration, write
from snn_deploy.ir.host import chip_part
from snn_deploy.mapping.placement import place_network

__all__ = ["Usage", "measure", "peak_bytes", "run_command"]

HEAD = (
    "configuration",
    "layers × channels × modes",
    "steps",
    "target",
    "cores / chips",
    "convert, s",
    "CPU, s",
    "MB",
    "simulate one sequence, s",
    "CPU, s",
    "MB",
    "file, MB",
)


@dataclass(frozen=True)
class Usage:
    """What a command took: seconds by the clock and of all cores, and its largest memory."""

    seconds: float
    cpu_seconds: float
    peak_bytes: int


def run_command(*arguments: str | Path) -> Usage:
    """Run ``snn-deploy`` with these arguments in a process of its own.

    Raises
    ------
    SnnDeployError
        With what it printed, if it fails.
    """
    with tempfile.TemporaryDirectory() as folder, tempfile.TemporaryFile() as log:
        peak = Path(folder) / "peak"
        command = [sys.executable, "-m", __name__, peak, *arguments]
        started = time.perf_counter()
        process = subprocess.Popen(list(map(str, command)), stdout=log, stderr=log)
        _, status, used = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - started
        process.returncode = os.waitstatus_to_exitcode(status)  # it was waited for here
        log.seek(0)
        if process.returncode:
            told = " ".join(map(str, arguments))
            raise SnnDeployError(f"snn-deploy {told}:\n{log.read().decode()}")
        return Usage(seconds, used.ru_utime + used.ru_stime, int(peak.read_text()))


def peak_bytes() -> int:
    """The most memory that this process ever held.

    ``getrusage``, which serves where there is no /proc, also counts what the process that started
    this one held.
    """
    status = Path("/proc/self/status")
    lines = status.read_text().splitlines() if status.exists() else []
    for line in lines:
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    per_unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * per_unit


def _run_and_note_peak(path: str, *arguments: str) -> None:
    try:
        main(list(arguments))
    finally:
        Path(path).write_text(str(peak_bytes()))


def measure(names: Iterable[str], folder: Path | None = None) -> Iterator[str]:
    """Convert each configuration, and run one sequence; give a Markdown table line by line."""
    with tempfile.TemporaryDirectory() as temporary:
        yield _line(HEAD)
        yield _line(["---"] * len(HEAD))
        for name in names:
            yield _line(_measure_one(name, (folder or Path(temporary)) / name))


def _line(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _measure_one(name: str, folder: Path) -> Sequence[str]:
    size = CONFIGURATIONS[name]
    checkpoint = write(name, folder, test=1)
    network, answers = folder / f"{name}.safetensors", folder / "answers.npz"
    data = ("--data", folder / "test.npz")
    converted = run_command(
        "convert", checkpoint, "--calibration", folder / "calibration.npz",
        "--target", size.target, "-o", network,
    )  # fmt: skip
    # once before, since machine code is compiled the first time that a machine runs a network
    run_command("simulate", network, *data, "-o", answers)
    simulated = run_command("simulate", network, *data, "-o", answers)
    return (
        name + (" *" if size.assumed else ""),
        _sizes(size),
        f"{size.steps:,}",
        size.target,
        _placed(network),
        *_columns(converted),
        *_columns(simulated),
        f"{network.stat().st_size / 1e6:.1f}",
    )


def _sizes(size: Configuration) -> str:
    both = " ×2" if size.bidirectional else ""
    return f"{size.layers} × {size.channels} × {size.modes}{both}"


def _placed(path: Path) -> str:
    deployment = load(path)
    network = chip_part(deployment.network)
    placement = place_network(network, deployment.profile, objective="cores")
    return f"{len(placement.cores)} / {placement.chips}"


def _columns(used: Usage) -> tuple[str, str, str]:
    return f"{used.seconds:.1f}", f"{used.cpu_seconds:.1f}", f"{used.peak_bytes / 1e6:,.0f}"


if __name__ == "__main__":
    _run_and_note_peak(*sys.argv[1:])

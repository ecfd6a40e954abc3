"""How much memory a network takes on a microcontroller, in the usual split."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path

from snn_deploy.errors import BackendError
from snn_deploy.targets.c.source import Field, Source

__all__ = ["CODE_BYTES", "data_sizes", "memory_sizes"]

_PREFIX = "arm-none-eabi-"
_OPTIONS = ("-mcpu=cortex-m4", "-mthumb", "-O2", "-std=c99", "-ffreestanding")


_POOLED = Field("pooled", "uint32_t", 1)
CODE_BYTES = 256
"""For each process, of code at ``-O2`` for a Cortex-M4: 122 to 197 were measured, of five networks
of 16 to 28 processes.
"""


def memory_sizes(source: Source, folder: Path) -> Mapping[str, int]:
    """Give bytes by what they are for; code only where its compiler is installed.

    ``folder`` has what was exported.
    """
    sizes = dict(data_sizes(source))
    code = _code(folder)
    if code is not None:
        sizes["code for a Cortex-M4 (flash)"] = code - source.tables.size
    return sizes


def data_sizes(source: Source) -> Mapping[str, int]:
    """Give the bytes of everything but code, which need no compiler."""
    rings = [Field(f"at{name}", "int32_t", 1) for name in source.layout.rings]
    union = list(source.scratch.values())
    work = source.work if len(source.layout.sweeps) == 1 else [*source.work, _POOLED]
    shared = max((_alignment(fields) for fields in union), default=1)
    scratch = max((_laid_out(fields) for fields in union), default=0)
    end = _aligned(_end(work), shared) + _aligned(scratch, shared)
    return {
        "weights (flash)": source.tables.size,
        "state (RAM)": _laid_out([Field("steps", "uint32_t", 1), *rings, *source.state]),
        "work (RAM)": _aligned(end, max(_alignment(work), shared)),
    }


def _laid_out(fields: Iterable[Field]) -> int:
    """Give the size of a struct."""
    fields = list(fields)
    return _aligned(_end(fields), _alignment(fields))


def _end(fields: Iterable[Field]) -> int:
    """Give where the last array ends, each where its numbers' size divides its place."""
    place = 0
    for field in fields:
        place = _aligned(place, _alignment([field])) + field.bytes
    return place


def _alignment(fields: Iterable[Field]) -> int:
    return max((field.number_bytes for field in fields), default=1)


def _aligned(place: int, size: int) -> int:
    return -(-place // size) * size


def _code(folder: Path) -> int | None:
    """Compile for a Cortex-M4 and give what goes into flash: code and constant data."""
    if any(shutil.which(_PREFIX + tool) is None for tool in ("gcc", "size")):
        return None
    with tempfile.TemporaryDirectory(prefix="snn-deploy-") as made:
        compiled = str(Path(made) / "snn.o")
        call = [f"{_PREFIX}gcc", *_OPTIONS, "-c", str(folder / "snn.c"), "-o", compiled]
        subprocess.run(call, capture_output=True, timeout=300, check=False)
        call = [f"{_PREFIX}size", compiled]
        done = subprocess.run(call, capture_output=True, text=True, timeout=60, check=False)
    if done.returncode:
        raise BackendError(f"{_PREFIX}gcc refused what was written for it: {done.stderr[-500:]}")
    return int(done.stdout.splitlines()[1].split()[0])

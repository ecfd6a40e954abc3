"""What passes between Python and the library: the structs of ``src/target.h``, field by field."""

from __future__ import annotations

import ctypes
from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["KINDS", "OPERATION", "WHOLE_BLOCK", "DendriteTask", "FireTask", "Port", "Scratch"]
__all__ += ["SweepTask", "Target", "address", "turns_size"]

KINDS = {
    kind: number
    for number, kind in enumerate(
        (
            *("program", "integer dendrite", "take in", "give", "count", "keep", "recall"),
            *("read past", "keep past", "pool"),
            *("dendrite", "float dendrite", "add spikes", "add graded", "add pairs"),
            *("add wide spikes", "relay", "gate", "normalize", "compiled"),
        )
    )
}
"""What an operation does."""

_WORDS = (
    *("kind", "x", "x_pitch", "y", "y_pitch", "state", "first", "second", "third", "fourth"),
    *("size", "half", "flag", "once", "narrow", "stretch", "turn"),
)
OPERATION = np.dtype(
    [(name, np.int64) for name in _WORDS]
    + [(name, np.float64) for name in ("scale", "limit", "inner_limit")]
)

WHOLE_BLOCK = 2**62
"""A turn of all steps of a block."""

_pointer, _int, _real = ctypes.c_void_p, ctypes.c_int64, ctypes.c_double


def address(array: npt.NDArray[Any]) -> int:
    """Give where an array's numbers are; whoever passes it on keeps the array."""
    try:  # of what is whole and can be written: in a third of the time
        return ctypes.addressof(ctypes.c_char.from_buffer(array))  # type: ignore[arg-type]
    except (TypeError, ValueError, BufferError):
        place: int = array.__array_interface__["data"][0]
        return place


class DendriteTask(ctypes.Structure):
    """A dendrite over a chunk; see ``src/dendrite.h``."""

    _fields_ = [
        *((name, _pointer) for name in ("numbers", "table", "state", "work", "x", "y")),
        *((name, _int) for name in ("extent", "sums", "count")),
        *((name, _int) for name in ("samples", "steps", "width", "backwards", "once")),
        *((name, _real) for name in ("scale", "limit", "state_limit")),
    ]


class Port(ctypes.Structure):
    """A signal outside, int64 (samples, steps, width): where it is, and its strides in bytes."""

    _fields_ = [("at", _pointer), *((name, _int) for name in ("sample", "step", "width"))]


class Scratch(ctypes.Structure):
    """What a core works in."""

    _fields_ = [
        *((name, _pointer) for name in ("work", "values", "events", "signals")),
        *((name, _int) for name in ("capacity", "passing", "tile")),
    ]


class SweepTask(ctypes.Structure):
    """A sweep over a chunk; see ``src/run.h``."""

    _fields_ = [
        ("operations", _pointer),
        ("count", _int),
        *((name, _pointer) for name in ("params", "floats", "weights", "tables", "state")),
        *((name, _pointer) for name in ("kept", "ports", "last", "clipped", "turns")),
        *((name, _int) for name in ("samples", "backwards", "length", "integers")),
        *((name, _int) for name in ("start", "steps", "block")),
        ("scratch", Scratch),
    ]


def turns_size(operations: int) -> int:
    """Count the numbers by which threads share a sweep of so many operations."""
    return 1 + 4 * operations


class FireTask(ctypes.Structure):
    """Exact neurons in training; see ``src/fire.h``."""

    _fields_ = [
        *((name, _pointer) for name in ("drive", "spikes")),
        *((name, _int) for name in ("samples", "steps", "width")),
        ("decay", _real),
    ]


class Target(ctypes.Structure):
    """What the library offers on a set of a CPU's instructions."""

    _fields_ = [
        ("name", ctypes.c_char_p),
        ("lanes", _int),
        ("run_dendrite", ctypes.CFUNCTYPE(_int, ctypes.POINTER(DendriteTask), _int)),
        ("run", ctypes.CFUNCTYPE(None, _pointer, _int, _int, ctypes.POINTER(Scratch))),
        ("fire", ctypes.CFUNCTYPE(None, ctypes.POINTER(FireTask), _int)),
        ("compiled", ctypes.POINTER(ctypes.c_char_p)),
    ]

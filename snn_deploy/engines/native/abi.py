"""What passes between Python and the library: the structs of ``src/target.h``, field by field."""

from __future__ import annotations

import ctypes
from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["KINDS", "OPERATION", "DendriteTask", "FireTask", "SweepTask", "Target", "address"]

KINDS = {
    kind: number
    for number, kind in enumerate(
        (
            *("program", "integer dendrite", "take in", "count", "keep", "recall", "read past"),
            *("keep past", "pool"),
            *("dendrite", "float dendrite", "add spikes", "add graded", "relay", "soma", "gate"),
            *("normalize", "running sum"),
        )
    )
}
"""What an operation does."""

_WORDS = (
    *("kind", "x", "x_pitch", "y", "y_pitch", "state", "first", "second", "third", "fourth"),
    *("size", "half", "flag", "narrow", "loop"),
)
OPERATION = np.dtype(
    [(name, np.int64) for name in _WORDS]
    + [(name, np.float64) for name in ("scale", "limit", "inner_limit")]
)

_pointer, _int, _real = ctypes.c_void_p, ctypes.c_int64, ctypes.c_double


def address(array: npt.NDArray[Any]) -> int:
    """Give where an array's numbers are; whoever passes it on keeps the array."""
    place: int = array.__array_interface__["data"][0]  # .ctypes takes ten times as long
    return place


class DendriteTask(ctypes.Structure):
    """A dendrite over a chunk; see ``src/dendrite.h``."""

    _fields_ = [
        *((name, _pointer) for name in ("numbers", "table", "state", "work", "x", "y")),
        *((name, _int) for name in ("extent", "sums", "count")),
        *((name, _int) for name in ("samples", "steps", "width", "backwards")),
        *((name, _real) for name in ("scale", "limit", "state_limit")),
    ]


class SweepTask(ctypes.Structure):
    """A sweep over a part of a chunk; see ``src/run.h``."""

    _fields_ = [
        ("operations", _pointer),
        ("count", _int),
        *((name, _pointer) for name in ("params", "floats", "weights", "tables", "state")),
        *((name, _pointer) for name in ("work", "values", "events", "signals", "kept")),
        *((name, _pointer) for name in ("incoming", "ends", "clipped")),
        *((name, _int) for name in ("samples", "start", "whole", "begin", "end", "block", "tile")),
        *((name, _int) for name in ("backwards", "length", "capacity", "passing")),
        *((name, _int) for name in ("incoming_pitch", "integers")),
    ]


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
        ("run", ctypes.CFUNCTYPE(None, ctypes.POINTER(SweepTask))),
        ("fire", ctypes.CFUNCTYPE(None, ctypes.POINTER(FireTask), _int)),
    ]

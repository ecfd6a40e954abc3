"""What passes between Python and the library: the structs of ``src/target.h``, field by field."""

from __future__ import annotations

import ctypes
from typing import Any

import numpy.typing as npt

__all__ = ["DendriteTask", "Target", "address"]

_pointer, _int, _real = ctypes.c_void_p, ctypes.c_int64, ctypes.c_double


def address(array: npt.NDArray[Any]) -> int:
    """Give where an array's numbers are; whoever passes it on keeps the array."""
    return array.ctypes.data


class DendriteTask(ctypes.Structure):
    """A dendrite over a chunk; see ``src/dendrite.h``."""

    _fields_ = [
        *((name, _pointer) for name in ("heads", "modes", "table")),
        ("extent", _int),
        *((name, _pointer) for name in ("state", "work", "x", "y")),
        *((name, _int) for name in ("samples", "steps", "width", "count", "backwards")),
        *((name, _real) for name in ("scale", "limit", "state_limit")),
    ]


class Target(ctypes.Structure):
    """What the library offers on a set of a CPU's instructions."""

    _fields_ = [
        ("name", ctypes.c_char_p),
        ("lanes", _int),
        ("run_dendrite", ctypes.CFUNCTYPE(_int, ctypes.POINTER(DendriteTask), _int)),
    ]

"""Arrays beside a page that ends the process of whoever reads or writes it."""

from __future__ import annotations

import ctypes
import mmap
from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["guarded"]

PAGE = mmap.PAGESIZE
UNTOUCHABLE = 0  # PROT_NONE
GARBAGE = 0xFF  # in every byte: whoever reads what nobody wrote gets -1, and NaN


def guarded(size: int, dtype: npt.DTypeLike = np.float64, at_end: bool = True) -> npt.NDArray[Any]:
    """Make room that ends at such a page, or begins after one."""
    length = size * np.dtype(dtype).itemsize
    inside = -(-length // PAGE) * PAGE
    pages = mmap.mmap(-1, inside + 2 * PAGE)
    memory = np.frombuffer(pages, np.uint8)  # which keeps the pages
    protect = ctypes.CDLL(None, use_errno=True).mprotect
    protect.argtypes = ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int
    for page in (0, PAGE + inside):
        assert protect(memory.ctypes.data + page, PAGE, UNTOUCHABLE) == 0, ctypes.get_errno()
    memory[PAGE : PAGE + inside] = GARBAGE
    start = PAGE + (inside - length if at_end else 0)
    return memory[start : start + length].view(dtype)

"""Flat arrays that a program's operations refer into by offsets."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from snn_deploy.engines.native.abi import address
from snn_deploy.engines.native.library import lanes_of_doubles

__all__ = ["SLACK", "Pack", "Slots", "aligned", "aligned_zeros", "fill_up", "pitch_of"]

CACHE_LINE = 64
SLACK = 16  # numbers: kernels read, and write, a vector that begins within an array


def pitch_of(width: int) -> int:
    """Fill a width up to whole vectors, be they of doubles or of floats."""
    whole = max(2 * lanes_of_doubles(), 1)
    return -(-width // whole) * whole


def fill_up(array: npt.ArrayLike) -> npt.NDArray[Any]:
    """Fill the last axis up to whole vectors, with zeros."""
    values = np.asarray(array)
    missing = pitch_of(values.shape[-1]) - values.shape[-1]
    return np.pad(values, [(0, 0)] * (values.ndim - 1) + [(0, missing)])


def aligned(size: int, dtype: npt.DTypeLike = np.float64) -> npt.NDArray[Any]:
    """Make room at the start of a cache line; a misaligned vector costs two accesses."""
    return _from_cache_line(np.empty, size, np.dtype(dtype))


def aligned_zeros(size: int, dtype: npt.DTypeLike = np.float64) -> npt.NDArray[Any]:
    """Make zeros at the start of a cache line."""
    return _from_cache_line(np.zeros, size, np.dtype(dtype))


def _from_cache_line(make: Any, size: int, dtype: np.dtype[Any]) -> npt.NDArray[Any]:
    length = size * dtype.itemsize
    raw: npt.NDArray[np.uint8] = make(length + CACHE_LINE, np.uint8)
    start = -address(raw) % CACHE_LINE
    return raw[start : start + length].view(dtype)


class Pack:
    """Parameters laid end to end."""

    def __init__(self, dtype: npt.DTypeLike) -> None:
        self.dtype = np.dtype(dtype)
        self._parts: list[npt.NDArray[Any]] = []
        self._size = 0

    def add(self, *arrays: npt.ArrayLike) -> int:
        """Append arrays; give where the first one starts."""
        start = self._size
        for array in arrays:
            flat = np.asarray(array).astype(self.dtype).ravel()
            self._parts.append(flat)
            self._size += flat.size
        return start

    def whole(self) -> npt.NDArray[Any]:
        """Give all of it, and some zeros."""
        array = aligned_zeros(self._size + SLACK, self.dtype)
        if self._parts:
            array[: self._size] = np.concatenate(self._parts)
        return array


class Slots:
    """Places for a chunk's signals, used again once nothing will read what is there."""

    def __init__(self) -> None:
        self.size = 0
        self._free: list[tuple[int, int]] = []  # (pitch, place)

    def take(self, pitch: int) -> int:
        """Give a place of ``pitch`` doubles a row."""
        for index, (size, place) in enumerate(self._free):
            if size == pitch:
                del self._free[index]
                return place
        place = self.size
        self.size += pitch
        return place

    def give_back(self, pitch: int, place: int) -> None:
        self._free.append((pitch, place))

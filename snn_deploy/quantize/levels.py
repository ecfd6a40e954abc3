"""Thresholds and decays of spiking neurons as the integers that their programs compare with."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from snn_deploy import fixedpoint as fp
from snn_deploy.nodes.base import Int32

__all__ = ["guard_bits", "kept_of", "level_above", "level_of"]

MOST_GUARD_BITS = 6  # as many as Loihi's membrane has beyond its drive


def guard_bits(worst: npt.NDArray[np.float64], bits: int) -> int:
    """Give how many fractional bits a word of ``bits`` has left over a worst case."""
    room = np.log2(fp.limit_of(bits) / max(float(worst.max(initial=0.0)), 1.0))
    return int(np.clip(np.floor(room), 0, MOST_GUARD_BITS))


def kept_of(decay: float | npt.NDArray[np.float64], bits: int) -> Int32:
    """Round decays to ``bits`` wide mantissas with ``bits - 1`` fractional bits; always below 1."""
    kept = fp.round_half_up(np.asarray(decay, np.float64) * 2.0 ** (bits - 1))
    return np.clip(kept, 0, fp.limit_of(bits)).astype(np.int32)


def level_of(level: npt.NDArray[np.float64], bits: int) -> Int32:
    """Give the least integers that reach ``level``; the largest where ``bits`` cannot hold it."""
    limit = fp.limit_of(bits)
    return np.ceil(np.clip(level, -limit, limit)).astype(np.int32)


def level_above(level: npt.NDArray[np.float64], bits: int) -> Int32:
    """Give the least integers strictly above ``level``, as :func:`level_of`."""
    limit = fp.limit_of(bits)
    return np.clip(np.floor(np.clip(level, -limit, limit)) + 1, -limit, limit).astype(np.int32)

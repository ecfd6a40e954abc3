"""The least time that a dendrite's arithmetic can take on this CPU, measured.

A complex mode and step is seven fused multiply-adds (one for the input, four for the recurrence,
two for the readout) and six additions (two to join the products of u and v, four to make halves
round up). Here they run on registers alone, three modes side by side so that none waits: no
coefficient, state or signal is loaded or stored, no drive leaves, nothing saturates. On as many
threads as the engine has, in the same run, because cores that share their arithmetic units, or
that somebody else uses, have another floor.
"""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numba
import numpy as np

from snn_deploy.engines.native.vectors import (
    LANES,
    MAGIC,
    add,
    fma,
    fnma,
    load,
    splat,
    store,
    subtract,
)

OPERATIONS = "7 multiply-adds and 6 additions"
SIDE_BY_SIDE = 3  # as many as fit the registers
STEPS = 20_000
Array = Any


@numba.njit(nogil=True)
def _mode(u: Any, v: Any, sums: Any, x: Any, scale: Any, constants: Any) -> Any:
    real, imag, nudge, other_nudge = constants
    magic = splat(MAGIC)
    nudged_u, nudged_v = add(u, nudge), add(v, nudge)
    entering = fma(x, scale, magic)
    u = subtract(fma(nudged_u, real, entering), fma(nudged_v, imag, magic))
    v = subtract(fma(nudged_u, imag, magic), fnma(nudged_v, real, magic))
    sums = fma(add(u, other_nudge), imag, sums)
    return u, v, fma(add(v, other_nudge), real, sums)


@numba.njit(nogil=True)
def _arithmetic(values: Array, steps: int) -> None:
    real, imag = load(values, 0), load(values, LANES)
    constants = real, imag, load(values, 2 * LANES), load(values, 3 * LANES)
    a = b = c = p = q = r = load(values, 4 * LANES)
    x = y = z = splat(MAGIC)
    for step in range(steps):
        # loaded, and scaled by three different numbers, so that it cannot be computed beforehand
        entering = load(values, (4 + step % 4) * LANES)
        a, p, x = _mode(a, p, x, entering, real, constants)
        b, q, y = _mode(b, q, y, entering, imag, constants)
        c, r, z = _mode(c, r, z, entering, constants[2], constants)
    states = add(add(add(a, b), c), add(add(p, q), r))
    store(values, 4 * LANES, add(states, add(add(x, y), z)))


def measure_floor(threads: int, seconds: float = 1.0) -> float:
    """Give the nanoseconds a mode and step that ``threads`` threads together need at least."""
    values = np.linspace(0.1, 0.9, threads * 8 * LANES).reshape(threads, -1)

    def work(row: Array) -> None:
        _arithmetic(row, STEPS)

    work(values[0])
    best = np.inf
    with ThreadPoolExecutor(threads) as pool:
        until = time.perf_counter() + seconds
        while time.perf_counter() < until:
            started = time.perf_counter()
            list(pool.map(work, values))
            best = min(best, time.perf_counter() - started)
    return best * 1e9 / (threads * STEPS * SIDE_BY_SIDE * LANES)

"""The least time that the engine's nodes can take on this CPU: what they must do at the rate at
which this CPU does it, measured in the same run.

An operation is counted in vectors: instructions on one vector of channels, and bytes that must be
read from and written to its chunk's signals or weights, which stay in a core's cache. Its floor is
the longer of the two times. Nothing is counted for loading coefficients or states, for addresses,
loops and calls.

The dendrite, per complex mode and step: four fused multiply-adds for the recurrence and two for the
readout, an addition each for the compartments u and v (the input enters with the first). That is
fewer than the equation's operations, since a multiply-add also rounds and adds up.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numba
import numpy as np
import numpy.typing as npt

from snn_deploy.engines.native import operations as op
from snn_deploy.engines.native.vectors import LANES, add, fma, lanes_of, load, store

MODE = "6 multiply-adds and 2 additions"
ROUNDS = 20_000
CACHED = 16_384  # doubles copied again and again: from a core's own cache
Array = Any


@numba.njit(nogil=True)
def _modes(values: Array, rounds: int) -> None:
    """A mode and a half a round, in as many chains as fit the registers, so that none waits."""
    lanes = lanes_of(values)
    m, c = load(values, 0), load(values, lanes)
    a = b = d = e = f = g = h = i = j = load(values, 2 * lanes)
    p = q = r = load(values, 3 * lanes)
    for _ in range(rounds):
        a, b, d, p = fma(a, m, c), fma(b, m, c), fma(d, m, c), add(p, c)
        e, f, g, q = fma(e, m, c), fma(f, m, c), fma(g, m, c), add(q, c)
        h, i, j, r = fma(h, m, c), fma(i, m, c), fma(j, m, c), add(r, c)
    first = add(add(add(a, b), add(d, e)), add(add(f, g), add(h, i)))
    store(values, 2 * lanes, add(first, add(add(j, p), add(q, r))))


@numba.njit(nogil=True)
def _additions(values: Array, rounds: int) -> None:
    c = load(values, LANES)
    a = b = d = e = f = g = h = i = load(values, 2 * LANES)
    for _ in range(rounds):
        a, b, d, e = add(a, c), add(b, c), add(d, c), add(e, c)
        f, g, h, i = add(f, c), add(g, c), add(h, c), add(i, c)
    store(values, 2 * LANES, add(add(add(a, b), add(d, e)), add(add(f, g), add(h, i))))


@numba.njit(nogil=True)
def _copies(values: Array, rounds: int) -> None:
    half = CACHED // 2
    for _ in range(rounds):
        for at in range(0, half, 4 * LANES):
            for w in range(4):
                store(values, half + at + w * LANES, load(values, at + w * LANES))


@dataclass(frozen=True)
class Rates:
    """Nanoseconds that ``threads`` threads together need for each of these.

    Parameters
    ----------
    mode, float_mode
        Of a dendrite in doubles or in floats, one step of one channel.
    instruction
        On a vector, one that is no multiplication.
    byte
        Read from or written to a core's cache.
    """

    threads: int
    mode: float
    float_mode: float
    instruction: float
    byte: float


def measure_rates(threads: int, rounds: int = 200) -> Rates:
    """Measure what this CPU can do at best, of ``rounds`` tries."""
    return Rates(
        threads,
        _best(_modes, threads, ROUNDS, rounds) / (1.5 * LANES),
        _best(_modes, threads, ROUNDS, rounds, np.float32) / (1.5 * 2 * LANES),
        _best(_additions, threads, ROUNDS, rounds) / 8,
        _best(_copies, threads, 50, rounds) / (8 * CACHED),
    )


def _best(
    kernel: Callable[[Array, int], None],
    threads: int,
    repeats: int,
    rounds: int,
    dtype: npt.DTypeLike = np.float64,
) -> float:
    """Give the nanoseconds of one of a kernel's repeats, on all threads together."""
    values = [np.full(CACHED, 0.5, dtype) for _ in range(threads)]
    kernel(values[0], 1)

    def work(row: Array) -> float:
        started = time.perf_counter()
        kernel(row, repeats)
        return time.perf_counter() - started

    with ThreadPoolExecutor(threads) as pool:
        # a round's slowest thread: its threads start together, more or less
        best = min(max(pool.map(work, values)) for _ in range(rounds))
    return best * 1e9 / (threads * repeats)


@dataclass(frozen=True)
class Cost:
    """What an operation must do for one step of one sample; see the top of this file."""

    modes: int = 0
    float_modes: int = 0
    instructions: float = 0.0
    bytes: float = 0.0

    def floor(self, rates: Rates) -> float:
        """Nanoseconds."""
        computing = self.modes * rates.mode + self.float_modes * rates.float_mode
        computing += self.instructions * rates.instruction
        return max(computing, self.bytes * rates.byte)


# instructions on each vector of channels, doubles read and written for each channel
_PER_CHANNEL = {
    op.SOMA: (9, 4),  # leak 2, take in, clip 2 + 2, compare, reset; state and signal, in and out
    op.GATE: (19, 3),  # two rescaled halves 2 each, row 3, look-up 4, product 4, clip 4
    op.POOL: (1, 3),
    op.COUNT: (2, 3),
    op.KEEP: (1, 1.5),
    op.RECALL: (1, 1.5),
    op.TAKE_IN: (1, 2),
    op.RUNNING_SUM: (9, 2),
    op.NORMALIZE: (12, 3),  # sums 3, scaling 4, rounding 1, clip 4
}


def cost_of(operation: Any, tables: Any, spikes: float) -> Cost:
    """Count what an operation must do; ``spikes`` is how many of its inputs spike, of 1."""
    kind, outputs, inputs = operation["kind"], operation["y_pitch"], operation["x_pitch"]
    vectors = max(outputs, inputs) / LANES
    if kind == op.DENDRITE:
        return Cost(modes=int(outputs * operation["size"]))
    if kind == op.FLOAT_DENDRITE:
        return Cost(float_modes=int(outputs * operation["size"]))
    narrow = bool(operation["narrow"])  # sums of 32 bits
    if kind == op.ADD_SPIKES:  # a weight is a byte; a vector of them is added, shifted and added
        targets = operation["size"]
        weights = spikes * inputs * targets
        return Cost(0, 0, weights * 3 / (8 * LANES), weights + (4 if narrow else 8) * targets)
    if kind == op.ADD_GRADED:
        return Cost(0, 0, operation["size"] * vectors, 8 * (inputs + outputs))
    if kind == op.RELAY:
        sources = operation["size"]
        aligns = tables[operation["first"] + sources :][:sources]
        added = sources + np.count_nonzero(aligns >= 0)
        rescaled = 3 * (operation["second"] >= 0)
        instructions = vectors * (added + 1 + rescaled + 4)
        return Cost(0, 0, instructions, 8 * outputs * (sources + 1))
    instructions, doubles = _PER_CHANNEL[int(kind)]
    if kind == op.GATE:
        instructions += 8 * (operation["flag"] != 0)  # both halves are clipped, too
        instructions += 2 * narrow  # both are converted
        doubles -= narrow
    width = outputs if kind == op.GATE else max(outputs, inputs)
    return Cost(0, 0, instructions * width / LANES, 8 * doubles * width)

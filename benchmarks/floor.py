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

import ctypes
import platform
import subprocess
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from snn_deploy.engines.native.abi import KINDS, address
from snn_deploy.engines.native.build import OPTIONS, SOURCES, TARGETS, find_compiler
from snn_deploy.engines.native.library import lanes_of_doubles, load_target

MODE = "6 multiply-adds and 2 additions"
ROUNDS = 20_000
CACHED = 16_384  # doubles copied again and again: from a core's own cache


@lru_cache(maxsize=1)
def _kernels() -> ctypes.CDLL:
    """Compile ``floor.cpp`` for the instructions that the engine uses."""
    target = load_target().name.decode()
    size, flags = TARGETS[platform.machine().lower()][target]
    compiler = find_compiler()
    assert compiler is not None, "the floor is measured in C++: install a compiler"
    defined = [f"-DSNN_TARGET={target}", f"-DSNN_VECTOR_BYTES={size}", f"-DSNN_CACHED={CACHED}"]
    with tempfile.TemporaryDirectory() as folder:
        made = Path(folder, "floor.so")
        source = Path(__file__).with_suffix(".cpp")
        call = [*compiler, *OPTIONS.split(), *flags.split(), *defined, "-fPIC", "-shared"]
        subprocess.run([*call, f"-I{SOURCES}", str(source), "-o", str(made)], check=True)
        return ctypes.CDLL(str(made))


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
    lanes = lanes_of_doubles()
    return Rates(
        threads,
        _best("modes_in_doubles", threads, ROUNDS, rounds) / (1.5 * lanes),
        _best("modes_in_floats", threads, ROUNDS, rounds, np.float32) / (1.5 * 2 * lanes),
        _best("additions", threads, ROUNDS, rounds) / 8,
        _best("copies", threads, 50, rounds) / (8 * CACHED),
    )


def modes_work(modes: int, threads: int, floats: bool) -> Callable[[], object]:
    """Give what takes the least time of so many modes and steps, shared by some threads: to take
    turns with what takes more, since how fast a CPU is changes from minute to minute.
    """
    name, dtype = ("modes_in_floats", np.float32) if floats else ("modes_in_doubles", np.float64)
    values = [np.full(CACHED, 0.5, dtype) for _ in range(threads)]
    at_once = 1.5 * lanes_of_doubles() * (2 if floats else 1)
    kernel, repeats = getattr(_kernels(), name), ctypes.c_int64(round(modes / threads / at_once))
    at = (row.ctypes.data_as(ctypes.c_void_p) for row in values)  # each keeps its row
    return partial(_run_all, [partial(kernel, place, repeats) for place in at])


def _run_all(works: Sequence[Callable[[], object]]) -> None:
    """Call all of ``works``, side by side."""
    with ThreadPoolExecutor(len(works)) as pool:
        for done in [pool.submit(work) for work in works]:
            done.result()


def _best(
    name: str, threads: int, repeats: int, rounds: int, dtype: npt.DTypeLike = np.float64
) -> float:
    """Give the nanoseconds of one of a kernel's repeats, on all threads together."""
    values = [np.full(CACHED, 0.5, dtype) for _ in range(threads)]
    kernel, count = getattr(_kernels(), name), ctypes.c_int64(repeats)

    def work(row: npt.NDArray[Any]) -> float:
        place = ctypes.c_void_p(address(row))
        started = time.perf_counter()
        kernel(place, count)
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
    KINDS["gate"]: (19, 3),  # two rescaled halves 2 each, row 3, look-up 4, product 4, clip 4
    KINDS["pool"]: (1, 1),
    KINDS["count"]: (2, 1),
    KINDS["keep"]: (1, 1.5),
    KINDS["recall"]: (1, 1.5),
    KINDS["take in"]: (1, 2),
    KINDS["normalize"]: (12, 3),  # sums 3, scaling 4, rounding 1, clip 4
}


def cost_of(operation: Any, tables: Any, spikes: float) -> Cost:
    """Count what an operation must do; ``spikes`` is how many of its inputs spike, of 1."""
    kind, outputs, inputs = operation["kind"], operation["y_pitch"], operation["x_pitch"]
    vectors = max(outputs, inputs) / lanes_of_doubles()
    if kind == KINDS["dendrite"]:
        return Cost(modes=int(outputs * operation["size"]))
    if kind == KINDS["float dendrite"]:
        return Cost(float_modes=int(outputs * operation["size"]))
    narrow = bool(operation["narrow"])  # sums of 32 bits
    if (
        kind == KINDS["add spikes"]
    ):  # a weight is a byte; a vector of them is added, shifted and added
        targets = operation["size"]
        weights = spikes * inputs * targets
        return Cost(
            0, 0, weights * 3 / (8 * lanes_of_doubles()), weights + (4 if narrow else 8) * targets
        )
    if kind == KINDS["add wide spikes"]:  # a weight is four bytes, and is added
        weights = spikes * inputs * outputs
        return Cost(0, 0, weights / (2 * lanes_of_doubles()), 4 * weights + 8 * outputs)
    if kind == KINDS["add pairs"]:  # four outputs of two inputs in the time of one of one
        return Cost(0, 0, operation["size"] * vectors, 4 * inputs + 8 * outputs)
    if kind == KINDS["add graded"]:
        return Cost(0, 0, operation["size"] * vectors, 8 * (inputs + outputs))
    if kind == KINDS["relay"]:
        sources = operation["size"]
        aligns = tables[operation["first"] + sources :][:sources]
        added = sources + np.count_nonzero(aligns >= 0)
        rescaled = 3 * (operation["second"] >= 0)
        instructions = vectors * (added + 1 + rescaled + 4)
        return Cost(0, 0, instructions, 8 * outputs * (sources + 1))
    if kind == KINDS["compiled"]:  # each of a step's numbers is used, at least
        return Cost(0, 0, operation["size"] * vectors, 8 * outputs * 2)
    instructions, doubles = _PER_CHANNEL[int(kind)]
    if kind == KINDS["gate"]:
        instructions += 8 * (operation["flag"] != 0)  # both halves are clipped, too
        instructions += 2 * narrow  # both are converted
        doubles -= narrow
    width = outputs if kind == KINDS["gate"] else max(outputs, inputs)
    return Cost(0, 0, instructions * width / lanes_of_doubles(), 8 * doubles * width)

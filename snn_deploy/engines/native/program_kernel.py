"""The loop that runs any neuron's program: an interpreter, compiled once for all of them.

A program is a list of instructions over one array of int64, where each value of the program has a
place of its own: as many numbers as there are neurons, or modes, or one for the layer. An
instruction works on all of them before the next one, so that what it costs to look at it is paid
once a row. All is done in the 64-bit integers of the reference engine, so nothing has to be proven
but that signals fit doubles.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from snn_deploy.engines.native.compilation import compiled, inlined
from snn_deploy.engines.native.fast_kernels import find_rows

__all__ = ["CODES", "FIELDS", "run_program"]

CODES = {
    name: code
    for code, name in enumerate(
        (
            "load",
            "store",
            "move",
            "expand",
            "add",
            "subtract",
            "negate",
            "multiply",
            "shift_left",
            "round_shift",
            "signed_shift",
            "multiply_shift",
            "decay",
            "saturate",
            "clip",
            "minimum",
            "greater",
            "equal",
            "select",
            "send_when",
            "and",
            "or",
            "xor",
            "lookup",
            "sum_modes",
            "sum_channels",
        )
    )
}
"""What an instruction does: mostly an operation of ``snn_deploy.ir.program``."""

FIELDS = 8
"""Of an instruction: its code, how many numbers it makes and where, up to three places that it
reads, and two numbers of its own.
"""

LOAD, STORE, MOVE, EXPAND, ADD, SUBTRACT, NEGATE, MULTIPLY = range(8)
SHIFT_LEFT, ROUND_SHIFT, SIGNED_SHIFT, MULTIPLY_SHIFT, DECAY, SATURATE, CLIP, MINIMUM = range(8, 16)
GREATER, EQUAL, SELECT, SEND_WHEN, AND, OR, XOR, LOOKUP, SUM_MODES, SUM_CHANNELS = range(16, 26)

Array = Any  # numba knows the types


@inlined
def _rounded(x: int, by: int) -> int:
    return (x + ((1 << by) >> 1)) >> by


@compiled
def run_program(  # noqa: C901, PLR0912, PLR0915 - a branch an instruction
    code: Array,
    code_at: int,
    length: int,
    values: Array,
    words_at: int,
    words: int,
    state: Array,
    state_at: int,
    signals: Array,
    capacity: int,
    row: int,
    passing: int,
    tile: int,
    y_at: int,
    y_pitch: int,
    rows: int,
    backwards: bool,
) -> int:
    """Run a program over some rows, or ``backwards``; give how many values were clipped.

    Parameters
    ----------
    code, code_at, length
        int64: ``length`` instructions, from ``code_at`` on.
    values, words_at, words
        int64: scratch, with constants in it, and where in it the words of state are.
    state, state_at
        int64: where these are between two calls.
    signals, capacity, row, passing, tile
        Doubles, and where in them rows are: see ``find_rows``.
    y_at, y_pitch
        Where the answer goes.
    """
    clipped = 0
    for j in range(words):
        values[words_at + j] = state[state_at + j]
    for step in range(rows):
        r = rows - 1 - step if backwards else step
        for i in range(length):
            at = code_at + i * FIELDS
            kind, first, second = code[at], code[at + 6], code[at + 7]
            n = np.uint64(code[at + 1])  # unsigned indices: none is counted from the end
            y, a = np.uint64(code[at + 2]), np.uint64(code[at + 3])
            b, c = np.uint64(code[at + 4]), np.uint64(code[at + 5])
            size = np.uint64(first)
            if kind == LOAD:
                place, pitch = code[at + 3], code[at + 4]
                x_at = find_rows(place, capacity, row, pitch, passing, tile)
                x = np.uint64(x_at + r * pitch + first)
                for j in range(n):
                    values[y + j] = int(signals[x + j])
            elif kind == STORE:
                x = np.uint64(y_at + r * y_pitch)
                for j in range(n):
                    signals[x + j] = float(values[a + j])
                for j in range(n, np.uint64(y_pitch)):
                    signals[x + j] = 0.0
            elif kind == MOVE:
                for j in range(n):
                    values[y + j] = values[a + j]
            elif kind == EXPAND:
                for j in range(n // size):
                    for k in range(size):
                        values[y + j * size + k] = values[a + j]
            elif kind == ADD:
                for j in range(n):
                    values[y + j] = values[a + j] + values[b + j]
            elif kind == SUBTRACT:
                for j in range(n):
                    values[y + j] = values[a + j] - values[b + j]
            elif kind == NEGATE:
                for j in range(n):
                    values[y + j] = -values[a + j]
            elif kind == MULTIPLY:
                for j in range(n):
                    values[y + j] = values[a + j] * values[b + j]
            elif kind == SHIFT_LEFT:
                for j in range(n):
                    values[y + j] = values[a + j] << values[b + j]
            elif kind == ROUND_SHIFT:
                for j in range(n):
                    values[y + j] = _rounded(values[a + j], values[b + j])
            elif kind == SIGNED_SHIFT:
                for j in range(n):
                    by = values[b + j]
                    values[y + j] = values[a + j] << by if by >= 0 else _rounded(values[a + j], -by)
            elif kind == MULTIPLY_SHIFT:
                for j in range(n):
                    values[y + j] = _rounded(values[a + j] * values[b + j], values[c + j])
            elif kind == DECAY:
                for j in range(n):
                    left = (abs(values[a + j]) * values[b + j]) >> values[c + j]
                    values[y + j] = left if values[a + j] >= 0 else -left
            elif kind == SATURATE:  # counted where b is not 0
                lost = 0
                for j in range(n):
                    held = min(max(values[a + j], first), second)
                    lost += (held != values[a + j]) & (values[b + j] != 0)
                    values[y + j] = held
                clipped += lost
            elif kind == CLIP:
                for j in range(n):
                    values[y + j] = min(max(values[a + j], first), second)
            elif kind == MINIMUM:
                for j in range(n):
                    values[y + j] = min(values[a + j], values[b + j])
            elif kind == GREATER:
                for j in range(n):
                    values[y + j] = values[a + j] > values[b + j]
            elif kind == EQUAL:
                for j in range(n):
                    values[y + j] = values[a + j] == values[b + j]
            elif kind == SELECT:
                for j in range(n):
                    values[y + j] = values[b + j] if values[a + j] != 0 else values[c + j]
            elif kind == SEND_WHEN:
                for j in range(n):
                    values[y + j] = values[b + j] if values[a + j] != 0 else 0
            elif kind == AND:
                for j in range(n):
                    values[y + j] = values[a + j] & values[b + j]
            elif kind == OR:
                for j in range(n):
                    values[y + j] = values[a + j] | values[b + j]
            elif kind == XOR:
                for j in range(n):
                    values[y + j] = values[a + j] ^ values[b + j]
            elif kind == LOOKUP:  # clipped, since a state from a file could lead anywhere
                for j in range(n):
                    entry = min(max(values[b + j], 0), first - 1)
                    values[y + j] = values[a + np.uint64(entry)]
            elif kind == SUM_MODES:
                for j in range(n):
                    total = 0
                    for k in range(size):
                        total += values[a + j * size + k]
                    values[y + j] = total
            else:
                total = 0
                for j in range(size):
                    total += values[a + j]
                values[y] = total
    for j in range(words):
        state[state_at + j] = values[words_at + j]
    return clipped

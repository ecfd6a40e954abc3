"""A dendrite's modes: few at a time, over a few steps, with their compartments in registers.

A mode and step are six fused multiply-adds and two additions, and no rounding costs anything:

- both products of a compartment are rounded on top of a constant around the *magic* number, whose
  neighbours are 1 apart, one after the other: an integer plus a product rounds as the product
  alone;
- compartments are held as ``u + bias``. What the bias brings to a product is taken out of these
  constants, and the magic number and the bias come and go with the addition of the input;
- halves are rounded upwards, as the chip does, without an addition either, in two ways.

**Doubles** have bits to spare. All compartments are positive thanks to the bias, so that a
coefficient that is moved up by less than ``2**-shift / (2 * bias)`` moves every product up, by less
than the distance of two possible products: ties, and nothing else, are decided by it.

**Floats** have none. There, all coefficients are odd multiples of one ``2**-shift``, or 0, and the
bias is ``2**(shift - 1)``: it moves every product by an integer and a half, and the CPU rounds
down. A sum that is too wide for floats is held in several.

A mode is *guarded* if its compartments can saturate, or if some coefficient of its readout has more
bits than the bias allows: it clips, and reads out with nudges (see ``vectors``). Only doubles do.
"""

from __future__ import annotations

from typing import Any

from snn_deploy.engines.native.compilation import inlined
from snn_deploy.engines.native.vectors import (
    FLOAT_MAGIC,
    LANES,
    MAGIC,
    add,
    fma,
    lanes_of,
    load,
    load_as,
    maximum,
    minimum,
    splat_as,
    store,
    subtract,
    sum_tally,
    tally,
)

__all__ = [
    "GROUP_HEAD",
    "MODE",
    "ROOM",
    "ROW",
    "SUMS",
    "TILE_MODES",
    "TILE_STEPS",
    "UNGUARDED",
    "magic_of",
    "run_guarded",
    "run_unguarded",
]

# A mode's coefficients, in vectors: decay, the constants under u and v, readout, its nudges.
REAL, IMAG, MINUS_IMAG, UNDER_U, UNDER_V, READ_U, READ_MINUS_V, NUDGE_U, NUDGE_V = range(9)
MODE = 9
# Before those of all modes, in vectors: the bias, and that without the magic number. It is read
# anew each time: the registers are for the compartments.
GROUP_HEAD = 2
TILE_MODES = 4  # modes at a time, at most: their number is filled up to a multiple of it
TILE_SAMPLES = 4  # samples at a time
TILE_STEPS = 64  # steps at a time: their inputs and sums stay in a core's first cache
ROOM = (TILE_STEPS + 1) * TILE_SAMPLES  # vectors, for the sums of a tile, or its inputs
# Of each group, before the places of its modes' inputs and sums.
SUMS, FIRST, END, UNGUARDED = range(4)
ROW = 4

Array = Any  # numba knows the types


@inlined
def magic_of(numbers: Array) -> float:
    """Give the magic number of floats or doubles."""
    return FLOAT_MAGIC if lanes_of(numbers) > LANES else MAGIC


@inlined
def _coefficients(modes: Array, at: int) -> Any:
    lanes = lanes_of(modes)
    return (
        load(modes, at + REAL * lanes),
        load(modes, at + IMAG * lanes),
        load(modes, at + MINUS_IMAG * lanes),
        load(modes, at + UNDER_U * lanes),
        load(modes, at + UNDER_V * lanes),
        load(modes, at + READ_U * lanes),
        load(modes, at + READ_MINUS_V * lanes),
    )


@inlined
def _take(state: Array, at: int, bias: Any, lanes: int) -> Any:
    """Give a mode's compartments, biased."""
    return add(load_as(bias, state, at), bias), add(load_as(bias, state, at + lanes), bias)


@inlined
def _put(state: Array, at: int, bias: Any, lanes: int, compartments: Any) -> None:
    u, v = compartments
    store(state, at, subtract(u, bias))
    store(state, at + lanes, subtract(v, bias))


@inlined
def _move(compartments: Any, coefficients: Any, entering: Any, settle: Any) -> Any:
    """Give a mode's compartments one step later."""
    u, v = compartments
    real, imag, minus_imag, under_u, under_v, _, _ = coefficients
    return (
        add(fma(v, minus_imag, fma(u, real, under_u)), entering),
        add(fma(v, real, fma(u, imag, under_v)), settle),
    )


@inlined
def _read(compartments: Any, coefficients: Any, total: Any) -> Any:
    """Add what a mode contributes."""
    u, v = compartments
    _, _, _, _, _, read_u, read_minus_v = coefficients
    return fma(v, read_minus_v, fma(u, read_u, total))


@inlined
def _two_samples(
    modes: Array,
    mode: int,
    state: Array,
    at: int,
    own: int,
    work: Array,
    sums: int,
    stride: int,
    entries: Any,
    steps: int,
    bias: Any,
    settle: int,
) -> None:
    """Run two modes of two samples, whose states are ``own`` apart, over some steps."""
    lanes = lanes_of(modes)
    other, pair = mode + MODE * lanes, 2 * lanes
    k, m = _take(state, at, bias, lanes), _take(state, at + own, bias, lanes)
    n, o = _take(state, at + pair, bias, lanes), _take(state, at + pair + own, bias, lanes)
    for i in range(steps):
        y = sums + i * stride
        c, x = _coefficients(modes, mode), entries[0] + i * stride
        k = _move(k, c, load(work, x), load(modes, settle))
        m = _move(m, c, load(work, x + lanes), load(modes, settle))
        total, total2 = _read(k, c, load(work, y)), _read(m, c, load(work, y + lanes))
        c, x = _coefficients(modes, other), entries[1] + i * stride
        n = _move(n, c, load(work, x), load(modes, settle))
        o = _move(o, c, load(work, x + lanes), load(modes, settle))
        store(work, y, _read(n, c, total))
        store(work, y + lanes, _read(o, c, total2))
    _put(state, at, bias, lanes, k)
    _put(state, at + own, bias, lanes, m)
    _put(state, at + pair, bias, lanes, n)
    _put(state, at + pair + own, bias, lanes, o)


@inlined
def _one_sample(
    modes: Array,
    mode: int,
    state: Array,
    at: int,
    work: Array,
    sums: int,
    entries: Any,
    steps: int,
    bias: Any,
    settle: int,
) -> None:
    """Run four modes of one sample over some steps."""
    lanes = lanes_of(modes)
    pitch, pair = MODE * lanes, 2 * lanes
    k, m = _take(state, at, bias, lanes), _take(state, at + pair, bias, lanes)
    n, o = _take(state, at + 2 * pair, bias, lanes), _take(state, at + 3 * pair, bias, lanes)
    for i in range(steps):
        x, y = i * lanes, sums + i * lanes
        c = _coefficients(modes, mode)
        k = _move(k, c, load(work, entries[0] + x), load(modes, settle))
        total = _read(k, c, load(work, y))
        c = _coefficients(modes, mode + pitch)
        m = _move(m, c, load(work, entries[1] + x), load(modes, settle))
        total = _read(m, c, total)
        c = _coefficients(modes, mode + 2 * pitch)
        n = _move(n, c, load(work, entries[2] + x), load(modes, settle))
        total = _read(n, c, total)
        c = _coefficients(modes, mode + 3 * pitch)
        o = _move(o, c, load(work, entries[3] + x), load(modes, settle))
        store(work, y, _read(o, c, total))
    _put(state, at, bias, lanes, k)
    _put(state, at + pair, bias, lanes, m)
    _put(state, at + 2 * pair, bias, lanes, n)
    _put(state, at + 3 * pair, bias, lanes, o)


@inlined
def _run_one_guarded(
    modes: Array,
    mode: int,
    state: Array,
    at: int,
    work: Array,
    sums: int,
    entry: int,
    stride: int,
    steps: int,
    bias: Any,
    settle: int,
    limit: float,
) -> float:
    """Run a guarded mode of one sample over some steps; its sums and inputs are ``stride`` apart.

    Gives how many compartments were clipped at ``limit``.
    """
    lanes, clipped = lanes_of(modes), splat_as(bias, 0.0)
    high, low = add(bias, splat_as(bias, limit)), subtract(bias, splat_as(bias, limit))
    nudge_u, nudge_v = load(modes, mode + NUDGE_U * lanes), load(modes, mode + NUDGE_V * lanes)
    c = _coefficients(modes, mode)
    compartments = _take(state, at, bias, lanes)
    for i in range(steps):
        y = sums + i * stride
        entering = load(work, entry + i * stride)
        free_u, free_v = _move(compartments, c, entering, load(modes, settle))
        u, v = maximum(minimum(free_u, high), low), maximum(minimum(free_v, high), low)
        clipped = tally(tally(clipped, u, free_u), v, free_v)
        nudged = add(u, nudge_u), add(v, nudge_v)
        store(work, y, _read(nudged, c, load(work, y)))
        compartments = u, v
    _put(state, at, bias, lanes, compartments)
    return sum_tally(clipped)


@inlined
def run_unguarded(
    modes: Array,
    modes_at: int,
    bias: Any,
    table: Array,
    row: int,
    count: int,
    state: Array,
    at: int,
    own: int,
    samples: int,
    work: Array,
    delay: int,
    steps: int,
) -> None:
    """Run those modes of a tile that are not guarded."""
    lanes, unguarded = lanes_of(modes), table[row + UNGUARDED]
    room, stride = ROOM * lanes, samples * lanes
    settle = modes_at - lanes
    for index in range(0, unguarded, TILE_MODES // min(samples, 2)):
        mode, place = modes_at + index * MODE * lanes, at + 2 * index * lanes
        entry = row + ROW + index
        y = table[entry + count] * room + delay
        if samples == 1:
            four = (
                table[entry] * room,
                table[entry + 1] * room,
                table[entry + 2] * room,
                table[entry + 3] * room,
            )
            _one_sample(modes, mode, state, place, work, y, four, steps, bias, settle)
            continue
        for s in range(0, samples, 2):
            x, x2 = table[entry] * room + s * lanes, table[entry + 1] * room + s * lanes
            _two_samples(
                modes,
                mode,
                state,
                place + s * own,
                own,
                work,
                y + s * lanes,
                stride,
                (x, x2),
                steps,
                bias,
                settle,
            )


@inlined
def run_guarded(
    modes: Array,
    modes_at: int,
    bias: Any,
    table: Array,
    row: int,
    count: int,
    state: Array,
    at: int,
    own: int,
    samples: int,
    work: Array,
    delay: int,
    steps: int,
    limit: float,
) -> float:
    """Run the guarded modes; give how many compartments were clipped."""
    lanes, clipped = lanes_of(modes), 0.0
    room, stride = ROOM * lanes, samples * lanes
    settle = modes_at - lanes
    for index in range(table[row + UNGUARDED], count):
        entry = row + ROW + index
        for s in range(samples):
            clipped += _run_one_guarded(
                modes,
                modes_at + index * MODE * lanes,
                state,
                at + s * own + 2 * index * lanes,
                work,
                table[entry + count] * room + delay + s * lanes,
                table[entry] * room + s * lanes,
                stride,
                steps,
                bias,
                settle,
                limit,
            )
    return clipped

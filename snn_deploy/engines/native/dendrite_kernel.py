"""The loop that everything else is small against: a dendrite's modes, over a chunk of time.

Lanes are channels. For each group of ``LANES`` channels, up to four samples and ``SPAN`` steps at a
time, the input is shifted once for all modes (``_enter``); then a few modes go through all steps
with their compartments in registers, each adding what it contributes to a sum a step; then the
sums become drives (``_leave``). At a time go one mode of four samples, two of two, or four of one:
enough that none waits for another.

A mode and step are six fused multiply-adds and two additions, and no rounding costs anything:

- compartments are held as ``u + bias``, always positive, so that a coefficient moved up by less
  than ``2**-shift / (2 * bias)`` moves every product up by less than the distance of two possible
  products: ties, and nothing else, are decided upwards, as the chip does. No nudge is added (see
  ``vectors``);
- both products of a compartment are rounded on top of one constant around ``MAGIC``, one after the
  other: an integer plus a product rounds as the product alone;
- what the bias brings to a product is an integer, and is in these constants: ``MAGIC`` and the bias
  are taken away in the same addition that lets the input in.

A mode is *careful* if its compartments can saturate, or if some coefficient of its readout has more
bits than the bias allows: it clips, and reads out with nudges.
"""

from __future__ import annotations

from typing import Any

from snn_deploy.engines.native.compilation import inlined
from snn_deploy.engines.native.vectors import (
    LANES,
    MAGIC,
    add,
    changed,
    fma,
    fnma,
    load,
    maximum,
    minimum,
    splat,
    store,
    subtract,
    sum_lanes,
)

__all__ = [
    "BLOCK",
    "HEAD",
    "INPUT_NUDGE",
    "MODE",
    "ROOM",
    "run_dendrite",
]

# A mode's coefficients, in vectors: decay, the constants under u and v, readout, its nudges.
REAL, IMAG, UNDER_U, UNDER_V, READ_U, READ_V, NUDGE_U, NUDGE_V = range(8)
MODE = 8
# What comes before the modes of a group: skip, the constant under the drive's sum, the bias.
SKIP, SKIP_NUDGE, UNDER_DRIVE, BIAS = range(4)
HEAD = 4
TILE = 4  # samples at a time
BLOCK = 4  # modes at a time, at most: their number is filled up to a multiple of it
SPAN = 64  # steps at a time: their inputs and sums stay in a core's first cache
ROOM = (SPAN + 1) * TILE * LANES  # for the sums of a span, or its inputs
INPUT_NUDGE = 2.0**-26  # for input shifts, -24 … 24

Array = Any  # numba knows the types


@inlined
def _coefficients(params: Array, mode: int) -> Any:
    return (
        load(params, mode + REAL * LANES),
        load(params, mode + IMAG * LANES),
        load(params, mode + UNDER_U * LANES),
        load(params, mode + UNDER_V * LANES),
        load(params, mode + READ_U * LANES),
        load(params, mode + READ_V * LANES),
    )


@inlined
def _take(state: Array, at: int, bias: Any) -> Any:
    """Give a mode's compartments, biased."""
    return add(load(state, at), bias), add(load(state, at + LANES), bias)


@inlined
def _put(state: Array, at: int, bias: Any, compartments: Any) -> None:
    u, v = compartments
    store(state, at, subtract(u, bias))
    store(state, at + LANES, subtract(v, bias))


@inlined
def _move(compartments: Any, coefficients: Any, entering: Any, settle: Any) -> Any:
    """Give a mode's compartments one step later."""
    u, v = compartments
    real, imag, under_u, under_v, _, _ = coefficients
    return (
        add(fnma(v, imag, fma(u, real, under_u)), entering),
        add(fma(v, real, fma(u, imag, under_v)), settle),
    )


@inlined
def _read(compartments: Any, coefficients: Any, total: Any) -> Any:
    """Add what a mode contributes."""
    u, v = compartments
    _, _, _, _, read_u, read_v = coefficients
    return fnma(v, read_v, fma(u, read_u, total))


@inlined
def _four_samples(
    params: Array,
    mode: int,
    state: Array,
    at: int,
    own: int,
    work: Array,
    sums: int,
    entry: int,
    steps: int,
    bias: Any,
) -> None:
    """Run a mode of four samples, whose states are ``own`` apart, over a span."""
    c, settle = _coefficients(params, mode), subtract(bias, splat(MAGIC))
    k, m = _take(state, at, bias), _take(state, at + own, bias)
    n, o = _take(state, at + 2 * own, bias), _take(state, at + 3 * own, bias)
    for i in range(steps):
        x, y = entry + 4 * i * LANES, sums + 4 * i * LANES
        k = _move(k, c, load(work, x), settle)
        store(work, y, _read(k, c, load(work, y)))
        m = _move(m, c, load(work, x + LANES), settle)
        store(work, y + LANES, _read(m, c, load(work, y + LANES)))
        n = _move(n, c, load(work, x + 2 * LANES), settle)
        store(work, y + 2 * LANES, _read(n, c, load(work, y + 2 * LANES)))
        o = _move(o, c, load(work, x + 3 * LANES), settle)
        store(work, y + 3 * LANES, _read(o, c, load(work, y + 3 * LANES)))
    _put(state, at, bias, k)
    _put(state, at + own, bias, m)
    _put(state, at + 2 * own, bias, n)
    _put(state, at + 3 * own, bias, o)


@inlined
def _two_samples(
    params: Array,
    mode: int,
    state: Array,
    at: int,
    own: int,
    work: Array,
    sums: int,
    entries: Any,
    steps: int,
    bias: Any,
) -> None:
    """Run two modes of two samples, whose states are ``own`` apart, over a span."""
    other, pair, settle = mode + MODE * LANES, 2 * LANES, subtract(bias, splat(MAGIC))
    k, m = _take(state, at, bias), _take(state, at + own, bias)
    n, o = _take(state, at + pair, bias), _take(state, at + pair + own, bias)
    for i in range(steps):
        y = sums + 2 * i * LANES
        c, x = _coefficients(params, mode), entries[0] + 2 * i * LANES
        k = _move(k, c, load(work, x), settle)
        m = _move(m, c, load(work, x + LANES), settle)
        total, total2 = _read(k, c, load(work, y)), _read(m, c, load(work, y + LANES))
        c, x = _coefficients(params, other), entries[1] + 2 * i * LANES
        n = _move(n, c, load(work, x), settle)
        o = _move(o, c, load(work, x + LANES), settle)
        store(work, y, _read(n, c, total))
        store(work, y + LANES, _read(o, c, total2))
    _put(state, at, bias, k)
    _put(state, at + own, bias, m)
    _put(state, at + pair, bias, n)
    _put(state, at + pair + own, bias, o)


@inlined
def _one_sample(
    params: Array,
    mode: int,
    state: Array,
    at: int,
    work: Array,
    sums: int,
    entries: Any,
    steps: int,
    bias: Any,
) -> None:
    """Run four modes of one sample over a span."""
    pitch, pair, settle = MODE * LANES, 2 * LANES, subtract(bias, splat(MAGIC))
    k, m = _take(state, at, bias), _take(state, at + pair, bias)
    n, o = _take(state, at + 2 * pair, bias), _take(state, at + 3 * pair, bias)
    for i in range(steps):
        x, y = i * LANES, sums + i * LANES
        c = _coefficients(params, mode)
        k = _move(k, c, load(work, entries[0] + x), settle)
        total = _read(k, c, load(work, y))
        c = _coefficients(params, mode + pitch)
        m = _move(m, c, load(work, entries[1] + x), settle)
        total = _read(m, c, total)
        c = _coefficients(params, mode + 2 * pitch)
        n = _move(n, c, load(work, entries[2] + x), settle)
        total = _read(n, c, total)
        c = _coefficients(params, mode + 3 * pitch)
        o = _move(o, c, load(work, entries[3] + x), settle)
        store(work, y, _read(o, c, total))
    _put(state, at, bias, k)
    _put(state, at + pair, bias, m)
    _put(state, at + 2 * pair, bias, n)
    _put(state, at + 3 * pair, bias, o)


@inlined
def _carefully(
    params: Array,
    mode: int,
    state: Array,
    at: int,
    work: Array,
    sums: int,
    entry: int,
    stride: int,
    steps: int,
    bias: Any,
    limit: float,
) -> float:
    """Run a careful mode of one sample over a span; its sums and inputs are ``stride`` apart.

    Gives how many compartments were clipped at ``limit``.
    """
    clipped, settle = splat(0.0), subtract(bias, splat(MAGIC))
    high, low = add(bias, splat(limit)), subtract(bias, splat(limit))
    nudge_u, nudge_v = load(params, mode + NUDGE_U * LANES), load(params, mode + NUDGE_V * LANES)
    c = _coefficients(params, mode)
    compartments = _take(state, at, bias)
    for i in range(steps):
        y = sums + i * stride
        free_u, free_v = _move(compartments, c, load(work, entry + i * stride), settle)
        u, v = maximum(minimum(free_u, high), low), maximum(minimum(free_v, high), low)
        clipped = add(clipped, add(changed(u, free_u), changed(v, free_v)))
        nudged = add(u, nudge_u), add(v, nudge_v)
        store(work, y, _read(nudged, c, load(work, y)))
        compartments = u, v
    _put(state, at, bias, compartments)
    return sum_lanes(clipped)


@inlined
def _enter(
    params: Array,
    head: int,
    entries: int,
    entries_at: int,
    work: Array,
    place: int,
    stride: int,
    signals: Array,
    x_at: int,
    pitch: int,
    steps: int,
) -> None:
    """Lay a sample's shifted inputs out, from ``place`` of each entry, and begin its sums with
    what the skip path brings; ``pitch`` is negative where time runs backwards.
    """
    magic, nudge, under = splat(MAGIC), splat(INPUT_NUDGE), load(params, head + UNDER_DRIVE * LANES)
    skip, skip_nudge = load(params, head + SKIP * LANES), load(params, head + SKIP_NUDGE * LANES)
    settle = subtract(subtract(load(params, head + BIAS * LANES), magic), magic)
    scale = load(params, entries_at)
    first = place + ROOM
    for i in range(steps):
        x = load(signals, x_at + i * pitch)
        store(work, place + i * stride, fma(add(x, skip_nudge), skip, under))
        store(work, first + i * stride, add(fma(add(x, nudge), scale, magic), settle))
    for e in range(1, entries):
        scale = load(params, entries_at + e * LANES)
        target = place + (1 + e) * ROOM
        for i in range(steps):
            x = add(load(signals, x_at + i * pitch), nudge)
            store(work, target + i * stride, add(fma(x, scale, magic), settle))


@inlined
def _put_off(
    params: Array, head: int, work: Array, place: int, end: int, carry: Array, carry_at: int
) -> None:
    """Where modes are read before they move: let the sums begin with what the last step left, and
    those of the last step here, at ``end``, with nothing.
    """
    under = load(params, head + UNDER_DRIVE * LANES)
    begun = subtract(load(work, place), under)
    store(work, place, add(add(begun, load(carry, carry_at)), splat(MAGIC)))
    store(work, end, under)


@inlined
def _leave(
    work: Array,
    place: int,
    stride: int,
    signals: Array,
    y_at: int,
    pitch: int,
    steps: int,
    scale: float,
    limit: float,
) -> float:
    """Turn a sample's sums into drives, and give how many were clipped."""
    clipped, magic, high, low = splat(0.0), splat(MAGIC), splat(limit), splat(-limit)
    factor, nudge = splat(scale), splat(0.25)
    for i in range(steps):
        total = subtract(load(work, place + i * stride), magic)
        free = subtract(fma(add(total, nudge), factor, magic), magic)
        drive = maximum(minimum(free, high), low)
        store(signals, y_at + i * pitch, drive)
        clipped = add(clipped, changed(drive, free))
    return sum_lanes(clipped)


@inlined
def _run_modes(
    params: Array,
    modes_at: int,
    modes: int,
    table: Array,
    table_at: int,
    state: Array,
    at: int,
    samples: int,
    work: Array,
    sums: int,
    steps: int,
    bias: Any,
    limit: float,
) -> float:
    """Run all modes of a tile over a span, with sums from ``sums`` on.

    Gives how many compartments were clipped.
    """
    own, light = 2 * modes * LANES, table[table_at + 1]
    first = table_at + 2
    block = BLOCK // samples
    for index in range(0, light, block):
        mode, place = modes_at + index * MODE * LANES, at + 2 * index * LANES
        entry = (1 + table[first + index]) * ROOM
        if samples == 4:
            _four_samples(params, mode, state, place, own, work, sums, entry, steps, bias)
            continue
        entry2 = (1 + table[first + index + 1]) * ROOM
        if samples == 2:
            entries = entry, entry2
            _two_samples(params, mode, state, place, own, work, sums, entries, steps, bias)
        else:
            entry3 = (1 + table[first + index + 2]) * ROOM
            entry4 = (1 + table[first + index + 3]) * ROOM
            four = entry, entry2, entry3, entry4
            _one_sample(params, mode, state, place, work, sums, four, steps, bias)
    clipped = 0.0
    for index in range(light, modes):
        mode, entry = modes_at + index * MODE * LANES, (1 + table[first + index]) * ROOM
        for s in range(samples):
            clipped += _carefully(
                params,
                mode,
                state,
                at + s * own + 2 * index * LANES,
                work,
                sums + s * LANES,
                entry + s * LANES,
                samples * LANES,
                steps,
                bias,
                limit,
            )
    return clipped


@inlined
def run_dendrite(
    params: Array,
    params_at: int,
    table: Array,
    table_at: int,
    entries: int,
    state: Array,
    state_at: int,
    work: Array,
    signals: Array,
    x_at: int,
    y_at: int,
    samples: int,
    steps: int,
    groups: int,
    modes: int,
    backwards: bool,
    scale: float,
    limit: float,
    state_limit: float,
) -> float:
    """Run a dendrite over a chunk; give how many values it clipped.

    Parameters
    ----------
    params
        From ``params_at``, a block a group: ``HEAD``, the modes' coefficients, and the powers of
        two that inputs are multiplied by, as many as the ``entries`` of the group that has most.
    table
        From ``table_at``, for each group: how many entries it has, how many of its modes, the first
        ones, are not careful (a multiple of ``BLOCK``), and the number of each mode's entry.
    state
        From ``state_at``, a block a group and sample: u and v of each mode; then, for a group and
        sample, what its modes contributed last.
    work
        Room for a span of sums, and of each entry's inputs.
    modes
        A multiple of ``BLOCK``.
    scale
        ``2**-drive_shift``.
    """
    width, own, clipped = groups * LANES, 2 * modes * LANES, 0.0
    carry = state_at + groups * samples * own
    pitch = -width if backwards else width
    for g in range(groups):
        head = params_at + g * (HEAD + modes * MODE + entries) * LANES
        modes_at = head + HEAD * LANES
        entries_at = modes_at + modes * MODE * LANES
        row = table_at + g * (2 + modes)
        bias = load(params, head + BIAS * LANES)
        sample = 0
        while sample < samples:
            left = samples - sample
            tile = 4 if left >= 4 else 2 if left >= 2 else 1
            for start in range(0, steps, SPAN):
                span = min(SPAN, steps - start)
                begin = steps - 1 - start if backwards else start
                place = (sample * steps + begin) * width + g * LANES
                stride = tile * LANES
                for s in range(tile):
                    _enter(
                        params,
                        head,
                        table[row],
                        entries_at,
                        work,
                        s * LANES,
                        stride,
                        signals,
                        x_at + place + s * steps * width,
                        pitch,
                        span,
                    )
                    if backwards:
                        carry_at = carry + (g * samples + sample + s) * LANES
                        end = span * stride + s * LANES
                        _put_off(params, head, work, s * LANES, end, state, carry_at)
                at = state_at + (g * samples + sample) * own
                clipped += _run_modes(
                    params,
                    modes_at,
                    modes,
                    table,
                    row,
                    state,
                    at,
                    tile,
                    work,
                    stride if backwards else 0,
                    span,
                    bias,
                    state_limit,
                )
                for s in range(tile):
                    clipped += _leave(
                        work,
                        s * LANES,
                        stride,
                        signals,
                        y_at + place + s * steps * width,
                        pitch,
                        span,
                        scale,
                        limit,
                    )
                    if backwards:
                        end = span * stride + s * LANES
                        carry_at = carry + (g * samples + sample + s) * LANES
                        store(state, carry_at, subtract(load(work, end), splat(MAGIC)))
            sample += tile
    return clipped

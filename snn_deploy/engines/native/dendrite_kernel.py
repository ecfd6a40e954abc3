"""The loop that everything else is small against: a dendrite's modes, over a chunk of time.

Lanes are channels: as many as a vector of doubles holds, or twice as many floats. For each group of
them, up to four samples and ``TILE_STEPS`` steps at a time, the input is shifted once for all modes
(``_enter``); then a few modes go through all steps with their compartments in registers, each
adding what it contributes to a sum a step; then the sums become drives (``_leave``). Two modes of
two samples go together, or four of one: enough that none waits for another.
"""

from __future__ import annotations

from typing import Any

from snn_deploy.engines.native.compilation import inlined
from snn_deploy.engines.native.dendrite_modes import (
    END,
    FIRST,
    GROUP_HEAD,
    MODE,
    ROOM,
    ROW,
    SUMS,
    TILE_STEPS,
    magic_of,
    run_guarded,
    run_unguarded,
)
from snn_deploy.engines.native.vectors import (
    add,
    fma,
    lanes_of,
    load,
    load_as,
    maximum,
    minimum,
    round_as_before,
    round_down,
    splat_as,
    store,
    subtract,
    sum_tally,
    tally,
)

__all__ = ["run_dendrite"]

# Of each group, before the constants under its sums, and what its inputs are multiplied by.
SKIP, NUDGE, UNDER_SKIP, DRIVE_NUDGE = range(4)
HEAD = 4

Array = Any  # numba knows the types


@inlined
def _enter(
    params: Array,
    head: int,
    sums: int,
    entry: int,
    end: int,
    work: Array,
    place: int,
    stride: int,
    signals: Array,
    x_at: int,
    pitch: int,
    steps: int,
    bias: Any,
) -> None:
    """Begin a group's sums of a sample, the first one with what the skip path brings, and lay its
    shifted inputs out; ``pitch`` is negative where time runs backwards.
    """
    lanes, room = lanes_of(work), ROOM * lanes_of(work)
    skip = load_as(bias, params, head + SKIP * lanes)
    nudge = load_as(bias, params, head + NUDGE * lanes)
    under = load_as(bias, params, head + UNDER_SKIP * lanes)
    for i in range(steps):
        x = load_as(bias, signals, x_at + i * pitch)
        store(work, place + i * stride, fma(add(x, nudge), skip, under))
    for s in range(1, sums):
        other = load_as(bias, params, head + (HEAD + s) * lanes)
        for i in range(steps):
            store(work, place + s * room + i * stride, other)
    magic = splat_as(bias, magic_of(work))
    settle = subtract(subtract(bias, magic), magic)
    for e in range(entry, end):
        at, target = head + (HEAD + 2 * e - entry) * lanes, place + e * room
        scale, nudge = load_as(bias, params, at), load_as(bias, params, at + lanes)
        for i in range(steps):
            x = add(load_as(bias, signals, x_at + i * pitch), nudge)
            store(work, target + i * stride, add(fma(x, scale, magic), settle))


@inlined
def _put_off(
    params: Array, head: int, sums: int, work: Array, place: int, end: int, like: Any
) -> None:
    """Where modes are read before they move: let the first step hear no mode, and make room at
    ``end`` for what the last one leaves.
    """
    lanes = lanes_of(work)
    for s in range(sums):
        under, at = load_as(like, params, head + (HEAD + s) * lanes), place + s * ROOM * lanes
        begun = subtract(load(work, at), under)
        store(work, at, add(begun, splat_as(like, magic_of(work))))
        store(work, at + end, under)


@inlined
def _total(work: Array, place: int, sums: int, base: Any) -> Any:
    """Give the sum of some sums."""
    total = subtract(load(work, place), base)
    for s in range(1, sums):
        total = add(total, subtract(load(work, place + s * ROOM * lanes_of(work)), base))
    return total


@inlined
def _leave(
    work: Array,
    place: int,
    sums: int,
    stride: int,
    carried: Any,
    nudge: Any,
    signals: Array,
    y_at: int,
    pitch: int,
    steps: int,
    scale: float,
    limit: float,
) -> float:
    """Turn a group's sums of a sample into drives, the first one with what was ``carried`` from
    before, and give how many were clipped.
    """
    clipped, magic = splat_as(nudge, 0.0), splat_as(nudge, magic_of(work))
    high, low, factor = splat_as(nudge, limit), splat_as(nudge, -limit), splat_as(nudge, scale)
    for i in range(steps):
        total = add(_total(work, place + i * stride, sums, magic), carried)
        free = subtract(fma(add(total, nudge), factor, magic), magic)
        drive = maximum(minimum(free, high), low)
        store(signals, y_at + i * pitch, drive)
        clipped = tally(clipped, drive, free)
        carried = splat_as(nudge, 0.0)
    return sum_tally(clipped)


@inlined
def _run_dendrite(
    params: Array,
    params_at: int,
    modes: Array,
    modes_at: int,
    table: Array,
    table_at: int,
    extent: int,
    state: Array,
    state_at: int,
    work: Array,
    signals: Array,
    x_at: int,
    y_at: int,
    samples: int,
    steps: int,
    width: int,
    count: int,
    backwards: bool,
    scale: float,
    limit: float,
    state_limit: float,
) -> float:
    """Run a dendrite in the numbers of ``modes`` and ``work``: see ``run_dendrite``."""
    lanes, clipped = lanes_of(modes), 0.0
    groups, own = width // lanes, 2 * count * lanes
    carry = state_at + groups * samples * own
    pitch = -width if backwards else width
    params_at, before = round_down(modes, params_at)
    for g in range(groups):
        head = params_at + g * lanes * extent
        group_at = modes_at + g * (GROUP_HEAD + count * MODE) * lanes
        row = table_at + g * (ROW + 2 * count)
        sums, bias = table[row + SUMS], load(modes, group_at)
        drive_nudge = load_as(bias, params, head + DRIVE_NUDGE * lanes)
        sample = 0
        while sample < samples:
            left = samples - sample
            tile_samples = 4 if left >= 4 else 2 if left >= 2 else 1
            at = state_at + (g * samples + sample) * own
            for start in range(0, steps, TILE_STEPS):
                tile_steps = min(TILE_STEPS, steps - start)
                begin = steps - 1 - start if backwards else start
                place = (sample * steps + begin) * width + g * lanes
                stride = tile_samples * lanes
                delay, end = (stride, tile_steps * stride) if backwards else (0, 0)
                for s in range(tile_samples):
                    _enter(
                        params,
                        head,
                        sums,
                        table[row + FIRST],
                        table[row + END],
                        work,
                        s * lanes,
                        stride,
                        signals,
                        x_at + place + s * steps * width,
                        pitch,
                        tile_steps,
                        bias,
                    )
                    if backwards:
                        _put_off(params, head, sums, work, s * lanes, end, bias)
                run_unguarded(
                    modes,
                    group_at + GROUP_HEAD * lanes,
                    bias,
                    table,
                    row,
                    count,
                    state,
                    at,
                    own,
                    tile_samples,
                    work,
                    delay,
                    tile_steps,
                )
                clipped += run_guarded(
                    modes,
                    group_at + GROUP_HEAD * lanes,
                    bias,
                    table,
                    row,
                    count,
                    state,
                    at,
                    own,
                    tile_samples,
                    work,
                    delay,
                    tile_steps,
                    state_limit,
                )
                for s in range(tile_samples):
                    carry_at = carry + (g * samples + sample + s) * lanes
                    carried = load_as(bias, state, carry_at)
                    if backwards:
                        base = splat_as(bias, magic_of(work))
                        store(state, carry_at, _total(work, s * lanes + end, sums, base))
                    clipped += _leave(
                        work,
                        s * lanes,
                        sums,
                        stride,
                        carried,
                        drive_nudge,
                        signals,
                        y_at + place + s * steps * width,
                        pitch,
                        tile_steps,
                        scale,
                        limit,
                    )
            sample += tile_samples
    round_as_before(modes, before)
    return clipped


@inlined
def run_dendrite(
    in_floats: bool,
    params: Array,
    params_at: int,
    floats: Array,
    modes_at: int,
    table: Array,
    table_at: int,
    extent: int,
    state: Array,
    float_state: Array,
    state_at: int,
    work: Array,
    float_work: Array,
    signals: Array,
    x_at: int,
    y_at: int,
    samples: int,
    steps: int,
    width: int,
    count: int,
    backwards: bool,
    scale: float,
    limit: float,
    state_limit: float,
) -> float:
    """Run a dendrite over a chunk; give how many values it clipped.

    Parameters
    ----------
    params
        Doubles. From ``params_at``, of each group: ``HEAD``, the constants under its sums, and the
        powers of two that inputs are multiplied by, each with its nudge; ``extent`` vectors in all.
    floats
        If it runs ``in_floats``; else ``params``: from ``modes_at``, a place a group, which is as
        many channels as a vector of these numbers holds: ``GROUP_HEAD``, and the coefficients
        of ``count`` modes, a multiple of ``TILE_MODES``.
    table
        From ``table_at``, for each group: how many sums it has, the places of its inputs among all
        sums and inputs, and how many of its modes, the first ones, are not guarded (a multiple of
        ``TILE_MODES``); then the place of each mode's input, and that of the sum that it adds to.
    state, float_state
        The same memory, as doubles and as floats. From ``state_at`` doubles on, a place a group and
        sample: u and v of each mode; then, for a group and sample, what its modes contributed last.
    work, float_work
        Room for a tile of each sum, and of each input, in doubles and in floats; None where no
        dendrite runs in them, so that this is not compiled.
    width
        Channels, filled up to whole groups.
    scale
        ``2**-drive_shift``.
    """
    # numba drops what follows a test for None where it knows the answer
    if float_work is not None:  # noqa: SIM102
        if in_floats:
            return _run_dendrite(
                params,
                params_at,
                floats,
                modes_at,
                table,
                table_at,
                extent,
                float_state,
                2 * state_at,
                float_work,
                signals,
                x_at,
                y_at,
                samples,
                steps,
                width,
                count,
                backwards,
                scale,
                limit,
                state_limit,
            )
    if work is not None:
        return _run_dendrite(
            params,
            params_at,
            params,
            modes_at,
            table,
            table_at,
            extent,
            state,
            state_at,
            work,
            signals,
            x_at,
            y_at,
            samples,
            steps,
            width,
            count,
            backwards,
            scale,
            limit,
            state_limit,
        )
    return 0.0

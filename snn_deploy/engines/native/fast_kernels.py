"""The loops of the ``fast`` program, but for the dendrite's.

Signals are doubles that hold integers, (samples, steps, pitch) in one flat array each chunk, at
an offset that the program chose; pitch is the width, filled up to whole vectors with channels whose
parameters are 0. Loops go over rows (a sample's steps, in order) and, in a row, over vectors of
channels.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from snn_deploy.engines.native.byte_vectors import (
    LARGE_TILE,
    PLACES,
    SMALL_TILE,
    make_column_adder,
    write_places,
)
from snn_deploy.engines.native.compilation import inlined
from snn_deploy.engines.native.vectors import (
    LANES,
    MAGIC,
    add,
    changed,
    fma,
    fnma,
    greater,
    load,
    load_integers,
    look_up,
    maximum,
    minimum,
    multiply,
    nonzero_bits,
    splat,
    store,
    store_integers,
    subtract,
    sum_tally,
    tally,
    truncate,
)

__all__ = [
    "add_graded",
    "add_spikes",
    "copy_sequence",
    "count_messages",
    "drive_soma",
    "find_rows",
    "gate",
    "keep_past",
    "pool",
    "read_past",
    "relay",
    "running_sum",
    "take_in",
]

TILE_VECTORS = 4  # vectors of outputs that are summed at once

Array = Any  # numba knows the types


@inlined
def find_rows(place: int, capacity: int, row: int, pitch: int, passing: int, tile: int) -> int:
    """Give where a signal is, from ``row`` of a block's on, or all of a tile's.

    A block's signals have room for ``capacity`` rows each. Those of a tile, whose places are
    ``~place``, begin at ``passing`` and have room for ``tile`` rows each.
    """
    return place * capacity + row * pitch if place >= 0 else passing + ~place * tile


_add_large_tile = make_column_adder(LARGE_TILE, units=LARGE_TILE // SMALL_TILE)
_add_small_tile = make_column_adder(SMALL_TILE)
_add_vector = make_column_adder(LANES)


@inlined
def _list_spikes(signals: Array, row: int, width: int, scale: int, events: Array, at: int) -> int:
    """List the channels of a row that are not 0, times ``scale``, from ``at`` on; give where the
    list ends. A vector's worth behind it is overwritten.

    There is nothing to branch on: where spikes are cannot be predicted.
    """
    for first in range(0, width, LANES):
        bits = nonzero_bits(load(signals, row + first))
        at = write_places(events, at, PLACES, bits, first, scale)
    return at


@inlined
def add_spikes(
    weights: Array,
    weights_at: int,
    outputs: int,
    size: int,
    at_once: int,
    narrow: bool,
    events: Array,
    signals: Array,
    x_at: int,
    x_pitch: int,
    y_at: int,
    y_pitch: int,
    rows: int,
) -> None:
    """Write what spikes bring: the sums of the columns of weights, as ``pair`` lays them out, of
    those inputs that spiked; its small tiles are of ``size``. Sums are doubles, or int32 if
    ``narrow``.

    All rows take from a tile before the next one, so that it stays in the cache.
    """
    pitch = 1 + x_pitch + LANES  # of a row's list, which starts with where it ends
    for r in range(rows):
        listed = r * pitch + 1
        events[r * pitch] = _list_spikes(signals, x_at + r * x_pitch, x_pitch, size, events, listed)
    whole = outputs // LARGE_TILE * LARGE_TILE
    for o in range(0, whole, LARGE_TILE):
        at = weights_at + o * x_pitch
        for r in range(rows):
            first, end, y = r * pitch + 1, events[r * pitch], y_at + r * y_pitch
            _add_large_tile(weights, at, events, first, end, at_once, narrow, signals, y, o)
    for o in range(whole, outputs, size):
        at, column = weights_at + o * x_pitch, min(o, outputs - size)
        for r in range(rows):
            first, end, y = r * pitch + 1, events[r * pitch], y_at + r * y_pitch
            if size == SMALL_TILE:
                _add_small_tile(
                    weights, at, events, first, end, at_once, narrow, signals, y, column
                )
            else:
                _add_vector(weights, at, events, first, end, at_once, narrow, signals, y, column)


@inlined
def add_graded(
    params: Array,
    weights_at: int,
    inputs: int,
    signals: Array,
    x_at: int,
    x_pitch: int,
    y_at: int,
    y_pitch: int,
    rows: int,
) -> None:
    """Write ``y = weight · x``, weight (inputs, y_pitch) doubles."""
    for r in range(rows):
        x, y = x_at + r * x_pitch, y_at + r * y_pitch
        o = 0
        while o + TILE_VECTORS * LANES <= y_pitch:
            a, b, c, d = splat(0.0), splat(0.0), splat(0.0), splat(0.0)
            for i in range(inputs):
                value = splat(signals[x + i])
                w = weights_at + i * y_pitch + o
                a = fma(value, load(params, w), a)
                b = fma(value, load(params, w + LANES), b)
                c = fma(value, load(params, w + 2 * LANES), c)
                d = fma(value, load(params, w + 3 * LANES), d)
            store(signals, y + o, a)
            store(signals, y + o + LANES, b)
            store(signals, y + o + 2 * LANES, c)
            store(signals, y + o + 3 * LANES, d)
            o += TILE_VECTORS * LANES
        while o < y_pitch:
            a = splat(0.0)
            for i in range(inputs):
                a = fma(splat(signals[x + i]), load(params, weights_at + i * y_pitch + o), a)
            store(signals, y + o, a)
            o += LANES


@inlined
def _add_aligned(params: Array, align_at: int, w: int, pitch: int, x: Any, total: Any) -> Any:
    """Add a source to a total on top of ``MAGIC``, where a product rounds as it is added."""
    if align_at < 0:
        return add(total, x)
    at = align_at + w
    return fma(add(x, load(params, at + pitch)), load(params, at), total)


@inlined
def _relay_two(
    params: Array,
    first_align: int,
    second_align: int,
    rescale_at: int,
    signals: Array,
    first_at: int,
    second_at: int,
    y_at: int,
    pitch: int,
    rows: int,
    limit: float,
) -> int:
    """Requantize two sources, or one if ``second_at`` is -1; see ``relay``."""
    clipped, magic, high, low = splat(0.0), splat(MAGIC), splat(limit), splat(-limit)
    for r in range(rows):
        for w in range(0, pitch, LANES):
            at = r * pitch + w
            x = load(signals, first_at + at)
            total = _add_aligned(params, first_align, w, pitch, x, magic)
            if second_at >= 0:
                x = load(signals, second_at + at)
                total = _add_aligned(params, second_align, w, pitch, x, total)
            total = subtract(total, magic)
            if rescale_at >= 0:
                total = subtract(_raised(params, rescale_at + w, pitch, total), magic)
            y = maximum(minimum(total, high), low)
            clipped = tally(clipped, y, total)
            store(signals, y_at + at, y)
    return sum_tally(clipped)


@inlined
def relay(
    sources: Array,
    sources_at: int,
    source_count: int,
    capacity: int,
    row: int,
    passing: int,
    tile: int,
    params: Array,
    rescale_at: int,
    signals: Array,
    y_at: int,
    pitch: int,
    rows: int,
    limit: float,
) -> int:
    """Write ``sat(ms(Σ (x << align)) + bias)``, give how many values were clipped.

    Parameters
    ----------
    sources
        From ``sources_at``, the places of the signals that are added: see ``find_rows``. Then,
        where in ``params`` each one's factor and nudge are, (2, pitch); -1 for none.
    rescale_at
        In ``params``: factor, its nudge, and bias + MAGIC, (3, pitch); -1 for none.
    """
    clipped, aligns_at = 0, sources_at + source_count
    x_at = find_rows(sources[sources_at], capacity, row, pitch, passing, tile)
    x_align = sources[aligns_at]
    # of more than two, which is rare, all that were added so far are the next one's partner
    for i in range(1, max(source_count, 2)):
        second_at, second_align = -1, -1
        if i < source_count:
            second_at = find_rows(sources[sources_at + i], capacity, row, pitch, passing, tile)
            second_align = sources[aligns_at + i]
        ends = i >= source_count - 1
        clipped += _relay_two(
            params,
            x_align,
            second_align,
            rescale_at if ends else -1,
            signals,
            x_at,
            second_at,
            y_at,
            pitch,
            rows,
            limit if ends else np.inf,
        )
        x_at, x_align = y_at, -1
    return clipped


@inlined
def _raised(params: Array, at: int, pitch: int, x: Any) -> Any:
    """Rescale, and leave it on top of ``MAGIC``."""
    nudged = add(x, load(params, at + pitch))
    return fma(nudged, load(params, at), load(params, at + 2 * pitch))


@inlined
def drive_soma(
    state: Array,
    state_at: int,
    signals: Array,
    x_at: int,
    y_at: int,
    pitch: int,
    rows: int,
    kept: float,
    threshold: float,
    limit: float,
) -> int:
    """Run somas, their membranes (pitch,) in ``state``; ``kept`` is 1 - decay / 4096, and
    ``threshold`` is aligned with the membrane. Give how many membranes were clipped.
    """
    clipped, high, low = splat(0.0), splat(limit), splat(-limit)
    factor, align, bar = splat(kept), splat(64.0), splat(threshold)
    for r in range(rows):
        for w in range(0, pitch, LANES):
            at = r * pitch + w
            leaked = truncate(multiply(load(state, state_at + w), factor))
            free = fma(load(signals, x_at + at), align, leaked)
            held = maximum(minimum(free, high), low)
            clipped = tally(clipped, held, free)
            spike = greater(held, bar)
            store(state, state_at + w, fnma(spike, held, held))
            store(signals, y_at + at, spike)
    return sum_tally(clipped)


@inlined
def gate(
    params: Array,
    value_at: int,
    argument_at: int,
    out_at: int,
    table_at: int,
    size: int,
    signals: Array,
    x_at: int,
    x_pitch: int,
    half: int,
    y_at: int,
    pitch: int,
    rows: int,
    narrow: bool,
    clips: bool,
    value_limit: float,
    index_scale: float,
    limit: float,
) -> int:
    """Write gated values; the halves of x are ``half`` wide. Give how many were clipped.

    Parameters
    ----------
    value_at, argument_at
        In ``params``: factor, nudge and bias + MAGIC of each half, (3, pitch).
    out_at
        In ``params``: ``2**-out_shift``, (pitch,), and the nudge of all products, a vector.
    table_at
        In ``params``: the table, ``size`` numbers.
    narrow, clips
        Whether x is int32, and whether a half could exceed ``value_limit``.
    index_scale
        ``2**-index_shift``.
    """
    clipped, magic = splat(0.0), splat(MAGIC)
    high, low = splat(limit), splat(-limit)
    value_high, value_low = splat(MAGIC + value_limit), splat(MAGIC - value_limit)
    # the argument is left on top of MAGIC; what this adds to its row is taken off with the middle,
    # exactly, since doubles around MAGIC * index_scale are index_scale apart. Rows are truncated
    # later, so that half a row more rounds them
    rounding = 0.5 if index_scale < 1.0 else 0.0
    middle = splat(size // 2 + rounding - MAGIC * index_scale)
    last, scale, nudge = splat(size - 1.0), splat(index_scale), load(params, out_at + pitch)
    for r in range(rows):
        for w in range(0, pitch, LANES):
            # the last vector may read on into what follows: its parameters are 0 there
            x = x_at + r * x_pitch
            if narrow:
                value, argument = load_integers(signals, x, w), load_integers(signals, x, half + w)
            else:
                value, argument = load(signals, x + w), load(signals, x + half + w)
            value = _raised(params, value_at + w, pitch, value)
            argument = _raised(params, argument_at + w, pitch, argument)
            if clips:
                free, value = value, maximum(minimum(value, value_high), value_low)
                clipped = tally(clipped, value, free)
                free, argument = argument, maximum(minimum(argument, value_high), value_low)
                clipped = tally(clipped, argument, free)
            row = maximum(minimum(fma(argument, scale, middle), last), splat(0.0))
            product = look_up(params, table_at, row)
            product = fma(subtract(value, magic), product, nudge)
            free = subtract(fma(product, load(params, out_at + w), magic), magic)
            y = maximum(minimum(free, high), low)
            clipped = tally(clipped, y, free)
            store(signals, y_at + r * pitch + w, y)
    return sum_tally(clipped)


@inlined
def pool(
    state: Array, state_at: int, replaces: bool, signals: Array, x_at: int, pitch: int, rows: int
) -> None:
    """Add rows to the sums (pitch,), or let the last of them replace these."""
    for r in range(rows):
        for w in range(0, pitch, LANES):
            x = load(signals, x_at + r * pitch + w)
            store(state, state_at + w, x if replaces else add(load(state, state_at + w), x))


@inlined
def take_in(incoming: Array, row: int, signals: Array, y_at: int, pitch: int, rows: int) -> None:
    """Copy rows of the inputs, from ``row`` on."""
    for at in range(0, rows * pitch, LANES):
        store(signals, y_at + at, load(incoming, row * pitch + at))


@inlined
def running_sum(
    state: Array,
    state_at: int,
    signals: Array,
    x_at: int,
    y_at: int,
    pitch: int,
    rows: int,
    factor: float,
    nudge: float,
    limit: float,
) -> int:
    """Write ``sat(signed_shift(Σ x))`` of the rows so far, give how many values were clipped.

    The sums are (pitch,) doubles; ``factor`` and ``nudge`` make the shift.
    """
    clipped, magic, high, low = splat(0.0), splat(MAGIC), splat(limit), splat(-limit)
    for w in range(0, pitch, LANES):
        total = load(state, state_at + w)
        for r in range(rows):
            at = r * pitch + w
            total = add(total, load(signals, x_at + at))
            shifted = fma(add(total, splat(nudge)), splat(factor), magic)
            shifted = subtract(shifted, magic)
            y = maximum(minimum(shifted, high), low)
            clipped = tally(clipped, y, shifted)
            store(signals, y_at + at, y)
        store(state, state_at + w, total)
    return sum_tally(clipped)


@inlined
def copy_sequence(
    keeps: bool,
    signals: Array,
    signal_at: int,
    pitch: int,
    kept: Array,
    kept_at: int,
    start: int,
    rows: int,
    back: int,
) -> None:
    """Copy rows into a whole sequence that is kept, from its row ``start`` on, or out of it, then
    ``back`` rows before; before its first there are zeros.
    """
    there, silent = kept_at + (start - back) * pitch, min(max(back - start, 0), rows) * pitch
    for at in range(0, silent, LANES):
        store(signals, signal_at + at, splat(0.0))
    for at in range(silent, rows * pitch, LANES):
        if keeps:
            store_integers(kept, there + at, load(signals, signal_at + at))
        else:
            store(signals, signal_at + at, load_integers(kept, there, at))


@inlined
def read_past(
    state: Array,
    state_at: int,
    reach: int,
    back: int,
    signals: Array,
    x_at: int,
    y_at: int,
    pitch: int,
    rows: int,
) -> None:
    """Write rows of x as they were ``back`` before; the state holds the last ``reach``."""
    for r in range(rows):
        for w in range(0, pitch, LANES):
            if r < back:
                then = load(state, state_at + (reach - back + r) * pitch + w)
            else:
                then = load(signals, x_at + (r - back) * pitch + w)
            store(signals, y_at + r * pitch + w, then)


@inlined
def keep_past(
    state: Array, state_at: int, reach: int, signals: Array, x_at: int, pitch: int, rows: int
) -> None:
    """Go on to the last ``reach`` rows, the oldest first."""
    for r in range(reach):
        for w in range(0, pitch, LANES):
            if r + rows < reach:
                then = load(state, state_at + (r + rows) * pitch + w)
            else:
                then = load(signals, x_at + (r + rows - reach) * pitch + w)
            store(state, state_at + r * pitch + w, then)


@inlined
def count_messages(
    state: Array, state_at: int, signals: Array, x_at: int, pitch: int, rows: int
) -> None:
    """Add to the counts (pitch,) what is not 0."""
    zero = splat(0.0)
    for r in range(rows):
        for w in range(0, pitch, LANES):
            at = state_at + w
            x = load(signals, x_at + r * pitch + w)
            store(state, at, add(load(state, at), changed(x, zero)))

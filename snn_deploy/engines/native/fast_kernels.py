"""The loops of the ``fast`` program, but for the dendrite's.

Signals are doubles that hold integers, (samples, steps, pitch) in one flat array each chunk, at
an offset that the program chose; pitch is the width, filled up to whole vectors with channels whose
parameters are 0. Loops go over rows (a sample's step) and, in a row, over vectors of channels.
"""

from __future__ import annotations

from typing import Any

from snn_deploy.engines.native.byte_vectors import list_spikes, make_column_adder
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
    splat,
    store,
    store_integers,
    subtract,
    sum_lanes,
    truncate,
)

__all__ = [
    "add_graded",
    "add_spikes",
    "block_of",
    "copy_sequence",
    "count_messages",
    "drive_soma",
    "gate",
    "pool",
    "relay",
    "running_sum",
    "take_in",
]

WIDE_BLOCK, NARROW_BLOCK = 64, 32  # neurons whose sums stay in registers
BLOCK = 4  # vectors of outputs that are summed at once

Array = Any  # numba knows the types


def block_of(outputs: int) -> int:
    """Choose how many neurons' sums are done at once, of so many."""
    return next(size for size in (WIDE_BLOCK, NARROW_BLOCK, LANES) if size <= outputs)


_add_wide_block = make_column_adder(WIDE_BLOCK)
_add_block = make_column_adder(NARROW_BLOCK)
_add_vector = make_column_adder(LANES)


@inlined
def add_spikes(
    weights: Array,
    weights_at: int,
    size: int,
    at_once: int,
    events: Array,
    signals: Array,
    x_at: int,
    x_pitch: int,
    y_at: int,
    y_pitch: int,
    rows: int,
) -> None:
    """Write what spikes bring: the sums of the columns of weights, as ``pair`` lays them out in
    blocks of ``size``, of those inputs that spiked.

    All rows take from a block before the next one, so that it stays in the cache.
    """
    pitch = 1 + x_pitch + LANES  # of a row's list, which starts with where it ends
    for r in range(rows):
        listed = r * pitch + 1
        events[r * pitch] = list_spikes(
            signals, x_at + r * x_pitch, x_pitch, size, events, listed
        )
    for o in range(0, y_pitch, size):
        at = weights_at + o * x_pitch
        y = y_at + min(o, y_pitch - size)
        for r in range(rows):
            first, end = r * pitch + 1, events[r * pitch]
            if size == WIDE_BLOCK:
                _add_wide_block(weights, at, events, first, end, at_once, signals, y + r * y_pitch)
            elif size == NARROW_BLOCK:
                _add_block(weights, at, events, first, end, at_once, signals, y + r * y_pitch)
            else:
                _add_vector(weights, at, events, first, end, at_once, signals, y + r * y_pitch)


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
        while o + BLOCK * LANES <= y_pitch:
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
            o += BLOCK * LANES
        while o < y_pitch:
            a = splat(0.0)
            for i in range(inputs):
                a = fma(splat(signals[x + i]), load(params, weights_at + i * y_pitch + o), a)
            store(signals, y + o, a)
            o += LANES


@inlined
def relay(
    sources: Array,
    sources_at: int,
    source_count: int,
    capacity: int,
    offset: int,
    params: Array,
    align_at: int,
    rescale_at: int,
    signals: Array,
    y_at: int,
    pitch: int,
    rows: int,
    limit: float,
) -> float:
    """Write ``sat(ms(Σ (x << align)) + bias)``, give how many values were clipped.

    Parameters
    ----------
    sources
        From ``sources_at``, the offsets of the signals that are added, in units of ``capacity``,
        and ``offset`` from there.
    align_at
        In ``params``: for each source a factor and its nudge, (sources, 2, pitch); -1 for none.
    rescale_at
        In ``params``: factor, its nudge, and bias + MAGIC, (3, pitch); -1 for none.
    """
    clipped, magic, high, low = splat(0.0), splat(MAGIC), splat(limit), splat(-limit)
    for r in range(rows):
        for w in range(0, pitch, LANES):
            at = r * pitch + w
            total = splat(0.0)
            for i in range(source_count):
                x = load(signals, sources[sources_at + i] * capacity + offset + at)
                if align_at >= 0:
                    align = align_at + 2 * i * pitch + w
                    x = fma(add(x, load(params, align + pitch)), load(params, align), magic)
                    x = subtract(x, magic)
                total = add(total, x)
            if rescale_at >= 0:
                rescale = rescale_at + w
                total = add(total, load(params, rescale + pitch))
                total = fma(total, load(params, rescale), load(params, rescale + 2 * pitch))
                total = subtract(total, magic)
            y = maximum(minimum(total, high), low)
            clipped = add(clipped, changed(y, total))
            store(signals, y_at + at, y)
    return sum_lanes(clipped)


@inlined
def drive_soma(
    state: Array,
    state_at: int,
    signals: Array,
    x_at: int,
    y_at: int,
    pitch: int,
    samples: int,
    steps: int,
    kept: float,
    threshold: float,
    limit: float,
) -> float:
    """Run somas, their membranes (samples, pitch) in ``state``; ``kept`` is 1 - decay / 4096, and
    ``threshold`` is aligned with the membrane. Give how many membranes were clipped.
    """
    clipped, high, low = splat(0.0), splat(limit), splat(-limit)
    factor, align, bar = splat(kept), splat(64.0), splat(threshold)
    for s in range(samples):
        for t in range(steps):
            row = (s * steps + t) * pitch
            for w in range(0, pitch, LANES):
                at = state_at + s * pitch + w
                leaked = truncate(multiply(load(state, at), factor))
                free = fma(load(signals, x_at + row + w), align, leaked)
                held = maximum(minimum(free, high), low)
                clipped = add(clipped, changed(held, free))
                spike = greater(held, bar)
                store(state, at, fnma(spike, held, held))
                store(signals, y_at + row + w, spike)
    return sum_lanes(clipped)


@inlined
def _rescaled(params: Array, at: int, pitch: int, x: Any) -> Any:
    nudged = add(x, load(params, at + pitch))
    return subtract(fma(nudged, load(params, at), load(params, at + 2 * pitch)), splat(MAGIC))


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
    value_limit: float,
    index_scale: float,
    limit: float,
) -> float:
    """Write gated values; the halves of x are ``half`` wide. Give how many were clipped.

    Parameters
    ----------
    value_at, argument_at
        In ``params``: factor, nudge and bias + MAGIC of each half, (3, pitch).
    out_at
        In ``params``: ``2**-out_shift``, and the nudge of a product with it, (2, pitch).
    table_at
        In ``params``: the table, ``size`` numbers.
    index_scale
        ``2**-index_shift``.
    """
    clipped, magic = splat(0.0), splat(MAGIC)
    high, low = splat(limit), splat(-limit)
    value_high, value_low = splat(value_limit), splat(-value_limit)
    middle, last, scale = splat(MAGIC + size // 2), splat(size - 1.0), splat(index_scale)
    for r in range(rows):
        for w in range(0, pitch, LANES):
            # the last vector may read on into what follows: its parameters are 0 there
            x = x_at + r * x_pitch + w
            free = _rescaled(params, value_at + w, pitch, load(signals, x))
            value = maximum(minimum(free, value_high), value_low)
            clipped = add(clipped, changed(value, free))
            free = _rescaled(params, argument_at + w, pitch, load(signals, x + half))
            argument = maximum(minimum(free, value_high), value_low)
            clipped = add(clipped, changed(argument, free))
            row = subtract(fma(add(argument, splat(0.25)), scale, middle), magic)
            row = maximum(minimum(row, last), splat(0.0))
            product = multiply(value, look_up(params, table_at, row))
            product = add(product, load(params, out_at + w + pitch))
            free = subtract(fma(product, load(params, out_at + w), magic), magic)
            y = maximum(minimum(free, high), low)
            clipped = add(clipped, changed(y, free))
            store(signals, y_at + r * pitch + w, y)
    return sum_lanes(clipped)


@inlined
def pool(
    state: Array,
    state_at: int,
    ends: Array,
    position: int,
    replaces: bool,
    signals: Array,
    x_at: int,
    pitch: int,
    samples: int,
    steps: int,
) -> None:
    """Add each sample's steps before its end to its sums (samples, pitch), or let the last replace
    them; the chunk starts at ``position``.
    """
    for s in range(samples):
        for t in range(min(steps, ends[s] - position)):
            for w in range(0, pitch, LANES):
                at = state_at + s * pitch + w
                x = load(signals, x_at + (s * steps + t) * pitch + w)
                store(state, at, x if replaces else add(load(state, at), x))


@inlined
def take_in(
    incoming: Array,
    whole: int,
    first: int,
    signals: Array,
    y_at: int,
    pitch: int,
    samples: int,
    steps: int,
) -> None:
    """Copy ``steps`` steps, from the ``first`` on, of inputs (samples, whole, pitch)."""
    for s in range(samples):
        source, target = (s * whole + first) * pitch, y_at + s * steps * pitch
        for at in range(0, steps * pitch, LANES):
            store(signals, target + at, load(incoming, source + at))


@inlined
def running_sum(
    state: Array,
    state_at: int,
    signals: Array,
    x_at: int,
    y_at: int,
    pitch: int,
    samples: int,
    steps: int,
    factor: float,
    nudge: float,
    limit: float,
) -> float:
    """Write ``sat(signed_shift(Σ x))`` of each sample's steps so far, give how many were clipped.

    The sums are (samples, pitch) doubles; ``factor`` and ``nudge`` make the shift.
    """
    clipped, magic, high, low = splat(0.0), splat(MAGIC), splat(limit), splat(-limit)
    for s in range(samples):
        for w in range(0, pitch, LANES):
            total = load(state, state_at + s * pitch + w)
            for t in range(steps):
                at = (s * steps + t) * pitch + w
                total = add(total, load(signals, x_at + at))
                shifted = fma(add(total, splat(nudge)), splat(factor), magic)
                shifted = subtract(shifted, magic)
                y = maximum(minimum(shifted, high), low)
                clipped = add(clipped, changed(y, shifted))
                store(signals, y_at + at, y)
            store(state, state_at + s * pitch + w, total)
    return sum_lanes(clipped)


@inlined
def copy_sequence(
    keeps: bool,
    signals: Array,
    signal_at: int,
    pitch: int,
    kept: Array,
    kept_at: int,
    samples: int,
    steps: int,
    start: int,
    length: int,
) -> None:
    """Copy a chunk that starts at step ``start`` into whole sequences (samples, length, pitch) that
    it ``keeps``, or back out of them.
    """
    for s in range(samples):
        here = signal_at + s * steps * pitch
        there = kept_at + (s * length + start) * pitch
        for at in range(0, steps * pitch, LANES):
            if keeps:
                store_integers(kept, there + at, load(signals, here + at))
            else:
                store(signals, here + at, load_integers(kept, there + at))


@inlined
def count_messages(
    state: Array, state_at: int, signals: Array, x_at: int, pitch: int, samples: int, steps: int
) -> None:
    """Add to the counts (samples, pitch) what is not 0."""
    zero = splat(0.0)
    for s in range(samples):
        for t in range(steps):
            for w in range(0, pitch, LANES):
                at = state_at + s * pitch + w
                x = load(signals, x_at + (s * steps + t) * pitch + w)
                store(state, at, add(load(state, at), changed(x, zero)))

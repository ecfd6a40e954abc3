"""The loop that everything else is small against: a dendrite's modes, over a chunk of time.

Lanes are channels. For each group of ``LANES`` channels, the coefficients of its modes and the
compartments of two samples at a time stand together in one small array, mode after mode, and the
loop goes over steps, and within a step over modes: modes do not wait for each other, nothing but
that array is read or written, and the drive is summed in registers.

A compartment's products each need a nudge of their coefficient's sign (see ``vectors``). Where the
two decay coefficients of a mode agree in sign, its recurrence needs one nudge a compartment,
otherwise two; modes are sorted so that the former come first.
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
    "COEFFICIENTS",
    "DECAY_IMAG",
    "DECAY_REAL",
    "INPUT",
    "NUDGE_DECAY_IMAG",
    "NUDGE_DECAY_REAL",
    "NUDGE_READOUT_IMAG",
    "NUDGE_READOUT_REAL",
    "READOUT_IMAG",
    "READOUT_REAL",
    "RECORD",
    "run_dendrite",
]

# A mode's record: vectors of coefficients, then u and v of two samples.
NUDGE_DECAY_REAL = 0
NUDGE_DECAY_IMAG = 1
NUDGE_READOUT_REAL = 2
NUDGE_READOUT_IMAG = 3
DECAY_REAL = 4
DECAY_IMAG = 5
READOUT_REAL = 6
READOUT_IMAG = 7
INPUT = 8
COEFFICIENTS = 9
STATES = 9
RECORD = 13
INPUT_NUDGE = 2.0**-26  # for input shifts, -24 … 24

Array = Any  # numba knows the types


@inlined
def _field(work: Array, record: int, field: int) -> Any:
    return load(work, record + field * LANES)


@inlined
def _moved(work: Array, record: int, state: int, x: Any, alike: bool) -> Any:
    """Give a mode's next compartments (u', v') of the sample whose u is at ``state``."""
    magic = splat(MAGIC)
    real = _field(work, record, DECAY_REAL)
    imag = _field(work, record, DECAY_IMAG)
    u, v = _field(work, record, state), _field(work, record, state + 1)
    nudge = _field(work, record, NUDGE_DECAY_REAL)
    u_real, v_real = add(u, nudge), add(v, nudge)
    if alike:
        u_imag, v_imag = u_real, v_real
    else:
        nudge = _field(work, record, NUDGE_DECAY_IMAG)
        u_imag, v_imag = add(u, nudge), add(v, nudge)
    entering = fma(x, _field(work, record, INPUT), magic)
    return (
        subtract(fma(u_real, real, entering), fma(v_imag, imag, magic)),
        subtract(fma(u_imag, imag, magic), fnma(v_real, real, magic)),
    )


@inlined
def _read(work: Array, record: int, u: Any, v: Any, from_u: Any, from_v: Any) -> Any:
    """Add what u and v contribute to a drive to its two sums."""
    nudged_u = add(u, _field(work, record, NUDGE_READOUT_REAL))
    nudged_v = add(v, _field(work, record, NUDGE_READOUT_IMAG))
    return (
        fma(nudged_u, _field(work, record, READOUT_REAL), from_u),
        fma(nudged_v, _field(work, record, READOUT_IMAG), from_v),
    )


@inlined
def _step_pair(work: Array, first: int, last: int, alike: bool, x: Any, x2: Any, sums: Any) -> Any:
    """Move modes ``first`` … ``last - 1`` of both samples by one step."""
    from_u, from_v, from_u2, from_v2 = sums
    for mode in range(first, last):
        record = mode * RECORD * LANES
        u, v = _moved(work, record, STATES, x, alike)
        u2, v2 = _moved(work, record, STATES + 2, x2, alike)
        from_u, from_v = _read(work, record, u, v, from_u, from_v)
        from_u2, from_v2 = _read(work, record, u2, v2, from_u2, from_v2)
        store(work, record + STATES * LANES, u)
        store(work, record + (STATES + 1) * LANES, v)
        store(work, record + (STATES + 2) * LANES, u2)
        store(work, record + (STATES + 3) * LANES, v2)
    return from_u, from_v, from_u2, from_v2


@inlined
def _step_one(work: Array, first: int, last: int, alike: bool, x: Any, sums: Any) -> Any:
    """Move modes ``first`` … ``last - 1`` of one sample by one step."""
    from_u, from_v = sums
    for mode in range(first, last):
        record = mode * RECORD * LANES
        u, v = _moved(work, record, STATES, x, alike)
        from_u, from_v = _read(work, record, u, v, from_u, from_v)
        store(work, record + STATES * LANES, u)
        store(work, record + (STATES + 1) * LANES, v)
    return from_u, from_v


@inlined
def _step_clipping(work: Array, modes: int, limit: float, x: Any, sums: Any, clipped: Any) -> Any:
    """Move all modes of one sample by one step, where compartments can saturate."""
    from_u, from_v = sums
    high, low = splat(limit), splat(-limit)
    for mode in range(modes):
        record = mode * RECORD * LANES
        free_u, free_v = _moved(work, record, STATES, x, False)
        u = maximum(minimum(free_u, high), low)
        v = maximum(minimum(free_v, high), low)
        clipped = add(clipped, add(changed(u, free_u), changed(v, free_v)))
        from_u, from_v = _read(work, record, u, v, from_u, from_v)
        store(work, record + STATES * LANES, u)
        store(work, record + (STATES + 1) * LANES, v)
    return from_u, from_v, clipped


@inlined
def _enter(params: Array, group: int, x: Any) -> Any:
    """Give what the skip path adds to the drive, on top of MAGIC."""
    nudged = add(x, load(params, group + LANES))
    return fma(nudged, load(params, group), splat(MAGIC))


@inlined
def _leave(signals: Array, at: int, total: Any, scale: float, limit: float, clipped: Any) -> Any:
    """Write ``sat(rs(total, drive_shift))``, and count what was clipped."""
    magic = splat(MAGIC)
    free = subtract(fma(add(total, splat(0.25)), splat(scale), magic), magic)
    drive = maximum(minimum(free, splat(limit)), splat(-limit))
    store(signals, at, drive)
    return add(clipped, changed(drive, free))


@inlined
def _run_pair(
    params: Array,
    group: int,
    work: Array,
    modes: int,
    alike: int,
    signals: Array,
    x_at: int,
    y_at: int,
    pitch: int,
    stride: int,
    steps: int,
    backwards: bool,
    carry: Array,
    carry_at: int,
    scale: float,
    limit: float,
) -> float:
    """Run a group of channels over a chunk of two samples, ``stride`` apart."""
    clipped, magic, nudge = splat(0.0), splat(MAGIC), splat(INPUT_NUDGE)
    before, before2 = load(carry, carry_at), load(carry, carry_at + LANES)
    for i in range(steps):
        at = (steps - 1 - i if backwards else i) * pitch
        x, x2 = load(signals, x_at + at), load(signals, x_at + stride + at)
        nudged, nudged2 = add(x, nudge), add(x2, nudge)
        sums = magic, magic, magic, magic
        sums = _step_pair(work, 0, alike, True, nudged, nudged2, sums)
        sums = _step_pair(work, alike, modes, False, nudged, nudged2, sums)
        now, now2 = subtract(sums[0], sums[1]), subtract(sums[2], sums[3])
        given, given2 = (before, before2) if backwards else (now, now2)
        before, before2 = now, now2
        total = add(given, subtract(_enter(params, group, x), magic))
        total2 = add(given2, subtract(_enter(params, group, x2), magic))
        clipped = _leave(signals, y_at + at, total, scale, limit, clipped)
        clipped = _leave(signals, y_at + stride + at, total2, scale, limit, clipped)
    store(carry, carry_at, before)
    store(carry, carry_at + LANES, before2)
    return sum_lanes(clipped)


@inlined
def _run_one(
    params: Array,
    group: int,
    work: Array,
    modes: int,
    alike: int,
    signals: Array,
    x_at: int,
    y_at: int,
    pitch: int,
    steps: int,
    backwards: bool,
    carry: Array,
    carry_at: int,
    scale: float,
    limit: float,
    state_limit: float,
) -> float:
    """Run a group of channels over a chunk of one sample; its states saturate at ``state_limit``,
    if that is not 0.
    """
    clipped, magic, nudge = splat(0.0), splat(MAGIC), splat(INPUT_NUDGE)
    before = load(carry, carry_at)
    for i in range(steps):
        at = (steps - 1 - i if backwards else i) * pitch
        x = load(signals, x_at + at)
        nudged = add(x, nudge)
        sums = magic, magic
        if state_limit > 0.0:
            from_u, from_v, clipped = _step_clipping(
                work, modes, state_limit, nudged, sums, clipped
            )
            sums = from_u, from_v
        else:
            sums = _step_one(work, 0, alike, True, nudged, sums)
            sums = _step_one(work, alike, modes, False, nudged, sums)
        now = subtract(sums[0], sums[1])
        given = before if backwards else now
        before = now
        total = add(given, subtract(_enter(params, group, x), magic))
        clipped = _leave(signals, y_at + at, total, scale, limit, clipped)
    store(carry, carry_at, before)
    return sum_lanes(clipped)


@inlined
def _copy_states(source: Array, at: int, target: Array, to: int, modes: int, out: bool) -> None:
    """Move u and v of a sample between its state and the records."""
    for mode in range(modes):
        packed, record = at + 2 * mode * LANES, to + mode * RECORD * LANES
        if out:
            store(source, packed, load(target, record))
            store(source, packed + LANES, load(target, record + LANES))
        else:
            store(target, record, load(source, packed))
            store(target, record + LANES, load(source, packed + LANES))


@inlined
def run_dendrite(
    params: Array,
    params_at: int,
    alike: Array,
    alike_at: int,
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
        From ``params_at``, a block a group: its modes' coefficients, then skip and its nudge.
    alike
        From ``alike_at``, a number a group: how many of its modes, the first ones, have decay
        coefficients that agree in sign.
    state
        From ``state_at``, a block a group and sample: u and v of each mode; then, for a group and
        sample, what its modes contributed last.
    work
        Room for the records of all modes.
    scale
        ``2**-drive_shift``.
    """
    pitch = groups * LANES
    stride = steps * pitch
    block = (modes * COEFFICIENTS + 2) * LANES
    own = 2 * modes * LANES
    carry = state_at + groups * samples * own
    clipped = 0.0
    for g in range(groups):
        group = params_at + g * block
        for mode in range(modes):
            for field in range(COEFFICIENTS):
                vector = load(params, group + (mode * COEFFICIENTS + field) * LANES)
                store(work, (mode * RECORD + field) * LANES, vector)
        skip = group + modes * COEFFICIENTS * LANES
        sample = 0
        while sample < samples:
            at = state_at + (g * samples + sample) * own
            carry_at = carry + (g * samples + sample) * LANES
            first = sample * stride + g * LANES
            _copy_states(state, at, work, STATES * LANES, modes, False)
            if sample + 1 < samples and state_limit == 0.0:
                _copy_states(state, at + own, work, (STATES + 2) * LANES, modes, False)
                clipped += _run_pair(
                    params,
                    skip,
                    work,
                    modes,
                    alike[alike_at + g],
                    signals,
                    x_at + first,
                    y_at + first,
                    pitch,
                    stride,
                    steps,
                    backwards,
                    state,
                    carry_at,
                    scale,
                    limit,
                )
                _copy_states(state, at + own, work, (STATES + 2) * LANES, modes, True)
                taken = 2
            else:
                clipped += _run_one(
                    params,
                    skip,
                    work,
                    modes,
                    alike[alike_at + g],
                    signals,
                    x_at + first,
                    y_at + first,
                    pitch,
                    steps,
                    backwards,
                    state,
                    carry_at,
                    scale,
                    limit,
                    state_limit,
                )
                taken = 1
            _copy_states(state, at, work, STATES * LANES, modes, True)
            sample += taken
    return clipped

"""The loops of the ``exact`` program: each node's equation in 64-bit integers.

Signals are int64 (samples, steps, width), in time order; a kernel writes its output in place,
carries its state from call to call, and gives how many values it clipped.
"""

from __future__ import annotations

from typing import Any

from snn_deploy.engines.native.compilation import compiled, inlined

__all__ = ["add_synapses", "drive_soma", "gate", "rescale", "run_dendrite"]

Array = Any  # numba knows the types


@inlined
def _round_shift(x: int, k: int) -> int:
    return (x + (1 << (k - 1))) >> k if k > 0 else x


@inlined
def _signed_shift(x: int, k: int) -> int:
    return x << k if k >= 0 else _round_shift(x, -k)


@inlined
def _clip(x: int, limit: int) -> int:
    return min(max(x, -limit), limit)


@compiled
def add_synapses(x: Array, weight: Array, y: Array) -> None:
    """Write ``y = weight · x``; weight (in, out) int64, so that a message adds one row."""
    samples, steps, inputs = x.shape
    for b in range(samples):
        for t in range(steps):
            y[b, t] = 0
            for i in range(inputs):
                message = x[b, t, i]
                if message != 0:
                    for o in range(y.shape[2]):
                        y[b, t, o] += weight[i, o] * message


@compiled
def rescale(x: Array, mantissa: Array, shift: Array, bias: Array, limit: int, y: Array) -> int:
    """Write ``y = sat(ms(x, mantissa, shift) + bias)``."""
    samples, steps, width = x.shape
    clipped = 0
    for b in range(samples):
        for t in range(steps):
            for c in range(width):
                value = _round_shift(x[b, t, c] * mantissa[c], shift[c]) + bias[c]
                y[b, t, c] = _clip(value, limit)
                clipped += y[b, t, c] != value
    return clipped


@compiled
def run_dendrite(
    x: Array,
    u: Array,
    v: Array,
    coefficients: Array,
    shifts: Array,
    skip: Array,
    decay_shift: int,
    drive_shift: int,
    state_limit: int,
    limit: int,
    reversed_time: bool,
    y: Array,
) -> int:
    """Run the compartments u, v (samples, width, modes) over x, and write the drive y.

    coefficients (4, width, modes): decay and readout, real and imaginary; shifts (2, width,
    modes): of input and readout; skip (2, width): mantissa and shift.
    """
    samples, steps, width = x.shape
    decay_real, decay_imag, readout_real, readout_imag = coefficients
    input_shift, readout_shift = shifts
    k = decay_shift
    clipped = 0
    for b in range(samples):
        for c in range(width):
            for i in range(steps):
                t = steps - 1 - i if reversed_time else i
                entering = x[b, t, c]
                drive = _round_shift(entering * skip[0, c], skip[1, c])
                for n in range(u.shape[2]):
                    real, imag = u[b, c, n], v[b, c, n]
                    if reversed_time:  # the compartments answer before they take in x[t]
                        drive += _round_shift(
                            real * readout_real[c, n], readout_shift[c, n]
                        ) + _round_shift(-imag * readout_imag[c, n], readout_shift[c, n])
                    next_real = (
                        _round_shift(real * decay_real[c, n], k)
                        + _round_shift(-imag * decay_imag[c, n], k)
                        + _signed_shift(entering, input_shift[c, n])
                    )
                    next_imag = _round_shift(real * decay_imag[c, n], k) + _round_shift(
                        imag * decay_real[c, n], k
                    )
                    real, imag = _clip(next_real, state_limit), _clip(next_imag, state_limit)
                    clipped += (real != next_real) + (imag != next_imag)
                    u[b, c, n], v[b, c, n] = real, imag
                    if not reversed_time:
                        drive += _round_shift(
                            real * readout_real[c, n], readout_shift[c, n]
                        ) + _round_shift(-imag * readout_imag[c, n], readout_shift[c, n])
                drive = _round_shift(drive, drive_shift)
                y[b, t, c] = _clip(drive, limit)
                clipped += y[b, t, c] != drive
    return clipped


@compiled
def drive_soma(x: Array, membrane: Array, threshold: int, kept: int, limit: int, y: Array) -> int:
    """Run somas with ``membrane`` (samples, width); ``kept`` is 4096 - decay."""
    samples, steps, width = x.shape
    clipped = 0
    for b in range(samples):
        for t in range(steps):
            for c in range(width):
                before = membrane[b, c]
                magnitude = (abs(before) * kept) >> 12
                value = (magnitude if before >= 0 else -magnitude) + (x[b, t, c] << 6)
                held = _clip(value, limit)
                clipped += held != value
                fires = held > threshold << 6
                membrane[b, c] = 0 if fires else held
                y[b, t, c] = fires
    return clipped


@compiled
def gate(x: Array, table: Array, index_shift: int, out_shift: Array, limit: int, y: Array) -> int:
    """Write ``y = sigmoid_gate(x[:H], x[H:])``."""
    samples, steps, width = y.shape
    size = len(table)
    clipped = 0
    for b in range(samples):
        for t in range(steps):
            for c in range(width):
                row = _round_shift(x[b, t, width + c], index_shift) + size // 2
                factor = table[min(max(row, 0), size - 1)]
                value = _round_shift(x[b, t, c] * factor, out_shift[c])
                y[b, t, c] = _clip(value, limit)
                clipped += y[b, t, c] != value
    return clipped

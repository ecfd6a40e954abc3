"""From a diagonal SSM's complex numbers to the integers of its dendrites.

With the state measured in units of its own input matrix, ``g = h / b``, the recurrence is
``g' = a g + x`` and the readout ``2 Re(c b g)``: the input needs no multiplication. Each mode then
has three numbers to represent: its decay, how far its input is shifted, and its readout.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from snn_deploy import fixedpoint as fp
from snn_deploy.errors import ConfigError
from snn_deploy.ir import integer_nodes as nodes
from snn_deploy.ir.bounds import heard_bound, state_bound
from snn_deploy.ir.float_nodes import DiagonalSsm
from snn_deploy.ir.formats import Edge, Format
from snn_deploy.quantize.config import QuantizationConfig
from snn_deploy.quantize.refit import Refit

__all__ = ["quantize_decay", "quantize_ssm"]

Complex = npt.NDArray[np.complex128]
Real = npt.NDArray[np.float64]

GUARD_BITS = 8  # fractional bits that a sum of contributions keeps beyond the drive's, if they fit
SHIFT_LIMIT = 24  # inputs are shifted by less than a state's width
MAX_SHIFT = 47


def quantize_decay(a: Complex, bits: int) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.int32]]:
    """Round decays to ``bits`` wide signed mantissas with ``bits - 1`` fractional bits.

    Takes the nearest grid point at which a mode does not forget much more slowly than it should,
    with ``1 - |q| >= (1 - |a|) / 2``, nor ever more slowly than half a unit a step: on the unit
    circle it would never forget its own roundings.
    """
    scale = 2.0 ** (bits - 1)
    limit = fp.limit_of(bits)
    parts = np.stack([a.real, a.imag]) * scale
    around = np.stack(np.meshgrid(np.arange(-1, 3), np.arange(-1, 3))).reshape(2, 16).T
    candidates = np.floor(parts)[None] + around.reshape(16, 2, *([1] * a.ndim))
    candidates = np.clip(candidates, -limit, limit)
    distance = np.hypot(candidates[:, 0] - parts[0], candidates[:, 1] - parts[1])
    largest = scale - np.maximum((scale - np.hypot(*parts)) / 2, 0.5)
    distance[np.hypot(candidates[:, 0], candidates[:, 1]) > largest] = np.inf
    best = np.take_along_axis(candidates, distance.argmin(axis=0)[None, None], axis=0)[0]
    return best[0].astype(np.int32), best[1].astype(np.int32)


@dataclass(frozen=True)
class _Scaled:
    """A bank without its readout, and what one unit of each compartment stands for."""

    bank: nodes.ModeBank
    state_exponent: npt.NDArray[np.int64]  # (H, N)
    heard: Real  # (H, N), the most of it that a readout of modulus 1 hears, in units


def quantize_ssm(
    node: DiagonalSsm,
    source: Format,
    source_bound: Real,
    largest_drive: float,
    config: QuantizationConfig,
    steps: int | None = None,
) -> nodes.QuantizedSsm:
    """Quantise an SSM whose thresholds are folded in, so that a drive of 1 is the soma's threshold.

    Parameters
    ----------
    node
        The float SSM, (H, N) modes.
    source, source_bound
        Format of its input, and the input's largest mantissa per channel (H,).
    largest_drive
        The largest magnitude that the drive must hold without saturating.
    config
        Widths.
    steps
        Length of typical sequences: readouts are refitted to the rounded decays for it.

    Every compartment gets as fine a scale as proves that it can never saturate; where roundings
    alone might fill half of its range, as fine a one as leaves them that half.

    Raises
    ------
    ConfigError
        If the sums cannot hold so many contributions.
    """
    scaled = _scale_states(node.a, source, source_bound, config)
    readouts = [2.0 * node.c * node.b]
    if node.c_reverse is not None:
        readouts.append(2.0 * node.c_reverse * node.b)
    if steps is not None:
        refit = Refit.of(node.a, scaled.bank.decay, steps)
        readouts = [refit(readout) for readout in readouts]
    drive_exponent = min(
        int(np.floor(np.log2(fp.limit_of(config.drive_bits) / largest_drive))),
        config.drive_bits - 2,  # the threshold, 2**exponent, must itself fit
    )
    skip = node.d * 2.0 ** -source.exponents(node.width)
    sum_exponent = _sum_exponent(
        node.name, readouts, skip, scaled, source_bound, drive_exponent, config
    )
    banks = [_with_readout(scaled, c, sum_exponent, config) for c in readouts]
    mantissa, shift = fp.multiplier_of(skip * 2.0**sum_exponent, config.readout_bits, MAX_SHIFT)
    drive_exponent = min(drive_exponent, sum_exponent)
    return nodes.QuantizedSsm(
        name=node.name,
        inputs=(Edge(node.inputs[0].source),),
        output=Format(config.drive_bits, drive_exponent),
        forward=banks[0],
        reverse=banks[1] if len(banks) > 1 else None,
        skip_mantissa=mantissa,
        skip_shift=shift,
        drive_shift=sum_exponent - drive_exponent,
        sum_bits=config.sum_bits,
    )


def _scale_states(a: Complex, source: Format, x: Real, config: QuantizationConfig) -> _Scaled:
    """Choose decays, and the largest input shifts at which no compartment can saturate."""
    decay_real, decay_imag = quantize_decay(a, config.decay_bits)
    empty = np.zeros(a.shape, dtype=np.int32)
    bank = nodes.ModeBank(
        decay_real=decay_real,
        decay_imag=decay_imag,
        decay_shift=config.decay_bits - 1,
        input_shift=np.zeros(a.shape, dtype=np.int8),
        readout_real=empty,
        readout_imag=empty,
        readout_shift=np.zeros(a.shape, dtype=np.int8),
        coefficient_bits=max(config.decay_bits, config.readout_bits),
        state_bits=config.state_bits,
    )
    limit = fp.limit_of(config.state_bits)
    roundings = state_bound(bank, np.full_like(x, 0.5))  # what is lost even to no input at all
    gain = 1.0 / (1.0 - np.hypot(decay_real, decay_imag) / 2.0**bank.decay_shift)
    room = np.maximum(limit - roundings, limit / 2) / (np.maximum(x, 1.0)[:, None] * gain)
    shift = np.clip(np.floor(np.log2(room)), -SHIFT_LIMIT, SHIFT_LIMIT).astype(np.int8)
    bank = replace(bank, input_shift=shift)
    exponent = source.exponents(len(a))[:, None] + shift
    return _Scaled(bank, exponent, heard_bound(bank, x))


def _sum_exponent(
    name: str,
    readouts: list[Complex],
    skip: Real,
    scaled: _Scaled,
    x: Real,
    drive_exponent: int,
    config: QuantizationConfig,
) -> int:
    """Give the finest exponent at which every coefficient fits and no sum can overflow."""
    limit = fp.limit_of(config.readout_bits)
    per_unit = [np.abs(c) * 2.0**-scaled.state_exponent for c in readouts]
    steepest = max(
        [float(np.abs(skip).max(initial=0.0))] + [float(p.max(initial=0.0)) for p in per_unit]
    )
    worst = np.abs(skip) * x + sum((p * scaled.heard).sum(axis=1) for p in per_unit)
    # one unit of rounding a contribution, and the coefficients' own rounding
    terms = 1 + sum(p.shape[1] for p in per_unit)
    room = fp.limit_of(config.sum_bits) - 2 * terms
    if room < 1:
        raise ConfigError(
            f"node '{name}': sums of {terms} contributions need more than sum_bits="
            f"{config.sum_bits}; set a larger sum_bits"
        )
    largest = float(worst.max()) * (1 + 2.0**-8)
    return min(
        drive_exponent + GUARD_BITS,
        int(np.floor(np.log2(room / largest))) if largest > 0 else MAX_SHIFT,
        int(np.floor(np.log2(limit / steepest))) if steepest > 0 else MAX_SHIFT,
    )


def _with_readout(
    scaled: _Scaled, readout: Complex, sum_exponent: int, config: QuantizationConfig
) -> nodes.ModeBank:
    factor = readout * 2.0 ** (sum_exponent - scaled.state_exponent)
    larger = np.maximum(np.abs(factor.real), np.abs(factor.imag))
    _, shift = fp.multiplier_of(larger, config.readout_bits, MAX_SHIFT)
    grid = 2.0 ** shift.astype(np.float64)
    return replace(
        scaled.bank,
        readout_real=fp.round_half_up(factor.real * grid).astype(np.int32),
        readout_imag=fp.round_half_up(factor.imag * grid).astype(np.int32),
        readout_shift=shift,
    )

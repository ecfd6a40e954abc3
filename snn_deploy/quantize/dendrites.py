"""From a diagonal SSM's complex numbers to the integers of its dendrites.

With the state measured in units of its own input matrix, ``g = h / b``, the recurrence is
``g' = a g + x`` and the readout ``2 Re(c b g)``: the input needs no multiplication. Each mode then
has three numbers to represent: its decay, how far its input is shifted, and its readout.

The setting ``dendrite_rounding`` says how they are rounded. To *odd* numbers, or 0: coefficients
then have one shift, and compartments no more than ``ODD_STATE_BITS``, which is what single
precision can hold (see ``engines/native/src/dendrite.h``) and simulates twice as fast; the more
modes a channel has, the better they make good what it costs. Or to the *nearest*. The setting
``dendrite_sums`` says whether a dendrite rounds each product, or once the sum of two, which needs a
wider word than single precision has.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from snn_deploy import fixedpoint as fp
from snn_deploy.errors import ConfigError
from snn_deploy.ir.formats import Edge, Format
from snn_deploy.nodes.dendrite import ODD_STATE_BITS, ModeBank
from snn_deploy.nodes.mode_bounds import projection_bound, state_bound
from snn_deploy.nodes.quantized_ssm import QuantizedSsm
from snn_deploy.nodes.ssm import DiagonalSsm
from snn_deploy.quantize.config import QuantizationConfig
from snn_deploy.quantize.readout_correction import ReadoutCorrection

__all__ = ["quantize_decay", "quantize_ssm"]

Complex = npt.NDArray[np.complex128]
Real = npt.NDArray[np.float64]

ODD_SKIP_SHIFT = 22
ODD_FROM_BITS = 14  # of a coefficient: below, its last bit cannot be spared
ODD_FROM_MODES = 16  # a channel: below, its modes make too little good
GUARD_BITS = 8  # fractional bits that a sum of contributions keeps beyond the drive's, if they fit
SHIFT_LIMIT = 24  # inputs are shifted by less than a state's width
MAX_SHIFT = 47
MARGIN = 2.0**-8  # of the worst sum, for the coefficients' rounding
ODD_MARGIN = 2.0**-5


def quantize_decay(
    a: Complex, bits: int, odd: bool = False
) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.int32]]:
    """Round decays to ``bits`` wide signed mantissas with ``bits - 1`` fractional bits.

    Takes the nearest grid point at which a mode does not forget much more slowly than it should,
    with ``1 - |q| >= (1 - |a|) / 2``, nor ever more slowly than half a unit a step: on the unit
    circle it would never forget its own roundings. With ``odd`` they are odd, or 0 where the part
    is 0.
    """
    scale = 2.0 ** (bits - 1)
    limit = fp.limit_of(bits)
    parts = np.stack([a.real, a.imag]) * scale
    around = np.stack(np.meshgrid(np.arange(-1, 3), np.arange(-1, 3))).reshape(2, 16).T
    step = 2 if odd else 1
    below = np.floor(parts / step)[None] + around.reshape(16, 2, *([1] * a.ndim))
    candidates = np.clip(below * step + (step - 1), -limit, limit) * (parts != 0)
    distance = np.hypot(candidates[:, 0] - parts[0], candidates[:, 1] - parts[1])
    largest = scale - np.maximum((scale - np.hypot(*parts)) / 2, 0.5)
    distance[np.hypot(candidates[:, 0], candidates[:, 1]) > largest] = np.inf
    best = np.take_along_axis(candidates, distance.argmin(axis=0)[None, None], axis=0)[0]
    return best[0].astype(np.int32), best[1].astype(np.int32)


@dataclass(frozen=True)
class _Scaled:
    """A bank without its readout, and what one unit of each compartment stands for."""

    bank: ModeBank
    odd: bool
    state_exponent: npt.NDArray[np.int64]  # (H, N)
    largest: Real  # (H, N), the most that a readout of modulus 1 gives, in units


def quantize_ssm(
    node: DiagonalSsm,
    source: Format,
    source_bound: Real,
    largest_drive: float,
    config: QuantizationConfig,
    steps: int | None = None,
) -> QuantizedSsm:
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
        If the sums cannot hold so many contributions, or coefficients cannot be odd that shall be.
    """
    odd = _rounds_odd(node, config)
    scaled = _scale_states(node.a, source, source_bound, config, odd)
    readouts = [2.0 * node.c * node.b]
    if node.c_reverse is not None:
        readouts.append(2.0 * node.c_reverse * node.b)
    refit = None if steps is None else ReadoutCorrection.of(node.a, scaled.bank.decay, steps)
    if refit is not None:
        readouts = [refit(readout) for readout in readouts]
    drive_exponent = min(
        int(np.floor(np.log2(fp.limit_of(config.drive_bits) / largest_drive))),
        config.drive_bits - 2,  # the threshold, 2**exponent, must itself fit
    )
    skip = node.d * 2.0 ** -source.exponents(node.width)
    sum_exponent = _sum_exponent(
        node.name, readouts, skip, scaled, source_bound, drive_exponent, config
    )
    banks = [_with_readout(scaled, c, sum_exponent, config, refit) for c in readouts]
    most = ODD_SKIP_SHIFT if scaled.odd else MAX_SHIFT
    mantissa, shift = fp.multiplier_of(skip * 2.0**sum_exponent, config.readout_bits, most)
    if scaled.odd:
        mantissa |= mantissa != 0  # odd, or 0
    drive_exponent = min(drive_exponent, sum_exponent)
    return QuantizedSsm(
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


def _rounds_odd(node: DiagonalSsm, config: QuantizationConfig) -> bool:
    """Decide how coefficients are rounded, as ``dendrite_rounding`` says."""
    fits = config.readout_bits >= config.decay_bits >= ODD_FROM_BITS
    if config.dendrite_rounding == "odd" and not fits:
        raise ConfigError(
            f"node '{node.name}': dendrite_rounding=odd needs readout_bits >= decay_bits >= "
            f"{ODD_FROM_BITS}, not {config.readout_bits} and {config.decay_bits}; set those, or "
            "dendrite_rounding=nearest"
        )
    if config.dendrite_rounding == "odd" and config.dendrite_sums == "once":
        raise ConfigError(
            f"node '{node.name}': dendrite_rounding=odd is for single precision, which cannot hold "
            "the sums of dendrite_sums=once; set dendrite_sums=each, or dendrite_rounding=nearest"
        )
    chosen, fits = config.dendrite_rounding, fits and config.dendrite_sums == "each"
    return fits and (chosen == "odd" or (chosen == "auto" and node.modes >= ODD_FROM_MODES))


def _scale_states(
    a: Complex, source: Format, x: Real, config: QuantizationConfig, odd: bool
) -> _Scaled:
    """Choose decays, and the largest input shifts at which no compartment can saturate."""
    state_bits = min(config.state_bits, ODD_STATE_BITS) if odd else config.state_bits
    decay_real, decay_imag = quantize_decay(a, config.decay_bits, odd)
    empty = np.zeros(a.shape, dtype=np.int32)
    bank = ModeBank(
        decay_real=decay_real,
        decay_imag=decay_imag,
        decay_shift=config.decay_bits - 1,
        input_shift=np.zeros(a.shape, dtype=np.int8),
        readout_real=empty,
        readout_imag=empty,
        readout_shift=np.zeros(a.shape, dtype=np.int8),
        coefficient_bits=max(config.decay_bits, config.readout_bits),
        state_bits=state_bits,
        rounds_once=config.dendrite_sums == "once",
    )
    limit = fp.limit_of(state_bits)
    roundings = state_bound(bank, np.full_like(x, 0.5))  # what is lost even to no input at all
    gain = 1.0 / (1.0 - np.hypot(decay_real, decay_imag) / 2.0**bank.decay_shift)
    room = np.maximum(limit - roundings, limit / 2) / (np.maximum(x, 1.0)[:, None] * gain)
    shift = np.clip(np.floor(np.log2(room)), -SHIFT_LIMIT, SHIFT_LIMIT).astype(np.int8)
    bank = replace(bank, input_shift=shift)
    exponent = source.exponents(len(a))[:, None] + shift
    return _Scaled(bank, odd, exponent, projection_bound(bank, x))


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
    coarsest = 2.0**scaled.bank.decay_shift if scaled.odd else 1.0  # a readout's last bit
    steepest = max(
        [float(np.abs(skip).max(initial=0.0))]
        + [float(p.max(initial=0.0)) * coarsest for p in per_unit]
    )
    worst = np.abs(skip) * x + sum((p * scaled.largest).sum(axis=1) for p in per_unit)
    # one unit of rounding a contribution, and the coefficients' own rounding
    terms = 1 + sum(p.shape[1] for p in per_unit)
    room = fp.limit_of(config.sum_bits) - 2 * terms
    if room < 1:
        raise ConfigError(
            f"node '{name}': sums of {terms} contributions need more than sum_bits="
            f"{config.sum_bits}; set a larger sum_bits"
        )
    largest = float(worst.max()) * (1 + (ODD_MARGIN if scaled.odd else MARGIN))
    return min(
        drive_exponent + GUARD_BITS,
        int(np.floor(np.log2(room / largest))) if largest > 0 else MAX_SHIFT,
        int(np.floor(np.log2(limit / steepest))) if steepest > 0 else MAX_SHIFT,
    )


def _with_readout(
    scaled: _Scaled,
    readout: Complex,
    sum_exponent: int,
    config: QuantizationConfig,
    refit: ReadoutCorrection | None,
) -> ModeBank:
    factor = readout * 2.0 ** (sum_exponent - scaled.state_exponent)
    if scaled.odd:
        shift = np.full(factor.shape, scaled.bank.decay_shift, dtype=np.int8)
        real, imag = _odd_readout(scaled, factor * 2.0**shift, config, refit)
    else:
        larger = np.maximum(np.abs(factor.real), np.abs(factor.imag))
        _, shift = fp.multiplier_of(larger, config.readout_bits, MAX_SHIFT)
        grid = 2.0 ** shift.astype(np.float64)
        rounded = fp.round_half_up(np.stack([factor.real, factor.imag]) * grid)
        real, imag = rounded.astype(np.float64)
    return replace(
        scaled.bank,
        readout_real=real.astype(np.int32),
        readout_imag=imag.astype(np.int32),
        readout_shift=shift,
    )


def _odd_readout(
    scaled: _Scaled, target: Complex, config: QuantizationConfig, refit: ReadoutCorrection | None
) -> tuple[Real, Real]:
    """Round to odd integers; where there is a refit, modes make good each other's roundings."""
    limit = fp.limit_of(config.readout_bits)
    parts = np.concatenate([target.real, target.imag], axis=1)
    rounded = np.clip(2.0 * np.floor(parts / 2.0) + 1.0, -limit, limit)
    if refit is not None:
        together = refit.round(parts, np.tile(2.0**scaled.state_exponent, 2), limit)
        worst = [_worst_sum(scaled, p) for p in (parts, together)]
        fits = worst[1] - worst[0] <= ODD_MARGIN / 4.0 * worst[0].max(initial=0.0)
        rounded = np.where(fits[:, None], together, rounded)
    rounded[parts == 0.0] = 0.0
    real, imag = np.split(rounded, 2, axis=1)
    return real, imag


def _worst_sum(scaled: _Scaled, parts: Real) -> Real:
    """Give the largest sums (H,) to which readouts can bring it, real and imaginary (H, 2 N)."""
    real, imag = np.split(parts, 2, axis=1)
    worst: Real = (np.hypot(real, imag) * scaled.largest).sum(axis=1)
    return worst

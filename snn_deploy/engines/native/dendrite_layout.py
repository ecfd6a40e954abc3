"""A dendrite's coefficients as its kernel takes them, and the proof that they are exact."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from snn_deploy import fixedpoint as fp
from snn_deploy.engines.native import dendrite_kernel as kernel
from snn_deploy.engines.native.exactness import (
    NotExactError,
    factor_and_nudge,
    require_room,
)
from snn_deploy.engines.native.packing import pitch_of
from snn_deploy.engines.native.vectors import LANES, MAGIC
from snn_deploy.ir.bounds import Magnitude
from snn_deploy.ir.integer_nodes import Dendrite, ModeBank

__all__ = ["DendriteLayout", "filled_modes", "lay_out", "mode_order"]

Reals = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]

# a coefficient of b bits, moved by 2**-2 of its last bit over a bias, must fit a double's 53
BITS_OVER_BIAS = 51


@dataclass(frozen=True)
class DendriteLayout:
    """What ``run_dendrite`` reads: ``params`` (groups, n, LANES) and ``table`` (groups, m)."""

    params: Reals
    table: Integers
    entries: int


@dataclass(frozen=True)
class _Modes:
    """Mantissas (4, H, N) of decay and readout, real and imaginary, their shifts, and the powers
    of two (H, N) that the input is multiplied by; H filled up to whole vectors, N to whole blocks,
    with modes that nothing enters.
    """

    mantissas: Integers
    shifts: Integers
    entry: Reals
    limit: int

    def taken(self, order: Integers) -> _Modes:
        """Give the modes of each channel in another order."""
        return _Modes(
            np.take_along_axis(self.mantissas, order[None], axis=2),
            np.take_along_axis(self.shifts, order[None], axis=2),
            np.take_along_axis(self.entry, order, axis=1),
            self.limit,
        )


def filled_modes(bank: ModeBank) -> int:
    """Fill the number of modes up to whole blocks, and at least one."""
    return -(-max(bank.modes, 1) // kernel.BLOCK) * kernel.BLOCK


def lay_out(node: Dendrite, largest: Magnitude, saturates: bool) -> DendriteLayout:
    """Lay a dendrite out for inputs of at most ``largest``.

    Raises
    ------
    NotExactError
        If doubles may not hold every number in it.
    """
    modes = _fill_up(node.bank)
    bias_bits = _choose_bias(modes)
    modes = modes.taken(_order(modes, bias_bits))
    _require_entry(modes, largest)
    careful = _by_group(_exceeds(modes, bias_bits) | saturates).any(axis=2)
    light = np.where(careful.any(axis=1), careful.argmax(axis=1), careful.shape[1])
    light -= light % kernel.BLOCK
    careful = np.arange(careful.shape[1]) >= light[:, None]
    table, entries = _find_entries(modes.entry, light)
    skip = factor_and_nudge(node.skip_mantissa, node.skip_shift, largest)
    records, under_drive = _coefficients(modes, np.repeat(careful, LANES, axis=0), bias_bits)
    filled = [np.pad(row, (0, len(records) - len(row))) for row in skip]
    bias = np.full(len(records), 2.0**bias_bits)
    heads = np.stack([*filled, under_drive, bias], axis=1)
    blocks = [_by_group(heads), _by_group(records), entries]
    return DendriteLayout(np.concatenate(blocks, axis=1), table, entries.shape[1])


def mode_order(bank: ModeBank) -> Integers:
    """Give the order (H, filled N) in which a channel's modes are laid out."""
    modes = _fill_up(bank)
    return _order(modes, _choose_bias(modes))[: len(bank.decay_real)]


def _fill_up(bank: ModeBank) -> _Modes:
    decay_shift = np.full_like(bank.readout_shift, bank.decay_shift)
    mantissas = [bank.decay_real, bank.decay_imag, bank.readout_real, bank.readout_imag]
    shifts = [decay_shift, decay_shift, bank.readout_shift, bank.readout_shift]
    width = len(bank.decay_real)
    missing = [(0, pitch_of(width) - width), (0, filled_modes(bank) - bank.modes)]

    def whole(values: Any) -> Integers:
        return np.pad(np.asarray(values, dtype=np.int64), missing)

    modes = _Modes(
        np.stack([whole(m) for m in mantissas]),
        np.stack([whole(s) for s in shifts]),
        np.pad(2.0 ** bank.input_shift.astype(np.float64), missing),
        fp.limit_of(bank.state_bits),
    )
    # whatever the compartment, such a product rounds to 0
    size = modes.limit * np.abs(modes.mantissas) * 2.0**-modes.shifts
    modes.mantissas[size < 0.5] = 0
    return modes


def _fraction_bits(modes: _Modes) -> Integers:
    """Count the fractional bits of each coefficient."""
    lowest = modes.mantissas & -modes.mantissas
    zeros = np.frexp(np.maximum(lowest, 1).astype(np.float64))[1] - 1
    return np.where(modes.mantissas == 0, 0, np.maximum(modes.shifts - zeros, 0))


def _largest_bits(mantissas: Integers) -> int:
    return int(np.abs(mantissas).max(initial=1)).bit_length()


def _choose_bias(modes: _Modes) -> int:
    """Give the bits of a bias that is larger than any compartment, times any decay an integer, and
    times as many readouts as may be.
    """
    fractions = _fraction_bits(modes)
    least = max(modes.limit.bit_length() + 1, int(fractions[:2].max()))
    most = BITS_OVER_BIAS - _largest_bits(modes.mantissas)
    if least > most:
        raise NotExactError
    wanted = min(max(least, int(fractions[2:].max())), most)
    readout = np.abs(modes.mantissas[2:]) * 2.0 ** -modes.shifts[2:]
    try:
        require_room(readout.sum(axis=(0, 2)) * 2.0 ** (wanted + 2))
    except NotExactError:
        return least
    return wanted


def _exceeds(modes: _Modes, bias_bits: int) -> npt.NDArray[np.bool_]:
    """Tell which modes' readouts, times the bias, are no integers, (H, N)."""
    return np.asarray((_fraction_bits(modes)[2:] > bias_bits).any(axis=0))


def _order(modes: _Modes, bias_bits: int) -> Integers:
    order: Integers = np.lexsort((modes.entry, _exceeds(modes, bias_bits)), axis=1)
    return order


def _require_entry(modes: _Modes, largest: Magnitude) -> None:
    filled = np.pad(largest, (0, len(modes.entry) - len(largest)))[:, None]
    require_room(filled * modes.entry + 2.0 * modes.limit, filled / kernel.INPUT_NUDGE / 4.0)


def _coefficients(modes: _Modes, careful: Any, bias_bits: int) -> tuple[Reals, Reals]:
    """Give the modes' coefficients (H, N * MODE), and the constant (H,) under the drive's sum."""
    bias = 2.0**bias_bits
    exact, nudges = factor_and_nudge(modes.mantissas, modes.shifts, modes.limit)
    # times a biased compartment, less than half of what two products differ by
    raised = exact + 2.0 ** -(modes.shifts + bias_bits + 2.0)
    real, imag = bias * exact[:2]
    under = [MAGIC - real + imag, MAGIC - imag - real]
    require_room(np.abs(real) + np.abs(imag) + 4.0 * modes.limit)
    read = np.where(careful, exact[2:], raised[2:])
    brought = np.where(careful, 0.0, bias * exact[2:])
    require_room((2.0 * np.abs(brought) + modes.limit * np.abs(exact[2:]) + 1.0).sum(axis=(0, 2)))
    fields = [*raised[:2], *under, *read, *(nudges[2:] - bias)]
    records = np.stack(fields, axis=2).reshape(len(real), -1)
    from_u, from_v = brought.sum(axis=2)
    return records, MAGIC - from_u + from_v


def _find_entries(entry: Reals, light: Integers) -> tuple[Integers, Reals]:
    """Number what the input of each group is multiplied by.

    Gives ``table``, and these powers of two (groups, most entries, LANES).
    """
    groups = _by_group(entry)  # (groups, N, LANES)
    found = [np.unique(group, axis=0, return_inverse=True) for group in groups]
    most = max(len(scales) for scales, _ in found)
    table = np.zeros((len(groups), 2 + groups.shape[1]), dtype=np.int64)
    entries = np.zeros((len(groups), most, LANES))
    for g, (scales, numbers) in enumerate(found):
        table[g, 0], table[g, 1], table[g, 2:] = len(scales), light[g], numbers.ravel()
        entries[g, : len(scales)] = scales
    return table, entries


def _by_group(values: Any) -> Any:
    """Turn (H, n) into (groups, n, LANES); H is a multiple of LANES."""
    return values.reshape(-1, LANES, values.shape[1]).swapaxes(1, 2)

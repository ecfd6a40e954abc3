"""A dendrite's coefficients as its kernel takes them, and the proof that they are exact."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from snn_deploy import fixedpoint as fp
from snn_deploy.engines.native.exactness import (
    FLOAT_MAGIC,
    FLOAT_ROOM,
    MAGIC,
    NotExactError,
    factor_and_nudge,
    require_room,
)
from snn_deploy.engines.native.library import lanes_of_doubles
from snn_deploy.engines.native.packing import pitch_of
from snn_deploy.ir.bounds import Bound, Magnitude
from snn_deploy.nodes.dendrite import Dendrite, ModeBank
from snn_deploy.nodes.mode_bounds import contribution_bound

__all__ = ["DendriteLayout", "lay_out"]

Reals = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]

# as in src/dendrite.h: modes that run together, vectors of a sum or an input of a tile, and, before
# those of its modes, the columns of a group
TILE_MODES = 4
ROOM = 130
SUMS, INPUTS, UNGUARDED = range(3)

# a coefficient of b bits, moved by 2**-2 of its last bit over a bias, must fit a double's 53
BITS_OVER_BIAS = 51
# what decides ties of doubles upwards, before input shifts of -24 … 24 and a drive's shift
INPUT_NUDGE, DRIVE_NUDGE = 2.0**-26, 0.25
_SIGNS = np.array([1.0, -1.0])[:, None, None]  # of what a readout's real and imaginary part add


@dataclass(frozen=True)
class DendriteLayout:
    """What ``run_dendrite`` reads (see ``src/dendrite.h``), and where it has a channel's modes.

    Parameters
    ----------
    numbers
        (groups, n, lanes), float32 or float64.
    table
        (groups, k).
    sums
        How many sums any group has at most.
    order
        (H, N) of the bank's modes, filled up: a channel's modes in the order they are laid out.
    """

    numbers: npt.NDArray[np.floating[Any]]
    table: Integers
    sums: int
    order: Integers

    @property
    def lanes(self) -> int:
        """Channels a group."""
        return int(self.numbers.shape[2])

    @property
    def extent(self) -> int:
        """Vectors that each group has in ``numbers``."""
        return int(self.numbers.shape[1])

    @property
    def work_size(self) -> int:
        """Doubles that the kernel needs room for."""
        most = self.sums + int(self.table[:, INPUTS].max())
        return most * ROOM * lanes_of_doubles()


@dataclass(frozen=True)
class _Modes:
    """Mantissas (4, H, N) of decay and readout, real and imaginary, their shifts, and the powers
    of two (H, N) that the input is multiplied by; H filled up to whole groups, N to whole tiles,
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


@dataclass(frozen=True)
class _Skip:
    """A dendrite's skip path, by channel (H,): the factor of its input, what is added to that
    before, and what this brings to the sum.
    """

    factor: Reals
    nudge: Reals
    offset: Reals


@dataclass(frozen=True)
class _Coefficients:
    """What the kernel's vectors hold.

    Parameters
    ----------
    rows
        (MODE, H, N).
    offset
        What the bias brings to each mode's sum, (H, N).
    bias
        The same for all compartments.
    unguarded
        (groups,): how many modes of each, the first ones, are not guarded.
    sums
        (groups, N): to which sum each mode adds.
    """

    rows: Reals
    offset: Reals
    bias: float
    unguarded: Integers
    sums: Integers


def lay_out(node: Dendrite, largest: Magnitude, bound: Bound) -> DendriteLayout:
    """Lay a dendrite out for inputs of at most ``largest``: in floats, or else in doubles.

    Raises
    ------
    NotExactError
        If doubles may not hold every number in it, either.
    """
    modes = _fill_up(node.bank)
    largest = np.pad(largest, (0, len(modes.entry) - len(largest)))
    try:
        return _lay_out_floats(node, modes, largest, bound)
    except NotExactError:
        return _lay_out_doubles(node, modes, largest, bound)


def _lay_out_floats(
    node: Dendrite, modes: _Modes, largest: Magnitude, bound: Bound
) -> DendriteLayout:
    if bound.can_exceed("state"):
        raise NotExactError
    bank, width = node.bank, node.width
    worst = np.zeros_like(modes.entry)
    worst[:width, : bank.modes] = contribution_bound(bank, largest[:width])
    skip = _float_skip(node, largest)
    order: Integers = np.argsort(modes.entry, axis=1, kind="stable")
    modes, worst = modes.taken(order), np.take_along_axis(worst, order, axis=1)
    begun = largest * np.abs(skip.factor) + np.abs(skip.offset) + 1.0
    _require_room_in_floats(begun)
    found = _float_coefficients(modes, worst, begun)
    _require_room_in_floats(modes.entry * largest[:, None] + found.bias)
    drive_nudge = 2.0 ** (node.drive_shift - 1) if node.drive_shift > 0 else 0.0
    scales = np.where(modes.entry > 0.0, modes.entry, 1.0)
    entry_nudges = np.where(scales < 1.0, 0.5 / scales, 0.0)
    # what is added must not cost what it is added to a bit
    nudged = largest + np.maximum(entry_nudges.max(axis=1), skip.nudge)
    _require_room_in_floats(np.maximum(nudged, bound.reached["sum"].max() + drive_nudge) / 4.0)
    return _assemble(node, modes.entry, entry_nudges, found, skip, drive_nudge, order)


def _lay_out_doubles(
    node: Dendrite, modes: _Modes, largest: Magnitude, bound: Bound
) -> DendriteLayout:
    filled = largest[:, None]
    require_room(filled * modes.entry + 2.0 * modes.limit, filled / INPUT_NUDGE / 4.0)
    bias_bits = _choose_bias(modes)
    order: Integers = np.lexsort((modes.entry, _exceeds(modes, bias_bits)), axis=1)
    modes = modes.taken(order)
    found = _double_coefficients(modes, bias_bits, bound.can_exceed("state"))
    factor, nudge = factor_and_nudge(node.skip_mantissa, node.skip_shift, largest[: node.width])
    missing = (0, len(largest) - node.width)
    skip = _Skip(np.pad(factor, missing), np.pad(nudge, missing), np.zeros(len(largest)))
    factor_and_nudge(1, node.drive_shift, bound.reached["sum"])
    entry_nudges = np.full_like(modes.entry, INPUT_NUDGE)
    return _assemble(node, modes.entry, entry_nudges, found, skip, DRIVE_NUDGE, order)


def _assemble(
    node: Dendrite,
    entry: Reals,
    entry_nudges: Reals,
    found: _Coefficients,
    skip: _Skip,
    drive_nudge: float,
    order: Integers,
) -> DendriteLayout:
    lanes = len(order) // len(found.unguarded)
    floats, most = lanes > lanes_of_doubles(), 1 + int(found.sums.max())
    magic, sums = FLOAT_MAGIC if floats else MAGIC, np.repeat(found.sums, lanes, axis=0)
    under = [magic - np.where(sums == i, found.offset, 0.0).sum(axis=1) for i in range(most)]
    inputs, entries = _find_entries(_by_group(np.stack([entry, entry_nudges], axis=2), lanes))
    starts = 1 + found.sums.max(axis=1), 1 + inputs.max(axis=1), found.unguarded
    bias, drive = np.full(len(order), found.bias), np.full(len(order), drive_nudge)
    head = [bias, bias - magic, skip.factor, skip.nudge, under[0] - skip.offset, drive]
    modes = found.rows.transpose(1, 2, 0).reshape(len(order), -1)
    numbers = np.concatenate([np.stack(head, 1), modes, np.stack(under, 1), entries], axis=1)
    return DendriteLayout(
        numbers=_by_group(numbers, lanes).astype(np.float32 if floats else np.float64),
        table=np.concatenate([np.stack(starts, axis=1), most + inputs, found.sums], axis=1),
        sums=most,
        order=order[: node.width],
    )


def _fill_up(bank: ModeBank) -> _Modes:
    decay_shift = np.full_like(bank.readout_shift, bank.decay_shift)
    mantissas = [bank.decay_real, bank.decay_imag, bank.readout_real, bank.readout_imag]
    shifts = [decay_shift, decay_shift, bank.readout_shift, bank.readout_shift]
    width = len(bank.decay_real)
    whole_tiles = -(-max(bank.modes, 1) // TILE_MODES) * TILE_MODES
    missing = [(0, pitch_of(width) - width), (0, whole_tiles - bank.modes)]

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


def _float_skip(node: Dendrite, largest: Magnitude) -> _Skip:
    """Give a skip path whose products round as a mode's do: its factor is odd, too, or 0."""
    mantissa, shift = node.skip_mantissa.astype(np.int64), node.skip_shift.astype(np.int64)
    used = mantissa != 0
    if np.any(used & ((mantissa % 2 == 0) | (shift < 1))):
        raise NotExactError
    missing = (0, len(largest) - node.width)
    factor = np.pad(mantissa * 2.0**-shift, missing)
    nudge = np.pad(np.where(used, 2.0 ** (shift - 1), 0.0), missing)
    return _Skip(factor, nudge, _offset(factor, nudge))


def _float_coefficients(modes: _Modes, worst: Reals, begun: Reals) -> _Coefficients:
    """Give coefficients that are odd, or 0, all with one shift: see ``src/dendrite.h``.

    ``worst`` (H, N) is the most that each mode adds to its sum, and ``begun`` (H,) what the first
    sum begins with.
    """
    used = modes.mantissas != 0
    shifts = np.unique(modes.shifts[used])
    # twice the magic number, less a bias, is a float only if that is even
    if len(shifts) > 1 or np.any(shifts < 2) or np.any(modes.mantissas[used] % 2 == 0):
        raise NotExactError
    shift = int(shifts.max(initial=2))
    bias = 2.0 ** (shift - 1)
    exact = modes.mantissas * 2.0**-shift
    real, imag, minus_imag = exact[0], exact[1], -exact[1]
    under_u = _offset(real, bias) + _offset(minus_imag, bias)
    under_v = _offset(imag, bias) + _offset(real, bias)
    product = (np.abs(real) + np.abs(imag)) * (modes.limit + bias) + 2.0
    _require_room_in_floats(product + np.maximum(np.abs(under_u), np.abs(under_v)))
    read = exact[2:] * _SIGNS
    offset = _offset(read, bias)
    worst = _by_group(worst + np.abs(offset).sum(axis=0), 2 * lanes_of_doubles())
    rows = [real, imag, minus_imag, FLOAT_MAGIC - under_u, FLOAT_MAGIC - under_v, *read]
    return _Coefficients(
        rows=np.stack([*rows, *np.zeros_like(read)]),
        offset=offset.sum(axis=0),
        bias=bias,
        unguarded=np.full(len(worst), worst.shape[1]),
        sums=_share_out(worst, begun.reshape(-1, 2 * lanes_of_doubles())),
    )


def _share_out(worst: Reals, begun: Reals) -> Integers:
    """Let modes add to as few sums as have room for what they add, (groups, N, lanes), the first
    one for what it begins with, too.
    """
    groups, _, lanes = worst.shape
    tiles = worst.reshape(groups, -1, TILE_MODES, lanes).sum(axis=2)
    _require_room_in_floats(tiles)
    numbers = np.zeros(tiles.shape[:2], dtype=np.int64)
    for g in range(groups):
        held, number = begun[g], 0
        for b in range(tiles.shape[1]):
            held = held + tiles[g, b]
            if not np.all(held < FLOAT_ROOM):
                held, number = tiles[g, b], number + 1
            numbers[g, b] = number
    return np.repeat(numbers, TILE_MODES, axis=1)


def _offset(coefficient: Reals, bias: float | Reals) -> Reals:
    """Give what a product has too much because the compartment is biased: all but the half."""
    return np.where(coefficient == 0.0, 0.0, bias * coefficient - 0.5)


def _require_room_in_floats(magnitude: Reals) -> None:
    if not np.all(magnitude < FLOAT_ROOM):
        raise NotExactError


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


def _double_coefficients(modes: _Modes, bias_bits: int, saturates: bool) -> _Coefficients:
    guarded = _by_group(_exceeds(modes, bias_bits) | saturates, lanes_of_doubles()).any(axis=2)
    unguarded = np.where(guarded.any(axis=1), guarded.argmax(axis=1), guarded.shape[1])
    unguarded -= unguarded % TILE_MODES
    guarded = np.arange(guarded.shape[1]) >= unguarded[:, None]
    guarded = np.repeat(guarded, lanes_of_doubles(), axis=0)
    bias = 2.0**bias_bits
    exact, nudges = factor_and_nudge(modes.mantissas, modes.shifts, modes.limit)
    # times a biased compartment, less than half of what two products differ by
    hair = 2.0 ** -(modes.shifts + bias_bits + 2.0)
    real, imag = bias * exact[:2]
    require_room(np.abs(real) + np.abs(imag) + 4.0 * modes.limit)
    read = np.where(guarded, 0.0, hair[2:]) + exact[2:] * _SIGNS
    offset = np.where(guarded, 0.0, bias * exact[2:] * _SIGNS)
    require_room((2.0 * np.abs(offset) + modes.limit * np.abs(exact[2:]) + 1.0).sum(axis=(0, 2)))
    rows = [
        *(exact[0] + hair[0], exact[1] + hair[1], hair[1] - exact[1]),
        *(MAGIC - real + imag, MAGIC - imag - real),
        *(*read, *(nudges[2:] * _SIGNS - bias)),
    ]
    sums = np.zeros((len(unguarded), exact.shape[2]), dtype=np.int64)
    return _Coefficients(np.stack(rows), offset.sum(axis=0), bias, unguarded, sums)


def _find_entries(entry: Reals) -> tuple[Integers, Reals]:
    """Number what the inputs of each group, (groups, N, lanes, 2), are multiplied by after what is
    added to them.

    Gives the numbers (groups, N) and, by channel, the numbers themselves, (H, 2 · most of a group).
    """
    found = [np.unique(group, axis=0, return_inverse=True) for group in entry]
    groups, _, lanes, pair = entry.shape
    entries = np.zeros((groups, max(len(values) for values, _ in found), lanes, pair))
    for g, (values, _) in enumerate(found):
        entries[g, : len(values)] = values
    numbers = np.stack([number.ravel() for _, number in found])
    return numbers, entries.swapaxes(1, 2).reshape(groups * lanes, -1)


def _by_group(values: Any, lanes: int) -> Any:
    """Turn (H, n, …) into (groups, n, lanes, …); H is a multiple of lanes."""
    return values.reshape(-1, lanes, *values.shape[1:]).swapaxes(1, 2)

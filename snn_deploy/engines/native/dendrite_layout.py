"""A dendrite as its kernel takes it, and the proof that what is around its modes is exact."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from snn_deploy import fixedpoint as fp
from snn_deploy.engines.native.dendrite_coefficients import (
    TILE_MODES,
    Coefficients,
    Modes,
    by_group,
    double_coefficients,
    float_coefficients,
    offset_of,
    once_coefficients,
)
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

# as in src/dendrite.h: vectors of a sum or an input of a tile, and, before those of its modes, the
# columns of a group
ROOM = 130
SUMS, INPUTS, UNGUARDED = range(3)

# what decides ties of doubles upwards, before input shifts of -24 … 24 and a drive's shift
INPUT_NUDGE, DRIVE_NUDGE = 2.0**-26, 0.25


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
class _Skip:
    """A dendrite's skip path, by channel (H,): the factor of its input, what is added to that
    before, and what this brings to the sum.
    """

    factor: Reals
    nudge: Reals
    offset: Reals


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
    node: Dendrite, modes: Modes, largest: Magnitude, bound: Bound
) -> DendriteLayout:
    bank, width = node.bank, node.width
    if bound.can_exceed("state") or bank.rounds_once:
        raise NotExactError
    worst = np.zeros_like(modes.entry)
    worst[:width, : bank.modes] = contribution_bound(bank, largest[:width])
    skip = _float_skip(node, largest)
    order: Integers = np.argsort(modes.entry, axis=1, kind="stable")
    modes, worst = modes.taken(order), np.take_along_axis(worst, order, axis=1)
    begun = largest * np.abs(skip.factor) + np.abs(skip.offset) + 1.0
    require_room(begun, room=FLOAT_ROOM)
    found = float_coefficients(modes, worst, begun)
    require_room(modes.entry * largest[:, None] + found.bias, room=FLOAT_ROOM)
    drive_nudge = 2.0 ** (node.drive_shift - 1) if node.drive_shift > 0 else 0.0
    scales = np.where(modes.entry > 0.0, modes.entry, 1.0)
    entry_nudges = np.where(scales < 1.0, 0.5 / scales, 0.0)
    # what is added must not cost what it is added to a bit
    nudged = largest + np.maximum(entry_nudges.max(axis=1), skip.nudge)
    require_room(
        np.maximum(nudged, bound.reached["sum"].max() + drive_nudge) / 4.0, room=FLOAT_ROOM
    )
    return _assemble(node, modes.entry, entry_nudges, found, skip, drive_nudge, order)


def _lay_out_doubles(
    node: Dendrite, modes: Modes, largest: Magnitude, bound: Bound
) -> DendriteLayout:
    filled = largest[:, None]
    require_room(filled * modes.entry + 2.0 * modes.limit, filled / INPUT_NUDGE / 4.0)
    make = once_coefficients if node.bank.rounds_once else double_coefficients
    order, found = make(modes, bound.can_exceed("state"))
    modes = modes.taken(order)
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
    found: Coefficients,
    skip: _Skip,
    drive_nudge: float,
    order: Integers,
) -> DendriteLayout:
    lanes = len(order) // len(found.unguarded)
    floats, most = lanes > lanes_of_doubles(), 1 + int(found.sums.max())
    magic, sums = FLOAT_MAGIC if floats else MAGIC, np.repeat(found.sums, lanes, axis=0)
    under = [magic - np.where(sums == i, found.offset, 0.0).sum(axis=1) for i in range(most)]
    inputs, entries = _find_entries(by_group(np.stack([entry, entry_nudges], axis=2), lanes))
    starts = 1 + found.sums.max(axis=1), 1 + inputs.max(axis=1), found.unguarded
    bias, drive = np.full(len(order), found.bias), np.full(len(order), drive_nudge)
    settle = np.full(len(order), found.settle)
    head = [bias, settle, skip.factor, skip.nudge, under[0] - skip.offset, drive]
    modes = found.rows.transpose(1, 2, 0).reshape(len(order), -1)
    numbers = np.concatenate([np.stack(head, 1), modes, np.stack(under, 1), entries], axis=1)
    return DendriteLayout(
        numbers=by_group(numbers, lanes).astype(np.float32 if floats else np.float64),
        table=np.concatenate([np.stack(starts, axis=1), most + inputs, found.sums], axis=1),
        sums=most,
        order=order[: node.width],
    )


def _fill_up(bank: ModeBank) -> Modes:
    decay_shift = np.full_like(bank.readout_shift, bank.decay_shift)
    mantissas = [bank.decay_real, bank.decay_imag, bank.readout_real, bank.readout_imag]
    shifts = [decay_shift, decay_shift, bank.readout_shift, bank.readout_shift]
    width = len(bank.decay_real)
    whole_tiles = -(-max(bank.modes, 1) // TILE_MODES) * TILE_MODES
    missing = [(0, pitch_of(width) - width), (0, whole_tiles - bank.modes)]

    def whole(values: Any) -> Integers:
        return np.pad(np.asarray(values, dtype=np.int64), missing)

    modes = Modes(
        np.stack([whole(m) for m in mantissas]),
        np.stack([whole(s) for s in shifts]),
        np.pad(2.0 ** bank.input_shift.astype(np.float64), missing),
        fp.limit_of(bank.state_bits),
    )
    if not bank.rounds_once:  # whatever the compartment, such a product rounds to 0
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
    return _Skip(factor, nudge, offset_of(factor, nudge))


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

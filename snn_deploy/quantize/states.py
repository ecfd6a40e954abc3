"""How large a neuron's words of state get over a sequence, and the units that hold them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from snn_deploy import fixedpoint as fp
from snn_deploy.errors import UnsupportedNetworkError
from snn_deploy.ir.node import Node
from snn_deploy.nodes.base import Int32

if TYPE_CHECKING:
    from snn_deploy.quantize.builder import Builder

__all__ = ["StateUnits", "pole_words", "state_units"]

Real = npt.NDArray[np.float64]

THRESHOLD_BITS = 8  # a threshold has at least so many fractional bits, or firing is guessed
SLOWEST_BITS = 4  # of a pole's distance from 1: with fewer, rounding moves it by too much of that
SETTLED = 2.0**-20  # of a bound: what comes later than this is no more
MOST_STEPS = 1 << 16  # of a recurrence, where nothing says how long sequences are
SPARE = 2.0  # times the largest state in calibration, which words hold
LEAST = 4.0  # thresholds that they hold, however quiet the calibration data were


@dataclass(frozen=True, eq=False)
class StateUnits:
    """Exponents (H,) of what a neuron reads, and of its words of state, where a threshold is 1."""

    drive: npt.NDArray[np.int64]
    state: npt.NDArray[np.int64]

    def level(self, value: Real | float) -> Int32:
        """Round what is compared with a word of state, or added to it."""
        return fp.round_half_up(value * 2.0**self.state).astype(np.int32)


def state_units(node: Node, builder: Builder, step: Real, driven: Real) -> StateUnits:
    """Choose the units of a neuron ``z' = step z + driven (x, y)``, y its spikes, 0 or 1.

    Parameters
    ----------
    step, driven
        (n, n, H) and (n, 2, H).

    Raises
    ------
    UnsupportedNetworkError
        If a state of one threshold outgrows a word within a sequence, all by itself.
    """
    source = node.inputs[0].source
    drive = builder.format_of(source).exponents(node.width)
    largest = np.stack([builder.bounds[source] * 2.0**-drive, np.ones(node.width)], axis=-1)
    turns, pushes = np.moveaxis(step, -1, 0), np.moveaxis(driven, -1, 0)
    bits = builder.config.at(node.name).state_bits
    measured = builder.ranges.states.get(node.name)
    exponents = _exponents(node, turns, pushes, largest, bits, builder.ranges.steps, measured)
    return StateUnits(drive, exponents)


def _exponents(
    node: Node,
    step: Real,
    driven: Real,
    largest: Real,
    bits: int,
    steps: int | None,
    measured: Real | None,
) -> npt.NDArray[np.int64]:
    """Give each channel's exponent of its words of state, in which a threshold is 1.

    The worst case is that of the recurrence ``z' = step z + driven x``, from 0 and over ``steps``
    steps, whatever the signs of x; spikes that reset are a part of x. Words hold it, or ``SPARE``
    times what calibration reached, where that is less: then, and where a threshold had too few bits
    left, what exceeds them is clipped, and counted.

    Parameters
    ----------
    step, driven, largest
        (H, n, n), (H, n, k), and the largest magnitudes of x, (H, k).
    bits
        Width of a word.
    steps
        Length of the longest sequences that are known; None: of any.
    measured
        (H,), the largest magnitudes of the states in calibration; None: there was none.

    Raises
    ------
    UnsupportedNetworkError
        If a state of one threshold outgrows a word within a sequence, all by itself.
    """
    limit, most = fp.limit_of(bits), MOST_STEPS if steps is None else steps
    finest = bits - 2
    coarsest = min(THRESHOLD_BITS, finest)
    worst, free = np.zeros(step.shape[:2]), np.broadcast_to(np.eye(step.shape[1]), step.shape)
    for _ in range(most):
        added = (np.abs(free @ driven) * largest[:, None]).sum(axis=-1)
        worst = worst + added
        free = free @ step
        outgrown = np.abs(free).max(axis=(1, 2)) * 2.0**coarsest > limit
        if outgrown.any():
            raise _outgrows(node, int(outgrown.argmax()), bits, steps)
        if np.all(added <= SETTLED * worst):
            break
    reach = worst.max(axis=1)
    if measured is not None:
        reach = np.minimum(reach, np.maximum(SPARE * measured, LEAST))
    room = np.log2(limit / np.maximum(reach, 2.0**-bits))
    return np.asarray(np.clip(np.floor(room), coarsest, finest), dtype=np.int64)


def pole_words(pole: npt.NDArray[np.complex128], bits: int) -> tuple[Int32, int]:
    """Give complex factors (H,) as words of ``bits`` bits, (W, 2, H), and the first ones' shift.

    Second words hold what the first ones miss, in all channels if one of them hangs on it.
    """
    parts = np.stack([pole.real, pole.imag])
    limit, shift = fp.limit_of(bits), bits - 1
    shift -= int(np.ceil(np.log2(np.abs(parts).max(initial=1.0))))
    slow = bool(np.any(1.0 - np.abs(pole) < 2.0 ** (SLOWEST_BITS - bits)))
    words: list[npt.NDArray[np.int64]] = []
    missed = parts * 2.0**shift
    for _ in range(2 if slow else 1):
        words.append(np.clip(fp.round_half_up(missed), -limit, limit))
        missed = (missed - words[-1]) * 2.0 ** (bits - 1)
    return np.stack(words).astype(np.int32), shift


def _outgrows(node: Node, channel: int, bits: int, steps: int | None) -> UnsupportedNetworkError:
    known = "sequences of any length" if steps is None else f"the {steps} steps of a sequence"
    return UnsupportedNetworkError(
        f"node '{node.name}' is unstable: the state of channel {channel} outgrows its words of "
        f"{bits} bits within {known}, whatever its spikes take away; give calibration data of "
        "shorter sequences, or run the float backends (simulate --backend float)"
    )

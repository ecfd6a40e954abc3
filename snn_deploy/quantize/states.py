"""How large a neuron's words of state get over a sequence, and the units that hold them."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from snn_deploy import fixedpoint as fp
from snn_deploy.errors import UnsupportedNetworkError
from snn_deploy.ir.node import Node

__all__ = ["state_exponents"]

Real = npt.NDArray[np.float64]

THRESHOLD_BITS = 8  # a threshold has at least so many fractional bits, or firing is guessed
SETTLED = 2.0**-20  # of a bound: what comes later than this is no more
MOST_STEPS = 1 << 16  # of a recurrence, where nothing says how long sequences are


def state_exponents(
    node: Node, step: Real, driven: Real, largest: Real, bits: int, steps: int | None
) -> npt.NDArray[np.int64]:
    """Give each channel's exponent of its words of state, in which a threshold is 1.

    The worst case is that of the recurrence ``z' = step z + driven x``, from 0 and over ``steps``
    steps, whatever the signs of x; spikes that reset are a part of x. Words hold it, unless a
    threshold had too few bits left: then what exceeds them is clipped, and counted.

    Parameters
    ----------
    step, driven, largest
        (H, n, n), (H, n, k), and the largest magnitudes of x, (H, k).
    bits
        Width of a word.
    steps
        Length of the longest sequences that are known; None: of any.

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
    room = np.log2(limit / np.maximum(worst.max(axis=1), 2.0**-bits))
    return np.asarray(np.clip(np.floor(room), coarsest, finest), dtype=np.int64)


def _outgrows(node: Node, channel: int, bits: int, steps: int | None) -> UnsupportedNetworkError:
    known = "sequences of any length" if steps is None else f"the {steps} steps of a sequence"
    return UnsupportedNetworkError(
        f"node '{node.name}' is unstable: the state of channel {channel} outgrows its words of "
        f"{bits} bits within {known}, whatever its spikes take away; give calibration data of "
        "shorter sequences, or run the float backends (simulate --backend float)"
    )

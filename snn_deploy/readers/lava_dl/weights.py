"""Loihi's weights, of nine bits of which the lowest is lost, as planes of our signed eight.

netx fits a matrix to the chip by one exponent for all of it, and makes zeros of a matrix of one
sign that is out of its range. Here every weight is kept: what no plane of eight bits holds at any
exponent is the sum of two.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from snn_deploy.readers.lava_dl.fields import Fields, IntArray

__all__ = ["Plane", "delays_of", "planes_of"]

LARGEST = 127  # what a signed weight of eight bits holds at both ends
SPLIT_BITS = 7
LARGEST_SPLIT = (LARGEST << SPLIT_BITS) - (1 << SPLIT_BITS)
LONGEST_DELAY = 62


@dataclass(frozen=True)
class Plane:
    """Weights times ``2**exponent``; ``bits`` wide, signed."""

    weight: npt.NDArray[np.int8]
    exponent: int

    @property
    def bits(self) -> int:
        """The fewest that hold them."""
        return max(2, int(np.abs(self.weight.astype(np.int64)).max(initial=0)).bit_length() + 1)


def planes_of(weight: IntArray, layer: Fields) -> tuple[Plane, ...]:
    """Give weights as one plane, or two.

    Raises
    ------
    CheckpointError
        If they are far beyond what Loihi holds.
    """
    largest = int(np.abs(weight).max(initial=0))
    if largest > LARGEST_SPLIT:
        raise layer.refused(
            f"a weight of {largest:,}, over {LARGEST_SPLIT:,}; Loihi's are -256 … 254"
        )
    exponent = max(0, largest.bit_length() - LARGEST.bit_length())
    if np.array_equal(weight >> exponent << exponent, weight) and _holds(weight >> exponent):
        return (Plane((weight >> exponent).astype(np.int8), exponent),)
    half = 1 << (SPLIT_BITS - 1)
    low = ((weight + half) & (2 * half - 1)) - half
    high = (weight - low) >> SPLIT_BITS
    return Plane(high.astype(np.int8), SPLIT_BITS), Plane(low.astype(np.int8), 0)


def _holds(weight: IntArray) -> bool:
    return bool(np.all(np.abs(weight) <= LARGEST))


def delays_of(layer: Fields, shape: tuple[int, int]) -> IntArray | None:
    """Give each synapse's delay in steps, (out, in): of one number, of each neuron that listens, of
    each that speaks, or of each synapse; None: there are none.

    Raises
    ------
    CheckpointError
        If they are of another shape, or beyond what Loihi has.
    """
    if not layer.has("delay"):
        return None
    delay = layer.integers("delay")
    if delay.min(initial=0) < 0 or delay.max(initial=0) > LONGEST_DELAY:
        raise layer.refused(
            f"delays of {delay.min()} … {delay.max()} steps; Loihi's are 0 … {LONGEST_DELAY}"
        )
    out, inputs = shape
    if delay.size == out and delay.ndim == 1:  # before the other: so does netx in a square layer
        delay = delay.reshape(out, 1)
    if delay.size not in (1, out, inputs, out * inputs) or delay.ndim > 2:
        raise layer.refused(f"delays of shape {delay.shape} for {out} × {inputs} synapses")
    return np.asarray(np.broadcast_to(delay, shape))

"""Linear recurrences that do not decay: a float network may have them, a chip may not.

A node with such a recurrence has a property ``moduli``, (H, N): those of its modes' factors from
step to step. From 1 on a mode never forgets, and over 1 it grows until the sequence ends.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from snn_deploy.ir.network import Network
from snn_deploy.ir.node import Node

__all__ = ["Unstable", "grows", "unstable_nodes"]

GROWTH = 1e4  # over a sequence, up to which a Fourier transform stays as exact as anything


@dataclass(frozen=True)
class Unstable:
    """A node of whose modes some have a modulus of 1 or more.

    Parameters
    ----------
    node
        Its name.
    count, modes
        How many such modes it has, and how many at all.
    largest
        The largest modulus.
    channel, mode
        Where the first of them is.
    """

    node: str
    count: int
    modes: int
    largest: float
    channel: int
    mode: int

    def __str__(self) -> str:
        return f"'{self.node}' ({self.count} of {self.modes} modes, largest |a| {self.largest:.9g})"


def unstable_nodes(network: Network) -> Iterator[Unstable]:
    """Give every node with modes that do not decay."""
    for node in network:
        moduli = _moduli(node)
        bad = np.argwhere(~(moduli < 1))
        if len(bad):
            channel, mode = (int(index) for index in bad[0])
            largest = float(moduli.max())
            yield Unstable(node.name, len(bad), moduli.size, largest, channel, mode)


def grows(node: Node, steps: int) -> bool:
    """Tell whether some mode grows so much over ``steps`` that its end drowns its beginning."""
    moduli = _moduli(node)
    largest = float(moduli.max(initial=0.0))
    return largest > 1 and steps * math.log(largest) > math.log(GROWTH)


def _moduli(node: Node) -> np.ndarray[Any, np.dtype[np.float64]]:
    return np.asarray(getattr(node, "moduli", np.zeros((0, 0))))

"""Weights as the kernels of synapses take them: see ``src/synapses.h``."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from snn_deploy.engines.native.library import lanes_of_doubles
from snn_deploy.engines.native.packing import pitch_of
from snn_deploy.ir.formats import SPIKE
from snn_deploy.ir.network import Network
from snn_deploy.ir.node import Node
from snn_deploy.nodes.gate import Gate
from snn_deploy.nodes.synapses import Synapses

__all__ = ["COLUMNS_IN_A_SUM", "LARGEST_SUM", "narrow_pitch", "narrow_synapses", "pair"]
__all__ += ["in_pairs", "reads_spikes", "tiled"]

LARGEST_SUM = 2**15 - 1
COLUMNS_IN_A_SUM = LARGEST_SUM // 127

LARGE_TILE, SMALL_TILE = 128, 32  # neurons
GRADED_VECTORS = 8  # of neurons that a graded message goes to at once
_BIAS = 128  # of a low byte


def reads_spikes(network: Network, node: Node) -> bool:
    """Tell whether all that reaches some synapses are spikes."""
    (source,) = network.sources(node)
    return bool(source.output == SPIKE)  # type: ignore[attr-defined]  # lowered stage


def narrow_synapses(network: Network) -> frozenset[str]:
    """Name the synapses of spikes that only gates read, which take their sums as int32."""
    read = {edge.source for n in network if not isinstance(n, Gate) for edge in n.inputs}
    synapses = network.of_kind(Synapses)
    return frozenset(
        node.name for node in synapses if reads_spikes(network, node) and node.name not in read
    )


def narrow_pitch(width: int) -> int:
    """How many doubles hold a row of 32-bit integers."""
    return pitch_of(-(-pitch_of(width) // 2))


def pair(columns: npt.NDArray[np.int8]) -> npt.NDArray[np.int8]:
    """Lay weights (inputs, outputs) out in tiles of (inputs, size): large ones, and small ones for
    the rest, the last of which ends with the outputs, and may overlap the one before.
    """
    outputs = columns.shape[1]
    whole = outputs // LARGE_TILE * LARGE_TILE
    small = SMALL_TILE if outputs >= SMALL_TILE else 2 * lanes_of_doubles()
    tiles = [(first, LARGE_TILE) for first in range(0, whole, LARGE_TILE)]
    tiles += [(min(first, outputs - small), small) for first in range(whole, outputs, small)]
    laid = []
    for first, size in tiles:
        low, high = np.split(columns[:, first : first + size].astype(np.int16), 2, axis=1)
        laid.append((low + _BIAS + 256 * high).ravel())
    return np.asarray(np.concatenate(laid).view(np.int8))


def in_pairs(columns: npt.NDArray[np.int8]) -> npt.NDArray[np.int8]:
    """Lay the weights of messages of 16 bits (inputs, outputs) out, two inputs side by side."""
    inputs, outputs = columns.shape
    rows = np.pad(columns, [(0, inputs % 2), (0, 0)]).astype(np.int16)
    pairs = np.ascontiguousarray(rows.reshape(-1, 2, outputs).swapaxes(1, 2)).view(np.int32)
    return np.asarray(tiled(pairs[..., 0], 2 * lanes_of_doubles()).view(np.int8))


def tiled(columns: npt.NDArray[Any], lanes: int) -> npt.NDArray[Any]:
    """Lay the weights of graded messages (inputs, outputs) out in tiles of (inputs, size), of
    vectors of so many outputs.
    """
    outputs = columns.shape[1]
    whole = outputs // (GRADED_VECTORS * lanes) * GRADED_VECTORS * lanes
    starts = [*range(0, whole, GRADED_VECTORS * lanes), *range(whole, outputs, lanes)]
    parts = np.split(columns, starts[1:], axis=1)
    return np.concatenate([part.ravel() for part in parts])

"""Which number format each signal gets."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np
import numpy.typing as npt

from snn_deploy.ir import float_nodes as nodes
from snn_deploy.ir.formats import Format
from snn_deploy.ir.network import Network
from snn_deploy.ir.node import Node
from snn_deploy.quantize.config import QuantizationConfig
from snn_deploy.quantize.ranges import Ranges

__all__ = ["choose_exponent", "plan_formats"]

SPREAD = 8  # a quiet channel's step is at most this many octaves below the loudest channel's


def choose_exponent(largest: npt.ArrayLike, bits: int) -> npt.NDArray[np.int64]:
    """Give the largest exponents at which magnitudes still fit ``bits`` wide signed mantissas.

    A magnitude of 0 gets the exponent of the smallest other one; all are at most ``SPREAD`` above
    the smallest exponent, so that a channel that was silent in calibration keeps some range.
    """
    magnitude = np.atleast_1d(np.asarray(largest, dtype=np.float64))
    floor = magnitude.max() * 2.0**-SPREAD or 1.0
    room = (2.0 ** (bits - 1) - 1) / np.maximum(magnitude, floor)
    return np.asarray(np.floor(np.log2(room)), dtype=np.int64)


def plan_formats(network: Network, ranges: Ranges, config: QuantizationConfig) -> dict[str, Format]:
    """Choose the format of each stream: the input, the residual stream, normalised streams.

    Signals that a residual connection adds share one format, with an exponent per channel, so that
    their sum needs no shift and loses nothing.
    """
    formats: dict[str, Format] = {}
    for members in _streams(network):
        largest = np.max([ranges[name] for name in members], axis=0) * config.headroom
        bits = _bits_of(network[members[0]], config)
        exponent = tuple(int(e) for e in choose_exponent(largest, bits))
        formats.update(dict.fromkeys(members, Format(bits, exponent)))
    return formats


def _streams(network: Network) -> Iterable[tuple[str, ...]]:
    """Partition the signals that carry real numbers by which residual connections join them."""
    group: dict[str, set[str]] = {
        node.name: {node.name}
        for node in network
        if not isinstance(node, nodes.DiagonalSsm | nodes.Lif | nodes.TokenInput)
    }
    for node in network.of_kind(nodes.Residual):
        joined = set().union(group[node.name], *(group[e.source] for e in node.inputs))
        group.update(dict.fromkeys(joined, joined))
    seen: set[str] = set()
    for node in network:
        if node.name in group and node.name not in seen:
            seen |= group[node.name]
            yield tuple(n.name for n in network if n.name in group[node.name])


def _bits_of(node: Node, config: QuantizationConfig) -> int:
    widths: Mapping[type, int] = {
        nodes.FloatInput: config.input_bits,
        nodes.Affine: config.norm_bits,
        nodes.LayerNorm: config.norm_bits,
        nodes.Readout: config.message_bits,
    }
    return widths.get(type(node), config.residual_bits)

"""From a float network's encoder to what the host computes, one function a node."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from snn_deploy.ir.formats import Format
from snn_deploy.nodes.base import Rescale
from snn_deploy.nodes.convolution import Conv1d
from snn_deploy.nodes.embedding import AdaptiveEmbedding, Embedding
from snn_deploy.nodes.embedding_table import Cluster, EmbeddingTable, Projection, Table
from snn_deploy.nodes.positional_encoding import PositionalEncoding
from snn_deploy.nodes.positions import Positions
from snn_deploy.nodes.window import Window
from snn_deploy.quantize.formats import choose_exponent
from snn_deploy.quantize.weights import round_weights

__all__ = [
    "convolution_weights",
    "convolution_window",
    "quantize_adaptive_embedding",
    "quantize_embedding",
    "quantize_positions",
]

Real = npt.NDArray[np.float64]
Gain = Callable[[Real], Rescale]
"""Represents output mantissas per unit, (width,)."""

FACTOR_BITS = 16  # of factorised tables and their projections: the host's, and small on a disk
POSITION_BITS = 32  # what a table can be stored in
ROWS_AT_ONCE = 4096  # of a table at once: that of a vocabulary is large


def quantize_embedding(node: Embedding, output: Format) -> EmbeddingTable:
    """Round a table to the output's format."""
    return EmbeddingTable(
        name=node.name,
        inputs=node.inputs,
        output=output,
        channels=node.width,
        clusters=(Cluster(_mantissas(node.table, output)),),
    )


def quantize_adaptive_embedding(
    node: AdaptiveEmbedding, output: Format, gain: Gain
) -> EmbeddingTable:
    """Round each cluster's table and projection: the product would not fit in memory."""
    pairs = zip(node.tables, node.projections, strict=True)
    return EmbeddingTable(
        name=node.name,
        inputs=node.inputs,
        output=output,
        channels=node.width,
        clusters=tuple(_factorised(table, factor, output, gain) for table, factor in pairs),
    )


def _factorised(table: Real, projection: Real, output: Format, gain: Gain) -> Cluster:
    """Round both factors; each row of the projection gets a scale of its own, as synapses do."""
    width, inner = projection.shape
    largest = np.maximum(table.max(axis=0), -table.min(axis=0))
    form = Format(FACTOR_BITS, tuple(map(int, choose_exponent(largest, FACTOR_BITS))))
    rounded = round_weights(projection * 2.0 ** -form.exponents(inner), FACTOR_BITS)
    rescale = gain(rounded.scale * 2.0 ** output.exponents(width))
    return Cluster(_mantissas(table, form), Projection(rounded.weight, rescale))


def quantize_positions(node: PositionalEncoding, source: Format, output: Format) -> Positions:
    """Round a table of positions, and bring what it is added to to the sum's exponents."""
    width = node.width
    align = (output.exponents(width) - source.exponents(width)).astype(np.int8)
    # what is added may cancel it, so a position may exceed the sum's own range
    entries = Format(POSITION_BITS, output.exponent)
    return Positions(
        name=node.name,
        inputs=node.inputs,
        output=output,
        channels=width,
        table=_mantissas(node.table, entries),
        align=align if align.any() else None,
    )


def convolution_window(node: Conv1d, source: Format) -> Window:
    """Put the steps that a convolution looks at side by side."""
    _, channels, taps = node.weight.shape
    exponent = tuple(map(int, np.tile(source.exponents(channels), taps)))
    return Window(
        name=f"{node.name}.window",
        inputs=node.inputs,
        output=Format(source.bits, exponent),
        channels=channels,
        before=(taps - 1) // 2,
        after=taps // 2,
    )


def convolution_weights(node: Conv1d) -> Real:
    """Give the weights of a convolution over its window, (out, taps · in)."""
    return node.weight.transpose(0, 2, 1).reshape(node.width, -1)


def _mantissas(table: Real, form: Format) -> Table:
    rounded = np.empty(table.shape, np.int32)
    for start in range(0, len(table), ROWS_AT_ONCE):
        rounded[start : start + ROWS_AT_ONCE] = form.encode(table[start : start + ROWS_AT_ONCE])[0]
    reach = np.iinfo(np.int16)
    fits = reach.min <= rounded.min() and rounded.max() <= reach.max
    return rounded.astype(np.int16) if fits else rounded

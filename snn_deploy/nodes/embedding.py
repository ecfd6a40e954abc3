"""Tokens to vectors: one table, or clusters of tables with projections."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np
import numpy.typing as npt

from snn_deploy.nodes.base import Rescale
from snn_deploy.nodes.float_node import FloatNode, Signal

if TYPE_CHECKING:
    from snn_deploy.engines.float_ops import Context
    from snn_deploy.quantize.builder import Builder

__all__ = ["AdaptiveEmbedding", "Embedding", "tokens_of"]

Real = npt.NDArray[np.float64]


@dataclass(frozen=True, kw_only=True, eq=False)
class Embedding(FloatNode):
    """``y[t] = table[token[t]]``; table (vocabulary, width)."""

    from_tables: ClassVar[bool] = True
    narrowable: ClassVar[tuple[str, ...]] = ("residual_bits",)

    table: Real

    @property
    def width(self) -> int:
        return int(self.table.shape[1])

    def evaluate(self, sources: Sequence[Signal], context: Context) -> Signal:
        return self.table[tokens_of(sources[0])]

    def largest(self, sources: Sequence[Signal], spiking: Sequence[bool]) -> Signal:
        return np.asarray(np.abs(self.table).max(axis=0))

    def quantize(self, builder: Builder) -> None:
        from snn_deploy.quantize.encoders import quantize_embedding

        builder.add(quantize_embedding(self, builder.formats[self.name]))


@dataclass(frozen=True, kw_only=True, eq=False)
class AdaptiveEmbedding(FloatNode):
    """``y[t] = projections[k] · tables[k][token[t] - start_k]``, k the cluster of token[t].

    Frequent tokens come first and have wide rows. tables[k] (n_k, e_k), projections[k]
    (width, e_k), scaled already; start_k = n_0 + … + n_{k-1}. (Baevski and Auli 2019)
    """

    tables: tuple[Real, ...]
    projections: tuple[Real, ...]

    @property
    def width(self) -> int:
        return int(self.projections[0].shape[0])

    @property
    def vocabulary(self) -> int:
        """How many tokens there are."""
        return sum(len(table) for table in self.tables)

    def rows(self) -> Real:
        """Give the whole table, (vocabulary, width); large for a real language model."""
        parts = zip(self.tables, self.projections, strict=True)
        return np.concatenate([table @ projection.T for table, projection in parts])

    from_tables: ClassVar[bool] = True

    def evaluate(self, sources: Sequence[Signal], context: Context) -> Signal:
        tokens = tokens_of(sources[0])
        out = np.empty((*tokens.shape, self.width))
        start = 0
        for table, projection in zip(self.tables, self.projections, strict=True):
            here = (tokens >= start) & (tokens < start + len(table))
            out[here] = table[tokens[here] - start] @ projection.T
            start += len(table)
        return out

    def largest(self, sources: Sequence[Signal], spiking: Sequence[bool]) -> Signal:
        return _largest_rows(self)

    def quantize(self, builder: Builder) -> None:
        from snn_deploy.quantize.encoders import quantize_adaptive_embedding

        output = builder.formats[self.name]

        def gain(value: Real) -> Rescale:
            return builder.gain(self.name, value, np.zeros(self.width), output)

        builder.add(quantize_adaptive_embedding(self, output, gain))


def tokens_of(signal: Signal) -> npt.NDArray[np.int64]:
    """Give tokens (B, L) as integers."""
    return signal[..., 0].astype(np.int64)


def _largest_rows(node: AdaptiveEmbedding) -> Real:
    """Bound an adaptive embedding by every row of its table, some rows at a time.

    In single precision, widened by more than its rounding.
    """
    largest = np.zeros(node.width)
    for table, projection in zip(node.tables, node.projections, strict=True):
        factor = projection.T.astype(np.float32)
        for start in range(0, len(table), 4096):
            rows = table[start : start + 4096].astype(np.float32) @ factor
            np.maximum(largest, np.abs(rows, out=rows).max(axis=0), out=largest)
    return largest * (1.0 + 2.0**-12)

"""EmbeddingTable: tokens to vectors, on the host."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from snn_deploy import fixedpoint as fp
from snn_deploy.errors import DataError
from snn_deploy.ir.bounds import Bound, Magnitude, rescaled_bound, saturating
from snn_deploy.ir.network import Network
from snn_deploy.ir.node import Channels
from snn_deploy.ir.program_bounds import Interval
from snn_deploy.nodes.base import IntArray, IntegerNode, Place, Rescale, check_rescale
from snn_deploy.nodes.rules import MAX_FACTOR_BITS, require, require_entries, require_shape

__all__ = ["Cluster", "EmbeddingTable", "Projection", "Table", "largest_entries"]

Int16 = npt.NDArray[np.int16]
Table = npt.NDArray[np.int16] | npt.NDArray[np.int32]
"""Mantissas in the narrowest of the two types that holds them."""


@dataclass(frozen=True)
class Projection:
    """``sat(ms(weight · row, mantissa, shift) + bias)``, at the output's width.

    weight (width, e); mantissa, shift and bias (width,) are the fields of ``rescale``.
    """

    weight: Int16
    rescale: Rescale


@dataclass(frozen=True)
class Cluster:
    """What stands for some tokens that follow each other: ``row(i) = table[i]``.

    table (n, width) in the output's mantissas; with a ``projection`` (n, e), any numbers, and
    ``row(i) = projection(table[i])``.
    """

    table: Table
    projection: Projection | None = None


@dataclass(frozen=True, kw_only=True, eq=False)
class EmbeddingTable(Channels, IntegerNode):
    """``y[t] = row(x[t] - start)`` of the cluster that token x[t] belongs to.

    Cluster k holds the tokens from ``start_k = n_0 + … + n_{k-1}`` on, n_k the rows of its table:
    see :class:`Cluster`. It reads the input, x (1,).
    """

    places = ("host",)
    reads_tokens = True

    clusters: tuple[Cluster, ...]

    @property
    def input_width(self) -> int:
        return 1

    @property
    def does(self) -> str:
        factors = " + ".join(f"{len(c.table)} × {c.table.shape[1]}" for c in self.clusters)
        projected = any(cluster.projection is not None for cluster in self.clusters)
        return f"table {factors}" + (f", projected to {self.width}" if projected else "")

    @property
    def vocabulary(self) -> int:
        """How many tokens there are."""
        return sum(len(cluster.table) for cluster in self.clusters)

    def check(self, network: Network) -> None:
        require(bool(self.clusters), self, "has no table")
        for cluster in self.clusters:
            self._check_cluster(cluster)
        (tokens,) = self.source_formats(network)
        require(
            tokens.exponent == 0 and not tokens.signed and self.vocabulary <= tokens.limit + 1,
            self,
            f"reads {tokens}, which does not stand for tokens 0 … {self.vocabulary - 1}",
        )

    def _check_cluster(self, cluster: Cluster) -> None:
        projection = cluster.projection
        bits = self.output.bits if projection is None else MAX_FACTOR_BITS
        require_entries(self, cluster.table, bits)
        rows, inner = cluster.table.shape
        if projection is None:
            require_shape(self, "a table", cluster.table, (rows, self.width))
        else:
            require_shape(self, "a projection", projection.weight, (self.width, inner))
            check_rescale(self, projection.rescale, self.width)

    def stepwise(self) -> tuple[IntegerNode, ...]:
        from snn_deploy.nodes.token_rows import rows_and_sums

        return rows_and_sums(self)

    def run(self, sources: Sequence[IntArray], place: Place) -> tuple[IntArray, int]:
        """Look tokens (B, L, 1) up."""
        self.check_tokens(sources[0])
        token = sources[0][..., 0]
        y = np.empty((*token.shape, self.width), dtype=np.int64)
        start = clipped = 0
        for cluster in self.clusters:
            here = (token >= start) & (token < start + len(cluster.table))
            y[here], count = self._rows(cluster, token[here] - start)
            start, clipped = start + len(cluster.table), clipped + count
        return y, clipped

    def _rows(self, cluster: Cluster, index: IntArray) -> tuple[IntArray, int]:
        row = cluster.table[index].astype(np.int64)
        if cluster.projection is None:
            return row, 0
        rescale = cluster.projection.rescale
        total = fp.dot(row, cluster.projection.weight.T)
        scaled = fp.multiply_shift(total, rescale.mantissa, rescale.shift) + rescale.bias
        return fp.saturate(scaled, self.output.bits)

    def check_inputs(self, inputs: IntArray, first: int) -> None:
        self.check_tokens(inputs)

    def check_tokens(self, tokens: IntArray) -> None:
        """Refuse tokens that the table does not have.

        Raises
        ------
        DataError
            Naming one, and the vocabulary.
        """
        for token in (int(tokens.min(initial=0)), int(tokens.max(initial=0))):
            if not 0 <= token < self.vocabulary:
                raise DataError(
                    f"{self.name}: a token {token}, but the network knows only 0 … "
                    f"{self.vocabulary - 1}"
                )

    def bound(self, sources: Sequence[Interval]) -> Bound:
        output, product = np.zeros((2, self.width))
        for cluster in self.clusters:
            row = entering = largest_entries(cluster.table)
            if cluster.projection is not None:
                total = np.abs(cluster.projection.weight.astype(np.float64)) @ row
                row, entering = rescaled_bound(total, cluster.projection.rescale)
            output, product = np.maximum(output, row), np.maximum(product, entering)
        return saturating(self.output.limit, output, product)


def largest_entries(table: npt.NDArray[Any]) -> Magnitude:
    """Give the largest magnitude of each column, without a copy of a large table."""
    high, low = table.max(axis=0), table.min(axis=0)
    return np.asarray(np.maximum(high.astype(np.float64), -low.astype(np.float64)))

"""What an EmbeddingTable becomes where no host computes it: rows, and sums of projected ones.

No file and no user names these kinds, so they are not listed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce
from operator import add
from typing import Any

import numpy as np

from snn_deploy.ir.formats import Edge, Format
from snn_deploy.ir.node import Channels
from snn_deploy.ir.program import Tracer, Value, clip, lookup, saturate, select, weighted_sum
from snn_deploy.nodes.base import IntegerNode, rescaled
from snn_deploy.nodes.embedding_table import Cluster, EmbeddingTable, Table
from snn_deploy.nodes.rules import MAX_FACTOR_BITS

__all__ = ["rows_and_sums"]

WEIGHT_BITS = 16  # of a projection


def rows_and_sums(node: EmbeddingTable) -> tuple[IntegerNode, ...]:
    """Give nodes with steps of their own that compute the same; the last one has its name."""
    tables = [cluster.table for cluster in node.clusters]
    if all(cluster.projection is None for cluster in node.clusters):
        whole: Any = np.concatenate(tables)
        return (_TokenRows(name=node.name, inputs=node.inputs, output=node.output, table=whole),)
    starts = np.cumsum([0, *map(len, tables)])
    rows = tuple(
        _TokenRows(
            name=f"{node.name}.rows{number}",
            inputs=node.inputs,
            output=node.output if cluster.projection is None else Format(MAX_FACTOR_BITS, 0),
            table=cluster.table,
            first=int(start),
        )
        for number, (cluster, start) in enumerate(zip(node.clusters, starts, strict=False))
    )
    sums = _ClusterSums(
        name=node.name,
        inputs=(*node.inputs, *(Edge(row.name) for row in rows)),
        output=node.output,
        channels=node.width,
        clusters=node.clusters,
    )
    return (*rows, sums)


@dataclass(frozen=True, kw_only=True, eq=False)
class _TokenRows(IntegerNode):
    """``y[t] = table[x[t] - first]``, and 0 where that is no row; x (1,), table (n, width)."""

    clips = False

    table: Table
    first: int = 0

    @property
    def width(self) -> int:
        return int(self.table.shape[1])

    @property
    def input_width(self) -> int:
        return 1

    def step(self, t: Tracer) -> Value:
        token = t.input(part=(0, 1))
        last = self.first + len(self.table) - 1
        known = clip(token, self.first, last)
        channel = t.parameter("channel", np.arange(self.width), MAX_FACTOR_BITS)
        place = (known - self.first) * self.width + channel
        table = t.table("table", self.table.reshape(-1), self.output.bits)
        return select(known.equals(token), lookup(table, place), 0)


@dataclass(frozen=True, kw_only=True, eq=False)
class _ClusterSums(Channels, IntegerNode):
    """``y = Σ_k [x is of cluster k] · row_k``, with a projection ``sat(ms(weight_k · row_k,
    mantissa_k, shift_k) + bias_k)`` instead of ``row_k``.

    It reads the token, x (1,), and each cluster's :class:`_TokenRows`.
    """

    ports = None

    clusters: Sequence[Cluster]

    def step(self, t: Tracer) -> Value:
        token, start, parts = t.input(0, part=(0, 1)), 0, []
        for number, cluster in enumerate(self.clusters):
            stop = start + len(cluster.table)
            row = t.input(number + 1)
            if cluster.projection is not None:
                of = f"{number}."
                weight = t.table(f"{of}weight", cluster.projection.weight, WEIGHT_BITS)
                total = weighted_sum(weight, row)
                full = rescaled(t, total, cluster.projection.rescale, self.output.bits, of=of)
                here = clip(token, start, stop - 1).equals(token)
                row = select(here, saturate(full, self.output.bits, "output"), 0)
            parts.append(row)
            start = stop
        return reduce(add, parts)

"""Nodes of the integer stages that the host computes as it encodes: tables, positions, windows.

Their equations are integers like all others (see ``integer_nodes``); what they need, a table of a
vocabulary or steps that are still to come, is nothing that a core has. What the host computes is
all from the input to the last of them, see ``ir/host.py``.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from snn_deploy.ir.integer_nodes import Int8, IntegerNode, Rescale

__all__ = ["Cluster", "EmbeddingTable", "Positions", "Projection", "Table", "Window"]

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
class EmbeddingTable(IntegerNode):
    """``y[t] = row(x[t] - start)`` of the cluster that token x[t] belongs to.

    Cluster k holds the tokens from ``start_k = n_0 + … + n_{k-1}`` on, n_k the rows of its table:
    see :class:`Cluster`. It reads the input, x (1,).
    """

    channels: int
    clusters: tuple[Cluster, ...]

    @property
    def width(self) -> int:
        return self.channels

    @property
    def vocabulary(self) -> int:
        """How many tokens there are."""
        return sum(len(cluster.table) for cluster in self.clusters)


@dataclass(frozen=True, kw_only=True, eq=False)
class Positions(IntegerNode):
    """``y[t] = sat((x[t] << align) + table[t])``; a negative ``align`` is a right shift.

    table (max_steps, width) in the output's mantissas, which may exceed its range: longer sequences
    are refused. align (width,), -47 … 24, or None for no shifts.
    """

    channels: int
    table: Table
    align: Int8 | None = None

    @property
    def width(self) -> int:
        return self.channels


@dataclass(frozen=True, kw_only=True, eq=False)
class Window(IntegerNode):
    """``y[t] = [x[t - before], …, x[t], …, x[t + after]]``, x being 0 outside the sequence.

    It reads the input, x (channels,), whose format each part keeps.
    """

    channels: int
    before: int
    after: int

    @property
    def steps(self) -> int:
        """How many steps stand side by side."""
        return self.before + 1 + self.after

    @property
    def width(self) -> int:
        return self.channels * self.steps

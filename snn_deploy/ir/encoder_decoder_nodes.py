"""Float nodes of the less common encoders and decoders; the rest is in ``float_nodes``.

Most of them belong on the host: a chip sees only what comes out of, or goes into, them.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import numpy.typing as npt

from snn_deploy.ir.node import Node

__all__ = [
    "AdaptiveEmbedding",
    "AdaptiveLogSoftmax",
    "Conv1d",
    "CumulativeReadout",
    "FirstSteps",
    "PositionalEncoding",
    "RetrievalHead",
]

Real = npt.NDArray[np.float64]


@dataclass(frozen=True, kw_only=True, eq=False)
class PositionalEncoding(Node):
    """``y[t] = x[t] + table[t]``; table (max_steps, width). Longer sequences are refused."""

    table: Real

    @property
    def width(self) -> int:
        return int(self.table.shape[1])


@dataclass(frozen=True, kw_only=True, eq=False)
class Conv1d(Node):
    """``y[t] = Σ_k weight[:, :, k] · x[t + k - before] + bias``, as many steps out as in.

    x is 0 outside the sequence; before = (K - 1) // 2, so K // 2 steps of the future are read.
    weight (out, in, K), bias (out,).
    """

    weight: Real
    bias: Real

    @property
    def width(self) -> int:
        return int(self.weight.shape[0])


@dataclass(frozen=True, kw_only=True, eq=False)
class AdaptiveEmbedding(Node):
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


@dataclass(frozen=True, kw_only=True, eq=False)
class CumulativeReadout(Node):
    """``y[t] = weight · r[t] + bias``, ``r[t] = Σ_{j ≤ t} x[j]``: a sum that speaks at every step.

    With ``divide_by_channel`` channel i of r is divided by ``L - H + 1 + i``, L the number of valid
    steps: what S4's decoder does for ``mode: pool`` with as many output steps as channels, where a
    mean over time was meant. weight (classes, H), bias (classes,); ``use_lengths`` as in Readout.
    """

    weight: Real
    bias: Real
    use_lengths: bool = False
    divide_by_channel: bool = False

    @property
    def width(self) -> int:
        return int(self.weight.shape[0])

    def at_length(self, steps: int) -> CumulativeReadout:
        """Give what it is for sequences of ``steps`` valid steps, the division in its weights."""
        channels = self.weight.shape[1]
        divisor = steps - channels + 1.0 + np.arange(channels)
        return replace(self, weight=self.weight / divisor, divide_by_channel=False)


@dataclass(frozen=True, kw_only=True, eq=False)
class FirstSteps(Node):
    """``y = x[0 … count - 1]``: the first steps are the answer. Fewer are refused."""

    channels: int
    count: int

    @property
    def width(self) -> int:
        return self.channels


@dataclass(frozen=True, kw_only=True, eq=False)
class RetrievalHead(Node):
    """Compares two documents: a multilayer perceptron on their pooled features, on the host.

    Of 2 B pooled vectors, a is the first B and b the second B. ``f = [a, b, a - b, a * b]`` with
    ``differences``, else ``[a, b]``; y = the layers on f, ``activation`` between them (``gelu`` is
    the exact one, x Φ(x)). weights[k] (out_k, in_k), biases[k] (out_k,); in_0 = 4 H or 2 H.
    """

    weights: tuple[Real, ...]
    biases: tuple[Real, ...]
    activation: Literal["relu", "gelu"]
    differences: bool

    @property
    def width(self) -> int:
        return int(self.weights[-1].shape[0])


@dataclass(frozen=True, kw_only=True, eq=False)
class AdaptiveLogSoftmax(Node):
    """Log-probabilities of a large vocabulary in clusters, on the host.

    Scores of cluster k: ``s_k = weights[k] · projections[k]ᵀ x + biases[k]``. The head is
    ``log softmax([s_0, cluster_weight · projections[0]ᵀ x + cluster_bias])`` and gives cluster 0's
    tokens directly; a token of cluster k ≥ 1 has ``head[-k] + log softmax(s_k)``: the clusters'
    columns stand in reversed order. weights[k] (n_k, e_k), projections[k] (H, e_k), biases[k]
    (n_k,), cluster_weight (K - 1, e_0). (Grave et al. 2017, as coded in Transformer-XL and S4)
    """

    weights: tuple[Real, ...]
    biases: tuple[Real, ...]
    projections: tuple[Real, ...]
    cluster_weight: Real
    cluster_bias: Real

    @property
    def width(self) -> int:
        return sum(len(weight) for weight in self.weights)

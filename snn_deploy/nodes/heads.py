"""What the host computes on an answer: picked steps, compared documents, vocabularies."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal

import numpy as np
import numpy.typing as npt

from snn_deploy.errors import DataError
from snn_deploy.nodes.float_node import FloatNode, Signal
from snn_deploy.nodes.gelu import gelu

if TYPE_CHECKING:
    from snn_deploy.engines.float_ops import Context

__all__ = ["AdaptiveLogSoftmax", "FirstSteps", "RetrievalHead"]

Real = npt.NDArray[np.float64]


@dataclass(frozen=True, kw_only=True, eq=False)
class FirstSteps(FloatNode):
    """``y = x[0 … count - 1]``: the first steps are the answer. Fewer are refused."""

    channels: int
    count: int

    @property
    def first_steps(self) -> int:
        return self.count

    @property
    def width(self) -> int:
        return self.channels

    def evaluate(self, sources: Sequence[Signal], context: Context) -> Signal:
        steps = sources[0].shape[1]
        if steps < self.count:
            raise DataError(
                f"{self.name}: sequences have {steps} steps, but the answer is the first "
                f"{self.count}; give longer sequences, or convert with fewer --output-steps"
            )
        return sources[0][:, : self.count]


@dataclass(frozen=True, kw_only=True, eq=False)
class RetrievalHead(FloatNode):
    """Compares two documents: a multilayer perceptron on their pooled features, on the host.

    Of 2 B pooled vectors, a is the first B and b the second B. ``f = [a, b, a - b, a * b]`` with
    ``differences``, else ``[a, b]``; y = the layers on f, ``activation`` between them (``gelu`` is
    the exact one, x Φ(x)). weights[k] (out_k, in_k), biases[k] (out_k,); in_0 = 4 H or 2 H.
    """

    compares_pairs: ClassVar[bool] = True

    weights: tuple[Real, ...]
    biases: tuple[Real, ...]
    activation: Literal["relu", "gelu"]
    differences: bool

    @property
    def width(self) -> int:
        return int(self.weights[-1].shape[0])

    def evaluate(self, sources: Sequence[Signal], context: Context) -> Signal:
        a, b = np.split(sources[0], 2)
        features = [a, b, a - b, a * b] if self.differences else [a, b]
        hidden: Signal = np.concatenate(features, axis=-1)
        for layer, (weight, bias) in enumerate(zip(self.weights, self.biases, strict=True)):
            if layer:
                hidden = gelu(hidden) if self.activation == "gelu" else np.maximum(hidden, 0.0)
            hidden = hidden @ weight.T + bias
        return hidden


@dataclass(frozen=True, kw_only=True, eq=False)
class AdaptiveLogSoftmax(FloatNode):
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

    def evaluate(self, sources: Sequence[Signal], context: Context) -> Signal:
        (x,) = sources
        clusters = len(self.weights)
        hidden = [x @ projection for projection in self.projections]
        scores = [hidden[k] @ self.weights[k].T + self.biases[k] for k in range(clusters)]
        cluster_scores = hidden[0] @ self.cluster_weight.T + self.cluster_bias
        head = _log_softmax(np.concatenate([scores[0], cluster_scores], axis=-1))
        tails = [head[..., -k, None] + _log_softmax(scores[k]) for k in range(1, clusters)]
        return np.concatenate([head[..., : len(self.weights[0])], *tails], axis=-1)


def _log_softmax(x: Signal) -> Signal:
    shifted = x - x.max(axis=-1, keepdims=True)
    return np.asarray(shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True)))

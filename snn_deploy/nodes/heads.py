"""What the host computes on an answer: picked steps, compared documents, vocabularies."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal

import numpy as np
import numpy.typing as npt

from snn_deploy.errors import DataError
from snn_deploy.ir.node import Channels, Placement
from snn_deploy.nodes.float_node import FloatNode, Signal
from snn_deploy.nodes.gelu import gelu
from snn_deploy.nodes.rules import require, require_array

if TYPE_CHECKING:
    from snn_deploy.engines.float_ops import Context
    from snn_deploy.ir.answer import Answer

__all__ = ["AdaptiveLogSoftmax", "FirstSteps", "RetrievalHead"]

Real = npt.NDArray[np.float64]


@dataclass(frozen=True, kw_only=True, eq=False)
class FirstSteps(Channels, FloatNode):
    """``y = x[0 … count - 1]``: the first steps are the answer. Fewer are refused."""

    places: ClassVar[tuple[Placement, ...]] = ("head",)

    count: int

    @property
    def first_steps(self) -> int:
        return self.count

    @property
    def does(self) -> str:
        return f"first {self.count} steps"

    def check_head(self, answer: Answer, width: int) -> None:
        require(self.channels == width, self, f"takes {self.channels} channels, not {width}")
        require(self.count >= 1, self, f"count {self.count} is below 1")
        require(answer.steps == "all", self, "picks steps, but the answer is not all of them")

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

    places: ClassVar[tuple[Placement, ...]] = ("head",)
    compares_pairs: ClassVar[bool] = True

    weights: tuple[Real, ...]
    biases: tuple[Real, ...]
    activation: Literal["relu", "gelu"]
    differences: bool

    @property
    def width(self) -> int:
        return int(self.weights[-1].shape[0])

    @property
    def does(self) -> str:
        return "comparison of pairs"

    def check_head(self, answer: Answer, width: int) -> None:
        require(answer.steps == "one", self, "compares vectors, but the answer has steps")
        require(self.activation in ("relu", "gelu"), self, f"activation {self.activation!r}")
        layers = len(self.weights)
        require(layers >= 1, self, "has no layer")
        told = f"{layers} matrices, but {len(self.biases)} biases"
        require(layers == len(self.biases), self, told)
        reads = width * (4 if self.differences else 2)
        for k, (weight, bias) in enumerate(zip(self.weights, self.biases, strict=True)):
            require_array(self, f"weights[{k}]", weight, (None, reads))
            reads = len(weight)
            require_array(self, f"biases[{k}]", bias, (reads,))

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

    places: ClassVar[tuple[Placement, ...]] = ("head",)
    pointwise: ClassVar[bool] = True

    weights: tuple[Real, ...]
    biases: tuple[Real, ...]
    projections: tuple[Real, ...]
    cluster_weight: Real
    cluster_bias: Real

    @property
    def width(self) -> int:
        return sum(len(weight) for weight in self.weights)

    @property
    def does(self) -> str:
        return f"log-probabilities of {self.width:,} words"

    def check_head(self, answer: Answer, width: int) -> None:
        counts = (len(self.weights), len(self.biases), len(self.projections))
        require(min(counts) >= 1, self, "has no cluster")
        require(len(set(counts)) == 1, self, f"weights, biases, projections: {counts} clusters")
        for k, (weight, bias, projection) in enumerate(
            zip(self.weights, self.biases, self.projections, strict=True)
        ):
            require_array(self, f"projections[{k}]", projection, (width, None))
            require_array(self, f"weights[{k}]", weight, (None, projection.shape[1]))
            require_array(self, f"biases[{k}]", bias, (len(weight),))
        tails, size = counts[0] - 1, self.projections[0].shape[1]
        if tails:
            require_array(self, "cluster_weight", self.cluster_weight, (tails, size))
            require_array(self, "cluster_bias", self.cluster_bias, (tails,))
        else:
            require(self.cluster_weight.shape == (0, size), self, "cluster_weight is not empty")
            require(self.cluster_bias.shape == (0,), self, "cluster_bias is not empty")

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

"""What each float node computes, in PyTorch: the counterpart of ``engines/float_ops.py``.

Every function takes the node, its numbers as tensors by field name, and the signals that it reads,
(B, L, width) each, and gives the node's signal.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor

from snn_deploy.ir.node import Node
from snn_deploy.ir.pooling import Pooling
from snn_deploy.nodes.adaptive_lif import AdaptiveLif
from snn_deploy.nodes.affine import Affine
from snn_deploy.nodes.convolution import Conv1d
from snn_deploy.nodes.embedding import Embedding
from snn_deploy.nodes.float_lif import Lif
from snn_deploy.nodes.gelu import Gelu
from snn_deploy.nodes.glu import Glu
from snn_deploy.nodes.layer_norm import LayerNorm
from snn_deploy.nodes.linear import Linear
from snn_deploy.nodes.positional_encoding import PositionalEncoding
from snn_deploy.nodes.product import Product
from snn_deploy.nodes.readout import Readout
from snn_deploy.nodes.relu import Relu
from snn_deploy.nodes.residual import Residual
from snn_deploy.nodes.softmax_sum import SoftmaxSum
from snn_deploy.nodes.ssm import DiagonalSsm
from snn_deploy.nodes.ternary import Ternary
from snn_deploy.nodes.threshold import Threshold
from snn_deploy.training.kernels import convolve
from snn_deploy.training.neuron import fire, pass_gradient, surrogate, ternary_surrogate

__all__ = ["NEURONS", "OPERATIONS", "Fields"]

Fields = Mapping[str, Tensor]
Operation = Callable[[Any, Fields, list[Tensor], Tensor], Tensor]
"""(node, fields, signals, lengths (B,)) -> signal."""
Neuron = Callable[[Any, Fields, Tensor, Tensor | None], Tensor]
"""(node, fields, drive, spikes or None) -> its spikes, or those given, with a gradient."""


def _linear(node: Linear, fields: Fields, x: list[Tensor], _: Tensor) -> Tensor:
    return torch.nn.functional.linear(x[0], fields["weight"], fields["bias"])


def _embedding(node: Embedding, fields: Fields, x: list[Tensor], _: Tensor) -> Tensor:
    return torch.nn.functional.embedding(x[0], fields["table"])


def _positional_encoding(
    node: PositionalEncoding, fields: Fields, x: list[Tensor], _: Tensor
) -> Tensor:
    return x[0] + fields["table"][: x[0].shape[1]]


def _conv1d(node: Conv1d, fields: Fields, x: list[Tensor], _: Tensor) -> Tensor:
    taps = node.weight.shape[2]
    padded = torch.nn.functional.pad(x[0].transpose(1, 2), ((taps - 1) // 2, taps // 2))
    filtered = torch.nn.functional.conv1d(padded, fields["weight"], fields["bias"])
    return filtered.transpose(1, 2)


def _affine(node: Affine, fields: Fields, x: list[Tensor], _: Tensor) -> Tensor:
    return fields["scale"] * x[0] + fields["shift"]


def _layer_norm(node: LayerNorm, fields: Fields, x: list[Tensor], _: Tensor) -> Tensor:
    return torch.nn.functional.layer_norm(
        x[0], (node.width,), fields["weight"], fields["bias"], node.epsilon
    )


def _diagonal_ssm(node: DiagonalSsm, fields: Fields, x: list[Tensor], _: Tensor) -> Tensor:
    return convolve(fields, x[0])


def _glu(node: Glu, fields: Fields, x: list[Tensor], _: Tensor) -> Tensor:
    return torch.nn.functional.glu(x[0], dim=-1)


def _gelu(node: Gelu, fields: Fields, x: list[Tensor], _: Tensor) -> Tensor:
    return torch.nn.functional.gelu(x[0])


def _relu(node: Relu, fields: Fields, x: list[Tensor], _: Tensor) -> Tensor:
    return torch.relu(x[0])


def _product(node: Product, fields: Fields, x: list[Tensor], _: Tensor) -> Tensor:
    return x[0] * x[1]


def _residual(node: Residual, fields: Fields, x: list[Tensor], _: Tensor) -> Tensor:
    return x[0] + x[1]


def _readout(node: Readout, fields: Fields, x: list[Tensor], lengths: Tensor) -> Tensor:
    pooled = x[0] if node.pooling is None else _pooled(node.pooling, x[0], lengths)
    return torch.nn.functional.linear(pooled, fields["weight"], fields["bias"])


def _softmax_sum(node: SoftmaxSum, fields: Fields, x: list[Tensor], _: Tensor) -> Tensor:
    return torch.softmax(x[0], dim=-1).sum(dim=1)


def _pooled(pooling: Pooling, signal: Tensor, lengths: Tensor) -> Tensor:
    if not pooling.valid:
        lengths = torch.full_like(lengths, signal.shape[1])
    if pooling.mode == "first":
        return signal[:, 0]
    if pooling.mode == "last":
        return signal[torch.arange(len(signal)), lengths - 1]
    valid = torch.arange(signal.shape[1]) < lengths[:, None]
    total = (signal * valid[..., None]).sum(dim=1)
    return total / lengths[:, None] if pooling.mode == "mean" else total


OPERATIONS: dict[type[Node], Operation] = {
    Affine: _affine,
    Conv1d: _conv1d,
    DiagonalSsm: _diagonal_ssm,
    Embedding: _embedding,
    Gelu: _gelu,
    Glu: _glu,
    LayerNorm: _layer_norm,
    Linear: _linear,
    PositionalEncoding: _positional_encoding,
    Product: _product,
    Readout: _readout,
    Relu: _relu,
    Residual: _residual,
    SoftmaxSum: _softmax_sum,
}


def _lif(node: Lif, fields: Fields, x: Tensor, spikes: Tensor | None) -> Tensor:
    fired = fire(x.detach(), node.decay) if spikes is None else spikes
    return pass_gradient(x, fired, node.decay)


def _adaptive_lif(node: AdaptiveLif, fields: Fields, x: Tensor, spikes: Tensor | None) -> Tensor:
    """Run step by step; that a spike resets is taken as given, and has no gradient of its own."""
    alpha, beta, a, b = (fields[name] for name in ("alpha", "beta", "a", "b"))
    w = u = fired = torch.zeros_like(x[:, 0])
    potentials, sent = [], []
    for step, current in enumerate(x.unbind(dim=1)):
        w = beta * w + a * u + b * fired
        u = alpha * (u - fired) + (1 - alpha) * (current - w)
        fired = (u.detach() > 1).to(x.dtype) if spikes is None else spikes[:, step]
        potentials.append(u)
        sent.append(fired)
    return surrogate(torch.stack(potentials, dim=1) - 1.0, torch.stack(sent, dim=1))


def _threshold(node: Threshold, fields: Fields, x: Tensor, spikes: Tensor | None) -> Tensor:
    level = torch.as_tensor(node.level, dtype=x.dtype)
    if spikes is None:
        spikes = (x >= level if node.inclusive else x > level).to(x.dtype)
    return surrogate(x - level, spikes)


def _ternary(node: Ternary, fields: Fields, x: Tensor, spikes: Tensor | None) -> Tensor:
    largest = x.detach().abs().amax(dim=-1, keepdim=True)
    level = node.fraction * (largest if node.maximum is None else node.maximum)
    return ternary_surrogate(x, level, spikes)


NEURONS: dict[type[Node], Neuron] = {
    AdaptiveLif: _adaptive_lif,
    Lif: _lif,
    Ternary: _ternary,
    Threshold: _threshold,
}

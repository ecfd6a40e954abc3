"""What each float node computes, in float64: one small function a node, as its docstring says.

Every function takes the node, the signals it reads, (B, L, width) each, and the run's context, and
gives the node's signal: (B, L, width), or (B, width) from a readout that gives one vector.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from snn_deploy.engines.draws import Draws
from snn_deploy.engines.float_dynamics import (
    convolve,
    convolve_growing,
    fire_exact,
    fire_surrogate,
    kernel_spectrum,
    ssm_responses,
)
from snn_deploy.errors import BackendError, DataError
from snn_deploy.ir.encoder_decoder_nodes import (
    AdaptiveEmbedding,
    AdaptiveLogSoftmax,
    Conv1d,
    CumulativeReadout,
    FirstSteps,
    PositionalEncoding,
    RetrievalHead,
)
from snn_deploy.ir.float_nodes import (
    Affine,
    DiagonalSsm,
    DssSsm,
    Embedding,
    Glu,
    LayerNorm,
    Lif,
    Linear,
    Readout,
    Residual,
)
from snn_deploy.ir.node import Node
from snn_deploy.ir.stability import grows
from snn_deploy.nodes.gelu import gelu

__all__ = ["OPERATIONS", "Context", "Neuron", "Signal"]

Signal = npt.NDArray[np.float64]
Neuron = Literal["exact", "surrogate"]
Operation = Callable[[Any, list[Signal], "Context"], Signal]


@dataclass(frozen=True)
class Context:
    """What holds for a block of sequences: valid steps of each, int64 (B,), and the neuron.

    ``spectra``, where it is given, keeps the SSMs' spectra for the next block, by node name.
    ``draws`` are the block's random numbers.
    """

    lengths: npt.NDArray[np.int64]
    neuron: Neuron
    spectra: dict[str, npt.NDArray[np.complex128]] | None = None
    draws: Draws = field(default_factory=lambda: Draws(0, np.zeros(1, dtype=np.int64)))


def _linear(node: Linear, x: list[Signal], _: Context) -> Signal:
    y: Signal = x[0] @ node.weight.T
    y += node.bias
    return y


def _embedding(node: Embedding, x: list[Signal], _: Context) -> Signal:
    return node.table[_tokens(x[0])]


def _adaptive_embedding(node: AdaptiveEmbedding, x: list[Signal], _: Context) -> Signal:
    tokens = _tokens(x[0])
    out = np.empty((*tokens.shape, node.width))
    start = 0
    for table, projection in zip(node.tables, node.projections, strict=True):
        here = (tokens >= start) & (tokens < start + len(table))
        out[here] = table[tokens[here] - start] @ projection.T
        start += len(table)
    return out


def _positional_encoding(node: PositionalEncoding, x: list[Signal], _: Context) -> Signal:
    steps = x[0].shape[1]
    if steps > len(node.table):
        raise DataError(
            f"{node.name}: sequences have {steps} steps, but the network knows only "
            f"{len(node.table)} positions; shorten the sequences"
        )
    return x[0] + node.table[:steps]


def _conv1d(node: Conv1d, x: list[Signal], _: Context) -> Signal:
    taps = node.weight.shape[2]
    before = (taps - 1) // 2
    steps = x[0].shape[1]
    padded = np.pad(x[0], ((0, 0), (before, taps // 2), (0, 0)))
    windows = (padded[:, k : k + steps] @ node.weight[:, :, k].T for k in range(taps))
    return np.asarray(sum(windows, start=node.bias))


def _affine(node: Affine, x: list[Signal], _: Context) -> Signal:
    return node.scale * x[0] + node.shift


def _layer_norm(node: LayerNorm, x: list[Signal], _: Context) -> Signal:
    centred = x[0] - x[0].mean(axis=-1, keepdims=True)
    variance = (centred**2).mean(axis=-1, keepdims=True)
    normal: Signal = centred / np.sqrt(variance + node.epsilon)
    return normal * node.weight + node.bias


def _diagonal_ssm(node: DiagonalSsm, x: list[Signal], context: Context) -> Signal:
    steps = x[0].shape[1]
    if grows(node, steps):
        with np.errstate(over="ignore", invalid="ignore"):
            responses = ssm_responses(node, steps)
        return convolve_growing(node.name, node.d, x[0], *responses)
    kept = {} if context.spectra is None else context.spectra
    if node.name not in kept:
        kept[node.name] = kernel_spectrum(node, steps)
    return convolve(node.d, x[0], kept[node.name])


def _dss_ssm(node: DssSsm, x: list[Signal], context: Context) -> Signal:
    return _diagonal_ssm(node.at_length(x[0].shape[1]), x, context)


def _lif(node: Lif, x: list[Signal], context: Context) -> Signal:
    drive = x[0] / node.threshold
    if context.neuron == "exact":
        return fire_exact(drive, node.decay)
    if node.surrogate is None:
        raise BackendError(
            f"{node.name} has no surrogate neuron: this network was trained with the exact LIF "
            "neuron; use the backend 'float'"
        )
    return fire_surrogate(drive, node.surrogate)


def _glu(node: Glu, x: list[Signal], _: Context) -> Signal:
    value, gate = x[0][..., : node.channels], x[0][..., node.channels :]
    opened = _sigmoid(gate)
    opened *= value
    return opened


def _residual(node: Residual, x: list[Signal], _: Context) -> Signal:
    return x[0] + x[1]


def _readout(node: Readout, x: list[Signal], context: Context) -> Signal:
    signal = x[0]
    if node.mode == "every":
        return signal @ node.weight.T + node.bias
    return _pooled(node, signal, context) @ node.weight.T + node.bias


def _pooled(node: Readout, signal: Signal, context: Context) -> Signal:
    """Give one vector a sequence, (B, H)."""
    steps = signal.shape[1]
    lengths = context.lengths if node.use_lengths else np.full(len(signal), steps)
    if node.mode == "first":
        return signal[:, 0]
    if node.mode == "last":
        return np.asarray(signal[np.arange(len(signal)), lengths - 1])
    valid = np.arange(steps) < lengths[:, None]
    total: Signal = np.where(valid[..., None], signal, 0.0).sum(axis=1)
    return total / lengths[:, None] if node.mode == "mean" else total


def _cumulative_readout(node: CumulativeReadout, x: list[Signal], context: Context) -> Signal:
    running = np.cumsum(x[0], axis=1)
    if node.divide_by_channel:
        steps, channels = x[0].shape[1:]
        lengths = context.lengths if node.use_lengths else np.full(len(x[0]), steps)
        divisor = lengths[:, None] - channels + 1 + np.arange(channels)
        running = running / divisor[:, None]
    return running @ node.weight.T + node.bias


def _first_steps(node: FirstSteps, x: list[Signal], _: Context) -> Signal:
    if x[0].shape[1] < node.count:
        raise DataError(
            f"{node.name}: sequences have {x[0].shape[1]} steps, but the answer is the first "
            f"{node.count}; give longer sequences, or convert with fewer --output-steps"
        )
    return x[0][:, : node.count]


def _retrieval_head(node: RetrievalHead, x: list[Signal], _: Context) -> Signal:
    a, b = np.split(x[0], 2)
    features = [a, b, a - b, a * b] if node.differences else [a, b]
    hidden: Signal = np.concatenate(features, axis=-1)
    for layer, (weight, bias) in enumerate(zip(node.weights, node.biases, strict=True)):
        if layer:
            hidden = gelu(hidden) if node.activation == "gelu" else np.maximum(hidden, 0.0)
        hidden = hidden @ weight.T + bias
    return hidden


def _adaptive_log_softmax(node: AdaptiveLogSoftmax, x: list[Signal], _: Context) -> Signal:
    clusters = len(node.weights)
    hidden = [x[0] @ projection for projection in node.projections]
    scores = [hidden[k] @ node.weights[k].T + node.biases[k] for k in range(clusters)]
    cluster_scores = hidden[0] @ node.cluster_weight.T + node.cluster_bias
    head = _log_softmax(np.concatenate([scores[0], cluster_scores], axis=-1))
    tails = [head[..., -k, None] + _log_softmax(scores[k]) for k in range(1, clusters)]
    return np.concatenate([head[..., : len(node.weights[0])], *tails], axis=-1)


def _tokens(signal: Signal) -> npt.NDArray[np.int64]:
    return signal[..., 0].astype(np.int64)


def _sigmoid(x: Signal) -> Signal:
    # both branches stay finite for any x; in place, since signals can be large
    shrunk = np.abs(x)
    np.exp(np.negative(shrunk, out=shrunk), out=shrunk)
    numerator = np.where(x >= 0, 1.0, shrunk)
    shrunk += 1.0
    numerator /= shrunk
    return numerator


def _log_softmax(x: Signal) -> Signal:
    shifted = x - x.max(axis=-1, keepdims=True)
    return np.asarray(shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True)))


OPERATIONS: dict[type[Node], Operation] = {
    AdaptiveEmbedding: _adaptive_embedding,
    AdaptiveLogSoftmax: _adaptive_log_softmax,
    Affine: _affine,
    Conv1d: _conv1d,
    CumulativeReadout: _cumulative_readout,
    DiagonalSsm: _diagonal_ssm,
    DssSsm: _dss_ssm,
    Embedding: _embedding,
    FirstSteps: _first_steps,
    Glu: _glu,
    LayerNorm: _layer_norm,
    Lif: _lif,
    Linear: _linear,
    PositionalEncoding: _positional_encoding,
    Readout: _readout,
    Residual: _residual,
    RetrievalHead: _retrieval_head,
}

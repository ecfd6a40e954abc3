"""The reference engine: plain numpy, one small function a node, written to be read.

It is the oracle. Each function is its node's equation (``ir/integer_nodes.py``) in terms of
``fixedpoint.py``; a loop over time stands only where there is state. It runs networks of both
integer stages, so that every lowering pass can be checked to keep every bit.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from snn_deploy import fixedpoint as fp
from snn_deploy.engines.result import IntArray, Result, Run
from snn_deploy.errors import DataError
from snn_deploy.ir import host_nodes
from snn_deploy.ir import integer_nodes as nodes
from snn_deploy.ir.network import Network

__all__ = ["STEPS", "Context", "ReferenceEngine", "check_positions", "check_tokens"]


@dataclass(frozen=True)
class Context:
    """What a node's function may know beside its inputs.

    ``lengths`` (B,) counts each sequence's valid steps; ``saturated`` gathers clipped values by
    node; ``start`` is the step of the sequence that the inputs begin with.
    """

    lengths: IntArray
    saturated: dict[str, int] = field(default_factory=dict)
    start: int = 0

    def saturate(self, name: str, x: IntArray, bits: int, signed: bool = True) -> IntArray:
        clipped, count = fp.saturate(x, bits, signed)
        self.saturated[name] = self.saturated.get(name, 0) + count
        return clipped


class ReferenceEngine:
    """Runs a network node by node over whole sequences."""

    name = "reference"

    def run(self, network: Network, run: Run) -> Result:
        """Run mantissas ``run.inputs`` (B, L, d_input) through the network."""
        context = Context(run.lengths)
        signals: dict[str, IntArray] = {}
        for node in network:
            sources = [signals[edge.source] for edge in node.inputs] or [run.inputs]
            signals[node.name] = STEPS[type(node)](node, sources, context)
            run.progress(1.0 / len(network))
        return Result.collect(network, run, signals, context.saturated)


def _input(node: nodes.Input, sources: list[IntArray], context: Context) -> IntArray:
    return sources[0]


def _lookup(node: host_nodes.EmbeddingTable, sources: list[IntArray], context: Context) -> IntArray:
    check_tokens(node, sources[0])
    context.saturated.setdefault(node.name, 0)
    token = sources[0][..., 0]
    if len(node.clusters) == 1:
        return _rows(node, node.clusters[0], token, context)
    y = np.empty((*token.shape, node.width), dtype=np.int64)
    start = 0
    for cluster in node.clusters:
        here = (token >= start) & (token < start + len(cluster.table))
        y[here] = _rows(node, cluster, token[here] - start, context)
        start += len(cluster.table)
    return y


def _rows(
    node: host_nodes.EmbeddingTable, cluster: host_nodes.Cluster, index: IntArray, context: Context
) -> IntArray:
    row = cluster.table[index].astype(np.int64)
    if cluster.projection is None:
        return row
    total = _rescale(fp.dot(row, cluster.projection.weight.T), cluster.projection.rescale)
    return context.saturate(node.name, total, node.output.bits)


def check_tokens(node: host_nodes.EmbeddingTable, tokens: IntArray) -> None:
    """Refuse tokens that the table does not have.

    Raises
    ------
    DataError
        Naming one, and the vocabulary.
    """
    for token in (int(tokens.min(initial=0)), int(tokens.max(initial=0))):
        if not 0 <= token < node.vocabulary:
            raise DataError(
                f"{node.name}: a token {token}, but the network knows only 0 … "
                f"{node.vocabulary - 1}"
            )


def _positions(node: host_nodes.Positions, sources: list[IntArray], context: Context) -> IntArray:
    stop = context.start + sources[0].shape[1]
    check_positions(node, stop)
    x = sources[0] if node.align is None else fp.signed_shift(sources[0], node.align)
    return context.saturate(node.name, x + node.table[context.start : stop], node.output.bits)


def check_positions(node: host_nodes.Positions, steps: int) -> None:
    """Refuse sequences that are longer than the table.

    Raises
    ------
    DataError
        Naming both.
    """
    if steps > len(node.table):
        raise DataError(
            f"{node.name}: sequences have {steps} steps, but the network knows only "
            f"{len(node.table)} positions; shorten the sequences"
        )


def _window(node: host_nodes.Window, sources: list[IntArray], context: Context) -> IntArray:
    steps = sources[0].shape[1]
    padded = np.pad(sources[0], ((0, 0), (node.before, node.after), (0, 0)))
    return np.concatenate([padded[:, k : k + steps] for k in range(node.steps)], axis=-1)


def _synapses(node: nodes.Synapses, sources: list[IntArray], context: Context) -> IntArray:
    return fp.dot(sources[0], node.weight.T)


def _rescale(x: IntArray, rescale: nodes.Rescale) -> IntArray:
    return fp.multiply_shift(x, rescale.mantissa, rescale.shift) + rescale.bias


def _relay(node: nodes.Requantize, sources: list[IntArray], context: Context) -> IntArray:
    if node.align is not None:
        sources = [fp.signed_shift(x, align) for x, align in zip(sources, node.align, strict=True)]
    total = np.sum(sources, axis=0)
    if node.rescale is not None:
        total = _rescale(total, node.rescale)
    return context.saturate(node.name, total, node.output.bits)


def _normalize(node: nodes.Normalize, sources: list[IntArray], context: Context) -> IntArray:
    z = fp.normalize(sources[0], node.align, node.epsilon, node.square_shift, node.reciprocal_bits)
    return context.saturate(node.name, _rescale(z, node.rescale), node.output.bits)


def _linear(node: nodes.QuantizedLinear, sources: list[IntArray], context: Context) -> IntArray:
    total = _rescale(fp.dot(sources[0], node.weight.T), node.rescale)
    return context.saturate(node.name, total, node.output.bits)


def _bank(
    name: str, bank: nodes.ModeBank, x: IntArray, reversed_time: bool, context: Context
) -> IntArray:
    """Give the sum of a bank's contributions, (B, L, H), for its input x (B, L, H)."""
    batch, steps, channels = x.shape
    u = np.zeros((batch, channels, bank.modes), dtype=np.int64)
    v = np.zeros_like(u)
    drive = np.empty_like(x)
    k = bank.decay_shift
    for t in range(steps)[:: -1 if reversed_time else 1]:
        if reversed_time:
            drive[:, t] = _contribution(bank, u, v)
        entering = fp.signed_shift(x[:, t, :, None], bank.input_shift)
        u, v = (
            context.saturate(name, compartment, bank.state_bits)
            for compartment in (
                fp.multiply_shift(u, bank.decay_real, k)
                + fp.multiply_shift(v, -bank.decay_imag, k)
                + entering,
                fp.multiply_shift(u, bank.decay_imag, k) + fp.multiply_shift(v, bank.decay_real, k),
            )
        )
        if not reversed_time:
            drive[:, t] = _contribution(bank, u, v)
    return drive


def _contribution(bank: nodes.ModeBank, u: IntArray, v: IntArray) -> IntArray:
    """Give (B, H): what the modes' compartments (B, H, N) add to their channel's drive."""
    real = fp.multiply_shift(u, bank.readout_real, bank.readout_shift)
    imag = fp.multiply_shift(v, -bank.readout_imag, bank.readout_shift)
    return np.asarray((real + imag).sum(axis=-1))


def _dendrite(node: nodes.Dendrite, sources: list[IntArray], context: Context) -> IntArray:
    x = sources[0]
    drive = _bank(node.name, node.bank, x, node.reversed_time, context)
    drive += fp.multiply_shift(x, node.skip_mantissa, node.skip_shift)
    return context.saturate(node.name, fp.round_shift(drive, node.drive_shift), node.output.bits)


def _ssm(node: nodes.QuantizedSsm, sources: list[IntArray], context: Context) -> IntArray:
    x = sources[0]
    drive = _bank(node.name, node.forward, x, False, context)
    drive += fp.multiply_shift(x, node.skip_mantissa, node.skip_shift)
    if node.reverse is not None:
        drive += _bank(node.name, node.reverse, x, True, context)
    return context.saturate(node.name, fp.round_shift(drive, node.drive_shift), node.output.bits)


def _lif(node: nodes.LifSoma, sources: list[IntArray], context: Context) -> IntArray:
    drive = sources[0]
    spikes = np.empty_like(drive)
    membrane = np.zeros_like(drive[:, 0])
    for t in range(drive.shape[1]):
        spikes[:, t], membrane, count = fp.lif_step(
            membrane, drive[:, t], node.threshold, node.decay
        )
        context.saturated[node.name] = context.saturated.get(node.name, 0) + count
    return spikes


def _gated(
    node: nodes.Gate | nodes.QuantizedGlu, x: IntArray, gate: nodes.SigmoidGate, context: Context
) -> IntArray:
    value, argument = x[..., : node.width], x[..., node.width :]
    row = fp.sigmoid_index(argument, gate.index_shift, len(gate.table))
    product = fp.multiply_shift(value, gate.table.astype(np.int64)[row], gate.out_shift)
    return context.saturate(node.name, product, node.output.bits)


def _glu(node: nodes.QuantizedGlu, sources: list[IntArray], context: Context) -> IntArray:
    return _gated(node, sources[0], node.sigmoid, context)


def _gate(node: nodes.Gate, sources: list[IntArray], context: Context) -> IntArray:
    x = context.saturate(node.name, _rescale(sources[0], node.rescale), node.value_bits)
    return _gated(node, x, node.sigmoid, context)


def _accumulator(node: nodes.Accumulator, sources: list[IntArray], context: Context) -> IntArray:
    x = sources[0]
    batch, steps, _ = x.shape
    lengths = context.lengths if node.use_lengths else np.full(batch, steps)
    pooled = np.zeros_like(x)
    for b, length in enumerate(lengths):
        pooled[b, length - 1] = _pool(node, x[b, :length])
    return context.saturate(node.name, pooled, node.output.bits)


def _pool(node: nodes.Accumulator, x: IntArray) -> IntArray:
    if node.mode == "mean":
        divisor = fp.reciprocal(len(x), node.reciprocal_bits, node.headroom_bits, node.guard_bits)
        return fp.mean_from_sum(x.sum(axis=0), divisor)
    chosen = {"sum": x.sum(axis=0), "last": x[-1], "first": x[0]}[node.mode]
    return fp.signed_shift(chosen, node.guard_bits)


def _running_sum(node: nodes.RunningSum, sources: list[IntArray], context: Context) -> IntArray:
    running = fp.signed_shift(np.cumsum(sources[0], axis=1), node.guard_bits)
    return context.saturate(node.name, running, node.output.bits)


STEPS: dict[type, Callable[[Any, list[IntArray], Context], IntArray]] = {
    nodes.Input: _input,
    host_nodes.EmbeddingTable: _lookup,
    host_nodes.Positions: _positions,
    host_nodes.Window: _window,
    nodes.Synapses: _synapses,
    nodes.Requantize: _relay,
    nodes.QuantizedLinear: _linear,
    nodes.QuantizedSsm: _ssm,
    nodes.Dendrite: _dendrite,
    nodes.LifSoma: _lif,
    nodes.QuantizedGlu: _glu,
    nodes.Gate: _gate,
    nodes.Accumulator: _accumulator,
    nodes.Normalize: _normalize,
    nodes.RunningSum: _running_sum,
}

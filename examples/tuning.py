"""Scales a random network so that its neurons spike as often as trained ones do."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from snn_deploy.checkpoint import Checkpoint
from snn_deploy.converters.registry import to_float_network
from snn_deploy.engines.float_ops import Context
from snn_deploy.examples.random_spikingssm import Tensors
from snn_deploy.ir.network import Network
from snn_deploy.ir.node import Node
from snn_deploy.nodes.affine import Affine
from snn_deploy.nodes.float_lif import Lif
from snn_deploy.nodes.ssm import DiagonalSsm

__all__ = ["tune_to_spike"]

Real = npt.NDArray[np.float64]

LOW, HIGH = 0.05, 0.2  # share of steps in which a neuron's drive reaches its threshold
MOST_STEPS = 4096  # of a sequence, to tune with
EPSILON = 1e-5  # of a batch norm


def tune_to_spike(
    tensors: Tensors, config: Mapping[str, Any], inputs: npt.NDArray[Any], rng: np.random.Generator
) -> None:
    """Change, in place, every layer's C and D, and the statistics of batch norms.

    Layer by layer on one batch of inputs: norms get the statistics of what they read, and each
    channel's drive is scaled so that it reaches its threshold in a random 5 to 20 % of steps.
    """
    checkpoint = Checkpoint(Path("random"), "0" * 64, "zip", tensors, dict(config), {})
    network = to_float_network(checkpoint)
    batch = inputs[:, :MOST_STEPS].astype(np.float64)
    batch = batch[..., None] if batch.ndim == 2 else batch
    context = Context(np.full(len(batch), batch.shape[1]), "exact")
    signals: dict[str, Real] = {network.input.name: batch}
    layers = max(i for i, node in enumerate(network) if isinstance(node, Lif)) + 1
    for node in network.nodes[1:layers]:
        sources = [signals[edge.source] for edge in node.inputs]
        tuned = _tune(node, sources[0], network, tensors, context, rng)
        signals[node.name] = tuned.evaluate(sources, context)  # type: ignore[attr-defined]  # float stage


def _tune(
    node: Node,
    source: Real,
    network: Network,
    tensors: Tensors,
    context: Context,
    rng: np.random.Generator,
) -> Node:
    index = node.name.split(".")[1] if "." in node.name else ""
    if isinstance(node, Affine):
        return _normalise(node, source, tensors, f"model.norms.{index}.")
    if isinstance(node, DiagonalSsm):
        (soma,) = network.consumers(node.name)
        assert isinstance(soma, Lif)
        drive = node.evaluate([source], context) / soma.threshold
        gain = _gain(drive.reshape(-1, node.width), rng)
        return _scale(node, gain, tensors, f"model.s4_layers.{index}.")
    return node


def _normalise(node: Affine, source: Real, tensors: Tensors, key: str) -> Affine:
    mean, variance = source.mean(axis=(0, 1)), source.var(axis=(0, 1))
    tensors[f"{key}running_mean"] = mean.astype(np.float32)
    tensors[f"{key}running_var"] = variance.astype(np.float32)
    scale = tensors[f"{key}weight"] / np.sqrt(variance + EPSILON)
    return replace(node, scale=scale, shift=tensors[f"{key}bias"] - mean * scale)


def _gain(drive: Real, rng: np.random.Generator) -> Real:
    """Give factors (H,) that bring a random high quantile of each channel (steps, H) to 1."""
    share = rng.uniform(LOW, HIGH, drive.shape[1])
    sorted_drive = np.sort(drive, axis=0)
    rank = np.minimum(((1 - share) * len(drive)).astype(int), len(drive) - 1)
    reached = sorted_drive[rank, np.arange(drive.shape[1])]
    # a channel that hardly ever gets above 0 is turned over instead
    turned = -sorted_drive[len(drive) - 1 - rank, np.arange(drive.shape[1])]
    return np.where(reached >= turned, 1 / np.maximum(reached, 1e-6), -1 / np.maximum(turned, 1e-6))


def _scale(node: DiagonalSsm, gain: Real, tensors: Tensors, key: str) -> DiagonalSsm:
    stored = gain.astype(np.float32)
    tensors[f"{key}kernel.C"] *= stored[:, None, None]
    tensors[f"{key}D"] *= stored
    reverse = node.c_reverse
    return replace(
        node,
        c=node.c * gain[:, None],
        d=node.d * gain,
        c_reverse=None if reverse is None else reverse * gain[:, None],
    )

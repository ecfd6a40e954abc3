"""A network's head: the float nodes that the host computes on the chip's answer, and their rules.

A head is a chain: its first node reads the chip's answer, decoded, each other one the node before.
What comes out of the chip is integers, bit-exactly; a head is float64.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from snn_deploy.errors import NetworkError
from snn_deploy.ir.network import Network
from snn_deploy.ir.node import Node
from snn_deploy.nodes.heads import AdaptiveLogSoftmax, FirstSteps, RetrievalHead
from snn_deploy.nodes.readout import Readout

__all__ = ["HEAD", "POINTWISE", "check_head", "stored"]

HEAD: tuple[type[Node], ...] = (AdaptiveLogSoftmax, FirstSteps, Readout, RetrievalHead)
"""Nodes that a host may compute on an answer."""

POINTWISE = (AdaptiveLogSoftmax, Readout)
"""Those of them that treat every step alike."""


def check_head(network: Network) -> None:
    """Check that a network's head is a chain of nodes that a host can compute.

    Raises
    ------
    NetworkError
        Naming the node and the rule.
    """
    before: Node = network.output
    for node in network.head:
        legal = ", ".join(kind.__name__ for kind in HEAD)
        _require(isinstance(node, HEAD), node, f"a host computes {legal}, nothing else")
        _require(node.name not in network.names, node, "a node of the chip has the same name")
        reads = tuple(edge.source for edge in node.inputs)
        _require(reads == (before.name,), node, f"reads {reads}, not '{before.name}' alone")
        _require(not node.inputs[0].delay, node, "has a delay, but a host has no steps")
        _CHECKS[type(node)](network, node, before.width)
        before = node
    names = tuple(node.name for node in network.head)
    if len(set(names)) < len(names):
        raise NetworkError(f"two nodes of the head have one name: {', '.join(names)}")


def _require(condition: bool, node: Node, rule: str) -> None:
    if not condition:
        raise NetworkError(f"node '{node.name}' ({node.kind}): {rule}")


def _require_array(
    node: Node, what: str, value: npt.NDArray[Any], shape: tuple[int | None, ...]
) -> None:
    """Require finite numbers of a shape, of which None stands for any size but 0."""
    fits = len(value.shape) == len(shape) and all(
        size >= 1 if wanted is None else size == wanted
        for size, wanted in zip(value.shape, shape, strict=True)
    )
    told = " × ".join("any" if size is None else str(size) for size in shape)
    _require(fits, node, f"{what} has shape {value.shape}, not ({told})")
    _require(bool(np.isfinite(value).all()), node, f"{what} holds NaN or infinity")


def _check_first_steps(network: Network, node: FirstSteps, width: int) -> None:
    _require(node.channels == width, node, f"takes {node.channels} channels, not {width}")
    _require(node.count >= 1, node, f"count {node.count} is below 1")
    _require(network.output_steps == "all", node, "picks steps, but the answer is not all of them")


def _check_readout(network: Network, node: Readout, width: int) -> None:
    _require(node.mode == "every", node, f"mode {node.mode!r}: the chip pools, not the host")
    _require_array(node, "weight", node.weight, (None, width))
    _require_array(node, "bias", node.bias, (node.width,))


def _check_retrieval(network: Network, node: RetrievalHead, width: int) -> None:
    _require(network.output_steps == "one", node, "compares vectors, but the answer has steps")
    _require(node.activation in ("relu", "gelu"), node, f"activation {node.activation!r}")
    layers = len(node.weights)
    _require(layers >= 1, node, "has no layer")
    _require(layers == len(node.biases), node, f"{layers} matrices, but {len(node.biases)} biases")
    reads = width * (4 if node.differences else 2)
    for k, (weight, bias) in enumerate(zip(node.weights, node.biases, strict=True)):
        _require_array(node, f"weights[{k}]", weight, (None, reads))
        reads = len(weight)
        _require_array(node, f"biases[{k}]", bias, (reads,))


def _check_softmax(network: Network, node: AdaptiveLogSoftmax, width: int) -> None:
    counts = (len(node.weights), len(node.biases), len(node.projections))
    _require(min(counts) >= 1, node, "has no cluster")
    _require(len(set(counts)) == 1, node, f"weights, biases, projections: {counts} clusters")
    for k, (weight, bias, projection) in enumerate(
        zip(node.weights, node.biases, node.projections, strict=True)
    ):
        _require_array(node, f"projections[{k}]", projection, (width, None))
        _require_array(node, f"weights[{k}]", weight, (None, projection.shape[1]))
        _require_array(node, f"biases[{k}]", bias, (len(weight),))
    tails, size = counts[0] - 1, node.projections[0].shape[1]
    if tails:
        _require_array(node, "cluster_weight", node.cluster_weight, (tails, size))
        _require_array(node, "cluster_bias", node.cluster_bias, (tails,))
    else:
        _require(node.cluster_weight.shape == (0, size), node, "cluster_weight is not empty")
        _require(node.cluster_bias.shape == (0,), node, "cluster_bias is not empty")


_CHECKS: dict[type, Callable[[Network, Any, int], None]] = {
    AdaptiveLogSoftmax: _check_softmax,
    FirstSteps: _check_first_steps,
    Readout: _check_readout,
    RetrievalHead: _check_retrieval,
}


def stored(array: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Give an array as a file holds it: float64 as float32 where no number changes."""
    if array.dtype != np.float64:
        return array
    with np.errstate(over="ignore", invalid="ignore"):
        narrow = array.astype(np.float32)
    return narrow if np.array_equal(narrow, array) else array

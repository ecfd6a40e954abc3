"""A network's head: the float nodes that the host computes on the chip's answer, and their rules.

A head is a chain: its first node reads the chip's answer, decoded, each other one the node before.
What comes out of the chip is integers, bit-exactly; a head is float64.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from snn_deploy.errors import NetworkError
from snn_deploy.ir.answer import Answer
from snn_deploy.ir.network import Network
from snn_deploy.ir.node import Node
from snn_deploy.nodes.registry import legal_kinds
from snn_deploy.nodes.rules import require

__all__ = ["check_head", "head_kinds", "stored"]


def head_kinds() -> dict[str, type[Node]]:
    """Give the kinds of node that a host may compute on an answer, by name."""
    return {name: kind for name, kind in legal_kinds("float").items() if "head" in kind.places}


def check_head(network: Network) -> None:
    """Check that a network's head is a chain of nodes that a host can compute.

    Raises
    ------
    NetworkError
        Naming the node and the rule.
    """
    for answer in network.outputs.values():
        _check_chain(network, answer)
    names = tuple(node.name for node in network.head)
    if len(set(names)) < len(names):
        raise NetworkError(f"two nodes of the head have one name: {', '.join(names)}")


def _check_chain(network: Network, answer: Answer) -> None:
    before = answer.source
    for node in answer.head:
        legal = f"a host computes {', '.join(head_kinds())}, nothing else"
        require("head" in node.places, node, legal)
        require(node.name not in network.names, node, "a node of the chip has the same name")
        reads = tuple(edge.source for edge in node.inputs)
        require(reads == (before.name,), node, f"reads {reads}, not '{before.name}' alone")
        require(not node.inputs[0].delay, node, "has a delay, but a host has no steps")
        node.check_head(answer, before.width)  # type: ignore[attr-defined]  # float node
        before = node


def stored(array: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Give an array as a file holds it: float64 as float32 where no number changes."""
    if array.dtype != np.float64:
        return array
    with np.errstate(over="ignore", invalid="ignore"):
        narrow = array.astype(np.float32)
    return narrow if np.array_equal(narrow, array) else array

"""Fix the length of all sequences, where a network's weights depend on it.

A DSS kernel, and the running mean of S4's decoder, are other networks for sequences of another
length. A chip holds one of them.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

from snn_deploy.errors import UnsupportedNetworkError
from snn_deploy.ir.network import Network
from snn_deploy.ir.node import Node
from snn_deploy.nodes.float_node import FloatNode
from snn_deploy.passes.base import Pass

__all__ = ["FixLength"]


@dataclass(frozen=True)
class FixLength(Pass):
    """Every node whose weights depend on the length gets those for ``steps`` steps, padding
    included; the network then holds for that length alone.
    """

    name = "fix-length"
    takes = "float"
    gives = "float"

    steps: int | None = None

    def __call__(self, network: Network) -> Network:
        nodes: Iterable[Any] = network
        replacements: dict[str, tuple[Node, ...]] = {
            node.name: (self._fixed(node),) for node in nodes if node.depends_on_length
        }
        steps = self.steps if replacements else network.steps
        return replace(network.rewrite(replacements), steps=steps)

    def _fixed(self, node: FloatNode) -> Node:
        if self.steps is None:
            raise UnsupportedNetworkError(
                f"node '{node.name}': the weights of {node.kind} depend on how long sequences are: "
                "give calibration data (--calibration DATA.npz), padded to the length that the "
                "deployed network shall be for"
            )
        return node.at_length(self.steps)

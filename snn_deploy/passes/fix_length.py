"""Fix the length of all sequences, where a network's weights depend on it.

A DSS kernel, and the running mean of S4's decoder, are other networks for sequences of another
length. A chip holds one of them.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from snn_deploy.errors import UnsupportedNetworkError
from snn_deploy.ir.network import Network
from snn_deploy.ir.node import Node
from snn_deploy.nodes.readout import CumulativeReadout
from snn_deploy.nodes.ssm import DssSsm
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
        replacements: dict[str, tuple[Node, ...]] = {
            node.name: (self._fixed(node),)
            for node in network.of_kind(DssSsm, CumulativeReadout)
            if isinstance(node, DssSsm) or node.divide_by_channel
        }
        steps = self.steps if replacements else network.steps
        return replace(network.rewrite(replacements), steps=steps)

    def _fixed(self, node: DssSsm | CumulativeReadout) -> Node:
        if self.steps is None:
            raise UnsupportedNetworkError(
                f"node '{node.name}': the weights of {node.kind} depend on how long sequences are: "
                "give calibration data (--calibration DATA.npz), padded to the length that the "
                "deployed network shall be for"
            )
        if isinstance(node, CumulativeReadout) and node.use_lengths:
            raise UnsupportedNetworkError(
                f"node '{node.name}': a running sum that is divided by each sequence's own length "
                "(decoder mode 'pool' with several output steps and use_lengths) has no integer "
                "form; give one vector (--output-steps one), or run the float backends"
            )
        return node.at_length(self.steps)

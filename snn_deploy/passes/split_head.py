"""Part what the chip computes from what the host does on the chip's answer.

The host compares documents, takes logarithms of probabilities or adds them up, and picks the first
steps: none of it is arithmetic that a chip has. It also scores large vocabularies, whose projection
would take more of the chip than the network, and a message a token and step to leave it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from snn_deploy.ir.network import Network
from snn_deploy.passes.base import Pass

__all__ = ["SplitHead"]


@dataclass(frozen=True)
class SplitHead(Pass):
    """The last nodes move to the host's head: those that no chip can compute, and a readout of
    every step with more than ``outputs`` outputs; or as many as ``count`` says.
    """

    name = "split-head"
    takes = "float"
    gives = "float"

    outputs: int = 1024
    count: int | None = None

    def __call__(self, network: Network) -> Network:
        if len(network.outputs) > 1:  # each of them may end elsewhere: they stay the chip's
            return network
        if self.count is not None:
            return _move_to_head(network, self.count)
        count = 0
        while count < len(network) - 1 and self._is_for_host(network.nodes[-1 - count]):
            count += 1
        return _move_to_head(network, count)

    def _is_for_host(self, node: Any) -> bool:
        if "chip" not in node.places:
            return True
        return "head" in node.places and node.pointwise and node.width > self.outputs


def _move_to_head(network: Network, count: int) -> Network:
    first = len(network) - count
    moved = network.nodes[first:]
    answer = network.answer
    sums = any(node.sums_steps for node in moved)
    split = network.answering(
        steps="all" if sums else answer.steps,
        head=(*moved, *answer.head),
        valid=answer.valid or (answer.steps != "all" and answer.source.heeds_lengths),
    )
    return replace(split, nodes=network.nodes[:first])

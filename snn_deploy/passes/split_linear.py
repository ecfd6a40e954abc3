"""Split linear layers into synapses and the neuron that receives them.

The receiver scales each row's synaptic units and adds its bias: a Requantize, or, for a gated
linear unit, the Gate neuron itself.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from snn_deploy.ir.network import Network
from snn_deploy.ir.node import Node
from snn_deploy.passes.base import Pass

__all__ = ["SplitLinear"]


@dataclass(frozen=True)
class SplitLinear(Pass):
    """QuantizedLinear to Synapses and a Requantize, or, together with its QuantizedGlu, a Gate."""

    name = "split-linear"
    takes = "integer"
    gives = "integer"

    def __call__(self, network: Network) -> Network:
        replacements: dict[str, tuple[Node, ...]] = {}
        nodes: Iterable[Any] = network
        for node in nodes:
            replacements |= node.split(network)
        return network.rewrite(replacements)

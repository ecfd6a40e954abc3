"""Unroll the SSM recurrence into explicit dendrite compartments.

A causal SSM becomes one dendrite whose compartments feed the soma. A bidirectional one becomes two
dendrites, the second over the buffered sequence from its end, and a relay that adds them.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from snn_deploy.ir.network import Network
from snn_deploy.passes.base import Pass

__all__ = ["UnrollSsm"]


@dataclass(frozen=True)
class UnrollSsm(Pass):
    """QuantizedSsm to Dendrite, or to two and a Requantize."""

    name = "unroll-ssm"
    takes = "integer"
    gives = "integer"

    def __call__(self, network: Network) -> Network:
        nodes: Iterable[Any] = network
        return network.rewrite({node.name: node.unrolled() for node in nodes})

"""A graph in the making: its primitives, and the units of the network that it stands for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from snn_deploy.errors import TargetError
from snn_deploy.ir.bounds import Bound, bound_network
from snn_deploy.ir.network import Network
from snn_deploy.ir.node import Node

__all__ = ["DT", "Made", "Real", "leaky", "refused"]

Real = npt.NDArray[np.float64]
DT = 1e-4
SLOWEST = 2.0**-48  # of a state, lost in a step: with less, nothing is


@dataclass
class Made:
    """The primitives made so far; ``ends`` says where another one than its own stands for a node,
    and ``averaged`` which nodes are means over time, which a graph leaves to its reader.
    """

    network: Network
    nodes: dict[str, dict[str, Any]] = field(default_factory=dict)
    edges: list[tuple[str, str]] = field(default_factory=list)
    ends: dict[str, str] = field(default_factory=dict)
    averaged: set[str] = field(default_factory=set)
    readout: str = "last"

    def add(self, name: str, kind: str, reads: Sequence[str], **parameters: Any) -> str:
        """Add a primitive, which reads the sum of ``reads``; give its name."""
        self.nodes[name] = {"type": kind, **parameters}
        self.edges += [(source, name) for source in reads]
        return name

    def scale(self, name: str, reads: Sequence[str], scale: Real) -> str:
        """Add a gain a channel."""
        return self.add(name, "Scale", reads, scale=scale)

    def unit(self, name: str) -> Real:
        """Give the mantissas of a node's signal for 1, (width,)."""
        node: Any = self.network[name]
        return np.asarray(2.0 ** node.output.exponents(node.width))

    def delayed(self, name: str, source: str, steps: int, width: int) -> str:
        """Give what a node reads, ``steps`` before."""
        if steps == 0:
            return source
        return self.add(name, "Delay", [source], delay=np.full(width, steps * DT))

    @cached_property
    def bounds(self) -> dict[str, Bound]:
        """The worst case of every node, in mantissas."""
        return bound_network(self.network)


def leaky(tau: str, gain: str, lost: Real, whole: Real) -> dict[str, Real]:
    """Give the time constant that loses a share a step, and the factor that gains ``whole``."""
    lost = np.maximum(lost, SLOWEST)
    return {tau: DT / lost, gain: whole / lost}


def refused(node: Node, told: str) -> TargetError:
    """Give the error of a node that a graph cannot hold."""
    return TargetError(f"node '{node.name}' ({node.kind}): {told}")

"""What a value of the graph is: an array that is known, or a signal of the network."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from snn_deploy.errors import CheckpointError
from snn_deploy.ir.formats import Edge
from snn_deploy.ir.node import Node
from snn_deploy.readers.onnx.graph import Array, Operator

__all__ = ["Building", "Quantiser", "Real", "Signal", "Value", "edge"]

Real = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Quantiser:
    """How a signal is written in integers: ``value = (mantissa - zero) * scale``."""

    scale: Real
    zero: Real

    def same(self, other: Quantiser) -> bool:
        """Whether both stand for the same numbers."""
        return np.array_equal(self.scale, other.scale) and np.array_equal(self.zero, other.zero)


@dataclass(frozen=True, eq=False)
class Signal:
    """What a node of the network sends.

    Parameters
    ----------
    node
        Its name.
    lead
        Axes before ``shape``: one of sequences, or one of sequences and one of steps.
    shape
        Of a step: (channels,), or a frame (maps, …).
    positive
        Whether it is known not to be negative.
    quantised
        The integers that stand for it, if it is written so.
    """

    node: str
    lead: int
    shape: tuple[int, ...]
    positive: bool = False
    quantised: Quantiser | None = None

    @property
    def width(self) -> int:
        """Channels."""
        return int(np.prod(self.shape))

    def axis(self, number: int, operator: Operator) -> int:
        """Give which of ``shape`` an axis of the graph is; negative: one before."""
        rank = self.lead + len(self.shape)
        if not -rank <= number < rank:
            raise CheckpointError(f"{operator.where}: axis {number} of a signal of {rank} axes")
        return number % rank - self.lead


Value = Signal | Array


@dataclass
class Building:
    """The network that is being made.

    Parameters
    ----------
    readers
        By value of the graph: how often it is read.
    """

    readers: dict[str, int]
    values: dict[str, Value] = field(default_factory=dict)
    nodes: dict[str, Node] = field(default_factory=dict)
    left_out: list[str] = field(default_factory=list)
    """Where a quantiser of a signal was."""

    def add(self, node: Node) -> None:
        """Add a node."""
        self.nodes[node.name] = node

    def signal(self, operator: Operator, place: int = 0) -> Signal:
        """Give what an operator reads, which must be a signal of real numbers."""
        found = self.value(operator, place)
        if not isinstance(found, Signal):
            raise operator.refuse(f"its input {place} is an array, where a signal is wanted")
        if found.quantised is not None:
            raise operator.refuse("it works on quantised numbers: there are only real ones here")
        return found

    def array(self, operator: Operator, place: int) -> Array:
        """Give what an operator reads, which must be known."""
        found = self.value(operator, place)
        if isinstance(found, Signal):
            raise operator.refuse(f"its input {place} is a signal, where numbers are wanted")
        return found

    def reals(self, operator: Operator, place: int) -> Real:
        """Give an array as float64, refusing what is no number."""
        found = self.array(operator, place).astype(np.float64)
        if not np.isfinite(found).all():
            raise CheckpointError(f"{operator.where}: its input {place} is not all finite")
        return found

    def has(self, operator: Operator, place: int) -> bool:
        """Tell whether an operator is given an optional input."""
        return len(operator.inputs) > place and bool(operator.inputs[place])

    def value(self, operator: Operator, place: int) -> Value:
        """Give what an operator reads."""
        if not self.has(operator, place):
            raise CheckpointError(f"{operator.where}: its input {place} is missing")
        return self.values[operator.inputs[place]]

    def made(self, node: Node, signal: Signal, shape: Sequence[int] | None = None) -> Signal:
        """Add the node that an operator becomes; give its signal, of the same shape unless told."""
        self.add(node)
        shape = signal.shape if shape is None else tuple(shape)
        return Signal(node.name, signal.lead, shape)

    def alone(self, operator: Operator, place: int) -> bool:
        """Whether nothing else reads a value."""
        return self.readers[operator.inputs[place]] == 1

    def changed(self, name: str, **fields: Any) -> None:
        """Change fields of a node that is there."""
        self.nodes[name] = replace(self.nodes[name], **fields)


def edge(signal: Signal) -> tuple[Edge, ...]:
    """Give the inputs of a node that reads one signal."""
    return (Edge(signal.node),)

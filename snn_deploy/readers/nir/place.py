"""Where a primitive stands in a graph, and what it becomes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from snn_deploy.ir.formats import Edge
from snn_deploy.nodes.float_node import FloatNode
from snn_deploy.readers.nir.conventions import Conventions

__all__ = ["Made", "Place"]

Shape = tuple[int, ...]


@dataclass(frozen=True)
class Place:
    """Where a primitive stands: what it reads, of which shape, and by which conventions."""

    reads: Edge
    shape: Shape
    how: Conventions

    @property
    def width(self) -> int:
        """Channels of what it reads."""
        return int(np.prod(self.shape))

    @property
    def later(self) -> Edge:
        """What it reads, a step late where a potential gets the current of the step before."""
        late = self.how.current == "old"
        return Edge(self.reads.source, steps_back=self.reads.steps_back + late)


@dataclass(frozen=True)
class Made:
    """The nodes of a primitive, the last one with its name, and the shape of what they give."""

    nodes: Sequence[FloatNode]
    shape: Shape

"""The base of the float nodes that compute their own signal."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np
import numpy.typing as npt

from snn_deploy.ir.node import Node

if TYPE_CHECKING:
    from snn_deploy.engines.float_ops import Context

__all__ = ["FloatNode", "Signal"]

Signal = npt.NDArray[np.float64]


@dataclass(frozen=True, kw_only=True, eq=False)
class FloatNode(Node):
    """A node of the float stage: ``y = evaluate(x_0, x_1, …)``, as its own docstring says.

    ``spikes`` tells whether its signal is spikes, of either sign, rather than graded values.
    """

    spikes: ClassVar[bool] = False

    @abstractmethod
    def evaluate(self, sources: Sequence[Signal], context: Context) -> Signal:
        """Give the node's signal, (B, L, width), in float64.

        Parameters
        ----------
        sources
            The signals that it reads, (B, L, width) each, in its equation's order; not changed.
        context
            What holds for the run: valid steps, and uniform numbers for nodes that draw any.
        """

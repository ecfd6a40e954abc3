"""A table of positions, added."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np
import numpy.typing as npt

from snn_deploy.errors import DataError
from snn_deploy.nodes.float_node import FloatNode, Signal

if TYPE_CHECKING:
    from snn_deploy.engines.float_ops import Context
    from snn_deploy.quantize.builder import Builder

__all__ = ["PositionalEncoding"]

Real = npt.NDArray[np.float64]


@dataclass(frozen=True, kw_only=True, eq=False)
class PositionalEncoding(FloatNode):
    """``y[t] = x[t] + table[t]``; table (max_steps, width). Longer sequences are refused."""

    from_tables: ClassVar[bool] = True

    table: Real

    @property
    def width(self) -> int:
        return int(self.table.shape[1])

    def evaluate(self, sources: Sequence[Signal], context: Context) -> Signal:
        steps = sources[0].shape[1]
        if steps > len(self.table):
            raise DataError(
                f"{self.name}: sequences have {steps} steps, but the network knows only "
                f"{len(self.table)} positions; shorten the sequences"
            )
        return sources[0] + self.table[:steps]

    def largest(self, sources: Sequence[Signal], spiking: Sequence[bool]) -> Signal:
        return np.asarray(sources[0] + np.abs(self.table).max(axis=0))

    def quantize(self, builder: Builder) -> None:
        from snn_deploy.quantize.encoders import quantize_positions

        source = builder.format_of(self.inputs[0].source)
        builder.add(quantize_positions(self, source, builder.formats[self.name]))

"""What the outside world feeds a float network: numbers, or tokens."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from snn_deploy.ir.formats import Format
from snn_deploy.ir.node import Channels, Placement
from snn_deploy.nodes.float_node import FloatNode, Signal

if TYPE_CHECKING:
    from snn_deploy.engines.float_ops import Context
    from snn_deploy.quantize.builder import Builder

__all__ = ["CountInput", "FloatInput", "TokenInput"]


@dataclass(frozen=True, kw_only=True, eq=False)
class FloatInput(Channels, FloatNode):
    """``y[t] = inputs[t]``, (width,) real numbers a step."""

    places: ClassVar[tuple[Placement, ...]] = ("host",)
    is_input: ClassVar[bool] = True
    stream: ClassVar[str | None] = "input_bits"
    governed_by: ClassVar[str] = "input_bits"
    counts: ClassVar[bool] = False

    def evaluate(self, sources: Sequence[Signal], context: Context) -> Signal:
        return sources[0]

    def largest(self, sources: Sequence[Signal], spiking: Sequence[bool]) -> Signal:
        return sources[0]

    def quantize(self, builder: Builder) -> None:
        from snn_deploy.nodes.inputs import Input

        output = builder.formats[self.name]
        builder.add(Input(name=self.name, output=output, channels=self.channels))


@dataclass(frozen=True, kw_only=True, eq=False)
class CountInput(FloatInput):
    """``y[t] = inputs[t]``, (width,) counts of events: data may be integers."""

    counts: ClassVar[bool] = True


@dataclass(frozen=True, kw_only=True, eq=False)
class TokenInput(FloatNode):
    """``y[t] = inputs[t]``, one token of 0 … vocabulary - 1 a step."""

    places: ClassVar[tuple[Placement, ...]] = ("host",)
    is_input: ClassVar[bool] = True
    stream: ClassVar[str | None] = None
    from_tables: ClassVar[bool] = True
    reads_tokens: ClassVar[bool] = True

    vocabulary: int

    @property
    def width(self) -> int:
        return 1

    def evaluate(self, sources: Sequence[Signal], context: Context) -> Signal:
        return sources[0]

    def largest(self, sources: Sequence[Signal], spiking: Sequence[bool]) -> Signal:
        return np.full(1, float(self.vocabulary - 1))

    def quantize(self, builder: Builder) -> None:
        """Its mantissas are the tokens themselves."""
        from snn_deploy.nodes.inputs import Input

        bits = max(1, (self.vocabulary - 1).bit_length())
        builder.add(Input(name=self.name, output=Format(bits, 0, signed=False), channels=1))

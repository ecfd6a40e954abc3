"""What reads the answer out: pooled over time, at every step, or as a running sum."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar, Literal

import numpy as np
import numpy.typing as npt

from snn_deploy.errors import UnsupportedNetworkError
from snn_deploy.ir.node import Placement
from snn_deploy.ir.pooling import Pooling, PoolMode
from snn_deploy.nodes.float_node import FloatNode, Signal
from snn_deploy.nodes.rules import require, require_array

if TYPE_CHECKING:
    from snn_deploy.engines.float_ops import Context
    from snn_deploy.ir.answer import Answer
    from snn_deploy.quantize.builder import Builder

__all__ = ["CumulativeReadout", "Readout", "ReadoutMode"]

Real = npt.NDArray[np.float64]

ReadoutMode = PoolMode | Literal["every"]


@dataclass(frozen=True, kw_only=True, eq=False)
class Readout(FloatNode):
    """``y = weight · r + bias`` where r is, by ``mode``, the mean, the sum, the last or the first
    step of x over the valid steps of a sequence: one vector. ``every``: y[t] for every step.

    weight (classes, H), bias (classes,). With ``use_lengths`` only the first ``lengths`` steps of
    each sequence are valid, else all.
    """

    stream: ClassVar[str | None] = "message_bits"
    places: ClassVar[tuple[Placement, ...]] = ("chip", "head")
    narrowable: ClassVar[tuple[str, ...]] = ("weight_bits",)

    mode: ReadoutMode
    weight: Real
    bias: Real
    use_lengths: bool = False

    @property
    def width(self) -> int:
        return int(self.weight.shape[0])

    @property
    def pooling(self) -> Pooling | None:
        return None if self.mode == "every" else Pooling(self.mode, self.use_lengths)

    @property
    def heeds_lengths(self) -> bool:
        return self.mode == "every" and self.use_lengths

    @property
    def does(self) -> str:
        return f"readout of {self.width:,} outputs"

    @property
    def pointwise(self) -> bool:
        return self.mode == "every"

    @property
    def grows(self) -> bool:
        return self.mode == "sum"

    def check_head(self, answer: Answer, width: int) -> None:
        require(self.pointwise, self, f"mode {self.mode!r}: the chip pools, not the host")
        require_array(self, "weight", self.weight, (None, width))
        require_array(self, "bias", self.bias, (self.width,))

    def evaluate(self, sources: Sequence[Signal], context: Context) -> Signal:
        (signal,) = sources
        if self.pooling is None:
            return signal @ self.weight.T + self.bias
        return self.pooling.pool(signal, context.lengths) @ self.weight.T + self.bias

    def largest(self, sources: Sequence[Signal], spiking: Sequence[bool]) -> Signal:
        return np.asarray(np.abs(self.weight) @ sources[0] + np.abs(self.bias))

    def quantize(self, builder: Builder) -> None:
        from snn_deploy.quantize.readouts import quantize_readout

        quantize_readout(builder, self)


@dataclass(frozen=True, kw_only=True, eq=False)
class CumulativeReadout(FloatNode):
    """``y[t] = weight · r[t] + bias``, ``r[t] = Σ_{j ≤ t} x[j]``: a sum that speaks at every step.

    With ``divide_by_channel`` channel i of r is divided by ``L - H + 1 + i``, L the number of valid
    steps: what S4's decoder does for ``mode: pool`` with as many output steps as channels, where a
    mean over time was meant. weight (classes, H), bias (classes,); ``use_lengths`` as in Readout.
    """

    weight: Real
    bias: Real
    use_lengths: bool = False
    divide_by_channel: bool = False

    @property
    def width(self) -> int:
        return int(self.weight.shape[0])

    @property
    def heeds_lengths(self) -> bool:
        return self.use_lengths

    @property
    def depends_on_length(self) -> bool:
        return self.divide_by_channel

    def at_length(self, steps: int) -> CumulativeReadout:
        """Give what it is for sequences of ``steps`` valid steps, the division in its weights."""
        if self.use_lengths:
            raise UnsupportedNetworkError(
                f"node '{self.name}': a running sum that is divided by each sequence's own length "
                "(decoder mode 'pool' with several output steps and use_lengths) has no integer "
                "form; give one vector (--output-steps one), or run the float backends"
            )
        channels = self.weight.shape[1]
        divisor = steps - channels + 1.0 + np.arange(channels)
        return replace(self, weight=self.weight / divisor, divide_by_channel=False)

    @property
    def grows(self) -> bool:
        return True

    def evaluate(self, sources: Sequence[Signal], context: Context) -> Signal:
        running = np.cumsum(sources[0], axis=1)
        if self.divide_by_channel:
            steps, channels = sources[0].shape[1:]
            lengths = context.lengths if self.use_lengths else np.full(len(sources[0]), steps)
            divisor = lengths[:, None] - channels + 1 + np.arange(channels)
            running = running / divisor[:, None]
        return running @ self.weight.T + self.bias

    def quantize(self, builder: Builder) -> None:
        from snn_deploy.quantize.readouts import quantize_cumulative_readout

        quantize_cumulative_readout(builder, self)

"""Zeros where a sequence has ended."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from snn_deploy.nodes.float_node import Channelwise, Signal

if TYPE_CHECKING:
    from snn_deploy.engines.float_ops import Context
    from snn_deploy.quantize.builder import Builder

__all__ = ["PaddingMask"]


@dataclass(frozen=True, kw_only=True, eq=False)
class PaddingMask(Channelwise):
    """``y[t] = x[t]`` in the valid steps of a sequence, ``t < length``, and 0 in its padding."""

    def evaluate(self, sources: Sequence[Signal], context: Context) -> Signal:
        (x,) = sources
        valid = np.arange(x.shape[1]) < context.lengths[:, None]
        return x * valid[..., None]

    def largest(self, sources: Sequence[Signal], spiking: Sequence[bool]) -> Signal:
        return sources[0]

    def quantize(self, builder: Builder) -> None:
        from snn_deploy.nodes.silence import Silence

        output = builder.format_of(self.inputs[0].source)
        node = Silence(name=self.name, inputs=self.inputs, output=output, channels=self.channels)
        builder.add(node)

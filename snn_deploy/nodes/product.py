"""The element-wise product of two streams."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from snn_deploy.nodes.float_node import Channelwise, Signal

if TYPE_CHECKING:
    from snn_deploy.engines.float_ops import Context

__all__ = ["Product"]


@dataclass(frozen=True, kw_only=True, eq=False)
class Product(Channelwise):
    """``y[t] = x_0[t] * x_1[t]``, channel by channel."""

    pointwise: ClassVar[bool] = True

    def evaluate(self, sources: Sequence[Signal], context: Context) -> Signal:
        left, right = sources
        return left * right

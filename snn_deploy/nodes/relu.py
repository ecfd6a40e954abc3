"""The rectified linear unit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from snn_deploy.nodes.float_node import Channelwise, Signal

if TYPE_CHECKING:
    from snn_deploy.engines.float_ops import Context

__all__ = ["Relu"]


@dataclass(frozen=True, kw_only=True, eq=False)
class Relu(Channelwise):
    """``y = max(x, 0)``."""

    pointwise: ClassVar[bool] = True

    def evaluate(self, sources: Sequence[Signal], context: Context) -> Signal:
        return np.maximum(sources[0], 0.0)

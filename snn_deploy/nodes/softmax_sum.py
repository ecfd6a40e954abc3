"""Probabilities of every step, summed: SiLIF's readout, which the host computes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from snn_deploy.nodes.float_node import Channelwise, Signal

if TYPE_CHECKING:
    from snn_deploy.engines.float_ops import Context

__all__ = ["SoftmaxSum"]


@dataclass(frozen=True, kw_only=True, eq=False)
class SoftmaxSum(Channelwise):
    """``y = Σ_t softmax(x[t])`` over all steps, padding included: one vector a sequence."""

    def evaluate(self, sources: Sequence[Signal], context: Context) -> Signal:
        (x,) = sources
        shares = np.exp(x - x.max(axis=-1, keepdims=True))
        shares /= shares.sum(axis=-1, keepdims=True)
        return np.asarray(shares.sum(axis=1))

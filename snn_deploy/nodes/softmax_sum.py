"""Probabilities of every step, summed: SiLIF's readout, which the host computes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from snn_deploy.ir.node import Placement
from snn_deploy.nodes.float_node import Channelwise, Signal
from snn_deploy.nodes.rules import require

if TYPE_CHECKING:
    from snn_deploy.engines.float_ops import Context
    from snn_deploy.ir.answer import Answer

__all__ = ["SoftmaxSum"]


@dataclass(frozen=True, kw_only=True, eq=False)
class SoftmaxSum(Channelwise):
    """``y = Σ_t softmax(x[t])`` over all steps, padding included: one vector a sequence.

    Steps are added one after another, so that it does not matter in which chunks they come.
    """

    places: ClassVar[tuple[Placement, ...]] = ("head",)
    sums_steps: ClassVar[bool] = True

    @property
    def does(self) -> str:
        return f"probabilities of {self.width:,} classes at every step, summed"

    def check_head(self, answer: Answer, width: int) -> None:
        require(self.channels == width, self, f"takes {self.channels} channels, not {width}")
        every, last = answer.steps == "all", self is answer.head[-1]
        require(every, self, "adds up all steps, but the answer is not those")
        require(last, self, "makes one answer of a sequence, so nothing follows it")

    def evaluate(self, sources: Sequence[Signal], context: Context) -> Signal:
        return self.add(np.zeros((len(sources[0]), self.width)), sources[0])

    def add(self, total: Signal, x: Signal) -> Signal:
        """Give ``total`` (B, width) with the probabilities of more steps (B, T, width) added."""
        shares = np.exp(x - x.max(axis=-1, keepdims=True))
        shares /= shares.sum(axis=-1, keepdims=True)
        for step in range(x.shape[1]):
            total = total + shares[:, step]
        return total

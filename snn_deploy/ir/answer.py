"""What of a network is its answer: which steps of which node, and what the host makes of them.

One object, apart from the graph, that whoever needs an answer asks: engines, streams, data checks,
training, reports, files.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from snn_deploy.errors import DataError
from snn_deploy.ir.node import Node
from snn_deploy.ir.pooling import Pooling

__all__ = ["Answer", "OutputSteps"]

OutputSteps = Literal["one", "all"] | int
"""Which steps of the output node are the answer: one vector a sequence, all, or the last K."""

Signal = npt.NDArray[Any]


@dataclass(frozen=True)
class Answer:
    """Some steps of one node's signal, and what the host makes of them.

    Parameters
    ----------
    steps
        ``"one"`` is the step at which a pool speaks, or the last one; ``"all"``; or the last K.
    node
        The name of the node whose signal it is; None: the network's last.
    valid
        Whether the last K steps are those of the valid steps, not of the padded ones.
    head
        Float nodes, a chain, that the host computes on those steps: see ``snn_deploy.ir.head``.
        Engines never see them.
    path
        The nodes that it is made of, in order, its own too, but not the head. The network fills it
        in, and the name of the node.
    """

    steps: OutputSteps = "one"
    node: str | None = None
    valid: bool = False
    head: tuple[Node, ...] = ()
    path: tuple[Node, ...] = field(default=(), repr=False, compare=False)

    @property
    def source(self) -> Node:
        """The node whose signal it is."""
        return next(node for node in self.path if node.name == self.node)

    @property
    def width(self) -> int:
        """How many numbers an answer has, logits say, when the head is done with it."""
        return (self.head[-1] if self.head else self.source).width

    @property
    def once(self) -> bool:
        """Whether it is one vector a sequence, be it that the head makes it of all steps."""
        return self.steps == "one" or self.sums_steps

    @property
    def classifies(self) -> bool:
        """Whether it may be one of several classes; one number alone is a regression's."""
        return self.width > 1

    @property
    def sums_steps(self) -> bool:
        """Whether the head makes one vector of all steps."""
        return any(node.sums_steps for node in self.head)

    @property
    def length(self) -> int:
        """How many last steps it is; 0: all."""
        if self.steps == "all":
            return 0
        return 1 if self.steps == "one" else self.steps

    @cached_property
    def pooled(self) -> Pooling | None:
        """How the sequence was made one vector, by the last node that did; None: none did."""
        pools = [node.pooling for node in self.path if node.pooling is not None]
        return pools[-1] if pools else None

    @property
    def of_valid(self) -> bool:
        """Whether its last step is the last valid one of each sequence, not the padded one."""
        pooled = self.steps == "one" and self.pooled is not None and self.pooled.valid
        return self.valid or pooled or self.source.heeds_lengths

    @property
    def pairs(self) -> bool:
        """Whether it compares pairs of sequences: first ones come first, then second ones."""
        return any(node.compares_pairs for node in (*self.path, *self.head))

    @property
    def first_steps(self) -> int | None:
        """How many first steps the head, or a float network's end, picks; None: it picks none."""
        nodes = (*self.path, *self.head)
        counts = [node.first_steps for node in nodes if node.first_steps is not None]
        return counts[-1] if counts else None

    @property
    def requested(self) -> OutputSteps:
        """The output steps with which a converter makes this network's float form."""
        return "one" if self.once else self.first_steps or self.steps

    def take(self, signal: Signal, lengths: npt.NDArray[np.int64]) -> Signal:
        """Pick its steps from its node's signal (B, L, width), whose valid steps are ``lengths``.

        Gives (B, width) for one vector a sequence, which a float signal may be already, else
        (B, steps, width).
        """
        if self.steps == "all" or signal.ndim == 2:
            return signal
        if not self.of_valid:
            return signal[:, -1] if self.steps == "one" else signal[:, -self.length :]
        steps = lengths[:, None] - self.length + np.arange(self.length)
        picked: Signal = signal[np.arange(len(signal))[:, None], steps]
        return picked[:, 0] if self.steps == "one" else picked

    def begins(self, lengths: npt.NDArray[np.int64], steps: int) -> int:
        """Give the first step that belongs to the answer of some sequence of ``steps`` steps."""
        if self.steps == "all":
            return 0
        ends = int(lengths.min()) if self.of_valid else steps
        return max(0, ends - self.length)

    def check_steps(self, lengths: npt.NDArray[np.int64], steps: int, where: str) -> None:
        """Refuse sequences with fewer steps than it has.

        Raises
        ------
        DataError
            Naming both numbers.
        """
        first = self.first_steps
        if first is not None and steps < first:
            raise DataError(
                f"{where}: the answer is the first {first} steps, but the sequences have only "
                f"{steps}; give longer ones, or convert with fewer --output-steps"
            )
        shortest = int(lengths.min()) if self.of_valid else steps
        if shortest < self.length:
            told = f"the shortest sequence has only {shortest} valid ones"
            if shortest == steps:
                told = f"the sequences have only {steps}"
            raise DataError(
                f"{where}: the answer is the last {self.length} steps, but {told}; give longer "
                "ones, or convert with fewer --output-steps"
            )

    def shape(self, taken: tuple[int, ...]) -> tuple[int, ...]:
        """Give the shape of what its head makes of steps of the shape ``taken``."""
        rows, *steps, _ = taken
        if self.once:
            steps = []
        if any(node.compares_pairs for node in self.head):
            rows //= 2
        if steps and self.first_steps is not None:
            steps = [self.first_steps]
        return (rows, *steps, self.width)

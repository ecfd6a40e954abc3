"""What a network answered, and how right that was."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from snn_deploy.compare.metrics import cross_entropy, share_of_right
from snn_deploy.compare.regression import Regression
from snn_deploy.data.inputs import Data
from snn_deploy.engines.head import Real, apply_head, head_batches, predict
from snn_deploy.engines.result import IntArray, Ports, Values, all_outputs
from snn_deploy.errors import DataError
from snn_deploy.ir.formats import Format
from snn_deploy.ir.network import Network
from snn_deploy.nodes.base import IntegerNode

__all__ = ["LOGIT_BYTES", "Answers", "decode", "joined_outputs", "output_format"]

LOGIT_BYTES = 4 * 2**30


@dataclass(frozen=True, repr=False, kw_only=True)
class Answers:
    """A network's answers to some data.

    Parameters
    ----------
    network
        That answered.
    answers
        By the name of each output: (B, width) for one vector a sequence, else (B, steps, width):
        real numbers, the integers that came out of the chip times their scale.
    labels, targets
        What the data says is right of the first of them, as in
        :class:`~snn_deploy.data.inputs.Data`.
    """

    network: Network
    answers: Mapping[str, Real]
    labels: IntArray | None = None
    targets: Real | None = None

    @classmethod
    def to(cls, data: Data, network: Network, outputs: Sequence[Ports]) -> Answers:
        """Join what an engine gave for the batches of ``data``."""
        answers = decode(network, joined_outputs(network, outputs))
        return cls(network=network, answers=answers, labels=data.labels, targets=data.targets)

    @property
    def answer(self) -> Real:
        """The answer, of several the first."""
        return self.answers[self.network.output.name]

    @cached_property
    def logits(self) -> Real:
        """What the network's head makes of the answer: (B, n_classes), or (B, steps, n_classes).

        Without a head, the answer itself; one row a pair where pairs are compared.

        Raises
        ------
        DataError
            If a large vocabulary's scores of every step would take more than 4 GiB.
        """
        if not self.logits_fit:
            shape = self.network.answer.shape(self.answer.shape)
            size = f"{math.prod(shape) * 8 / 2**30:,.1f}"
            raise DataError(
                f"the logits, {' × '.join(map(str, shape))}, would take {size} GiB: take the "
                "predictions alone, or run fewer sequences at a time"
            )
        return apply_head(self.network.answer, self.answer)

    @property
    def logits_fit(self) -> bool:
        """Whether all logits may be held at once."""
        return math.prod(self.network.answer.shape(self.answer.shape)) * 8 <= LOGIT_BYTES

    @cached_property
    def predictions(self) -> IntArray:
        """The class of the largest logit, (B,) or (B, steps); the first one where several tie."""
        return predict(self.network.answer, self.answer)

    @property
    def classes(self) -> int:
        """How many logits an answer has."""
        return self.network.answer.shape(self.answer.shape)[-1]

    @property
    def regresses(self) -> bool:
        """Whether the answers are real numbers to come close to targets, and no classes."""
        return self.targets is not None or not self.network.answer.classifies

    @cached_property
    def accuracy(self) -> float | None:
        """The share of labels that were predicted; None without labels."""
        return None if self.regresses else share_of_right(self.predictions, self.labels)

    @cached_property
    def regression(self) -> Regression | None:
        """How far the answers are from the targets; None without targets."""
        return None if self.targets is None else Regression.of(self.logits, self.targets)

    @cached_property
    def confusion(self) -> dict[tuple[int, int], int]:
        """How often each (label, prediction) occurred; none without labels, or for answers of
        several steps.
        """
        labels = self.labels
        if (
            self.regresses
            or labels is None
            or labels.ndim != 1
            or labels.shape != self.predictions.shape
        ):
            return {}
        known = labels >= 0
        told = np.stack([labels[known], self.predictions[known]], axis=1)
        pairs, numbers = np.unique(told, axis=0, return_counts=True)
        return {(int(a), int(b)): int(n) for (a, b), n in zip(pairs, numbers, strict=True)}

    def cross_entropy(self, labels: IntArray) -> float:
        """Give the sum over labels, of the predictions' shape, of -log probability, in nats.

        Negative labels do not count.
        """
        flat = labels.reshape(-1)
        batches = head_batches(self.network.answer, self.answer)
        return sum(cross_entropy(part, flat[rows]) for rows, part in batches)

    def scores(self) -> dict[str, Any]:
        """Give accuracy or a regression's figures, as plain data."""
        regression = None if self.regression is None else self.regression.figures()
        return {"accuracy": self.accuracy, "regression": regression}


def joined_outputs(network: Network, parts: Sequence[Ports]) -> dict[str, Values]:
    """Put the outputs of batches together, by name."""
    named = [all_outputs(network, part) for part in parts]
    return {name: np.concatenate([part[name] for part in named]) for name in network.outputs}


def decode(network: Network, outputs: Mapping[str, Values]) -> dict[str, Real]:
    """Give each output as real numbers; a float network's are what they are."""
    if network.stage == "float":
        return dict(outputs)
    return {name: output_format(network, name).decode(x) for name, x in outputs.items()}


def output_format(network: Network, name: str | None = None) -> Format:
    """Give the format of a node's signal, by default the answer's."""
    node = network.output if name is None else network[name]
    assert isinstance(node, IntegerNode)  # the caller gives a lowered network
    return node.output

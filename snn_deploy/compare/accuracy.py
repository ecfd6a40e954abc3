"""Float against integer: three answers apart, and every signal that both networks have.

The surrogate float network is what the authors train and evaluate; the exact-LIF float network is
what a chip is meant to compute; the integer network is what it does compute.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from snn_deploy.compare.metrics import share_of_right
from snn_deploy.compare.signals import SignalError, SignalErrors, advise
from snn_deploy.data.inputs import Data
from snn_deploy.engines.floating import run_float
from snn_deploy.engines.head import head_batches, predict
from snn_deploy.engines.registry import Engine
from snn_deploy.ir.network import Network
from snn_deploy.passes.pipeline import prepare_network
from snn_deploy.passes.split_head import SplitHead
from snn_deploy.run.simulation import Progress, batch_size, output_format, run_batches

__all__ = ["AccuracyComparison", "compare_accuracy"]

Real = npt.NDArray[np.float64]


@dataclass(frozen=True)
class AccuracyComparison:
    """Accuracies (None without labels) and predictions of the three networks.

    ``agreement`` is the share of sequences for which the integer network predicts what the
    exact-LIF float network does. ``advice`` says where most error enters and what to widen.
    ``saturated`` counts clipped values of every node that clipped any, those included that the
    float network has no twin of, such as the dendrites of a layer that runs both ways.
    """

    sequences: int
    steps: int
    surrogate_accuracy: float | None
    exact_accuracy: float | None
    integer_accuracy: float | None
    agreement: float
    surrogate_agreement: float | None
    largest_logit_error: float
    advice: str
    signals: list[SignalError]
    saturated: Mapping[str, int]

    def to_json(self) -> dict[str, Any]:
        """Give plain data for ``verify --json``."""
        return asdict(self)


def compare_accuracy(
    network: Network,
    source: Network,
    data: Data,
    engine: Engine,
    progress: Progress | None = None,
) -> AccuracyComparison:
    """Run a lowered network and the float network it came from on the same data."""
    prepared = prepare_network(source, SplitHead(count=len(network.head)), network.steps)
    folded = prepared.answering(head=())  # the answers are compared before the host's part
    errors = SignalErrors(folded, network)
    saturated: Counter[str] = Counter()
    exact, surrogate, integer = [], [], []
    has_surrogate = bool(source.spiking) and all(
        node.has_surrogate  # type: ignore[attr-defined]  # float stage
        for node in source.spiking
    )
    batch = batch_size(network, data, errors.shared) // 4 or 1
    for done in run_batches(network, data, engine, errors.shared, progress, batch):
        part, result = data[done.rows], done.result
        reference = run_float(folded, part.inputs, part.lengths, record=errors.shared)
        errors.add(reference.signals, result.trace, part.lengths)
        saturated.update({network.input.name: done.clipped})
        saturated.update(result.saturated)
        exact.append(reference.logits)
        integer.append(output_format(network).decode(result.output))
        if has_surrogate:
            trained = run_float(folded, part.inputs, part.lengths, "surrogate", errors.somas)
            errors.add_surrogate(reference.signals, trained.signals)
            surrogate.append(trained.logits)
    signals = errors.results(saturated)
    answers = (np.concatenate(exact), np.concatenate(integer))
    predictions = [predict(network.answer, answer) for answer in answers]
    told = predict(network.answer, np.concatenate(surrogate)) if surrogate else None
    return AccuracyComparison(
        sequences=len(data),
        steps=int(data.inputs.shape[1]),
        surrogate_accuracy=None if told is None else share_of_right(told, data.labels),
        exact_accuracy=share_of_right(predictions[0], data.labels),
        integer_accuracy=share_of_right(predictions[1], data.labels),
        agreement=float((predictions[0] == predictions[1]).mean()),
        surrogate_agreement=None if told is None else float((told == predictions[1]).mean()),
        largest_logit_error=_largest_difference(network, *answers),
        advice=advise(folded, signals),
        signals=signals,
        saturated={name: count for name, count in saturated.items() if count},
    )


def _largest_difference(network: Network, exact: Real, integer: Real) -> float:
    """Compare all logits, batch by batch: a large vocabulary's would not fit."""
    batches = zip(*(head_batches(network.answer, a) for a in (exact, integer)), strict=True)
    return max(float(np.abs(a - b).max()) for (_, a), (_, b) in batches)

"""Float against integer: three answers apart, and every signal that both networks have.

The surrogate float network is what the authors train and evaluate; the exact-LIF float network is
what a chip is meant to compute; the integer network is what it does compute.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from snn_deploy.compare.metrics import share_of_right
from snn_deploy.compare.regression import Regression, signal_to_noise
from snn_deploy.compare.signals import SignalError, SignalErrors, advise
from snn_deploy.data.inputs import Data
from snn_deploy.engines.floating import run_float
from snn_deploy.engines.head import apply_head, head_batches, predict
from snn_deploy.engines.registry import Engine
from snn_deploy.engines.result import all_outputs
from snn_deploy.ir.network import Network
from snn_deploy.passes.pipeline import prepare_network
from snn_deploy.passes.split_head import SplitHead
from snn_deploy.run.answers import output_format
from snn_deploy.run.simulation import Progress, batch_size, run_batches

__all__ = ["AccuracyComparison", "compare_accuracy"]

Real = npt.NDArray[np.float64]


@dataclass(frozen=True)
class AccuracyComparison:
    """Accuracies (None without labels) and predictions of the three networks.

    ``agreement`` is the share of sequences for which the integer network predicts what the
    exact-LIF float network does; None for a regression, which predicts no class. ``regression``
    compares the answers of ``surrogate``, ``exact`` and ``integer`` with the data's targets; empty
    without. ``answer_snr_db`` is the power of the exact-LIF float answers over that of the integer
    ones' difference to them; None where there is none. ``advice`` says where most error enters and
    what to widen.
    ``saturated`` counts clipped values of every node that clipped any, those included that the
    float network has no twin of, such as the dendrites of a layer that runs both ways.
    """

    sequences: int
    steps: int
    surrogate_accuracy: float | None
    exact_accuracy: float | None
    integer_accuracy: float | None
    agreement: float | None
    surrogate_agreement: float | None
    largest_logit_error: float
    advice: str
    signals: list[SignalError]
    saturated: Mapping[str, int]
    answer_snr_db: float | None = None
    regression: Mapping[str, Regression] = field(default_factory=dict)

    @property
    def regresses(self) -> bool:
        """Whether answers are numbers to come close to, and no classes."""
        return self.agreement is None

    def to_json(self) -> dict[str, Any]:
        """Give plain data for ``verify --json``."""
        figures = {name: sums.figures() for name, sums in self.regression.items()}
        return {**asdict(self), "regression": figures}


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
    name = network.output.name
    has_surrogate = bool(source.spiking) and all(
        node.has_surrogate  # type: ignore[attr-defined]  # float stage
        for node in source.spiking
    )
    batch = batch_size(network, data, errors.shared) // 4 or 1
    for done in run_batches(network, data, engine, errors.shared, progress, batch):
        part, result = data[done.rows], done.result
        reference = run_float(folded, part.inputs, part.lengths, record=errors.shared)
        errors.add(reference.signals, result.trace, part.lengths)
        saturated.update(done.clipped)
        saturated.update(result.saturated)
        exact.append(all_outputs(folded, reference.logits)[name])
        integer.append(output_format(network).decode(done.answer(network)))
        if has_surrogate:
            trained = run_float(folded, part.inputs, part.lengths, "surrogate", errors.somas)
            errors.add_surrogate(reference.signals, trained.signals)
            surrogate.append(all_outputs(folded, trained.logits)[name])
    signals = errors.results(saturated)
    answers = {"exact": np.concatenate(exact), "integer": np.concatenate(integer)}
    if surrogate:
        answers["surrogate"] = np.concatenate(surrogate)
    scored = _scores(network, answers, data)
    largest, level = _differences(network, answers["exact"], answers["integer"])
    return AccuracyComparison(
        sequences=len(data),
        steps=int(data.inputs.shape[1]),
        largest_logit_error=largest,
        answer_snr_db=level,
        **scored,
        advice=advise(folded, signals),
        signals=signals,
        saturated={name: count for name, count in saturated.items() if count},
    )


def _scores(network: Network, answers: Mapping[str, Real], data: Data) -> dict[str, Any]:
    """Compare the networks' answers, by name, with what is right, and with each other."""
    names = ("surrogate", "exact", "integer")
    if data.targets is not None or not network.answer.classifies:
        nothing = dict.fromkeys(f"{name}_accuracy" for name in names)
        logits = {name: apply_head(network.answer, answer) for name, answer in answers.items()}
        known = data.targets
        sums = {} if known is None else {n: Regression.of(y, known) for n, y in logits.items()}
        return {**nothing, "agreement": None, "surrogate_agreement": None, "regression": sums}
    told = {name: predict(network.answer, answer) for name, answer in answers.items()}
    shares = {
        f"{name}_accuracy": share_of_right(told[name], data.labels) if name in told else None
        for name in names
    }
    same = {name: float((told[name] == told["integer"]).mean()) for name in told}
    return {
        **shares,
        "agreement": same["exact"],
        "surrogate_agreement": same.get("surrogate"),
    }


def _differences(network: Network, exact: Real, integer: Real) -> tuple[float, float | None]:
    """Give the largest difference of a logit, and the signal to noise of all, batch by batch: a
    large vocabulary's would not fit at once.
    """
    largest = power = noise = 0.0
    batches = zip(*(head_batches(network.answer, a) for a in (exact, integer)), strict=True)
    for (_, wanted), (_, given) in batches:
        largest = max(largest, float(np.abs(wanted - given).max()))
        power += float(np.square(wanted).sum())
        noise += float(np.square(wanted - given).sum())
    return largest, signal_to_noise(power, noise)

"""Float against integer: three answers apart, and every signal that both networks have.

The surrogate float network is what the authors train and evaluate; the exact-LIF float network is
what a chip is meant to compute; the integer network is what it does compute.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from snn_deploy.data import Data
from snn_deploy.engines.floating import run_float
from snn_deploy.engines.registry import Engine
from snn_deploy.engines.result import IntArray
from snn_deploy.ir.float_nodes import Lif
from snn_deploy.ir.integer_nodes import IntegerNode
from snn_deploy.ir.network import Network
from snn_deploy.metrics import accuracy, agreement
from snn_deploy.passes.fold_thresholds import FoldThresholds
from snn_deploy.signals import SignalError, SignalErrors, advise
from snn_deploy.simulation import Progress, block_size, run_blocks

__all__ = ["AccuracyComparison", "compare_accuracy"]

Real = npt.NDArray[np.float64]


@dataclass(frozen=True)
class AccuracyComparison:
    """Accuracies (None without labels) and predictions of the three networks.

    ``agreement`` is the share of sequences for which the integer network predicts what the
    exact-LIF float network does. ``advice`` says where most error enters and what to widen.
    """

    sequences: int
    surrogate_accuracy: float | None
    exact_accuracy: float | None
    integer_accuracy: float | None
    agreement: float
    surrogate_agreement: float | None
    largest_logit_error: float
    advice: str
    signals: list[SignalError]

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
    folded = FoldThresholds()(source)  # the integer network's drives are in units of the threshold
    errors = SignalErrors(folded, network)
    saturated: Counter[str] = Counter()
    exact, surrogate, integer = [], [], []
    has_surrogate = all(lif.surrogate is not None for lif in source.of_kind(Lif))
    block = block_size(network, data, errors.shared) // 4 or 1
    for rows, result in run_blocks(network, data, engine, errors.shared, progress, block):
        part = data[rows]
        reference = run_float(folded, part.inputs, part.lengths, record=errors.shared)
        errors.add(reference.signals, result.trace, part.lengths)
        saturated.update(result.saturated)
        exact.append(reference.logits)
        integer.append(_decoded(network, result.output))
        if has_surrogate:
            surrogate.append(
                run_float(folded, part.inputs, part.lengths, neuron="surrogate").logits
            )
    return _compare(
        data,
        np.concatenate(exact),
        np.concatenate(integer),
        np.concatenate(surrogate) if surrogate else None,
        folded,
        errors.results(saturated),
    )


def _decoded(network: Network, output: IntArray) -> Real:
    node = network.output
    assert isinstance(node, IntegerNode)
    return node.output.decode(output)


def _compare(
    data: Data,
    exact: Real,
    integer: Real,
    surrogate: Real | None,
    source: Network,
    signals: list[SignalError],
) -> AccuracyComparison:
    return AccuracyComparison(
        sequences=len(data),
        surrogate_accuracy=accuracy(surrogate, data.labels),
        exact_accuracy=accuracy(exact, data.labels),
        integer_accuracy=accuracy(integer, data.labels),
        agreement=agreement(exact, integer),
        surrogate_agreement=None if surrogate is None else agreement(surrogate, integer),
        largest_logit_error=float(np.abs(exact - integer).max()),
        advice=advise(source, signals),
        signals=signals,
    )

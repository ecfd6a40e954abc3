"""Float against integer: three answers apart, and every signal that both networks have.

The surrogate float network is what the authors train and evaluate; the exact-LIF float network is
what a chip is meant to compute; the integer network is what it does compute.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from snn_deploy.data import Data
from snn_deploy.engines.floating import run_float
from snn_deploy.engines.registry import Engine
from snn_deploy.engines.result import IntArray
from snn_deploy.ir.float_nodes import Lif
from snn_deploy.ir.integer_nodes import IntegerNode, LifSoma
from snn_deploy.ir.network import Network
from snn_deploy.metrics import accuracy, agreement
from snn_deploy.passes.fold_thresholds import FoldThresholds
from snn_deploy.simulation import Progress, block_size, run_blocks

__all__ = ["AccuracyComparison", "SignalError", "compare_accuracy"]

Real = npt.NDArray[np.float64]


@dataclass(frozen=True)
class SignalError:
    """How one signal of the integer network differs from the exact-LIF float network's.

    ``signal_to_noise_db`` is the power of the float signal over the power of the difference; for
    spikes, ``mismatch`` is the share of neuron-steps whose spikes differ instead.
    """

    node: str
    signal_to_noise_db: float | None
    mismatch: float | None
    spike_rate: float | None


@dataclass(frozen=True)
class AccuracyComparison:
    """Accuracies (None without labels) and predictions of the three networks.

    ``agreement`` is the share of sequences for which the integer network predicts what the
    exact-LIF float network does.
    """

    sequences: int
    surrogate_accuracy: float | None
    exact_accuracy: float | None
    integer_accuracy: float | None
    agreement: float
    surrogate_agreement: float | None
    largest_logit_error: float
    signals: list[SignalError] = field(default_factory=list)

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
    shared = [name for name in folded.names if name in network.names]
    shared = [name for name in shared if name != network.output.name]
    errors = {name: _Sums() for name in shared}
    exact, surrogate, integer = [], [], []
    has_surrogate = all(lif.surrogate is not None for lif in source.of_kind(Lif))
    block = block_size(network, data, shared) // 2 or 1
    for rows, result in run_blocks(network, data, engine, shared, progress, block):
        part = data[rows]
        reference = run_float(folded, part.inputs, part.lengths, record=shared)
        for name in shared:
            errors[name].add(reference.signals[name], result.trace[name], network[name])
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
        [errors[name].result(network[name]) for name in shared],
    )


def _decoded(network: Network, output: IntArray) -> Real:
    node = network.output
    assert isinstance(node, IntegerNode)
    return node.output.decode(output)


@dataclass
class _Sums:
    """Sums over blocks, from which a signal's error is computed."""

    power: float = 0.0
    noise: float = 0.0
    mismatches: int = 0
    spikes: int = 0
    count: int = 0

    def add(self, exact: Real, integer: IntArray, node: Any) -> None:
        decoded = node.output.decode(integer)
        self.power += float(np.square(exact).sum())
        self.noise += float(np.square(exact - decoded).sum())
        self.count += exact.size
        if isinstance(node, LifSoma):
            self.mismatches += int(np.count_nonzero(exact != decoded))
            self.spikes += int(np.count_nonzero(integer))

    def result(self, node: Any) -> SignalError:
        if isinstance(node, LifSoma):
            return SignalError(
                node.name, None, self.mismatches / self.count, self.spikes / self.count
            )
        decibels = None
        if self.noise > 0 and self.power > 0:
            decibels = float(10.0 * np.log10(self.power / self.noise))
        return SignalError(node.name, decibels, None, None)


def _compare(
    data: Data, exact: Real, integer: Real, surrogate: Real | None, signals: list[SignalError]
) -> AccuracyComparison:
    return AccuracyComparison(
        sequences=len(data),
        surrogate_accuracy=accuracy(surrogate, data.labels),
        exact_accuracy=accuracy(exact, data.labels),
        integer_accuracy=accuracy(integer, data.labels),
        agreement=agreement(exact, integer),
        surrogate_agreement=None if surrogate is None else agreement(surrogate, integer),
        largest_logit_error=float(np.abs(exact - integer).max()),
        signals=signals,
    )

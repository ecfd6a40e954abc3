"""How large each signal of a float network gets: measured on data, or bounded without any."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from snn_deploy.engines.floating import run_float
from snn_deploy.engines.result import Ports, by_name, no_progress
from snn_deploy.errors import UnsupportedNetworkError
from snn_deploy.ir.loops import groups, is_recurrent
from snn_deploy.ir.network import Network
from snn_deploy.quantize.comparisons import Comparison, measure_comparisons
from snn_deploy.quantize.config import QuantizationConfig
from snn_deploy.quantize.histogram import MagnitudeHistogram
from snn_deploy.quantize.weights import Moments

__all__ = ["Ranges", "bound_ranges", "measure_ranges"]

Real = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Ranges:
    """The largest magnitude of every signal, per channel.

    ``source`` tells whether they were measured on ``sequences`` calibration sequences or bounded
    analytically (then no input within the assumed range can exceed them). ``steps`` is how long
    those were, padding included. Where they were measured, ``mean`` is that of every signal, and
    ``moments`` says how those vary that linear layers read; ``histograms`` how often which
    magnitude occurs, where that was asked for; ``comparisons`` what those linear layers meet whose
    sums are compared with levels; ``states`` how large a neuron's words of state were.
    """

    largest: Mapping[str, Real]
    source: Literal["calibration", "analytic"]
    sequences: int = 0
    steps: int | None = None
    mean: Mapping[str, Real] = field(default_factory=dict)
    moments: Mapping[str, Moments] = field(default_factory=dict)
    histograms: Mapping[str, MagnitudeHistogram] = field(default_factory=dict)
    comparisons: Mapping[str, Comparison] = field(default_factory=dict)
    states: Mapping[str, Real] = field(default_factory=dict)

    def __getitem__(self, name: str) -> Real:
        return self.largest[name]

    def reach(
        self, name: str, config: QuantizationConfig, bits: int, together: bool = False
    ) -> Real:
        """Give what a format of ``bits`` bits must hold of a signal, per channel.

        ``config`` is that of its node; with ``together`` all channels have one format.
        """
        largest, histogram = self.largest[name], self.histograms.get(name)
        if together:
            largest = largest.max(keepdims=True)
            histogram = histogram and histogram.merged()
        if config.calibration_method == "max" or histogram is None:
            return largest * config.headroom
        if config.calibration_method == "percentile":
            usual = histogram.percentile(config.calibration_percentile)
            return np.minimum(usual, largest) * config.headroom
        return histogram.least_squares(largest, bits)


def measure_ranges(
    network: Network,
    inputs: Ports,
    lengths: npt.NDArray[np.int64] | None,
    progress: Callable[[float], None] = no_progress,
    count_magnitudes: bool = False,
) -> Ranges:
    """Run calibration inputs through the float network (exact LIF), keeping maxima and moments.

    What comes from tables alone is bounded: no calibration data holds every token. ``progress`` is
    called with the share of the work done since the last call; ``count_magnitudes`` asks for
    histograms, too.
    """
    known = _from_tables(network)
    largest: dict[str, Real] = {}
    first: dict[str, Real] = {}
    second: dict[str, Real] = {}
    count = dict.fromkeys(network.names, 0)
    histograms: dict[str, MagnitudeHistogram] = {}
    spikes = {node.name for node in network if node.spikes}
    read = {node.inputs[0].source for node in network if node.compensates}  # type: ignore[attr-defined]

    def record(name: str, sample: int, step: int, signal: Real) -> None:
        if name in known:
            return
        flat = signal.reshape(-1, signal.shape[-1])
        largest[name] = np.maximum(largest.get(name, 0.0), np.abs(flat).max(axis=0))
        first[name] = first.get(name, 0.0) + flat.sum(axis=0)
        count[name] += len(flat)
        if count_magnitudes and name not in spikes:
            histograms.setdefault(name, MagnitudeHistogram(flat.shape[1])).add(flat)
        if name in read:
            second[name] = second.get(name, 0.0) + flat.T @ flat

    chip = network.answering(head=())
    states: dict[str, Real] = {}
    run_float(chip, inputs, lengths, record=record, progress=progress, states=states)
    mean = {name: total / count[name] for name, total in first.items()}
    moments = {
        name: Moments(mean[name], total / count[name] - np.outer(mean[name], mean[name]))
        for name, total in second.items()
    }
    sequences, steps = next(iter(by_name(network, inputs).values())).shape[:2]
    return Ranges(
        largest | known,
        "calibration",
        sequences,
        steps,
        mean,
        moments,
        histograms,
        measure_comparisons(chip, inputs, lengths),
        states,
    )


def _from_tables(network: Network) -> dict[str, Real]:
    """Bound the tokens, and the signals that are looked up and added from tables."""
    known: dict[str, Real] = {}
    for node in network:
        from_tables = node.from_tables  # type: ignore[attr-defined]  # float stage
        if from_tables and all(edge.source in known for edge in node.inputs):
            known[node.name] = _largest(network, node, known)
    return known


def _largest(network: Network, node: Any, known: Mapping[str, Real]) -> Real:
    spiking = [source.spikes and not source.signed for source in network.sources(node)]  # type: ignore[attr-defined]  # float stage
    largest: Real = node.largest([known[edge.source] for edge in node.inputs], spiking)
    return largest


def bound_ranges(network: Network, input_range: float) -> Ranges:
    """Bound every signal for inputs of magnitude up to ``input_range``.

    Raises
    ------
    UnsupportedNetworkError
        If a signal grows with the length of its sequence, or round a loop.
    """
    largest: dict[str, Real] = {}
    for group in groups(network):
        before = {node.name: np.zeros(node.width) for node in group}
        for _ in range(_ROUNDS):
            known = {**largest, **before}
            for node in group:
                _require_length(node)
                inputs = np.full(node.width, input_range)
                known[node.name] = _largest(network, node, known) if node.inputs else inputs
            after = {node.name: known[node.name] for node in group}
            if not is_recurrent(group) or all(
                np.all(after[name] <= before[name]) for name in before
            ):
                break
            before = after
        else:
            raise UnsupportedNetworkError(
                f"node '{group[0].name}': a signal that is fed back to it may grow without end, as "
                "far as is known of every input; give calibration data (--calibration DATA.npz)"
            )
        largest.update(after)
    return Ranges(largest, "analytic")


_ROUNDS = 64  # round a loop; spikes are bounded at once


def _require_length(node: Any) -> None:
    if node.grows:
        raise UnsupportedNetworkError(
            f"node '{node.name}': a sum over time grows with the sequence, so that its number "
            "format needs to know how long sequences are: give calibration data (--calibration "
            "DATA.npz) as long as the longest"
        )

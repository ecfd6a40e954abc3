"""How large each signal of a float network gets: measured on data, or bounded without any."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from snn_deploy.engines.floating import run_float
from snn_deploy.engines.result import no_progress
from snn_deploy.errors import UnsupportedNetworkError
from snn_deploy.ir import float_nodes as nodes
from snn_deploy.ir.encoder_decoder_nodes import (
    AdaptiveEmbedding,
    Conv1d,
    CumulativeReadout,
    PositionalEncoding,
)
from snn_deploy.ir.network import Network
from snn_deploy.ir.node import Node
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
    magnitude occurs, where that was asked for.
    """

    largest: Mapping[str, Real]
    source: Literal["calibration", "analytic"]
    sequences: int = 0
    steps: int | None = None
    mean: Mapping[str, Real] = field(default_factory=dict)
    moments: Mapping[str, Moments] = field(default_factory=dict)
    histograms: Mapping[str, MagnitudeHistogram] = field(default_factory=dict)

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
    inputs: npt.NDArray[Any],
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
    spikes = {soma.name for soma in network.of_kind(nodes.Lif)}
    read = {linear.inputs[0].source for linear in network.of_kind(nodes.Linear)}

    def record(name: str, signal: Real) -> None:
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

    chip = replace(network, head=())
    run_float(chip, inputs, lengths, record=record, progress=progress)
    mean = {name: total / count[name] for name, total in first.items()}
    moments = {
        name: Moments(mean[name], total / count[name] - np.outer(mean[name], mean[name]))
        for name, total in second.items()
    }
    sequences, steps = inputs.shape[:2]
    return Ranges(largest | known, "calibration", sequences, steps, mean, moments, histograms)


def _from_tables(network: Network) -> dict[str, Real]:
    """Bound the tokens, and the signals that are looked up and added from tables."""
    known: dict[str, Real] = {}
    for node in network:
        if isinstance(node, _TABLES) and all(edge.source in known for edge in node.inputs):
            sources = [known[edge.source] for edge in node.inputs]
            known[node.name] = _BOUNDS[type(node)](node, sources)
    return known


def bound_ranges(network: Network, input_range: float) -> Ranges:
    """Bound every signal for inputs of magnitude up to ``input_range``.

    Raises
    ------
    UnsupportedNetworkError
        If a signal grows with the length of its sequence.
    """
    largest: dict[str, Real] = {}
    for node in network:
        sources = [largest[edge.source] for edge in node.inputs]
        _require_length(node)
        if isinstance(node, nodes.FloatInput):
            largest[node.name] = np.full(node.width, input_range)
        elif isinstance(node, nodes.Linear) and _spikes_into(network, node):
            largest[node.name] = _spiking_linear(node)
        else:
            largest[node.name] = _BOUNDS[type(node)](node, sources)
    return Ranges(largest, "analytic")


def _rows(node: AdaptiveEmbedding) -> Real:
    """Bound an adaptive embedding by every row of its table, some rows at a time.

    In single precision, widened by more than its rounding.
    """
    largest = np.zeros(node.width)
    for table, projection in zip(node.tables, node.projections, strict=True):
        factor = projection.T.astype(np.float32)
        for start in range(0, len(table), 4096):
            rows = table[start : start + 4096].astype(np.float32) @ factor
            np.maximum(largest, np.abs(rows, out=rows).max(axis=0), out=largest)
    return largest * (1.0 + 2.0**-12)


def _require_length(node: Node) -> None:
    if isinstance(node, CumulativeReadout) or getattr(node, "mode", None) == "sum":
        raise UnsupportedNetworkError(
            f"node '{node.name}': a sum over time grows with the sequence, so that its number "
            "format needs to know how long sequences are: give calibration data (--calibration "
            "DATA.npz) as long as the longest"
        )


def _spikes_into(network: Network, node: nodes.Linear) -> bool:
    return isinstance(network[node.inputs[0].source], nodes.Lif)


def _spiking_linear(node: nodes.Linear) -> Real:
    high = np.maximum(node.weight, 0).sum(axis=1) + node.bias
    low = np.minimum(node.weight, 0).sum(axis=1) + node.bias
    return np.asarray(np.maximum(np.abs(high), np.abs(low)))


def _ssm(node: nodes.DiagonalSsm, sources: list[Real]) -> Real:
    readout = np.abs(node.c) + (0 if node.c_reverse is None else np.abs(node.c_reverse))
    gain = (2 * readout * np.abs(node.b) / (1 - np.abs(node.a))).sum(axis=1) + np.abs(node.d)
    return np.asarray(gain * sources[0])


_TABLES = (nodes.TokenInput, nodes.Embedding, AdaptiveEmbedding, PositionalEncoding)
"""What gives signals that depend on tables only, if what they read does."""

_BOUNDS: dict[type, Callable[[Any, list[Real]], Real]] = {
    nodes.TokenInput: lambda node, sources: np.full(1, float(node.vocabulary - 1)),
    nodes.Embedding: lambda node, sources: np.abs(node.table).max(axis=0),
    AdaptiveEmbedding: lambda node, sources: _rows(node),
    PositionalEncoding: lambda node, sources: sources[0] + np.abs(node.table).max(axis=0),
    Conv1d: lambda node, sources: np.abs(node.weight).sum(axis=2) @ sources[0] + np.abs(node.bias),
    nodes.Linear: lambda node, sources: np.abs(node.weight) @ sources[0] + np.abs(node.bias),
    nodes.Affine: lambda node, sources: np.abs(node.scale) * sources[0] + np.abs(node.shift),
    nodes.LayerNorm: lambda node, sources: (
        np.abs(node.weight) * np.sqrt(node.width) + np.abs(node.bias)
    ),
    nodes.DiagonalSsm: _ssm,
    nodes.Lif: lambda node, sources: np.ones(node.width),
    nodes.Glu: lambda node, sources: sources[0][: node.width],
    nodes.Residual: lambda node, sources: np.sum(sources, axis=0),
    nodes.Readout: lambda node, sources: np.abs(node.weight) @ sources[0] + np.abs(node.bias),
}

"""Search for the cheapest number formats that keep the accuracy.

Settings are narrowed one at a time, the one that saves most memory first: each as far as the
calibration set's accuracy stays within the allowed loss, with all that was narrowed before in
place. What results therefore meets the limit as a whole, not only setting by setting.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from snn_deploy.data import Data
from snn_deploy.engines.floating import run_float
from snn_deploy.engines.registry import get_engine
from snn_deploy.errors import ConfigError, DataError
from snn_deploy.ir.float_nodes import (
    Affine,
    DiagonalSsm,
    Embedding,
    LayerNorm,
    Linear,
    Readout,
    Residual,
)
from snn_deploy.ir.integer_nodes import Synapses
from snn_deploy.ir.network import Network
from snn_deploy.ir.node import Node
from snn_deploy.mapping.cost import cost_network
from snn_deploy.metrics import accuracy, agreement
from snn_deploy.passes.fix_length import FixLength
from snn_deploy.passes.fold_thresholds import FoldThresholds
from snn_deploy.passes.pipeline import run_pipeline
from snn_deploy.passes.quantize import Calibration, Quantize
from snn_deploy.passes.split_head import SplitHead
from snn_deploy.quantize.config import QuantizationConfig
from snn_deploy.simulation import simulate

__all__ = ["Search", "Trial", "search_formats"]

NARROWABLE: dict[type[Node], tuple[str, ...]] = {
    Linear: ("weight_bits",),
    Readout: ("weight_bits",),
    Embedding: ("residual_bits",),
    Affine: ("norm_bits",),
    LayerNorm: ("norm_bits",),
    DiagonalSsm: ("decay_bits", "readout_bits", "state_bits"),
    Residual: ("residual_bits",),
}
"""Which settings may be narrowed at a float node."""


@dataclass(frozen=True)
class Trial:
    """One setting tried at one node: the accuracy and memory that the whole network then had."""

    node: str
    setting: str
    bits: int
    score: float
    memory_bytes: int
    kept: bool


@dataclass(frozen=True)
class Search:
    """Outcome of :func:`search_formats`.

    ``score_name`` is "accuracy" with labels, else "agreement" with the float network; ``limit`` is
    the least score that was allowed, ``before`` and ``after`` the memory in bytes.
    """

    config: QuantizationConfig
    score_name: str
    float_score: float
    limit: float
    score: float
    before: int
    after: int
    mean_weight_bits: float
    trials: list[Trial] = field(default_factory=list)

    def to_json(self) -> dict[str, Any]:
        """Give plain data: every trial, and the formats that were found."""
        return {**asdict(self), "config": self.config.model_dump()}


def search_formats(
    network: Network,
    data: Data,
    config: QuantizationConfig,
    max_loss: float,
    progress: Callable[[float], None] | None = None,
    calibration: Data | None = None,
) -> Search:
    """Find narrow formats for a float network.

    Parameters
    ----------
    network
        Of stage ``float``.
    data
        Sequences to judge by; with labels the loss is of accuracy, else of agreement with the
        exact-LIF float network's predictions.
    config
        Where the search starts: nothing gets wider than this.
    max_loss
        How much lower the score may be than the float network's, 0 … 1.
    progress
        Called with the part of the settings finished since the last call; the parts add up to 1.

    calibration
        What formats are calibrated on; without it, ``data``, which flatters what is found.

    Raises
    ------
    ConfigError
        If already the starting point loses more than that.
    """
    judge = _Judge(network, data, config, calibration or data)
    limit = judge.float_score - max_loss
    score, start = judge.try_out(config)
    if score < limit:
        raise ConfigError(
            f"the search starts at {judge.score_name} {score:.4f}, below the float network's "
            f"{judge.float_score:.4f} less the allowed loss of {max_loss:g}: start from wider "
            "formats, or allow more with --max-loss"
        )
    before = _memory(start)
    found, current, trials = config, start, list[Trial]()
    places = sorted(_places(judge.chip, config), key=lambda place: judge.narrowest(found, *place))
    for node, setting in places:
        found, current, score = _narrow(
            judge, found, (node, setting), limit, trials, score, current
        )
        if progress is not None:
            progress(1.0 / len(places))
    return Search(
        config=found,
        score_name=judge.score_name,
        float_score=judge.float_score,
        limit=limit,
        score=score,
        before=before,
        after=_memory(current),
        mean_weight_bits=_mean_weight_bits(current),
        trials=trials,
    )


def _narrow(
    judge: _Judge,
    config: QuantizationConfig,
    place: tuple[str, str],
    limit: float,
    trials: list[Trial],
    score: float,
    network: Network,
) -> tuple[QuantizationConfig, Network, float]:
    """Bisect for the fewest bits at one place; give the settings, network and score kept."""
    node, setting = place
    low, high = _least(setting), getattr(config.at(node), setting)
    best = (config, network, score)
    while low < high:
        bits = (low + high) // 2
        candidate = _with(config, node, setting, bits)
        outcome = judge.attempt(candidate)
        kept = outcome is not None and outcome[0] >= limit
        if outcome is not None:
            trials.append(Trial(node, setting, bits, outcome[0], _memory(outcome[1]), kept))
        if outcome is not None and kept:
            best, high = (candidate, outcome[1], outcome[0]), bits
        else:
            low = bits + 1
    return best


class _Judge:
    """Compiles and scores settings; ranges and the float answer are found once."""

    def __init__(
        self, network: Network, data: Data, config: QuantizationConfig, calibration: Data
    ) -> None:
        self.steps = data.inputs.shape[1]
        self.network = FoldThresholds()(FixLength(self.steps)(network))
        self.chip = SplitHead(config.chip_outputs)(self.network)
        self.data = data
        known = Calibration(calibration.inputs, calibration.lengths)
        self.ranges = Quantize(config, known).ranges(self.network)
        self.engine = get_engine("native")
        self.float_logits = run_float(self.network, data.inputs, data.lengths).logits
        exact = accuracy(self.float_logits, data.labels)
        self.score_name = "agreement" if exact is None else "accuracy"
        self.float_score = 1.0 if exact is None else exact

    def try_out(self, config: QuantizationConfig) -> tuple[float, Network]:
        """Give the score of settings, and the lowered network."""
        lowered = self._compile(config)
        logits = simulate(lowered, self.data, self.engine).logits
        correct = accuracy(logits, self.data.labels)
        return agreement(logits, self.float_logits) if correct is None else correct, lowered

    def attempt(self, config: QuantizationConfig) -> tuple[float, Network] | None:
        """Like :meth:`try_out`; None where a width is too small for the network's numbers."""
        try:
            return self.try_out(config)
        except ConfigError:
            return None

    def narrowest(self, config: QuantizationConfig, node: str, setting: str) -> float:
        """Give the memory that is left if one place is narrowed nearly as far as it goes."""
        try:
            return _memory(self._compile(_with(config, node, setting, _least(setting) + 2)))
        except ConfigError:
            return np.inf

    def _compile(self, config: QuantizationConfig) -> Network:
        return run_pipeline(self.network, Quantize(config, measured=self.ranges), self.steps)


def _places(network: Network, config: QuantizationConfig) -> Iterator[tuple[str, str]]:
    for node in network:
        for setting in NARROWABLE.get(type(node), ()):
            if getattr(config.at(node.name), setting) > _least(setting):
                yield node.name, setting


def _least(setting: str) -> int:
    constraints = QuantizationConfig.model_fields[setting].metadata
    return int(next(c.ge for c in constraints if hasattr(c, "ge")))


def _with(config: QuantizationConfig, node: str, setting: str, bits: int) -> QuantizationConfig:
    nodes = {**config.nodes, node: {**config.nodes.get(node, {}), setting: bits}}
    return config.model_copy(update={"nodes": nodes})


def _memory(network: Network) -> int:
    return sum(cost.total.bits for cost in cost_network(network).values()) // 8


def _mean_weight_bits(network: Network) -> float:
    synapses = network.of_kind(Synapses)
    if not synapses:
        raise DataError("the network has no synapses to narrow")
    sizes = np.array([s.weight.size for s in synapses], dtype=np.float64)
    return float(sizes @ np.array([s.weight_bits for s in synapses]) / sizes.sum())

"""Search for the cheapest number formats that keep the accuracy.

Settings are narrowed one at a time, the one that saves most first: each as far as the calibration
set's accuracy stays within the allowed loss and the cost does not rise, with all that was narrowed
before in place. What results therefore meets the limit as a whole, not only setting by setting.

The cost is memory, or the energy that a target's report counts. Widths change energy only through
activity, cores and time; where it is the same to the three digits that a report prints, memory
decides.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

import numpy as np

from snn_deploy.compare.metrics import agreement
from snn_deploy.compare.regression import Regression
from snn_deploy.data.inputs import Data
from snn_deploy.engines.registry import Engine, get_engine
from snn_deploy.errors import ConfigError, DataError, TargetError
from snn_deploy.ir.network import Network
from snn_deploy.mapping.cost import cost_network
from snn_deploy.mapping.profile import Profile
from snn_deploy.nodes.lif_registers import LOIHI
from snn_deploy.passes.fix_maxima import FixMaxima
from snn_deploy.passes.pipeline import prepare_network, run_pipeline
from snn_deploy.passes.quantize import Calibration, Quantize
from snn_deploy.passes.split_head import SplitHead
from snn_deploy.quantize.config import QuantizationConfig
from snn_deploy.reports.activity import message_sources
from snn_deploy.reports.report import build_report
from snn_deploy.run.answers import Answers
from snn_deploy.run.simulation import run_batches, simulate

__all__ = ["CostName", "Goal", "Search", "Trial", "search_formats"]

CostName = Literal["memory", "energy"]

ENERGY_SEQUENCES = 16
"""How many of the sequences energy is measured on: it is a mean, accuracy a count of a few."""


@dataclass(frozen=True)
class Trial:
    """One setting tried at one node: the accuracy and cost that the whole network then had.

    ``energy_j`` is typical joules a sequence; None unless energy was asked for, and where the
    accuracy was not kept.
    """

    node: str
    setting: str
    bits: int
    score: float
    memory_bytes: int
    energy_j: float | None
    kept: bool


@dataclass(frozen=True)
class Search:
    """Outcome of :func:`search_formats`.

    ``score_name`` is "accuracy" with labels, else "agreement" with the float network, or "R²" for a
    regression; ``limit`` is the least score that was allowed, ``before`` and ``after`` the memory
    in bytes, and ``energy_before_j`` and ``energy_after_j`` the energy, as in :class:`Trial`.
    """

    config: QuantizationConfig
    score_name: str
    float_score: float
    limit: float
    score: float
    before: int
    after: int
    mean_weight_bits: float
    cost: CostName
    energy_before_j: float | None
    energy_after_j: float | None
    trials: list[Trial] = field(default_factory=list)

    def to_json(self) -> dict[str, Any]:
        """Give plain data: every trial, and the formats that were found."""
        return {**asdict(self), "config": self.config.model_dump()}


@dataclass(frozen=True)
class Goal:
    """What formats are searched for: the target that runs them, and what is to be small there."""

    target: Profile
    cost: CostName = "memory"


@dataclass(frozen=True)
class _Outcome:
    """Settings, and what the network that they give scores and costs; see :class:`Trial`."""

    config: QuantizationConfig
    network: Network
    score: float
    memory: int
    energy_j: float | None

    @property
    def cost(self) -> tuple[float, int]:
        """What outcomes are compared by."""
        return _rounded(self.energy_j or 0.0), self.memory


def search_formats(
    network: Network,
    data: Data,
    config: QuantizationConfig,
    max_loss: float,
    progress: Callable[[float], None] | None = None,
    calibration: Data | None = None,
    goal: Goal | None = None,
    engine: Engine | None = None,
) -> Search:
    """Find narrow formats for a float network.

    Parameters
    ----------
    network
        Of stage ``float``.
    data
        Sequences to judge by: with labels the loss is of accuracy, with targets of R²; without
        either, of agreement with the exact-LIF float network's predictions or answers.
    config
        Where the search starts: nothing gets wider than this.
    max_loss
        How much lower the score may be than the float network's, 0 … 1.
    progress
        Called with the part of the settings finished since the last call; the parts add up to 1.
    calibration
        What formats are calibrated on; without it, ``data``, which flatters what is found.
    goal
        For which target, and what is to be small there; without it memory, on Loihi's neurons.
    engine
        That runs what is tried, by default the native one.

    Raises
    ------
    ConfigError
        If already the starting point loses more than that.
    TargetError
        If the target prices no energy, or the network does not fit into it.
    """
    engine = engine or get_engine("native")
    cost: CostName = "memory" if goal is None else goal.cost
    judge = _Judge(network, data, config, calibration or data, max_loss, engine, goal)
    start = judge.try_out(config)
    if start.score < judge.limit:
        raise ConfigError(
            f"the search starts at {judge.score_name} {start.score:.4f}, below the float network's "
            f"{judge.float_score:.4f} less the allowed loss of {max_loss:g}: start from wider "
            "formats, or allow more with --max-loss"
        )
    found, trials = start, list[Trial]()
    places = sorted(_places(judge.chip, config), key=lambda place: judge.narrowest(config, *place))
    for place in places:
        found = _narrow(judge, found, place, trials)
        if progress is not None:
            progress(1.0 / len(places))
    return Search(
        config=found.config,
        score_name=judge.score_name,
        float_score=judge.float_score,
        limit=judge.limit,
        score=found.score,
        before=start.memory,
        after=found.memory,
        mean_weight_bits=_mean_weight_bits(found.network),
        cost=cost,
        energy_before_j=start.energy_j,
        energy_after_j=found.energy_j,
        trials=trials,
    )


def _narrow(judge: _Judge, best: _Outcome, place: tuple[str, str], trials: list[Trial]) -> _Outcome:
    """Bisect for the fewest bits at one place; give the outcome kept."""
    node, setting = place
    config = best.config
    low, high = _least(setting), getattr(config.at(node), setting)
    while low < high:
        bits = (low + high) // 2
        outcome = judge.attempt(_with(config, node, setting, bits))
        kept = outcome is not None and outcome.score >= judge.limit and outcome.cost <= best.cost
        if outcome is not None:
            told = (outcome.score, outcome.memory, outcome.energy_j)
            trials.append(Trial(node, setting, bits, *told, kept))
        if outcome is not None and kept:
            best, high = outcome, bits
        else:
            low = bits + 1
    return best


def _energy_meter(profile: Profile, data: Data, engine: Engine) -> Callable[[Network], float]:
    """Give the function that runs data and gives typical joules a sequence, as a report counts."""
    if not any(price for _, price in profile.energy):
        raise TargetError(
            f"target '{profile.name}' has no energy constants to search by: search for memory "
            "(--search-for memory), or choose another target"
        )

    def measure(network: Network) -> float:
        traced = [node.name for node in message_sources(network)]
        batches = run_batches(network, data, engine, traced)
        results = (batch.result for batch in batches)
        report = build_report(network, profile, results, data.inputs.shape[1], compare=False)
        return (report.total_j or report.dynamic_j).typical

    return measure


class _Judge:
    """Compiles, scores and prices settings; ranges and the float answer are found once."""

    def __init__(
        self,
        network: Network,
        data: Data,
        config: QuantizationConfig,
        calibration: Data,
        max_loss: float,
        engine: Engine,
        goal: Goal | None,
    ) -> None:
        self.steps = data.inputs.shape[1]
        known = Calibration(calibration.inputs, calibration.lengths)
        self.network = FixMaxima(known, config.ternary_maxima)(network)
        self.chip = prepare_network(self.network, SplitHead(config.chip_outputs), self.steps)
        self.data = data
        self.ranges = Quantize(config, known).ranges(self.chip)
        self.engine = engine
        self.exact = simulate(network, data, get_engine("float"))
        self.score_name, self.float_score = self._score(self.exact)
        self.limit = self.float_score - max_loss
        self.lif = LOIHI if goal is None else goal.target.lif.registers
        self.measure: Callable[[Network], float] | None = None
        if goal is not None and goal.cost == "energy":
            self.measure = _energy_meter(goal.target, data.first(ENERGY_SEQUENCES), engine)

    def try_out(self, config: QuantizationConfig) -> _Outcome:
        """Compile and score settings, and measure energy where it counts and the score is kept."""
        lowered = self._compile(config)
        _, score = self._score(simulate(lowered, self.data, self.engine))
        energy = self.measure(lowered) if self.measure and score >= self.limit else None
        return _Outcome(config, lowered, score, _memory(lowered), energy)

    def _score(self, found: Answers) -> tuple[str, float]:
        """Judge answers by what is right, or else by the float network's; and say by what."""
        if found.accuracy is not None:
            return "accuracy", found.accuracy
        if not found.regresses:
            return "agreement", agreement(found.logits, self.exact.logits)
        wanted = self.exact.logits if found.targets is None else found.targets
        share = Regression.of(found.logits, wanted).r2
        return "R²", 1.0 if share is None else share

    def attempt(self, config: QuantizationConfig) -> _Outcome | None:
        """Like :meth:`try_out`; None where a width is too small for the network's numbers."""
        try:
            return self.try_out(config)
        except ConfigError:
            return None

    def narrowest(self, config: QuantizationConfig, node: str, setting: str) -> tuple[float, float]:
        """Give energy, if it counts, and memory if one place is narrowed nearly all the way."""
        try:
            lowered = self._compile(_with(config, node, setting, _least(setting) + 2))
        except ConfigError:
            return np.inf, np.inf
        return _rounded(self.measure(lowered)) if self.measure else 0.0, _memory(lowered)

    def _compile(self, config: QuantizationConfig) -> Network:
        quantize = Quantize(config, measured=self.ranges, lif=self.lif)
        return run_pipeline(self.network, quantize, self.steps)


def _places(network: Network, config: QuantizationConfig) -> Iterator[tuple[str, str]]:
    for node in network:
        for setting in node.narrowable:  # type: ignore[attr-defined]  # float stage
            if getattr(config.at(node.name), setting) > _least(setting):
                yield node.name, setting


def _least(setting: str) -> int:
    constraints = QuantizationConfig.model_fields[setting].metadata
    return int(next(c.ge for c in constraints if hasattr(c, "ge")))


def _with(config: QuantizationConfig, node: str, setting: str, bits: int) -> QuantizationConfig:
    nodes = {**config.nodes, node: {**config.nodes.get(node, {}), setting: bits}}
    return config.model_copy(update={"nodes": nodes})


def _rounded(energy: float) -> float:
    # what differs less is chance: a rounding here or there moves a few spikes
    return float(f"{energy:.3g}")


def _memory(network: Network) -> int:
    return sum(cost.total.bits for cost in cost_network(network).values()) // 8


def _mean_weight_bits(network: Network) -> float:
    synapses: list[Any] = [node for node in network if node.synaptic]
    if not synapses:
        raise DataError("the network has no synapses to narrow")
    sizes = np.array([s.stored_weights.size for s in synapses], dtype=np.float64)
    return float(sizes @ np.array([s.weight_bits for s in synapses]) / sizes.sum())

"""Spikes that are drawn: the generator's statistics, recorded draws, seeds, and P-SpikeSSM."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
import pytest
from family_cases import Case, cases

import snn_deploy
from snn_deploy.data.inputs import Data, check_data
from snn_deploy.deployment import Deployment
from snn_deploy.engines.floating import run_float
from snn_deploy.errors import ConfigError
from snn_deploy.ir.formats import Edge
from snn_deploy.ir.network import Network
from snn_deploy.ir.program import Tracer, Value, decay_towards_zero
from snn_deploy.ir.program_bounds import Interval
from snn_deploy.nodes.base import SHIFT_BITS, IntArray, Place
from snn_deploy.nodes.drawn_soma import DRAW_BITS, DrawnSoma
from snn_deploy.nodes.float_inputs import FloatInput
from snn_deploy.nodes.registry import with_kind
from snn_deploy.nodes.stochastic_spikes import StochasticSpikes
from snn_deploy.nodes.threshold import Threshold

UNIT = 1 << DRAW_BITS
WIDTH, STEPS = 64, 2000


def samplers(*draws: int) -> Network:
    """Give neurons that read the same probabilities, one node a draw."""
    nodes = tuple(
        StochasticSpikes(name=f"spikes{k}", inputs=(Edge("input"),), channels=WIDTH, draw=draw)
        for k, draw in enumerate(draws)
    )
    return Network("float", (FloatInput(name="input", channels=WIDTH), *nodes), "all")


def spikes_of(network: Network, x: npt.NDArray[np.float64], **settings: Any) -> list[IntArray]:
    deployment = snn_deploy.convert(network, target="loihi2", calibration=x, settings=settings)
    names = [node.name for node in network if node.spikes]
    result = deployment.simulate(x, backend="reference", trace=names)
    return [result.trace[name] for name in names]


def test_neurons_fire_as_often_as_they_shall_and_on_their_own() -> None:
    probability = np.linspace(-0.2, 1.2, WIDTH)
    x = np.broadcast_to(probability, (1, STEPS, WIDTH))
    (spikes,) = spikes_of(samplers(0), x)
    p = np.clip(probability, 0.0, 1.0)
    error = spikes[0].mean(axis=0) - p
    assert (np.abs(error) <= 4.5 * np.sqrt(p * (1 - p) / STEPS)).all()
    centred = (spikes[0] - p)[:, (p > 0.1) & (p < 0.9)]
    centred = centred / centred.std(axis=0)
    channels = centred.T @ centred / STEPS - np.eye(centred.shape[1])
    assert np.abs(channels).max() < 5.0 / np.sqrt(STEPS)
    for lag in (1, 2, 3):
        assert np.abs((centred[lag:] * centred[:-lag]).mean(axis=0)).max() < 5.0 / np.sqrt(STEPS)


def test_nodes_of_one_draw_compare_with_the_same_numbers() -> None:
    x = np.random.default_rng(0).uniform(0, 1, (2, 200, WIDTH))
    one, other, same = spikes_of(samplers(4, 5, 4), x)
    np.testing.assert_array_equal(one, same)
    assert (one != other).mean() > 0.2


def test_a_seed_gives_the_same_spikes_again() -> None:
    network, x = samplers(1, 2), np.random.default_rng(0).uniform(0, 1, (2, 200, WIDTH))
    first, again, other = (spikes_of(network, x, seed=seed) for seed in (7, 7, 8))
    np.testing.assert_array_equal(first, again)
    assert (np.array(first) != other).mean() > 0.2
    reseeded = snn_deploy.convert(network, target="loihi2", calibration=x).reseeded(7)
    trace = reseeded.simulate(x, backend="reference", trace=["spikes0"]).trace
    np.testing.assert_array_equal(trace["spikes0"], first[0])


def test_a_seed_is_the_whole_networks() -> None:
    with pytest.raises(ConfigError, match="seed holds for the whole network, not for 'spikes0'"):
        snn_deploy.convert(
            samplers(0), target="loihi2", settings={"nodes": {"spikes0": {"seed": 3}}}
        )


def test_steps_finer_than_a_draw_are_refused() -> None:
    network, x = samplers(0), np.full((1, 4, WIDTH), 1e-3)
    with pytest.raises(ConfigError, match=r"'spikes0': what it compares with draws of 24 bits has"):
        snn_deploy.convert(
            network, target="loihi2", calibration=x * 1e12, settings={"input_bits": 4}
        )


@dataclass(frozen=True, kw_only=True, eq=False)
class RecordedSoma(DrawnSoma):
    """The same comparison with numbers that were written down."""

    numbers: ClassVar[npt.NDArray[np.float64]]  # (draws, B, L, width)

    def step(self, t: Tracer) -> Value:
        shift = t.parameter("shift", self.shift, SHIFT_BITS)
        return t.input() > decay_towards_zero(t.clock("number"), 1, shift)

    def clock(self, place: Place, steps: int) -> Mapping[str, IntArray]:
        words = self.numbers[self.draw][:, place.start : place.start + steps] * UNIT
        return {"number": words.astype(np.int64)}

    def clock_bounds(self) -> Mapping[str, Interval]:
        return {"number": Interval(np.zeros(1), np.full(1, UNIT - 1.0))}


def recorded(deployment: Deployment, numbers: npt.NDArray[np.float64]) -> Deployment:
    RecordedSoma.numbers = numbers
    rewritten = {
        node.name: (RecordedSoma(**{f.name: getattr(node, f.name) for f in fields(node)}),)
        for node in deployment.network
        if isinstance(node, DrawnSoma)
    }
    return replace(deployment, network=deployment.network.rewrite(rewritten))


def deployed(case: Case) -> tuple[Deployment, Data]:
    test = case.arrays("test")
    data = check_data(case.network(), test["inputs"], lengths=test.get("lengths"))
    return snn_deploy.convert(case.checkpoint(), target="loihi2", calibration=data), data


@pytest.mark.parametrize("case", cases("relatives/pspike"))
def test_recorded_draws_give_the_spikes_of_float(case: Case) -> None:
    """Wherever the margin exceeds what the integers are off: a number that says so itself."""
    deployment, data = deployed(case)
    oracle = case.arrays("oracle")
    numbers = oracle["draws"].astype(np.float64)
    float_network = case.network()
    drawn = [node for node in float_network if isinstance(node, StochasticSpikes)]
    names = [name for node in drawn for name in (node.name, node.inputs[0].source)]
    with with_kind(RecordedSoma):
        replayed = recorded(deployment, numbers)
        result = replayed.simulate(data, backend="reference", trace=names)
    signals = run_float(
        float_network, data.inputs, data.lengths, record=names, draws=numbers
    ).signals
    for node in drawn:
        source, number = node.inputs[0].source, numbers[node.draw]
        form = deployment.network[source].output  # type: ignore[attr-defined]
        x = form.decode(result.trace[source])
        np.testing.assert_array_equal(result.trace[node.name], x > number)  # to the last bit
        off = np.abs(x - signals[source])
        clear = np.abs(signals[source] - number) > off
        same = result.trace[node.name] == signals[node.name]
        assert same[clear].all()
        assert same.mean() > 0.97
    first = drawn[0]
    assert (result.trace[first.name] != signals[first.name]).mean() < 0.002


@pytest.mark.parametrize("case", cases("relatives/pspike", "causal_nplr"))
def test_verify_compares_means_over_seeds(case: Case) -> None:
    deployment, data = deployed(case)
    outcome = deployment.verify(data, backends=["native"], against=case.network(), seeds=20)
    found = outcome.ensemble
    assert found is not None
    assert found.passed
    assert outcome.passed
    assert (found.seeds, found.sequences) == (20, len(data))
    assert 0.5 < found.apart < 1.7
    assert 0.7 < found.spread < 1.4
    assert str(found).startswith("means over 20 seeds: ")
    assert outcome.to_json()["ensemble"]["apart"] == found.apart
    # of another network's draws the means differ
    other = replace(deployment, network=brighter(deployment.network))
    outcome = other.verify(data, backends=["native"], against=case.network(), seeds=20)
    assert outcome.ensemble is not None
    assert outcome.ensemble.apart > 2.0
    assert not outcome.passed


def brighter(network: Network) -> Network:
    """Give the network with neurons that fire twice as readily."""
    return network.rewrite(
        {
            node.name: (replace(node, shift=(node.shift + 1).astype(np.int8)),)
            for node in network
            if isinstance(node, DrawnSoma)
        }
    )


def test_seeds_are_for_networks_that_draw() -> None:
    x = np.random.default_rng(0).random((3, 20, WIDTH))
    network = samplers(0)
    deployment = snn_deploy.convert(network, target="loihi2", calibration=x)
    with pytest.raises(ConfigError, match="seeds=1: give at least 2"):
        deployment.verify(x, against=network, seeds=1)
    with pytest.raises(ConfigError, match="seeds need a float network"):
        deployment.verify(x, seeds=2)
    level = Threshold(
        name="spikes", inputs=(Edge("input"),), level=np.zeros(WIDTH), inclusive=False
    )
    silent = replace(network, nodes=(network.input, level))
    deployment = snn_deploy.convert(silent, target="loihi2", calibration=x)
    with pytest.raises(ConfigError, match="this one draws none"):
        deployment.verify(x, against=silent, seeds=2)


@pytest.mark.parametrize("case", [c for c in cases("relatives/pspike") if "shipped" not in c.id])
def test_the_ensemble_is_that_of_the_authors_draws(case: Case) -> None:
    """Of 40 seeds and the oracle's 200 draws, in standard errors of the difference."""
    deployment, data = deployed(case)
    oracle, seeds = case.arrays("oracle"), 40
    runs = [deployment.reseeded(k).simulate(data, backend="reference").logits for k in range(seeds)]
    spread = oracle["logits_std_200_draws_f32"]
    error = spread * np.sqrt(1 / 200 + 1 / seeds)
    apart = (np.mean(runs, axis=0) - oracle["logits_mean_200_draws_f32"]) / error
    assert np.sqrt((apart**2).mean()) < 1.5
    assert (np.abs(apart) > 2).mean() < 0.15
    assert 0.8 < np.median(np.std(runs, axis=0) / spread) < 1.25


@pytest.mark.parametrize("case", cases("relatives/pspike"))
def test_every_engine_draws_the_same(case: Case) -> None:
    deployment, data = deployed(case)
    native, reference = (deployment.simulate(data, backend=e) for e in ("native", "reference"))
    np.testing.assert_array_equal(native.logits, reference.logits)
    assert native.saturated == reference.saturated

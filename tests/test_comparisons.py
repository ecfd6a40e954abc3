"""Sums that are compared with levels: what is measured of them, and how their weights round."""

from __future__ import annotations

from typing import Any

import numpy as np
from synthetic import checkpoint_of
from tiny_families import H, tiny_backbone

from snn_deploy.converters.registry import to_float_network
from snn_deploy.engines.floating import run_float
from snn_deploy.engines.reference import ReferenceEngine
from snn_deploy.engines.result import Run
from snn_deploy.engines.session import run_whole
from snn_deploy.ir.formats import Edge
from snn_deploy.ir.network import Network
from snn_deploy.nodes.float_inputs import FloatInput
from snn_deploy.nodes.linear import Linear
from snn_deploy.nodes.threshold import Threshold
from snn_deploy.passes.pipeline import compile_network
from snn_deploy.passes.quantize import Calibration
from snn_deploy.quantize.comparisons import Comparison, measure_comparisons
from snn_deploy.quantize.config import QuantizationConfig
from snn_deploy.quantize.weights import Moments, round_weights


def test_changed_comparisons_are_counted() -> None:
    inputs = np.array([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0], [0.0, 0.0]])
    sums = np.array([[0.9], [1.0], [3.0], [-1.0]])
    met = Comparison(inputs, sums, levels=np.array([[1.0], [-1.0]]))
    errors = np.array([[[0.1, 0.0]], [[0.0, -0.1]], [[0.0, 0.0]], [[-9.0, 0.0]]])
    # up to 1, below 1, nothing; the first sum below -1, the third below both
    np.testing.assert_array_equal(met.changed(errors), [[0.25], [0.25], [0.0], [0.75]])
    halved = met.in_units(np.array([2.0, 2.0]))
    np.testing.assert_array_equal(halved.changed(errors[:1] * 2), [[0.25]])


def test_what_is_compared_is_found_through_sums() -> None:
    network = to_float_network(checkpoint_of(*tiny_backbone("spikingblockgate")))
    inputs = np.random.default_rng(0).normal(size=(3, 9, 1))
    met = measure_comparisons(network, inputs, None)
    assert set(met) == {"layers.0.mix1", "layers.1.mix1"}
    signals = run_float(network, inputs, record=network.names[:-1]).signals
    found = met["layers.1.mix1"]
    np.testing.assert_array_equal(found.inputs, signals["layers.1.spike"].reshape(-1, H))
    np.testing.assert_array_equal(found.sums, signals["layers.1.inner"].reshape(-1, H))
    np.testing.assert_array_equal(found.levels, np.full((1, H), 0.5))
    assert (
        measure_comparisons(to_float_network(checkpoint_of(*tiny_backbone("s4d"))), inputs, None)
        == {}
    )


def test_rounding_changes_fewer_comparisons_where_it_knows_of_them() -> None:
    rng = np.random.default_rng(0)
    x = (rng.normal(size=(3000, 20)) > 1).astype(float)
    weight, level = rng.normal(size=(12, 20)), 0.3
    exact = x @ weight.T
    moments = Moments(x.mean(axis=0), np.cov(x.T, bias=True))
    met = Comparison(x, exact, np.full((1, 12), level))

    def changed(rounded: Any) -> float:
        made = x @ (rounded.weight * rounded.scale[:, None]).T + rounded.bias_change
        return float(((made >= level) != (exact >= level)).mean())

    apart, together = (round_weights(weight, 6, moments, known) for known in (None, met))
    assert changed(together) < changed(apart) / 2
    assert apart.bias_change.any()
    assert not together.bias_change.any()  # at rest the sum is exact


def test_a_format_holds_the_levels_that_it_is_compared_with() -> None:
    network = Network(
        "float",
        (
            FloatInput(name="input", channels=1),
            Linear(
                name="sum",
                inputs=(Edge("input"),),
                weight=np.array([[1.0], [-1.0]]),
                bias=np.zeros(2),
            ),
            Threshold(
                name="spike", inputs=(Edge("sum"),), level=np.array([3.0, -3.0]), inclusive=True
            ),
        ),
        "all",
    )
    quiet = np.linspace(-1, 1, 20).reshape(2, 10, 1)
    lowered = compile_network(network, QuantizationConfig(), Calibration(quiet, None))
    loud = np.array([0.5, 1.0]).reshape(1, 2, 1)
    mantissas, clipped = lowered["input"].output.encode(loud)  # type: ignore[attr-defined]
    assert clipped == 0
    spikes = run_whole(ReferenceEngine(), lowered, Run(mantissas, np.array([2]), ("spike",))).trace
    np.testing.assert_array_equal(spikes["spike"][0], [[0, 1], [0, 1]])
    exponents = lowered["sum"].output.exponents(2)  # type: ignore[attr-defined]
    assert (3.0 * 2.0**exponents <= lowered["sum"].output.limit).all()  # type: ignore[attr-defined]

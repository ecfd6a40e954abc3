"""Networks behind S4's backbone on a chip: small random ones answer nearly as in float."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest
from synthetic import checkpoint_of
from tiny_families import tiny_backbone

import snn_deploy
from snn_deploy.converters.registry import to_float_network
from snn_deploy.data.inputs import Data
from snn_deploy.deployment import Deployment
from snn_deploy.engines.floating import run_float
from snn_deploy.errors import SnnDeployWarning
from snn_deploy.ir.network import Network
from snn_deploy.nodes.synapses import Synapses

TINY: dict[str, tuple[str, dict[str, Any]]] = {
    "binary": ("s4d", {}),
    "binary, both directions": ("s4block", {"bidirectional": True}),
    "gelu": ("s4d", {"activation": "gelu"}),
    "relu": ("s4d", {"activation": "relu"}),
    "gelu twice": ("s4block", {"activation": "gelu", "final_act": "id"}),
    "prf": ("spikingblockgate", {}),
    "prf, both directions": ("spikingblockgate", {"bidirectional": True}),
    "prf of a scale a channel": ("spikingblockgate", {"spatial": "Binary_vec"}),
    "prf with a reset": ("spikingblockgate", {"temporal": "prf_reset"}),
    "prf without neurons": ("spikingblockgate", {"temporal": "identity"}),
    "older prf": ("spikingblock", {}),
    "gsu": ("s4d_gsu", {}),
    "gsu of one matrix": ("s4d_gsu", {"matrices": 1, "ternary_scale": False}),
    "gsu with a norm": ("s4d_gsu", {"inner_norm": "layer", "post_activation": "relu"}),
    "gsu and nothing after": ("s4d_gsu", {"post_activation": None}),
    "drf": ("drf", {}),
    "refractory": ("s4d_refractory", {}),
}


def _deployed(family: str, options: dict[str, Any]) -> tuple[Network, Deployment, Any]:
    """Give the float network whose maxima are constants, its deployment, and inputs."""
    network = to_float_network(checkpoint_of(*tiny_backbone(family, **options)))
    inputs = np.random.default_rng(0).uniform(-1, 1, (24, 40, 1))
    stages = {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SnnDeployWarning)
        deployment = snn_deploy.convert(
            network,
            calibration=inputs,
            after=lambda step, made: stages.update({step.name: made}),
        )
    return stages["fix-maxima"], deployment, inputs


@pytest.mark.parametrize("case", TINY.values(), ids=TINY)
def test_tiny_networks_answer_as_in_float(case: tuple[str, dict[str, Any]]) -> None:
    """Random ones, without margins: nearly all answers are near, where no spike has flipped."""
    network, deployment, inputs = _deployed(*case)
    answer = deployment.simulate(inputs, backend="reference")
    expected = run_float(network, inputs).logits
    error = np.abs(answer.logits - expected).max(axis=1) / np.abs(expected).max()
    assert np.quantile(error, 0.8) < 0.01
    assert error.max() < 0.2


@pytest.mark.parametrize("name", ["binary", "gelu", "prf", "gsu", "drf"])
def test_causal_ones_can_be_streamed(name: str) -> None:
    """What a part of a sequence gives is what the whole gives there."""
    _, deployment, inputs = _deployed(*TINY[name])
    traced = [name for name in deployment.network.names if name.startswith("layers.")]
    part, whole = (
        deployment.simulate(inputs[:3, :end], backend="reference", trace=traced).trace
        for end in (17, 40)
    )
    assert len(traced) > 8
    for node in traced:
        np.testing.assert_array_equal(part[node], whole[node][:, :17])


def test_what_stands_in_the_padding_is_not_heard() -> None:
    tensors, config = tiny_backbone("s4block", bidirectional=True)
    config["decoder"] = {"_name_": "sequence", "mode": "pool", "use_lengths": True}
    network = to_float_network(checkpoint_of(tensors, config))
    rng = np.random.default_rng(0)
    inputs, lengths = rng.uniform(-1, 1, (6, 20, 1)), np.array([20, 15, 9, 20, 1, 12])
    deployment = snn_deploy.convert(network, calibration=Data(inputs, None, lengths))
    assert "layers.0.mask" in deployment.network.names
    other = inputs.copy()
    for sequence, length in zip(other, lengths, strict=True):
        sequence[length:] = 1.0
    answers = [deployment.simulate(x, lengths, backend="reference").logits for x in (inputs, other)]
    np.testing.assert_array_equal(answers[0], answers[1])


def test_ternary_weights_have_two_bits() -> None:
    _, deployment, _ = _deployed("s4d_gsu", {})
    bits = {s.name: s.weight_bits for s in deployment.network.of_kind(Synapses)}
    assert bits["layers.0.value.synapses"] == bits["layers.1.value.synapses"] == 2
    assert bits["layers.0.gate.synapses"] == 8


def test_what_a_constant_costs_is_told() -> None:
    network = to_float_network(checkpoint_of(*tiny_backbone("s4d_gsu")))
    inputs = np.random.default_rng(0).uniform(-1, 1, (24, 40, 1))
    told = r"it changes these shares of ternary messages: layers\.0\.ternary \d+\.\d%, layers\.1\."
    with pytest.warns(SnnDeployWarning, match=told):
        snn_deploy.convert(network, calibration=inputs)

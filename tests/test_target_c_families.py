"""C99 of whole networks as families have them: every logit equals the reference engine's."""

from __future__ import annotations

import shutil
from typing import Any

import numpy as np
import pytest
from networks import Norm, float_inputs, float_network
from synthetic import checkpoint_of
from tiny_families import tiny_silif, tiny_spiking_s4d

import snn_deploy

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        not any(shutil.which(name) for name in ("cc", "gcc", "clang")), reason="needs a C compiler"
    ),
]


def assert_equal(trained: Any, inputs: Any, **options: Any) -> None:
    deployment = snn_deploy.convert(trained, target="loihi2", calibration=inputs, **options)
    (compared,) = deployment.verify(inputs, backends=("reference", "c")).engines
    assert compared.passed, str(compared)
    assert compared.values > 1000


@pytest.mark.parametrize("kind", ["silif", "csilif"])
def test_adaptive_neurons(kind: str) -> None:
    inputs = np.random.default_rng(0).poisson(0.7, (8, 40, 5)).astype(float)
    assert_equal(checkpoint_of(tiny_silif(kind), None), inputs)


@pytest.mark.parametrize("neuron", ["bptt", "ternary", "leaky_ternary"])
def test_tokens_and_ternary_spikes(neuron: str) -> None:
    tensors = tiny_spiking_s4d(leaky=neuron == "leaky_ternary")
    model = {"model": {"_name_": "spiking_s4d", "neuron_type": neuron}}
    tokens = np.random.default_rng(0).integers(0, 6, (4, 30))
    assert_equal(checkpoint_of(tensors, model), tokens, output_steps="all")


@pytest.mark.parametrize("norm", [True, "layer"])
def test_norms(norm: Norm) -> None:
    network = float_network(norm=norm, d_in=3)
    assert_equal(network, float_inputs(network))

"""Verilog of whole networks as families have them, in both simulators."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from networks import float_inputs, float_network
from synthetic import checkpoint_of
from test_spiking_anywhere import inputs as recurrent_inputs
from test_spiking_anywhere import recurrent
from tiny_families import tiny_silif, tiny_spiking_s4d
from verilog_runs import assert_same

import snn_deploy
from snn_deploy.engines.result import Run
from snn_deploy.run.simulation import encode

EXAMPLE = Path(snn_deploy.__file__).parent / "examples" / "seqdigits_uni"
Made = tuple[Any, Any, dict[str, Any]]


@pytest.fixture(params=["iverilog", "verilator"])
def simulator(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Each simulator; the few steps of a test are not worth the compiler's optimisation."""
    name: str = request.param
    if shutil.which(name) is None:
        pytest.skip(f"needs {name}")
    monkeypatch.setenv("MAKEFLAGS", "OPT_FAST=-O0 OPT_GLOBAL=-O0")
    return name


def binary_s4d() -> Made:
    """Read tokens, whose table the host has, and answer at every step."""
    model = {"model": {"_name_": "spiking_s4d", "neuron_type": "bptt"}}
    tokens = np.random.default_rng(0).integers(0, 6, (4, 30))
    return checkpoint_of(tiny_spiking_s4d(), model), tokens, {"output_steps": "all"}


def silif() -> Made:
    inputs = np.random.default_rng(0).poisson(0.7, (8, 40, 5)).astype(float)
    return checkpoint_of(tiny_silif("silif"), None), inputs, {}


def layer_norm() -> Made:
    network = float_network(norm="layer", d_in=3)
    return network, float_inputs(network), {}


def recurrent_lif() -> Made:
    return recurrent(), recurrent_inputs(), {}


def example() -> Made:
    with np.load(EXAMPLE / "train.npz") as data:
        inputs = data["inputs"]
    return EXAMPLE / "seqdigits_uni.ckpt", inputs, {}


@pytest.mark.slow
@pytest.mark.parametrize("make", [binary_s4d, silif, layer_norm, recurrent_lif, example])
def test_a_family(make: Callable[[], Made], simulator: str, tmp_path: Path) -> None:
    trained, data, options = make()
    network = snn_deploy.convert(trained, target="loihi2", calibration=data, **options).network
    middle = data.shape[1] // 2  # where more is in the example's digits
    inputs = encode(network, data[:2, middle : middle + 5])[0]
    run = Run(inputs, np.full(2, 5), network.names)
    assert_same(network, run, tmp_path, simulator)

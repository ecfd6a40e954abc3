"""Training of Binary S4D and Gated Spiking Units: as in float, as deployed, from scratch.

Needs torch: `make env`, then `.venv/bin/python -m pytest tests/test_training_families.py`.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="training needs torch (make env)")

from synthetic import checkpoint_of
from tiny_families import CLASSES, tiny_backbone

from snn_deploy.data.inputs import Data
from snn_deploy.engines.floating import run_float
from snn_deploy.errors import UnsupportedNetworkError
from snn_deploy.passes.quantize import Calibration
from snn_deploy.quantize.config import QuantizationConfig
from snn_deploy.training.deployed import Deployer
from snn_deploy.training.initialise import new_classifier
from snn_deploy.training.loop import Schedule, train
from snn_deploy.training.model import Model

FAMILIES: dict[str, tuple[str, dict[str, Any]]] = {
    "binary_s4d": ("s4d", {"activation": "spike"}),
    "plain_s4d": ("s4d", {"activation": "gelu"}),
    "rectified_s4d": ("s4d", {"activation": "relu"}),
    "block": ("s4block", {"activation": "spike", "bidirectional": True}),
    "gsu": ("s4d_gsu", {}),
    "gsu_of_one_matrix": (
        "s4d_gsu",
        {"matrices": 1, "ternary_scale": False, "inner_norm": "layer"},
    ),
}
SPIKING = [name for name in FAMILIES if name not in ("plain_s4d", "rectified_s4d")]


def model_of(name: str) -> Model:
    family, options = FAMILIES[name]
    return Model.read(checkpoint_of(*tiny_backbone(family, **options)))


def data_for(count: int = 12, steps: int = 20, seed: int = 3) -> Data:
    rng = np.random.default_rng(seed)
    inputs = rng.normal(size=(count, steps, 1))
    return Data(inputs, rng.integers(0, CLASSES, count), np.full(count, steps))


def loss(logits: Any, data: Data) -> Any:
    return torch.nn.functional.cross_entropy(logits, torch.from_numpy(np.asarray(data.labels)))


@pytest.mark.parametrize("name", FAMILIES)
def test_float_forward_is_the_float_engine(name: str) -> None:
    model, data = model_of(name), data_for()
    expected = run_float(model.network, data.inputs).logits
    found = model.forward(data).detach().numpy()
    off = np.abs(found - expected).max(axis=-1) / np.abs(expected).max()
    assert np.quantile(off, 0.9) < 1e-4  # a spike at its very level may flip in single precision


@pytest.mark.parametrize("name", FAMILIES)
def test_every_parameter_has_a_gradient(name: str) -> None:
    model, data = model_of(name), data_for()
    loss(model.forward(data), data).backward()
    silent = {key for key, p in model.parameters.items() if p.grad is None or not p.grad.any()}
    assert silent == set()


@pytest.mark.parametrize("maxima", ["constant", "every_step"])
@pytest.mark.parametrize("name", SPIKING)
def test_training_computes_with_the_deployed_signals(name: str, maxima: Any) -> None:
    """The answer is the deployed network's, bit for bit, and gradients reach every parameter."""
    model, data = model_of(name), data_for()
    config = QuantizationConfig(weight_bits=4, ternary_maxima=maxima)
    deployer = Deployer(model, config, Calibration(data.inputs, data.lengths))
    compiled = deployer.compile_plainly(deployer.measure(model.tensors()))
    logits = model.run(
        data, compiled.numbers(model.fields()), compiled.signals(data, model.network)
    )
    np.testing.assert_array_equal(logits.detach().numpy(), compiled.answer(data).astype(np.float32))
    loss(logits, data).backward()
    assert all(p.grad is not None and p.grad.any() for p in model.parameters.values())
    tensors = deployer.snap(compiled)
    assert (tensors.keys()) == model.tensors().keys()


@pytest.mark.parametrize("family", ["s4d", "s4d_gsu"])
def test_networks_from_scratch_learn(family: str) -> None:
    model = Model.read(new_classifier(1, 2, 8, 2, 4, 0, family))
    rng = np.random.default_rng(0)
    labels = np.arange(60) % 2
    times = np.arange(24) / 24 * 2 * np.pi
    waves = np.sin(np.where(labels, 2, 5)[:, None] * times + rng.uniform(0, 6, 60)[:, None])
    data = Data(waves[..., None], labels, np.full(60, 24))
    epochs = list(train(model, model.forward, data, Schedule(20, 0.02, batch_size=12)))
    assert epochs[-1].accuracy > 0.85 > epochs[0].accuracy


def test_other_families_are_refused_by_name() -> None:
    checkpoint = checkpoint_of(*tiny_backbone("drf"))
    known = "families spikingssm, s4d, s4block, s4d_gsu, not drf"
    with pytest.raises(UnsupportedNetworkError, match=known):
        Model.read(checkpoint)

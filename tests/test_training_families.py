"""Training of Binary S4D, Gated Spiking Units and PRF: as in float, as deployed, from scratch.

Needs torch: `make env`, then `.venv/bin/python -m pytest tests/test_training_families.py`.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="training needs torch (make env)")

from synthetic import checkpoint_of
from tiny_families import CLASSES, tiny_backbone, tiny_silif

import snn_deploy
from snn_deploy.data.inputs import Data
from snn_deploy.engines.floating import run_float
from snn_deploy.errors import UnsupportedNetworkError
from snn_deploy.passes.quantize import Calibration
from snn_deploy.quantize.config import QuantizationConfig
from snn_deploy.training.deployed import Deployer
from snn_deploy.training.initialise import new_network
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
    "prf": ("spikingblockgate", {"tau": 4.0, "spatial": "Binary_vec"}),
    "prf_that_learns_its_decay": ("spikingblockgate", {"temporal": "prf_train"}),
    "prf_alone": ("spikingblockgate", {"spatial": None}),
}
ADAPTIVE = ("silif", "cadlif")
SPIKING = [name for name in [*FAMILIES, *ADAPTIVE] if name not in ("plain_s4d", "rectified_s4d")]


def adaptive_tensors(name: str) -> dict[str, Any]:
    """A tiny network that speaks, its numbers within the clamps, behind which is no gradient."""
    tensors, rng = tiny_silif(name), np.random.default_rng(1)
    ranges = {"a": (0.1, 0.9), "b": (0.1, 0.9), "norm.weight": (4.0, 8.0)}
    if name == "cadlif":
        ranges |= {"alpha": (0.4, 0.9), "beta": (0.965, 0.985)}
    for key, value in tensors.items():
        layer, parameter = key.split(".", 2)[1:]
        within = (0.85, 0.95) if (layer, parameter) == ("2", "alpha") else ranges.get(parameter)
        if within is not None:
            tensors[key] = rng.uniform(*within, value.shape)
    return tensors


def model_of(name: str) -> Model:
    if name in ADAPTIVE:
        return Model.read(checkpoint_of(adaptive_tensors(name), {}), name)
    family, options = FAMILIES[name]
    return Model.read(checkpoint_of(*tiny_backbone(family, **options)))


def data_for(model: Model, count: int = 12, steps: int = 20, seed: int = 3) -> Data:
    rng = np.random.default_rng(seed)
    width = model.network.input.width
    inputs = rng.normal(size=(count, steps, width))
    return Data(inputs, rng.integers(0, CLASSES, count), np.full(count, steps))


def loss(logits: Any, data: Data) -> Any:
    return torch.nn.functional.cross_entropy(logits, torch.from_numpy(np.asarray(data.labels)))


@pytest.mark.parametrize("name", [*FAMILIES, *ADAPTIVE])
def test_float_forward_is_the_float_engine(name: str) -> None:
    model = model_of(name)
    data = data_for(model)
    expected = run_float(model.network, data.inputs).logits
    found = model.forward(data).detach().numpy()
    off = np.abs(found - expected).max(axis=-1) / np.abs(expected).max()
    assert np.quantile(off, 0.9) < 1e-4  # a spike at its very level may flip in single precision


@pytest.mark.parametrize("name", [*FAMILIES, *ADAPTIVE])
def test_every_parameter_has_a_gradient(name: str) -> None:
    model = model_of(name)
    data = data_for(model)
    loss(model.forward(data), data).backward()
    silent = {key for key, p in model.parameters.items() if p.grad is None or not p.grad.any()}
    assert silent == set()


@pytest.mark.parametrize("maxima", ["constant", "every_step"])
@pytest.mark.parametrize("name", SPIKING)
def test_training_computes_with_the_deployed_signals(name: str, maxima: Any) -> None:
    """The answer is the deployed network's, bit for bit, and gradients reach every parameter."""
    model = model_of(name)
    data = data_for(model)
    # gains of 24 bits, since weights of 4 are large steps of PRF's small streams
    config = QuantizationConfig(weight_bits=4, gain_bits=24, ternary_maxima=maxima)
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


@pytest.mark.parametrize("family", ["s4d", "s4d_gsu", "spikingblockgate", "silif"])
def test_networks_from_scratch_learn(family: str) -> None:
    model = Model.read(new_network(1, 2, 8, 2, 4, 0, family))
    rng = np.random.default_rng(0)
    labels = np.arange(60) % 2
    times = np.arange(24) / 24 * 2 * np.pi
    waves = np.sin(np.where(labels, 2, 5)[:, None] * times + rng.uniform(0, 6, 60)[:, None])
    data = Data(waves[..., None], labels, np.full(60, 24))
    epochs = list(train(model, model.forward, data, Schedule(20, 0.02, batch_size=12)))
    first, last = epochs[0].accuracy, epochs[-1].accuracy
    assert first is not None
    assert last is not None
    assert last > 0.85 > first


def test_other_families_are_refused_by_name() -> None:
    checkpoint = checkpoint_of(*tiny_backbone("drf"))
    known = "families spikingssm, s4d, s4block, s4d_gsu, spikingblockgate, .*adlif, not drf"
    with pytest.raises(UnsupportedNetworkError, match=known):
        Model.read(checkpoint)


def test_prf_in_both_directions_is_refused() -> None:
    checkpoint = checkpoint_of(*tiny_backbone("spikingblockgate", bidirectional=True))
    with pytest.raises(UnsupportedNetworkError, match="training knows PRF that reads forwards"):
        Model.read(checkpoint)


def model_of_every_step(outputs: int) -> Model:
    checkpoint = new_network(1, outputs, 8, 1, 4, 0, "s4d", {"mode": "last"})
    return Model.read(checkpoint, output_steps="all")


def trained(model: Model, inputs: Any) -> Any:
    network = snn_deploy.load_float_network(model.checkpoint(), output_steps="all")
    return run_float(network, inputs).logits


def test_a_regression_learns_its_known_targets_alone() -> None:
    """A sliding mean; where the target is NaN there is no loss, and no gradient."""
    rng = np.random.default_rng(1)
    inputs = rng.normal(size=(40, 20, 1))
    targets = (inputs + np.roll(inputs, 1, axis=1)) / 2
    targets[:, :1] = np.nan
    model = model_of_every_step(1)
    data = Data(inputs, None, np.full(40, 20), targets=targets)
    epochs = list(train(model, model.forward, data, Schedule(30, 0.02, batch_size=10)))
    assert [epoch.accuracy for epoch in epochs] == [None] * 30
    assert epochs[-1].loss < 0.5 * epochs[0].loss

    some = np.full_like(targets, np.nan)
    some[:, 3] = targets[:, 3]
    (epoch,) = train(model, model.forward, replace(data, targets=some), Schedule(1, 1e-9))
    errors = trained(model, inputs)[:, 3] - targets[:, 3]
    assert epoch.loss == pytest.approx(np.mean(errors**2), rel=1e-3)


def test_labels_of_steps_count_where_they_are_not_negative() -> None:
    """Say what came two steps before, in the last three steps."""
    rng = np.random.default_rng(2)
    inputs = rng.choice([-1.0, 1.0], size=(60, 6, 1))
    labels = np.full((60, 6), -1)
    labels[:, 3:] = inputs[:, 1:4, 0] > 0
    model = model_of_every_step(2)
    data = Data(inputs, labels, np.full(60, 6))
    epochs = list(train(model, model.forward, data, Schedule(30, 0.02, batch_size=12)))
    answers = trained(model, inputs).argmax(axis=-1)
    known = labels >= 0
    accuracy = epochs[-1].accuracy
    assert accuracy is not None
    assert accuracy > 0.8  # by chance: a half
    assert np.mean(answers[known] == labels[known]) > 0.8

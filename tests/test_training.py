"""Training: the pieces against slow formulas, the forward pass against the engines to the bit.

Needs torch: `make env`, then `.venv/bin/python -m pytest tests/test_training.py`.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="training needs torch (make env)")

from synthetic import checkpoint_of, set_option, tiny_spikingssm_state
from training_models import make_data, make_model

import snn_deploy
from snn_deploy.converters.spikingssm_config import parse_config
from snn_deploy.data.inputs import Data
from snn_deploy.engines.float_ops import Context
from snn_deploy.engines.floating import run_float
from snn_deploy.engines.reference import run_node
from snn_deploy.engines.registry import get_engine
from snn_deploy.errors import ConfigError, DataError, UnsupportedNetworkError
from snn_deploy.ir.storage import network_digest
from snn_deploy.nodes.base import Place
from snn_deploy.nodes.float_lif import Lif
from snn_deploy.nodes.synapses import QuantizedLinear
from snn_deploy.passes.quantize import Calibration
from snn_deploy.quantize.config import QuantizationConfig
from snn_deploy.run.simulation import simulate
from snn_deploy.training import layouts
from snn_deploy.training.deployed import Compiled, Deployer
from snn_deploy.training.initialise import new_network
from snn_deploy.training.kernels import convolve, discrete_ssm
from snn_deploy.training.labelled import hold_out, require_labels
from snn_deploy.training.loop import Schedule, train
from snn_deploy.training.model import Model
from snn_deploy.training.neuron import fire, membrane, pass_gradient
from snn_deploy.training.scores import Score, score

LAYOUTS: dict[str, dict[str, Any]] = {
    "causal": {},
    "bidirectional": {"bidirectional": True, "trainable_b": True},
    "batch-norm": {"prenorm": True, "norm": "batch", "threshold": "shared", "d_input": 3},
    "layer-norm": {"prenorm": True, "norm": "layer", "threshold": "none"},
    "tokens": {"vocabulary": 7, "bidirectional": True, "use_lengths": True},
    "last": {"mode": "last", "use_lengths": True},
    "first": {"mode": "first", "neuron": "bptt"},
    "one mode": {"d_state": 2, "d_model": 3, "n_layers": 1},
    "no modes": {"d_state": 0},
}
KERNEL_OPTIONS: dict[str, dict[str, Any]] = {
    "bilinear": {"disc": "bilinear"},
    "relu": {"real_transform": "relu", "dt_transform": "softplus"},
    "sigmoid": {"real_transform": "sigmoid", "imag_transform": "exp"},
    "dt_fast": {"dt_fast": True, "bandlimit": 0.5},
}
WIDTHS: dict[str, dict[str, int]] = {
    "defaults": {},
    "4-bit": {"weight_bits": 4},
    "all coarse": {
        "weight_bits": 2,
        "residual_bits": 8,
        "decay_bits": 8,
        "readout_bits": 6,
        "gate_bits": 8,
        "input_bits": 6,
    },
    "all wide": {"gain_bits": 24, "residual_bits": 24, "input_bits": 24, "weight_bits": 8},
}


def make_deployer(model: Model, data: Data, **widths: int) -> Deployer:
    calibration = Calibration(data.inputs, data.lengths)
    return Deployer(model, QuantizationConfig(**widths), calibration)


def answer(compiled: Compiled, data: Data) -> Any:
    return simulate(compiled.lowered, data, get_engine("reference")).logits


# the neuron


@pytest.mark.parametrize("decay", [0.0, 0.125, 0.9])
@pytest.mark.parametrize("steps", [1, 2, 9, 40])
def test_spikes_are_those_of_the_exact_neuron(decay: float, steps: int) -> None:
    drive = np.random.default_rng(steps).normal(0.5, 0.8, (3, steps, 50))
    lif = Lif(name="lif", threshold=np.ones(50), decay=decay)
    spikes = lif.evaluate([drive], Context(np.full(3, steps), "exact"))
    assert np.array_equal(fire(torch.from_numpy(drive), decay).numpy(), spikes)


@pytest.mark.parametrize("decay", [0.0, 0.125, 0.9])
def test_membrane_is_the_recurrence_with_known_spikes(decay: float) -> None:
    drive, spikes, expected = _membrane_by_loop(decay)
    found = membrane(drive, spikes, decay)
    assert np.allclose(found.detach().numpy(), expected.detach().numpy(), atol=1e-6, rtol=0)


@pytest.mark.parametrize("decay", [0.125, 0.9])
def test_gradient_passes_as_through_a_loop_over_time(decay: float) -> None:
    drive, spikes, by_loop = _membrane_by_loop(decay)
    wanted = torch.randn(drive.shape, generator=torch.Generator().manual_seed(0))
    (torch.atan(np.pi * (by_loop - 1)) / np.pi * wanted).sum().backward()
    expected, drive.grad = drive.grad, None
    passed = pass_gradient(drive, spikes, decay)
    assert torch.equal(passed, spikes)
    (passed * wanted).sum().backward()
    assert drive.grad is not None
    assert torch.allclose(drive.grad, expected, atol=1e-5)


def _membrane_by_loop(decay: float) -> tuple[Any, Any, Any]:
    random = torch.Generator().manual_seed(1)
    drive = torch.randn((2, 33, 5), generator=random).requires_grad_()
    spikes = (torch.rand((2, 33, 5), generator=random) < 0.3).float()
    v, steps = torch.zeros(2, 5), []
    for t in range(33):
        v = decay * v + drive[:, t]
        steps.append(v)
        v = v * (1 - spikes[:, t])
    return drive, spikes, torch.stack(steps, dim=1)


# the float network


@pytest.mark.parametrize("layout", LAYOUTS.values(), ids=LAYOUTS)
def test_float_forward_is_the_float_engine(layout: dict[str, Any]) -> None:
    model = make_model(**layout)
    data = make_data(model)
    expected = run_float(model.network, data.inputs, data.lengths).logits
    assert np.allclose(model.forward(data).detach().numpy(), expected, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("options", KERNEL_OPTIONS.values(), ids=KERNEL_OPTIONS)
def test_kernel_options_are_the_float_engines(options: dict[str, Any]) -> None:
    tensors, config = tiny_spikingssm_state(trainable_b=True)
    for name, value in options.items():
        set_option(config, ("model", "layer", name), value)
    for key in tensors:  # S4's transforms expect positive numbers
        if key.endswith("A_imag") and "imag_transform" in options:
            tensors[key] = np.log(np.abs(tensors[key]) + 0.1).astype(np.float32)
        if key.endswith("inv_dt") and "dt_fast" in options:
            tensors[key] = np.arcsinh(tensors[key])
    model = Model.read(checkpoint_of(tensors, config))
    data = make_data(model)
    expected = run_float(model.network, data.inputs).logits
    assert np.allclose(model.forward(data).detach().numpy(), expected, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("layout", ["causal", "bidirectional", "batch-norm", "layer-norm"])
def test_every_parameter_that_counts_has_a_gradient(layout: str) -> None:
    model = make_model(**LAYOUTS[layout])
    data = make_data(model)
    torch.nn.functional.cross_entropy(
        model.forward(data), torch.from_numpy(np.asarray(data.labels))
    ).backward()
    silent = {key for key, p in model.parameters.items() if p.grad is None or not p.grad.any()}
    prenorm = (model.source.config or {})["model"]["prenorm"]
    dead = set() if prenorm else {k for k in silent if ".norms." in k}
    assert silent == dead


def test_kernel_gradients_against_finite_differences() -> None:
    tensors, config = tiny_spikingssm_state(bidirectional=True, trainable_b=True, d_model=2)
    model = Model.read(checkpoint_of(tensors, config))
    keys = "model.s4_layers.0.kernel."
    names = [key for key in model.parameters if key.startswith(keys)]
    values = [model.parameters[key].detach().double().requires_grad_() for key in names]
    u = torch.randn((1, 11, 2), dtype=torch.double, generator=torch.Generator().manual_seed(0))

    layer = parse_config(config, "a test").model.layer

    def run(*parameters: Any) -> Any:
        fields = discrete_ssm(
            dict(zip(names, parameters, strict=True)), keys, layer, trainable_b=True
        )
        return convolve({**fields, "d": torch.zeros(2, dtype=torch.double)}, u)

    assert torch.autograd.gradcheck(run, values)


# the deployed network


@pytest.mark.parametrize("widths", WIDTHS.values(), ids=WIDTHS)
@pytest.mark.parametrize(
    "layout", ["causal", "bidirectional", "batch-norm", "layer-norm", "last", "one mode"]
)
def test_training_computes_the_deployed_networks_bits(layout: str, widths: dict[str, int]) -> None:
    model = make_model(**LAYOUTS[layout])
    data = make_data(model)
    deployer = make_deployer(model, data, **widths)
    compiled = deployer.compile_plainly(deployer.measure(model.tensors()))
    signals = compiled.signals(data, model.network)
    logits = model.run(data, compiled.numbers(model.fields()), signals)
    assert logits.requires_grad
    assert np.array_equal(logits.detach().numpy().astype(np.float64), answer(compiled, data))


def test_every_shared_signal_is_the_deployed_one() -> None:
    model = make_model(**LAYOUTS["batch-norm"])
    data = make_data(model)
    deployer = make_deployer(model, data, weight_bits=3)
    compiled = deployer.compile_plainly(deployer.measure(model.tensors()))
    signals = compiled.signals(data, model.network)
    without = {name for name in model.network.names if name not in signals}
    assert without == {"layers.0.mix", "layers.1.mix"}  # a Gate does its work
    trace = simulate(compiled.lowered, data, get_engine("reference"), compiled.lowered.names).trace
    for name in signals.keys() - {"decoder"}:
        node: Any = compiled.lowered[name]
        assert np.array_equal(signals[name].numpy(), node.output.decode(trace[name])), name


def test_deployed_weights_compute_what_the_integers_compute() -> None:
    model = make_model()
    data = make_data(model)
    deployer = make_deployer(model, data, weight_bits=3)
    compiled = deployer.compile_plainly(deployer.measure(model.tensors()))
    for linear in compiled.integer.of_kind(QuantizedLinear):
        source: Any = compiled.integer[linear.inputs[0].source]
        limit = min(source.output.limit, 100)
        mantissas = np.random.default_rng(0).integers(0, limit + 1, (1, 5, source.width))
        integers, _ = run_node(linear, [mantissas], Place(np.array([5]), 5))
        deployed = compiled.weights(linear.name)
        real = source.output.decode(mantissas) @ deployed["weight"].T + deployed["bias"]
        half = 0.5 * 2.0 ** -linear.output.exponents(linear.width)
        error = np.abs(linear.output.decode(integers) - real) / half
        unclipped = np.abs(integers) < linear.output.limit
        assert unclipped.mean() > 0.9
        assert error[unclipped].max() <= 1 + 1e-9


@pytest.mark.parametrize("bits", [2, 3, 4, 8])
def test_snapped_synapses_convert_to_the_same_integers(bits: int) -> None:
    model = make_model()
    data = make_data(model)
    deployer = make_deployer(model, data, weight_bits=bits)
    plain = deployer.compile_plainly(deployer.measure(model.tensors()))
    snapped = deployer.snap(plain)
    _, converted = deployer.convert(snapped)
    for name, key in model.synapses():
        first: Any = plain.integer[name]
        second: Any = converted.integer[name]
        assert np.array_equal(first.weight, second.weight)
        assert np.array_equal(first.rescale.mantissa, second.rescale.mantissa)
        assert not np.array_equal(snapped[key], model.source.tensors[key])


# the loop


def test_training_lowers_the_loss_and_tells_each_epoch() -> None:
    model = make_model(d_model=12)
    data = make_data(model, count=40)
    schedule = Schedule(epochs=12, learning_rate=0.02, batch_size=8)
    epochs = list(train(model, model.forward, data, schedule))
    assert [epoch.number for epoch in epochs] == list(range(1, 13))
    assert epochs[-1].loss < 0.8 * epochs[0].loss
    assert epochs[-1].accuracy > epochs[0].accuracy


def test_same_seed_same_parameters_other_seed_others() -> None:
    found = []
    for seed in (1, 1, 2):
        model = make_model()
        list(train(model, model.forward, make_data(model), Schedule(2, batch_size=8, seed=seed)))
        found.append(model.tensors()["encoder.0.weight"])
    assert np.array_equal(found[0], found[1])
    assert not np.array_equal(found[0], found[2])


def test_divergence_stops_with_a_message() -> None:
    model = make_model()
    with torch.no_grad():
        model.parameters["encoder.0.weight"][0, 0] = np.inf
    with pytest.raises(ConfigError, match=r"diverged in epoch 1: .* learning rate below 0\.002"):
        next(train(model, model.forward, make_data(model), Schedule()))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"epochs": 0}, "epochs is 0; it must be at least 1"),
        ({"batch_size": 0}, "batch_size is 0; it must be at least 1"),
        ({"learning_rate": float("nan")}, "learning_rate is nan; it must be above 0"),
    ],
)
def test_impossible_schedules_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        Schedule(**options)


def test_untouched_tensors_stay_as_they_were() -> None:
    tensors, config = tiny_spikingssm_state()
    tensors = {key: value.astype(np.float16) for key, value in tensors.items()}
    model = Model.read(checkpoint_of(tensors, config))
    assert all(value.dtype == np.float16 for value in model.tensors().values())
    list(train(model, model.forward, make_data(model), Schedule(1, batch_size=8)))
    after = model.tensors()
    changed = {key for key, value in after.items() if value.dtype == np.float32}
    assert {key for key in tensors if "neuron" in key or "norms" in key} & changed == set()
    assert {"model.s4_layers.0.kernel.C", "encoder.0.weight"} <= changed
    for key in tensors.keys() - changed:
        assert np.array_equal(after[key], tensors[key])


def test_new_networks_can_be_trained_and_differ_by_seed() -> None:
    models = [Model.read(new_network(2, 5, 6, 2, 4, seed)) for seed in (0, 0, 1)]
    first, same, other = (m.tensors()["model.s4_layers.1.kernel.C"] for m in models)
    assert np.array_equal(first, same)
    assert not np.array_equal(first, other)
    data = Data(np.zeros((3, 9, 2), np.float32), np.arange(3), np.full(3, 9))
    assert models[0].forward(data).shape == (3, 5)


# what is refused


def test_one_vector_a_sequence_is_what_can_be_finetuned() -> None:
    tensors, config = tiny_spikingssm_state()
    config["decoder"] = {"_name_": "nd", "mode": "full"}
    with pytest.raises(UnsupportedNetworkError, match="fine-tuning knows networks that give one"):
        Model.read(checkpoint_of(tensors, config))


def test_a_reading_that_differs_from_the_conversions_is_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    real = layouts.discrete_ssm

    def wrong(*given: Any) -> Any:
        fields = real(*given)
        return {**fields, "c": fields["c"] * 1.01}

    monkeypatch.setattr(layouts, "discrete_ssm", wrong)
    with pytest.raises(UnsupportedNetworkError, match=r"'layers\.0\.ssm': .* another 'c' than"):
        make_model()


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (None, "train.npz: no array 'labels'"),
        ([0, 1, 4], r"labels\[2\] = 4 is outside the network's classes, 0 … 3"),
        ([0, -1, 3], r"labels\[1\] = -1 is outside"),
    ],
)
def test_labels_are_checked(labels: list[int] | None, message: str) -> None:
    array = None if labels is None else np.array(labels)
    data = Data(np.zeros((3, 2, 1)), array, np.full(3, 2))
    with pytest.raises(DataError, match=message):
        require_labels(data, 4, "train.npz")


def test_holding_out_divides_every_sequence_once() -> None:
    data = Data(np.arange(25.0).reshape(25, 1, 1), np.arange(25), np.ones(25, int))
    training, held_out = hold_out(data, 7, "train.npz")
    assert (len(training), len(held_out)) == (23, 2)
    both = np.concatenate([training.inputs, held_out.inputs]).ravel()
    assert np.array_equal(np.sort(both), np.arange(25))
    for part in (training, held_out):
        assert np.array_equal(part.inputs.ravel(), part.labels)
    with pytest.raises(DataError, match="one sequence cannot be trained on and validated by"):
        hold_out(data[:1], 7, "train.npz")


def test_scores_compare_by_accuracy_then_loss() -> None:
    logits = np.array([[0.0, np.log(3.0)], [0.0, 0.0], [800.0, 0.0]])
    data = Data(np.zeros((3, 1, 1)), np.array([1, 1, 0]), np.ones(3, int))
    found = score(logits, data)
    assert found.accuracy == 2 / 3  # the first of a tie counts
    assert found.loss == pytest.approx((np.log(4 / 3) + np.log(2)) / 3)
    assert Score(0.9, 5.0).better_than(Score(0.8, 1.0))
    assert Score(0.9, 1.0).better_than(Score(0.9, 2.0))
    assert not Score(0.9, 1.0).better_than(Score(0.9, 1.0))


def test_a_model_is_converted_as_it_is_trained() -> None:
    """Without a file between; what is trained on later changes nothing."""
    model = Model.read(new_network(2, 5, 6, 2, 4, 0))
    key = next(key for key in model.parameters if key.endswith("weight"))
    with torch.no_grad():
        model.parameters[key].mul_(2.0)
    network = snn_deploy.load_float_network(model, example_inputs=np.zeros((1, 3, 2)))
    wanted = snn_deploy.load_float_network(model.checkpoint())
    assert network_digest(network) == network_digest(wanted)
    untrained = snn_deploy.load_float_network(new_network(2, 5, 6, 2, 4, 0))
    assert network_digest(network) != network_digest(untrained)

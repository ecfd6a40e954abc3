"""S4's kernels, encoders and decoders as the converter reads them, each against its formula."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from synthetic import Tensors, checkpoint_of, tiny_spikingssm_state

from snn_deploy.converters.registry import to_float_network
from snn_deploy.engines.float_dynamics import ssm_kernel
from snn_deploy.engines.floating import run_float
from snn_deploy.ir.network import OutputSteps
from snn_deploy.ir.text import format_network
from snn_deploy.nodes.embedding import AdaptiveEmbedding
from snn_deploy.nodes.ssm import DiagonalSsm, DssSsm

Array = npt.NDArray[Any]
STEPS = 12
KEY = "model.s4_layers.0.kernel."
TRANSFORMS: dict[str, Callable[[Array], Array]] = {
    "none": lambda x: x,
    "exp": np.exp,
    "relu": lambda x: np.maximum(x, 0) + 1e-4,
    "sigmoid": lambda x: 1 / (1 + np.exp(-x)),
    "softplus": lambda x: np.log1p(np.exp(x)),
}


def kernel_of(tensors: Tensors, config: dict[str, Any]) -> Array:
    """Give the converted first layer's impulse response, (STEPS, H)."""
    ssm = to_float_network(checkpoint_of(tensors, config))["layers.0.ssm"]
    if isinstance(ssm, DssSsm):
        ssm = ssm.at_length(STEPS)
    assert isinstance(ssm, DiagonalSsm)
    return ssm_kernel(ssm.a, ssm.b * ssm.c, STEPS)


def with_options(tensors: Tensors, config: dict[str, Any], **options: Any) -> dict[str, Any]:
    """Set kernel options, and make stored values positive so that every transform is stable."""
    config["model"]["layer"] |= options
    for layer in range(config["model"]["n_layers"]):
        key = f"model.s4_layers.{layer}.kernel.A_real"
        tensors[key] = np.abs(tensors[key])
    return config


def modes_of(tensors: Tensors, transforms: dict[str, str], fast: bool = False) -> tuple[Any, ...]:
    """Give pole, dt, b and c of the first layer, as stored and transformed."""
    w = {
        name.removeprefix(KEY): np.asarray(tensors[name], np.float64)
        for name in tensors
        if name.startswith(KEY)
    }
    real = TRANSFORMS[transforms.get("real_transform", "exp")](w["A_real"])
    imag = TRANSFORMS[transforms.get("imag_transform", "none")](w["A_imag"])
    inv_dt = np.sinh(w["inv_dt"]) if fast else w["inv_dt"]
    dt = TRANSFORMS[transforms.get("dt_transform", "exp")](inv_dt)
    b, c = (w[name][0, ..., 0] + 1j * w[name][0, ..., 1] for name in "BC")
    return -real - 1j * imag, dt, b, c


def summed(gain: Array, log_a: Array) -> Array:
    """Give Σ_n gain exp(log_a j), complex, (STEPS, H), term by term."""
    return np.stack([(gain * np.exp(log_a * j)).sum(1) for j in range(STEPS)])


@pytest.mark.parametrize("transform", TRANSFORMS)
@pytest.mark.parametrize("option", ["real_transform", "imag_transform", "dt_transform"])
def test_transforms(option: str, transform: str) -> None:
    tensors, config = tiny_spikingssm_state(trainable_b=True)
    if (option, transform) == ("dt_transform", "none"):
        for layer in range(2):
            tensors[f"model.s4_layers.{layer}.kernel.inv_dt"][:] = 0.1
    with_options(tensors, config, **{option: transform})

    pole, dt, b, c = modes_of(tensors, {option: transform})

    expected = 2 * summed(c * b * (np.exp(dt * pole) - 1) / pole, dt * pole).real
    np.testing.assert_allclose(kernel_of(tensors, config), expected, rtol=1e-9, atol=1e-9)


def test_fast_dt() -> None:
    tensors, config = tiny_spikingssm_state(trainable_b=True)
    for layer in range(2):
        key = f"model.s4_layers.{layer}.kernel.inv_dt"
        tensors[key] = np.arcsinh(tensors[key])
    with_options(tensors, config, dt_fast=True)
    pole, dt, b, c = modes_of(tensors, {}, fast=True)
    expected = 2 * summed(c * b * (np.exp(dt * pole) - 1) / pole, dt * pole).real
    np.testing.assert_allclose(kernel_of(tensors, config), expected, rtol=1e-9, atol=1e-9)


def test_bilinear_discretisation() -> None:
    tensors, config = tiny_spikingssm_state(trainable_b=True)
    with_options(tensors, config, disc="bilinear")
    pole, dt, b, c = modes_of(tensors, {})
    a = (1 + dt * pole / 2) / (1 - dt * pole / 2)
    expected = 2 * summed(c * b * dt / (1 - dt * pole / 2), np.log(a)).real
    np.testing.assert_allclose(kernel_of(tensors, config), expected, rtol=1e-9, atol=1e-9)


def test_dss_depends_on_the_length() -> None:
    tensors, config = tiny_spikingssm_state(trainable_b=True)
    with_options(tensors, config, disc="dss")
    pole, dt, b, c = modes_of(tensors, {})
    x = pole * (np.exp(dt * pole * STEPS) - 1)
    gain = c * b * (np.exp(dt * pole) - 1) * np.conj(x) / (np.abs(x) ** 2 + 1e-7)
    np.testing.assert_allclose(
        kernel_of(tensors, config), summed(gain, dt * pole).real, rtol=1e-9, atol=1e-9
    )


def test_untied_dt_and_shared_ssms() -> None:
    tensors, config = tiny_spikingssm_state(d_model=6, trainable_b=True)
    rng = np.random.default_rng(0)
    for layer in range(2):
        key = f"model.s4_layers.{layer}.kernel."
        tensors[f"{key}inv_dt"] = rng.uniform(-6, -3, (6, 4))
        for name in ("A_real", "A_imag"):
            tensors[f"{key}{name}"] = tensors[f"{key}{name}"][:2]
        tensors[f"{key}B"] = tensors[f"{key}B"][:, :2]
    with_options(tensors, config, dt_tie=False, n_ssm=2)
    pole, dt, b, c = modes_of(tensors, {})
    # head h uses SSM h mod 2
    pole, b = (np.stack([x[head % 2] for head in range(6)]) for x in (pole, b))
    expected = 2 * summed(c * b * (np.exp(dt * pole) - 1) / pole, dt * pole).real
    np.testing.assert_allclose(kernel_of(tensors, config), expected, rtol=1e-9, atol=1e-9)


def test_real_modes_keep_the_factor_two() -> None:
    tensors, config = tiny_spikingssm_state(d_state=3, trainable_b=True)
    rng = np.random.default_rng(0)
    for layer in range(2):
        key = f"model.s4_layers.{layer}.kernel."
        tensors[f"{key}A_real"] = rng.normal(size=(8, 3))
        tensors[f"{key}B"], tensors[f"{key}C"] = rng.normal(size=(2, 1, 8, 3))
        del tensors[f"{key}A_imag"]
    with_options(tensors, config, is_real=True)
    w = {name: tensors[f"{KEY}{name}"] for name in ("A_real", "B", "C", "inv_dt")}
    pole, dt = -np.exp(w["A_real"]), np.exp(w["inv_dt"].astype(np.float64))
    expected = 2 * summed(w["C"][0] * w["B"][0] * (np.exp(dt * pole) - 1) / pole, dt * pole)
    np.testing.assert_allclose(kernel_of(tensors, config), expected, rtol=1e-9, atol=1e-9)


def test_bandlimit_silences_fast_modes() -> None:
    tensors, config = tiny_spikingssm_state(trainable_b=True)
    with_options(tensors, config, bandlimit=0.05)
    pole, dt, b, c = modes_of(tensors, {})
    c = np.where(dt * np.abs(pole.imag) / (2 * np.pi) < 0.025, c, 0)
    assert 0 < np.count_nonzero(c) < c.size
    expected = 2 * summed(c * b * (np.exp(dt * pole) - 1) / pole, dt * pole).real
    np.testing.assert_allclose(kernel_of(tensors, config), expected, rtol=1e-9, atol=1e-9)


def ends(
    encoder: Any, decoder: Any, task: Any = None, **tensors: Array
) -> tuple[Tensors, dict[str, Any]]:
    """Make a network without layers, H = 4: what its encoder gives goes to its decoder.

    In the names of ``tensors`` two underscores stand for a dot.
    """
    _, config = tiny_spikingssm_state(d_model=4, n_layers=0)
    config |= {"encoder": encoder, "decoder": decoder, "task": task or {"_name_": "base"}}
    return {key.replace("__", "."): value for key, value in tensors.items()}, config


def run(
    state: tuple[Tensors, dict[str, Any]],
    inputs: Array,
    steps: OutputSteps = "one",
    lengths: Array | None = None,
) -> Array:
    return run_float(to_float_network(checkpoint_of(*state), steps), inputs, lengths).logits


RNG = np.random.default_rng(5)
X = RNG.normal(size=(2, 6, 4))
TOKENS = RNG.integers(0, 5, (2, 6))
W = RNG.normal(size=(3, 4))
BIAS = RNG.normal(size=3)
LINEAR_DECODER = {"decoder__0__weight": W, "decoder__0__bias": BIAS}
TRANSFORM = {"decoder__0__output_transform__weight": W, "decoder__0__output_transform__bias": BIAS}


@pytest.mark.parametrize("encoder", [None, "id", ["id"], []])
def test_no_encoder(encoder: Any) -> None:
    state = ends(encoder, "linear", **LINEAR_DECODER)
    np.testing.assert_allclose(run(state, X), X @ W.T + BIAS)


@pytest.mark.parametrize("taps", [1, 2, 5])
def test_conv1d_encoder_pads_to_the_same_length(taps: int) -> None:
    kernel, bias = RNG.normal(size=(4, 2, taps)), RNG.normal(size=4)
    state = ends(
        {"_name_": "conv1d", "kernel_size": taps},
        "linear",
        encoder__0__conv__weight=kernel,
        encoder__0__conv__bias=bias,
        **LINEAR_DECODER,
    )
    x = RNG.normal(size=(1, 6, 2))
    padded = np.concatenate([np.zeros(((taps - 1) // 2, 2)), x[0], np.zeros((taps // 2, 2))])
    h = [sum(kernel[:, :, k] @ padded[t + k] for k in range(taps)) + bias for t in range(6)]
    np.testing.assert_allclose(run(state, x)[0], np.array(h) @ W.T + BIAS)


def test_one_hot_encoder_with_positions() -> None:
    table = RNG.normal(size=(9, 4))
    state = ends(
        ["onehot", {"_name_": "position"}], "linear", encoder__1__pe=table, **LINEAR_DECODER
    )
    tokens = TOKENS % 4
    np.testing.assert_allclose(run(state, tokens), (np.eye(4)[tokens] + table[:6]) @ W.T + BIAS)


@pytest.mark.parametrize(
    ("mode", "steps"),
    [
        *itertools.product(["last", "first", "sum"], ["one", "all", 2, 4]),
        ("pool", "one"),
        ("pool", 4),
    ],
)
def test_sequence_decoder(mode: str, steps: OutputSteps) -> None:
    state = ends(None, {"_name_": "sequence", "mode": mode}, **TRANSFORM)
    count = {"one": 1, "all": 6}.get(str(steps), steps)
    assert isinstance(count, int)
    running = X.cumsum(1)
    expected = {
        "last": X[:, -count:],
        "first": X[:, :count],
        "sum": running[:, -count:],
        # four steps out of four channels: the division runs along the channels
        "pool": running[:, -1:] / 6 if count == 1 else running[:, -4:] / np.arange(3, 7),
    }[mode]
    expected = expected @ W.T + BIAS
    np.testing.assert_allclose(run(state, X, steps), expected[:, 0] if steps == "one" else expected)


def test_last_steps_of_valid_ones() -> None:
    decoder = {"_name_": "sequence", "mode": "last", "use_lengths": True}
    state = ends(None, decoder, **TRANSFORM)
    expected = np.stack([X[0, 1:3], X[1, 4:6]]) @ W.T + BIAS
    np.testing.assert_allclose(run(state, X, 2, np.array([3, 6])), expected)


@pytest.mark.parametrize("nli", [True, False])
@pytest.mark.parametrize("activation", ["relu", "gelu"])
def test_retrieval_decoder(nli: bool, activation: str) -> None:
    sizes = [16, 10, 3] if nli else [8, 10, 5, 3]
    layers = [(RNG.normal(size=(n, m)), RNG.normal(size=n)) for m, n in itertools.pairwise(sizes)]
    tensors = {}
    for k, (weight, bias) in enumerate(layers):
        tensors[f"decoder__0__retrieval__classifier__{2 * k}__weight"] = weight
        tensors[f"decoder__0__retrieval__classifier__{2 * k}__bias"] = bias
    decoder = {"_name_": "retrieval", "mode": "pool", "nli": nli, "d_model": 10}
    state = ends(None, decoder | {"activation": activation}, **tensors)
    documents = RNG.normal(size=(6, 5, 4))
    a, b = documents[:3].mean(1), documents[3:].mean(1)
    features = np.concatenate([a, b, a - b, a * b] if nli else [a, b], axis=1)
    act = np.vectorize(
        lambda x: max(x, 0.0) if activation == "relu" else x * (1 + math.erf(x / 2**0.5)) / 2
    )
    for k, (weight, bias) in enumerate(layers):
        features = (act(features) if k else features) @ weight.T + bias
    np.testing.assert_allclose(run(state, documents), features)


@pytest.mark.parametrize("rescale", [True, False])
def test_language_model_scores_every_step(rescale: bool) -> None:
    table, bias = RNG.normal(size=(5, 4)), RNG.normal(size=5)
    state = ends(
        None,
        "sequence",
        {"_name_": "lm", "tied": True, "rescale": rescale},
        encoder__0__weight=table,
        decoder__1__weight=table,
        decoder__1__bias=bias,
    )
    expected = (2.0 if rescale else 1.0) * table[TOKENS] @ table.T + bias
    np.testing.assert_allclose(run(state, TOKENS), expected)


@pytest.mark.parametrize("tied", [True, False])
def test_adaptive_language_model(tied: bool) -> None:
    tables = [RNG.normal(size=(n, e)) for n, e in ((2, 4), (3, 2), (2, 1))]
    projections = [RNG.normal(size=(4, e)) for e in (4, 2, 1)]
    output = tables if tied else [RNG.normal(size=table.shape) for table in tables]
    own = [RNG.normal(size=(4, e)) for e in (4, 2, 1)]
    biases = [RNG.normal(size=len(table)) for table in tables]
    clusters, cluster_bias = RNG.normal(size=(2, 4)), RNG.normal(size=2)
    tensors: dict[str, Array] = {
        "loss__cluster_weight": clusters,
        "loss__cluster_bias": cluster_bias,
        "loss__out_projs__0": own[0],
        "loss_val__cluster_bias": cluster_bias,
    }
    for k in range(3):
        tensors[f"encoder__0__emb_layers__{k}__weight"] = tables[k]
        tensors[f"encoder__0__emb_projs__{k}"] = projections[k]
        tensors[f"loss__shared_out_projs__{k}"] = projections[k]
        tensors[f"loss__out_layers_biases__{k}"] = biases[k]
        if not tied:
            tensors[f"loss__out_layers_weights__{k}"] = output[k]
    if not tied:
        tensors["loss__out_projs__2"] = own[2]
    task = {
        "_name_": "adaptivelm",
        "cutoffs": [2, 5],
        "div_val": 2,
        "tie_weights": tied,
        "tie_projs": [True, tied],
    }
    weights, config = ends(None, "sequence", task, **tensors)
    tokens = np.array([[0, 1, 2, 4, 5, 6]])

    network = to_float_network(checkpoint_of(weights, config))
    logits = run_float(network, tokens).logits
    assert len(format_network(network).splitlines()) == 1 + len(network), "one line a node"

    rows = np.concatenate([2 * t @ p.T for t, p in zip(tables, projections, strict=True)])
    encoder = network["encoder"]
    assert isinstance(encoder, AdaptiveEmbedding)
    np.testing.assert_allclose(encoder.rows(), rows)
    assert encoder.vocabulary == network.output.width == 7
    x = rows[tokens]
    used = [own[0], projections[1], projections[2] if tied else own[2]]
    scores = [x @ p @ w.T + b for p, w, b in zip(used, output, biases, strict=True)]
    head = log_softmax(np.concatenate([scores[0], x @ own[0] @ clusters.T + cluster_bias], -1))
    expected = np.concatenate(
        [
            head[..., :2],
            head[..., 3:4] + log_softmax(scores[1]),  # the first tail is the last column
            head[..., 2:3] + log_softmax(scores[2]),
        ],
        axis=-1,
    )
    np.testing.assert_allclose(logits, expected)
    np.testing.assert_allclose(np.exp(logits).sum(-1), 1)


def log_softmax(x: Array) -> Array:
    return np.asarray(x - np.log(np.exp(x).sum(-1, keepdims=True)))


def test_bare_backbone_gives_the_stream() -> None:
    tensors, config = tiny_spikingssm_state(d_model=4)
    whole = to_float_network(checkpoint_of(tensors, config))
    bare = to_float_network(
        checkpoint_of(
            {k.removeprefix("model."): v for k, v in tensors.items() if k.startswith("model.")},
            config,
        )
    )
    x = RNG.normal(size=(2, 9, 1))
    recorded = run_float(whole, x, record=["encoder", "layers.1.residual"]).signals
    assert bare.answer.steps == "all"
    np.testing.assert_array_equal(
        run_float(bare, recorded["encoder"]).logits, recorded["layers.1.residual"]
    )

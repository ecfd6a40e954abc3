"""Forms of the families that no real checkpoint has, against their equations in plain loops."""

from __future__ import annotations

from collections.abc import Callable
from math import erf
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from synthetic import Tensors, checkpoint_of
from tiny_families import LAYERS, H, tiny_backbone, tiny_silif, tiny_spiking_s4d

from snn_deploy.converters.overrides import override_model
from snn_deploy.converters.registry import to_float_network
from snn_deploy.engines.floating import run_float
from snn_deploy.ir.network import Network
from snn_deploy.ir.verifier import verify_network

Real = npt.NDArray[np.float64]
Layer = Callable[[dict[str, Any], Real, dict[str, Any]], Real]

STEPS = 20
X = np.random.default_rng(9).normal(size=(3, STEPS, 1))


def sigmoid(x: Any) -> Any:
    return 1 / (1 + np.exp(-x))


def gelu(x: Real) -> Real:
    return x * (1 + np.vectorize(erf)(x / np.sqrt(2))) / 2


def layer_norm(p: dict[str, Any], x: Real) -> Real:
    centred = x - x.mean(-1, keepdims=True)
    normal = centred / np.sqrt((centred**2).mean(-1, keepdims=True) + 1e-5)
    return normal * p["weight"] + p["bias"]


def normed(p: dict[str, Any], x: Real) -> Real:
    if not p:
        return x
    if "running_mean" not in p:
        return layer_norm(p, x)
    return (x - p["running_mean"]) / np.sqrt(p["running_var"] + 1e-5) * p["weight"] + p["bias"]


def linear(p: dict[str, Any], key: str, x: Real) -> Real:
    weight = p[f"{key}weight"]
    return x @ weight.reshape(weight.shape[:2]).T + p[f"{key}bias"]


def glu(x: Real) -> Real:
    return x[..., :H] * sigmoid(x[..., H:])


def under(tensors: Tensors, prefix: str) -> dict[str, Any]:
    return {k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)}


def recurrence(a: Any, b: Any, c: Any, d: Any, u: Real) -> Real:
    """y[t] = 2 Re c h[t] + d u[t], h[t] = a h[t-1] + b u[t]; a, b, c (H, N)."""
    h = np.zeros((len(u), *a.shape), dtype=complex)
    y = np.empty_like(u)
    for t in range(u.shape[1]):
        h = a * h + b * u[:, t, :, None]
        y[:, t] = 2 * (c * h).sum(-1).real + d * u[:, t]
    return y


def s4d_drive(p: dict[str, Any], u: Real) -> Real:
    pole = -np.exp(p["kernel.log_A_real"]) + 1j * p["kernel.A_imag"]
    a = np.exp(np.exp(p["kernel.log_dt"])[:, None] * pole)
    c = p["kernel.C"].reshape(H, -1, 2)
    return recurrence(a, (a - 1) / pole, c[..., 0] + 1j * c[..., 1], p["D"], u)


def backbone(tensors: Tensors, config: dict[str, Any], layer: Layer) -> Real:
    model = config["model"]
    h = X @ tensors["encoder.0.weight"].T + tensors["encoder.0.bias"]
    for i in range(LAYERS):
        keys = f"model.layers.{i}."
        norm = under(tensors, f"{keys}norm.norm.")
        u = normed(norm, h) if model["prenorm"] else h
        y = layer(under(tensors, f"{keys}layer."), u, model["layer"])
        h = residual(model["residual"], i, tensors, keys, h, y)
        h = h if model["prenorm"] else normed(norm, h)
    if model["prenorm"]:
        h = normed(under(tensors, "model.norm.norm."), h)
    return linear(tensors, "decoder.0.output_transform.", h.mean(1))


def residual(spec: Any, index: int, tensors: Tensors, keys: str, x: Real, y: Real) -> Real:
    if spec in (None, "N"):
        return y
    if spec == "R":
        return x + y
    if spec == "A":
        return x + tensors[f"{keys}residual.affine"] * y
    if spec == "D":
        beta = (index + 1) ** -0.5
        return np.sqrt(1 - beta**2) * x + beta * y
    return spec["alpha"] * x + spec["beta"] * y


def assert_same(network: Network, expected: Real, inputs: Any = X) -> None:
    verify_network(network)
    found = run_float(network, inputs).logits
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-10 * np.abs(expected).max())


def s4d_layer(p: dict[str, Any], u: Real, options: dict[str, Any]) -> Real:
    y = s4d_drive(p, u)
    act = {"spike": lambda x: 1.0 * (x > 0), "gelu": gelu, "relu": lambda x: np.maximum(x, 0)}
    return glu(linear(p, "output_linear.0.", act[options["activation"]](y)))


@pytest.mark.parametrize("activation", ["spike", "gelu", "relu"])
@pytest.mark.parametrize("norm", ["batch", "layer", None])
@pytest.mark.parametrize("prenorm", [True, False])
def test_s4d(activation: str, norm: str | None, prenorm: bool) -> None:
    model = {"prenorm": prenorm, "norm": norm}
    tensors, config = tiny_backbone("s4d", model=model, activation=activation)
    network = to_float_network(checkpoint_of(tensors, config))
    assert_same(network, backbone(tensors, config, s4d_layer))


WEIGHED = {"_name_": "R", "alpha": 0.5, "beta": 2}


@pytest.mark.parametrize("spec", [None, "N", "R", "A", "D", WEIGHED])
def test_residuals(spec: Any) -> None:
    tensors, config = tiny_backbone("s4d", model={"residual": spec})
    if spec == "A":
        tensors |= {f"model.layers.{i}.residual.affine": np.array([0.7 + i]) for i in (0, 1)}
    network = to_float_network(checkpoint_of(tensors, config))
    assert_same(network, backbone(tensors, config, s4d_layer))


def block_layer(p: dict[str, Any], u: Real, options: dict[str, Any]) -> Real:
    complex_ = {k: v[..., 0] + 1j * v[..., 1] for k, v in p.items() if v.shape[-1:] == (2,)}
    pole = -np.exp(p["layer.kernel.A_real"]) - 1j * p["layer.kernel.A_imag"]
    dt, d = np.exp(p["layer.kernel.inv_dt"]), p["layer.D"][0]
    b, c = complex_["layer.kernel.B"][0], complex_["layer.kernel.C"]
    if options["mode"] == "diag":
        a = np.exp(dt * pole)
        y = recurrence(a, b * (a - 1) / pole, c[0], d, u)
        if options.get("bidirectional"):  # strictly the future
            later = np.concatenate([u[:, 1:], np.zeros_like(u[:, :1])], axis=1)[:, ::-1]
            y += recurrence(a, b * (a - 1) / pole, c[1], 0 * d, later)[:, ::-1]
    else:
        y = dense(pole, complex_["layer.kernel.P"][0], dt, b, c[0], u) + d * u
    if options["activation"] == "spike":
        y = 1.0 * (y > 0)
    elif options["activation"] == "gelu":
        y = gelu(gelu(y))  # S4's inner convolution has a GELU of its own
    else:
        y = np.maximum(gelu(y), 0)
    final = options.get("final_act", "glu")
    if final is None:
        return y
    mixed = linear(p, "output_linear.0.", y)
    return glu(mixed) if final == "glu" else mixed


def dense(pole: Any, low_rank: Any, dt: Any, b: Any, c: Any, u: Real) -> Real:
    """S4's kernel by the bilinear transform, one channel at a time, in conjugate pairs."""
    y = np.zeros_like(u)
    for channel in range(H):
        p, q = (np.r_[x[channel], x[channel].conj()] for x in (pole, low_rank))
        matrix = np.diag(p) - np.outer(q, q.conj())
        step = dt[channel, 0]
        inverse = np.linalg.inv(np.eye(len(p)) - step / 2 * matrix)
        a = inverse @ (np.eye(len(p)) + step / 2 * matrix)
        gain = inverse @ (step * np.r_[b[channel], b[channel].conj()])
        h = np.zeros((len(u), len(p)), dtype=complex)
        for t in range(u.shape[1]):
            h = h @ a.T + np.outer(u[:, t, channel], gain)
            y[:, t, channel] = (h @ np.r_[c[channel], c[channel].conj()]).real
    return y


@pytest.mark.parametrize(
    "options",
    [
        {"activation": "spike"},
        {"activation": "gelu", "bidirectional": True},
        {"activation": "relu", "final_act": "id"},
        {"activation": "gelu", "final_act": None},
        {"activation": "spike", "mode": "dplr"},
        {"activation": "gelu", "mode": "nplr"},
    ],
)
def test_s4block(options: dict[str, Any]) -> None:
    tensors, config = tiny_backbone("s4block", **options)
    network = to_float_network(checkpoint_of(tensors, config))
    assert_same(network, backbone(tensors, config, block_layer))


def gsu_layer(p: dict[str, Any], u: Real, options: dict[str, Any]) -> Real:
    y, keys = s4d_drive(p, u), "output_linear."

    def ternary(x: Real, largest: Any) -> Real:
        return 1.0 * (x >= 0.15 * largest) - 1.0 * (x <= -0.15 * largest)

    scales = [np.exp(p.get(f"{keys}ternay{k}.log_w", np.zeros(1))) for k in (1, 2)]
    if options.get("matrices") == 1:
        w1 = w2 = p[f"{keys}w"].T
        b1, b2 = p[f"{keys}b"], p[f"{keys}c"]
    else:
        w1, w2 = (p[f"{keys}pro_linear{k}.weight"] for k in (1, 2))
        b1, b2 = (p[f"{keys}pro_linear{k}.bias"] for k in (1, 2))
    gate = scales[0] * ternary(y, np.abs(y).max(-1, keepdims=True)) @ w1.T + b1
    value = y @ (scales[1] * ternary(w2, np.abs(w2).max())).T + b2
    out = gate * value
    if options.get("inner_norm"):
        out = layer_norm(under(p, f"{keys}LN."), out)
    return {"gelu": gelu, "relu": lambda x: np.maximum(x, 0), None: lambda x: x}[
        options.get("post_activation", "gelu")
    ](out)


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"matrices": 1, "inner_norm": "layer", "ternary_scale": False},
        {"post_activation": None, "ternary_scale": False},
        {"post_activation": "relu", "inner_norm": "layer"},
    ],
)
def test_gsu(options: dict[str, Any]) -> None:
    tensors, config = tiny_backbone("s4d_gsu", model={"prenorm": False}, **options)
    network = to_float_network(checkpoint_of(tensors, config))
    assert_same(network, backbone(tensors, config, gsu_layer))


def prf_spikes(p: dict[str, Any], key: str, x: Real, options: dict[str, Any]) -> Real:
    temporal, threshold = options.get("temporal"), options.get("v_th", 1.0)
    leaky = temporal in ("lif", "decoupled_reset")
    if leaky:
        pole, gain, threshold = np.full(H, 1 - 1 / options.get("tau", 2.0)), np.ones(H), 1.0
    else:
        decay = (
            np.exp(p[f"{key}.gamma"]) if temporal == "prf_train" else 1 / options.get("tau", 2.0)
        )
        gain = np.exp(p[f"{key}.log_dt"])
        pole = np.exp(gain * (-decay + 1j * np.exp(p[f"{key}.theta_log"])))
    v = np.zeros((len(x), H), dtype=complex)
    raised = np.zeros((len(x), H))
    spikes = np.empty_like(x)
    for t in range(x.shape[1]):
        v = pole * v + gain * x[:, t]
        spikes[:, t] = v.real >= threshold + raised
        if leaky or temporal == "prf_reset":
            raised = pole.real * (raised + threshold * spikes[:, t])
    return spikes


def prf_layer(p: dict[str, Any], u: Real, options: dict[str, Any]) -> Real:
    if options.get("temporal") == "identity":
        x1 = 2 * u
    else:
        spikes = prf_spikes(p, "neuron1", u, options)
        if options.get("bidirectional"):
            behind = prf_spikes(p, "reverse_neuron1", u[:, ::-1], options)[:, ::-1]
            spikes = np.concatenate([spikes, behind], axis=-1)
        x1 = u + linear(p, "pro_linear1.", spikes)
    if options.get("spatial") in (None, "identity"):
        return x1
    alpha = np.exp(p.get("alpha", np.zeros(1)))
    return x1 + linear(p, "pro_linear2.", alpha * (x1 >= 0.5))


@pytest.mark.parametrize("temporal", [None, "prf", "prf_train", "prf_reset"])
@pytest.mark.parametrize("bidirectional", [False, True])
@pytest.mark.parametrize("spatial", [None, "identity", "Binary", "Binary_vec"])
def test_prf(temporal: str | None, bidirectional: bool, spatial: str | None) -> None:
    options = {"temporal": temporal, "bidirectional": bidirectional, "spatial": spatial}
    tensors, config = tiny_backbone("spikingblockgate", tau=3.0, v_th=0.25, **options)
    network = to_float_network(checkpoint_of(tensors, config))
    assert_same(network, backbone(tensors, config, prf_layer))


@pytest.mark.parametrize("temporal", ["lif", "decoupled_reset", "identity"])
def test_prf_with_other_neurons(temporal: str) -> None:
    tensors, config = tiny_backbone("spikingblockgate", temporal=temporal, tau=4.0)
    network = to_float_network(checkpoint_of(tensors, config))
    assert_same(network, backbone(tensors, config, prf_layer))


def test_a_soft_reset_is_a_threshold_that_remembers() -> None:
    """The leaky neuron as its users know it: v loses the threshold with every spike."""
    tensors, config = tiny_backbone("spikingblockgate", temporal="lif", tau=4.0)
    network = to_float_network(checkpoint_of(tensors, config))
    signals = run_float(network, X, record=["layers.0.norm", "layers.0.spike"]).signals
    v = np.zeros((len(X), H))
    for t in range(STEPS):
        v = v * 0.75 + signals["layers.0.norm"][:, t]
        fired = v >= 1
        np.testing.assert_array_equal(signals["layers.0.spike"][:, t], fired)
        v = v - fired


def test_prf_older_block() -> None:
    swallowed = {"bidirectional": True, "activation": "gelu", "final_act": "glu", "n_ssm": 1}
    model = {"norm": "layer", "pool": {"_name_": "sample", "pool": 1, "expand": 1}}
    tensors, config = tiny_backbone("spikingblock", model=model, **swallowed)
    network = to_float_network(checkpoint_of(tensors, config))
    config["model"]["layer"] = {"spatial": "Binary"}
    assert_same(network, backbone(tensors, config, prf_layer))


def spiking_s4d(tensors: Tensors, kind: str, prenorm: bool, tokens: Any) -> Real:
    h = tensors["emb.weight"][tokens]
    for i in range(LAYERS):
        p, norm = under(tensors, f"body.layers.{i}."), under(tensors, f"body.norms.{i}.")
        y = s4d_drive(p, layer_norm(norm, h) if prenorm else h) / np.exp(p["ln_vth"][:, 0])
        h = h + glu(linear(p, "output_linear.0.", lif(p, y, kind)))
        h = h if prenorm else layer_norm(norm, h)
    return layer_norm(under(tensors, "ln_out."), h) @ tensors["head.weight"].T


def lif(p: dict[str, Any], drive: Real, kind: str) -> Real:
    v, out = np.zeros_like(drive[:, 0]), np.empty_like(drive)
    for t in range(drive.shape[1]):
        v = v / 8 + drive[:, t]
        out[:, t] = v >= 1 if kind in ("bptt", "sltt") else 1.0 * (v >= 1.5) - 1.0 * (v <= -1.5)
        v = np.where(out[:, t] != 0, 0, v)
    if kind != "leaky_ternary":
        return out
    alpha = sigmoid(p["neuron.alpha_logit"])
    return alpha * out + (1 - alpha) * drive * sigmoid(drive)


@pytest.mark.parametrize("kind", ["bptt", "sltt", "ternary", "leaky_ternary"])
@pytest.mark.parametrize("prenorm", [True, False])
def test_spiking_s4d(kind: str, prenorm: bool) -> None:
    tensors = tiny_spiking_s4d(leaky=kind == "leaky_ternary")
    said = {"neuron_type": kind, "prenorm": prenorm}
    network = to_float_network(override_model(checkpoint_of(tensors, None), said))
    tokens = np.random.default_rng(2).integers(0, 6, (3, STEPS))
    expected = spiking_s4d(tensors, kind, prenorm, tokens)
    assert_same(network, expected, tokens)
    assert network.answer.steps == "all"


def test_adlif_and_cadlif_differ_by_their_clamps() -> None:
    checkpoint = checkpoint_of(tiny_silif("cadlif"), None)
    made = {
        kind: to_float_network(override_model(checkpoint, {"neuron": kind}))["layers.0.lif"]
        for kind in ("cadlif", "adlif")
    }
    stored = checkpoint.tensors["snn.0.beta"]
    for kind, low, high in (
        ("cadlif", 0.96, 0.99),
        ("adlif", np.exp(-1 / 30), np.exp(-1 / 120)),
    ):
        np.testing.assert_array_equal(
            made[kind].beta,  # type: ignore[attr-defined]
            np.clip(stored, low, high),
        )


@pytest.mark.parametrize("kind", ["silif", "csilif", "rf"])
def test_silif_by_its_keys(kind: str) -> None:
    network = to_float_network(checkpoint_of(tiny_silif(kind), None))
    verify_network(network)
    expected = "AdaptiveLif" if kind == "silif" else "ResonateAndFire"
    assert [network[f"layers.{i}.lif"].kind for i in (0, 1)] == [expected] * 2
    shares = run_float(network, np.random.default_rng(1).normal(size=(2, 9, 5))).logits
    np.testing.assert_allclose(shares.sum(-1), 9)

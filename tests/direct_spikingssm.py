"""SpikingSSM from the formulas alone, in plain loops: a second opinion for the float engine.

Shares no code with the converter or the engine. Slow, and for the layouts that
``synthetic.tiny_spikingssm_state`` makes.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]


def direct_logits(
    tensors: Mapping[str, npt.NDArray[Any]],
    config: Mapping[str, Any],
    inputs: npt.NDArray[Any],
    lengths: npt.NDArray[np.int64] | None = None,
    neuron: str = "exact",
) -> Array:
    """Give the logits of whole sequences, (B, classes), one sequence after the other."""
    weights = {key: np.asarray(value, dtype=np.float64) for key, value in tensors.items()}
    ends = lengths if lengths is not None else [inputs.shape[1]] * len(inputs)
    return np.stack(
        [
            _decode(weights, config, _stream(weights, config, x, neuron), int(end))
            for x, end in zip(inputs, ends, strict=True)
        ]
    )


def _stream(
    w: Mapping[str, Array], config: Mapping[str, Any], x: npt.NDArray[Any], neuron: str
) -> Array:
    """Give the residual stream after the last layer, (L, H)."""
    encoder = w["encoder.0.weight"]
    tokens = config["encoder"] == "embedding"
    h = encoder[x] if tokens else x.astype(np.float64) @ encoder.T + w["encoder.0.bias"]
    model = config["model"]
    for i in range(model["n_layers"]):
        u = _norm(w, f"model.norms.{i}.", h, model["norm"]) if model["prenorm"] else h
        h = h + _layer(w, f"model.s4_layers.{i}.", model["layer"], u, neuron)
    return h


def _norm(w: Mapping[str, Array], key: str, h: Array, kind: str) -> Array:
    if kind == "batch":
        mean, variance = w[f"{key}running_mean"], w[f"{key}running_var"]
    else:
        mean, variance = h.mean(1, keepdims=True), h.var(1, keepdims=True)
    scale: Array = w[f"{key}weight"] / np.sqrt(variance + 1e-5)
    return (h - mean) * scale + w[f"{key}bias"]


def _layer(
    w: Mapping[str, Array], key: str, layer: Mapping[str, Any], u: Array, neuron: str
) -> Array:
    steps, channels = u.shape
    spikes = np.zeros((steps, channels))
    for ch in range(channels):
        forward = _kernel(w, f"{key}kernel.", layer, ch, 0, steps)
        drive = [sum(forward[j] * u[t - j, ch] for j in range(t + 1)) for t in range(steps)]
        if layer["bidirectional"]:
            backward = _kernel(w, f"{key}kernel.", layer, ch, 1, steps)
            for t in range(steps):
                drive[t] += sum(backward[j] * u[t + 1 + j, ch] for j in range(steps - t - 1))
        scaled = (np.array(drive) + w[f"{key}D"][0, ch] * u[:, ch]) / _threshold(w, key, ch)
        spikes[:, ch] = _fire(scaled) if neuron == "exact" else _surrogate(w, key, scaled)
    z = spikes @ w[f"{key}output_linear.0.weight"][:, :, 0].T + w[f"{key}output_linear.0.bias"]
    gate: Array = 1 / (1 + np.exp(-z[:, channels:]))
    return z[:, :channels] * gate


def _kernel(
    w: Mapping[str, Array], key: str, layer: Mapping[str, Any], ch: int, row: int, steps: int
) -> Array:
    """Give the impulse response of channel ``ch``, term by term."""
    c = w[f"{key}C"][row, ch, :, 0] + 1j * w[f"{key}C"][row, ch, :, 1]
    if layer["trainable_B"]:
        pole = -np.exp(w[f"{key}A_real"][ch]) - 1j * w[f"{key}A_imag"][ch]
        b = w[f"{key}B"][0, ch, :, 0] + 1j * w[f"{key}B"][0, ch, :, 1]
        dt = math.exp(w[f"{key}inv_dt"][ch, 0])
    else:
        pole = -np.exp(w[f"{key}log_A_real"][ch]) + 1j * w[f"{key}A_imag"][ch]
        b, dt = np.ones_like(pole), math.exp(w[f"{key}log_dt"][ch])
    gain = c * b * (np.exp(dt * pole) - 1) / pole
    return np.array([2 * np.sum(gain * np.exp(dt * pole * j)).real for j in range(steps)])


def _threshold(w: Mapping[str, Array], key: str, ch: int) -> float:
    stored = w.get(f"{key}ln_vth")
    return 1.0 if stored is None else math.exp(stored[ch if stored.ndim == 2 else 0].item())


def _fire(drive: Array) -> list[float]:
    membrane, spikes = 0.0, []
    for current in drive:
        membrane = membrane / 8 + current
        spikes.append(float(membrane >= 1))
        if membrane >= 1:
            membrane = 0.0
    return spikes


def _surrogate(w: Mapping[str, Array], key: str, drive: Array) -> list[float]:
    net = {n: w[f"{key}neuron.model.conv{n}.weight"] for n in (1, 2, 3)}
    bias = {n: w[f"{key}neuron.model.conv{n}.bias"] for n in (1, 2, 3)}
    spikes = []
    for t in range(len(drive)):
        taps = np.array([drive[t - 8 + k] if t - 8 + k >= 0 else 0.0 for k in range(8)])
        c = np.maximum(net[1][:, 0] @ taps + bias[1], 0)
        hidden = np.maximum(net[2][:, :, 0] @ c + bias[2] + c, 0)
        predicted = (net[3][0, :, 0] @ hidden + bias[3]).item()
        spikes.append(float(predicted + drive[t] - 1 >= 0))
    return spikes


def _decode(w: Mapping[str, Array], config: Mapping[str, Any], h: Array, end: int) -> Array:
    decoder = config["decoder"]
    valid = h[:end] if decoder["use_lengths"] else h
    pooled = {"pool": valid.mean(0), "sum": valid.sum(0), "last": valid[-1], "first": valid[0]}
    weight, bias = w["decoder.0.output_transform.weight"], w["decoder.0.output_transform.bias"]
    logits: Array = weight @ pooled[decoder["mode"]] + bias
    return logits

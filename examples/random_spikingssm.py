"""Random SpikingSSM state dicts of any width, depth and layout, no torch."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import numpy.typing as npt

__all__ = ["Tensors", "random_spikingssm"]

Tensors = dict[str, npt.NDArray[Any]]

# Constants of about the size of the authors' surrogate; any will do, all layers share them.
_SURROGATE_SHAPES = {
    "conv1.weight": (8, 1, 8),
    "conv1.bias": (8,),
    "conv2.weight": (8, 8, 1),
    "conv2.bias": (8,),
    "conv3.weight": (1, 8, 1),
    "conv3.bias": (1,),
}


def random_spikingssm(
    *,
    d_model: int = 8,
    n_layers: int = 2,
    d_state: int = 8,
    bidirectional: bool = False,
    trainable_b: bool = False,
    prenorm: bool = False,
    norm: Literal["batch", "layer"] | None = "layer",
    neuron: Literal["sdn", "bptt", "sltt"] = "sdn",
    threshold: Literal["channel", "shared", "none"] = "channel",
    d_input: int = 1,
    vocabulary: int | None = None,
    classes: int = 4,
    mode: Literal["pool", "last", "first", "sum"] = "pool",
    use_lengths: bool = False,
    drive: float = 2.0,
    dt_min: float = 0.001,
    dt_max: float = 0.1,
    seed: int = 0,
) -> tuple[Tensors, dict[str, Any]]:
    """Make the state dict and the configuration of a random SpikingSSM.

    Parameters
    ----------
    d_model, n_layers, d_state
        Channels H, layers, and twice the number of complex modes a channel.
    bidirectional, trainable_b, prenorm, norm, neuron, threshold
        The layout's switches, as in the authors' configuration.
    d_input, vocabulary
        Input channels of a linear encoder; or, with a vocabulary, tokens of an embedding.
    classes, mode, use_lengths
        The decoder.
    drive
        Scales c and D, and with them how often neurons fire; 2 gives some 5 to 30 %.
    dt_min, dt_max
        Range of the modes' step size.
    seed
        The same seed gives the same network.

    Returns
    -------
    tensors, config
        float32 weights by key, and the configuration as plain data.
    """
    rng = np.random.default_rng(seed)
    tensors: Tensors = {}
    for index in range(n_layers):
        prefix = f"model.s4_layers.{index}."
        tensors |= _layer(rng, prefix, d_model, bidirectional, neuron, threshold, drive)
        log_dt = rng.uniform(np.log(dt_min), np.log(dt_max), d_model).astype(np.float32)
        tensors |= _kernel(rng, f"{prefix}kernel.", log_dt, d_state, bidirectional, trainable_b)
        tensors[f"{prefix}kernel.C"] *= np.float32(drive)
    for index in range(n_layers if norm else 0):
        tensors |= _norm(rng, f"model.norms.{index}.", d_model, norm == "batch")
    if vocabulary is None:
        tensors["encoder.0.weight"] = _normal(rng, d_model, d_input)
        tensors["encoder.0.bias"] = _normal(rng, d_model, scale=0.3)
    else:
        tensors["encoder.0.weight"] = _normal(rng, vocabulary, d_model)
    tensors["decoder.0.output_transform.weight"] = _normal(rng, classes, d_model)
    tensors["decoder.0.output_transform.bias"] = _normal(rng, classes)
    layer = {
        "d_state": d_state,
        "bidirectional": bidirectional,
        "trainable_B": trainable_b,
        "neuron": neuron,
        "learnable_vth": threshold != "none",
        "shared_vth": threshold == "shared",
        "lr": 0.001,
        "dt_min": dt_min,
        "dt_max": dt_max,
    }
    config = {
        "model": {
            "_name_": "spikingssm",
            "d_model": d_model,
            "n_layers": n_layers,
            "prenorm": prenorm,
            "norm": norm,
            "dropout": 0.1,
            "layer": layer,
        },
        "encoder": "linear" if vocabulary is None else "embedding",
        "decoder": {"_name_": "sequence", "mode": mode, "use_lengths": use_lengths},
        "task": {"_name_": "base", "loss": "cross_entropy"},
        "train": {"ema": 0.0},
    }
    return tensors, config


def _layer(
    rng: np.random.Generator,
    prefix: str,
    channels: int,
    bidirectional: bool,
    neuron: str,
    threshold: str,
    drive: float,
) -> Tensors:
    tensors: Tensors = {f"{prefix}D": _normal(rng, 1, channels, scale=drive / 2)}
    if threshold != "none":
        rows = (channels, 1) if threshold == "channel" else (1,)
        tensors[f"{prefix}ln_vth"] = _normal(rng, *rows, scale=0.2)
    if neuron == "sdn":
        for name, shape in _SURROGATE_SHAPES.items():
            tensors[f"{prefix}neuron.model.{name}"] = _normal(rng, *shape, scale=0.1)
    tensors[f"{prefix}output_linear.0.weight"] = _normal(
        rng, 2 * channels, channels, 1, scale=channels**-0.5
    )
    tensors[f"{prefix}output_linear.0.bias"] = _normal(rng, 2 * channels, scale=0.1)
    return tensors


def _kernel(
    rng: np.random.Generator,
    prefix: str,
    log_dt: npt.NDArray[np.float32],
    d_state: int,
    bidirectional: bool,
    trainable_b: bool,
) -> Tensors:
    channels, modes, rows = len(log_dt), d_state // 2, 2 if bidirectional else 1
    real = np.log(0.5) + _normal(rng, channels, modes, scale=0.1)
    imag = (np.pi * np.arange(modes) + _normal(rng, channels, modes, scale=0.1)).astype(np.float32)
    tensors: Tensors = {f"{prefix}C": _normal(rng, rows, channels, modes, 2)}
    if trainable_b:
        tensors[f"{prefix}inv_dt"] = log_dt[:, None]
        tensors[f"{prefix}B"] = 1 + _normal(rng, 1, channels, modes, 2, scale=0.3)
        tensors[f"{prefix}A_real"] = real
    else:
        tensors[f"{prefix}log_dt"] = log_dt
        tensors[f"{prefix}log_A_real"] = real
    tensors[f"{prefix}A_imag"] = imag
    return tensors


def _norm(rng: np.random.Generator, prefix: str, channels: int, batch: bool) -> Tensors:
    tensors: Tensors = {
        f"{prefix}weight": 1 + _normal(rng, channels, scale=0.2),
        f"{prefix}bias": _normal(rng, channels, scale=0.2),
    }
    if batch:
        tensors[f"{prefix}running_mean"] = _normal(rng, channels, scale=0.5)
        tensors[f"{prefix}running_var"] = rng.uniform(0.2, 3.0, channels).astype(np.float32)
        tensors[f"{prefix}num_batches_tracked"] = np.array(24)
    return tensors


def _normal(rng: np.random.Generator, *shape: int, scale: float = 1.0) -> npt.NDArray[np.float32]:
    return (scale * rng.normal(size=shape)).astype(np.float32)

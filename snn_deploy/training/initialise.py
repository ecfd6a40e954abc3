"""Networks to train from scratch: configuration and first values, in the authors' own layout."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from snn_deploy.checkpoint import Checkpoint

__all__ = ["new_classifier"]

Tensors = dict[str, npt.NDArray[np.generic]]

# S4D's usual range of step lengths, and its decay of all modes (Gu et al. 2022, "S4D-Lin")
_DT_RANGE = (1e-3, 1e-1)
_DECAY = 0.5


def new_classifier(
    inputs: int,
    classes: int,
    channels: int,
    layers: int,
    modes: int,
    seed: int,
    family: str = "spikingssm",
) -> Checkpoint:
    """Make an untrained causal classifier: the mean over time of its last layer, linear.

    Parameters
    ----------
    inputs, classes
        Width of a step, number of classes.
    channels, layers, modes
        Channels, layers, and complex modes a channel.
    seed
        Of the random first values.
    family
        ``spikingssm``; or behind S4's own backbone, with a residual stream: ``s4d``, which is
        Binary S4D, or ``s4d_gsu``, S4D with Gated Spiking Units and layer norms.
    """
    random, made = np.random.default_rng(seed), _FAMILIES[family]
    tensors = _linear(random, "encoder.0.", inputs, channels)
    for index in range(layers):
        tensors |= made.layer(random, f"{made.keys}{index}.", channels, modes)
    tensors |= _linear(random, "decoder.0.output_transform.", channels, classes)
    narrow = {key: value.astype(np.float32) for key, value in tensors.items()}
    model = {"d_model": channels, "n_layers": layers, **made.model}
    model["layer"] = {"d_state": 2 * modes, "bidirectional": False, **model["layer"]}
    decoder = {"_name_": "sequence", "mode": "pool"}
    config = {
        "model": model,
        "encoder": "linear",
        "decoder": decoder,
        "task": {"_name_": "base"},
    }
    return Checkpoint(Path("a new network"), "", "zip", narrow, config, {})


def _spikingssm_layer(random: np.random.Generator, keys: str, channels: int, modes: int) -> Tensors:
    kernel = _kernel(random, f"{keys}kernel.", channels, modes)
    kernel[f"{keys}kernel.C"] = kernel[f"{keys}kernel.C"][None]
    return {
        f"{keys}D": random.standard_normal((1, channels)),
        f"{keys}ln_vth": np.zeros((channels, 1)),
        **kernel,
        **_mix(random, keys, channels),
    }


def _s4d_layer(random: np.random.Generator, keys: str, channels: int, modes: int) -> Tensors:
    keys = f"{keys}layer."
    return {
        f"{keys}D": random.standard_normal(channels),
        **_kernel(random, f"{keys}kernel.", channels, modes),
        **_mix(random, keys, channels),
    }


def _gsu_layer(random: np.random.Generator, keys: str, channels: int, modes: int) -> Tensors:
    norm = f"{keys}norm.norm."
    keys = f"{keys}layer."
    return {
        f"{keys}D": random.standard_normal(channels),
        **_kernel(random, f"{keys}kernel.", channels, modes),
        **_linear(random, f"{keys}output_linear.pro_linear1.", channels, channels),
        **_linear(random, f"{keys}output_linear.pro_linear2.", channels, channels),
        # the ternary matrix has magnitudes of one, which the scale makes those of a linear layer
        f"{keys}output_linear.ternay1.log_w": np.zeros(1),
        f"{keys}output_linear.ternay2.log_w": np.full(1, -0.5 * math.log(channels)),
        f"{norm}weight": np.ones(channels),
        f"{norm}bias": np.zeros(channels),
    }


def _kernel(random: np.random.Generator, keys: str, channels: int, modes: int) -> Tensors:
    low, high = np.log(_DT_RANGE)
    shape = (channels, modes)
    return {
        f"{keys}C": random.standard_normal((*shape, 2)) * math.sqrt(0.5),
        f"{keys}log_dt": random.uniform(low, high, channels),
        f"{keys}log_A_real": np.full(shape, math.log(_DECAY)),
        f"{keys}A_imag": np.broadcast_to(math.pi * np.arange(modes), shape),
    }


def _mix(random: np.random.Generator, keys: str, channels: int) -> Tensors:
    mix = _linear(random, f"{keys}output_linear.0.", channels, 2 * channels)
    mix[f"{keys}output_linear.0.weight"] = mix[f"{keys}output_linear.0.weight"][..., None]
    return mix


def _linear(random: np.random.Generator, keys: str, inputs: int, outputs: int) -> Tensors:
    bound = 1 / math.sqrt(inputs)
    return {
        f"{keys}weight": random.uniform(-bound, bound, (outputs, inputs)),
        f"{keys}bias": random.uniform(-bound, bound, outputs),
    }


@dataclass(frozen=True)
class _Made:
    """How a family's networks are made: keys of layers, their tensors, the ``model`` section."""

    keys: str
    layer: Callable[[np.random.Generator, str, int, int], Tensors]
    model: dict[str, Any]


_BACKBONE: dict[str, Any] = {"_name_": "model", "residual": "R"}
_FAMILIES = {
    "spikingssm": _Made(
        "model.s4_layers.",
        _spikingssm_layer,
        {"_name_": "spikingssm", "prenorm": False, "layer": {"neuron": "bptt"}},
    ),
    "s4d": _Made(
        "model.layers.",
        _s4d_layer,
        {
            **_BACKBONE,
            "prenorm": True,
            "norm": None,
            "layer": {"_name_": "s4d", "activation": "spike"},
        },
    ),
    "s4d_gsu": _Made(
        "model.layers.",
        _gsu_layer,
        {**_BACKBONE, "prenorm": False, "norm": "layer", "layer": {"_name_": "s4d_gsu"}},
    ),
}

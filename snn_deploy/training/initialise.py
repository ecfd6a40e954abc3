"""Networks to train from scratch: configuration and first values, in the authors' own layout."""

from __future__ import annotations

import math
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
    inputs: int, classes: int, channels: int, layers: int, modes: int, seed: int
) -> Checkpoint:
    """Make an untrained causal SpikingSSM classifier: the mean over time of its last layer, linear.

    Parameters
    ----------
    inputs, classes
        Width of a step, number of classes.
    channels, layers, modes
        Channels, layers, and complex modes a channel.
    seed
        Of the random first values.
    """
    random = np.random.default_rng(seed)
    tensors = _linear(random, "encoder.0.", inputs, channels)
    for index in range(layers):
        tensors |= _layer(random, f"model.s4_layers.{index}.", channels, modes)
    tensors |= _linear(random, "decoder.0.output_transform.", channels, classes)
    narrow = {key: value.astype(np.float32) for key, value in tensors.items()}
    config = _config(channels, layers, modes)
    return Checkpoint(Path("a new network"), "", "zip", narrow, config, {})


def _config(channels: int, layers: int, modes: int) -> dict[str, Any]:
    layer = {"neuron": "bptt", "d_state": 2 * modes, "bidirectional": False}
    model = {
        "_name_": "spikingssm",
        "d_model": channels,
        "n_layers": layers,
        "prenorm": False,
        "layer": layer,
    }
    decoder = {"_name_": "sequence", "mode": "pool"}
    return {"model": model, "encoder": "linear", "decoder": decoder, "task": {"_name_": "base"}}


def _layer(random: np.random.Generator, keys: str, channels: int, modes: int) -> Tensors:
    low, high = np.log(_DT_RANGE)
    shape = (channels, modes)
    mix = _linear(random, f"{keys}output_linear.0.", channels, 2 * channels)
    mix[f"{keys}output_linear.0.weight"] = mix[f"{keys}output_linear.0.weight"][..., None]
    return {
        f"{keys}D": random.standard_normal((1, channels)),
        f"{keys}ln_vth": np.zeros((channels, 1)),
        f"{keys}kernel.C": random.standard_normal((1, *shape, 2)) * math.sqrt(0.5),
        f"{keys}kernel.log_dt": random.uniform(low, high, channels),
        f"{keys}kernel.log_A_real": np.full(shape, math.log(_DECAY)),
        f"{keys}kernel.A_imag": np.broadcast_to(math.pi * np.arange(modes), shape),
        **mix,
    }


def _linear(random: np.random.Generator, keys: str, inputs: int, outputs: int) -> Tensors:
    bound = 1 / math.sqrt(inputs)
    return {
        f"{keys}weight": random.uniform(-bound, bound, (outputs, inputs)),
        f"{keys}bias": random.uniform(-bound, bound, outputs),
    }

"""Networks to train from scratch: configuration and first values, in the authors' own layout."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from snn_deploy.checkpoint import Checkpoint
from snn_deploy.converters.silif import READOUT_CLAMP

__all__ = ["new_network"]

Tensors = dict[str, npt.NDArray[np.generic]]

# S4D's usual range of step lengths, and its decay of all modes (Gu et al. 2022, "S4D-Lin")
_DT_RANGE = (1e-3, 1e-1)
_DECAY = 0.5
# of currents of the adaptive neurons, whose leaks let a tenth or so of them in; spikes are few
_GAIN_OF_INPUTS, _GAIN_OF_SPIKES = 4.0, 12.0
_PRF_STEP = 0.2  # with the authors' tau of 2 a potential fades to 1/e in 10 steps


def new_network(
    inputs: int,
    outputs: int,
    channels: int,
    layers: int,
    modes: int,
    seed: int,
    family: str = "spikingssm",
    decoder: Mapping[str, Any] | None = None,
) -> Checkpoint:
    """Make an untrained causal network, which ends in a linear readout.

    Parameters
    ----------
    inputs, outputs
        Width of a step, and of an answer: of a classifier, the number of classes.
    channels, layers, modes
        Channels, layers, and complex modes a channel.
    seed
        Of the random first values.
    family
        ``spikingssm``; or behind S4's own backbone, with a residual stream: ``s4d``, which is
        Binary S4D, ``s4d_gsu``, S4D with Gated Spiking Units and layer norms, or
        ``spikingblockgate``, which is PRF, of one mode a channel; or ``silif`` or ``cadlif``,
        whose neurons have no modes, and whose answer is the sum of every step's probabilities.
    decoder
        Options of S4's decoder, e.g. ``{"use_lengths": True}``. Without ``mode`` it reads the mean
        of the last layer over time; what answers at every step has ``{"mode": "last"}``.
    """
    random = np.random.default_rng(seed)
    if family in _ADAPTIVE:
        tensors, config = _adaptive(random, (inputs, *[channels] * layers, outputs), family)
    else:
        tensors = _linear(random, "encoder.0.", inputs, channels)
        made = _FAMILIES[family]
        for index in range(layers):
            tensors |= made.layer(random, f"{made.keys}{index}.", channels, modes)
        tensors |= _linear(random, "decoder.0.output_transform.", channels, outputs)
        config = _config(made, channels, layers, modes)
        config["decoder"] |= decoder or {}
    narrow = {key: value.astype(np.float32) for key, value in tensors.items()}
    return Checkpoint(Path("a new network"), "", "zip", narrow, config, {})


def _config(made: _Made, channels: int, layers: int, modes: int) -> dict[str, Any]:
    model = {"d_model": channels, "n_layers": layers, **made.model}
    model["layer"] = {"d_state": 2 * modes, "bidirectional": False, **model["layer"]}
    return {
        "model": model,
        "encoder": "linear",
        "decoder": {"_name_": "sequence", "mode": "pool"},
        "task": {"_name_": "base"},
    }


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


def _prf_layer(random: np.random.Generator, keys: str, channels: int, modes: int) -> Tensors:
    """Make a block of PRF, whose channels resonate with periods of 2 to 64 steps; one mode each."""
    keys = f"{keys}layer."
    periods = np.exp(random.uniform(math.log(2), math.log(64), channels))
    dt = np.full(channels, _PRF_STEP)
    return {
        f"{keys}neuron1.log_dt": np.log(dt),
        f"{keys}neuron1.theta_log": np.log(2 * math.pi / (periods * dt)),
        **_linear(random, f"{keys}pro_linear1.", channels, channels),
        **_linear(random, f"{keys}pro_linear2.", channels, channels),
        f"{keys}alpha": np.zeros(channels),
    }


def _adaptive(
    random: np.random.Generator, widths: Sequence[int], family: str
) -> tuple[Tensors, dict[str, Any]]:
    """Make layers of adaptive neurons, from the inputs to the classes; their decays, per step, are
    spread over what the authors' clamps allow.
    """
    tensors: Tensors = {}
    last = len(widths) - 2
    for index, (inputs, outputs) in enumerate(pairwise(widths)):
        keys = f"snn.{index}."
        bound = 1 / math.sqrt(inputs)
        tensors[f"{keys}W.weight"] = random.uniform(-bound, bound, (outputs, inputs))
        gain = _GAIN_OF_SPIKES if index else _GAIN_OF_INPUTS
        norm = {"weight": gain, "bias": 0.0, "running_mean": 0.0, "running_var": 1.0}
        for name, value in norm.items():
            tensors[f"{keys}norm.{name}"] = np.full(outputs, value)
        tensors[f"{keys}alpha"] = random.uniform(
            *(READOUT_CLAMP if index == last else (0.6, 0.96)), outputs
        )
        if index == last:
            break
        tensors[f"{keys}beta"] = random.uniform(0.96, 0.99, outputs)
        tensors[f"{keys}a"] = random.uniform(0.0, 0.5, outputs)
        tensors[f"{keys}b"] = random.uniform(0.0, 1.0, outputs)
        if family == "silif":  # it keeps logarithms of rates, and of a step
            for name in ("alpha", "beta"):
                tensors[f"{keys}{name}"] = np.log(-np.log(tensors[f"{keys}{name}"]))
            tensors[f"{keys}dt"] = np.zeros(outputs)
    return tensors, {"model": {"_name_": family}}


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


_ADAPTIVE = ("silif", "cadlif")
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
    "spikingblockgate": _Made(
        "model.layers.",
        _prf_layer,
        {
            "_name_": "model",
            "residual": "N",  # the block has its own
            "prenorm": False,
            "norm": None,
            "layer": {"_name_": "spikingblockgate", "spatial": "Binary_vec"},
        },
    ),
}

"""Random SpikingSSM state dicts of any width, depth and layout, no torch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

__all__ = ["RandomSpikingSSM", "Tensors"]

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


@dataclass(frozen=True, kw_only=True)
class RandomSpikingSSM:
    """A random SpikingSSM: what :meth:`make` writes.

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
    """

    d_model: int = 8
    n_layers: int = 2
    d_state: int = 8
    bidirectional: bool = False
    trainable_b: bool = False
    prenorm: bool = False
    norm: Literal["batch", "layer"] | None = "layer"
    neuron: Literal["sdn", "bptt", "sltt"] = "sdn"
    threshold: Literal["channel", "shared", "none"] = "channel"
    d_input: int = 1
    vocabulary: int | None = None
    classes: int = 4
    mode: Literal["pool", "last", "first", "sum"] = "pool"
    use_lengths: bool = False
    drive: float = 2.0
    dt_min: float = 0.001
    dt_max: float = 0.1
    seed: int = 0

    def make(self) -> tuple[Tensors, dict[str, Any]]:
        """Give float32 weights by key, and the configuration as plain data."""
        rng = np.random.default_rng(self.seed)
        tensors: Tensors = {}
        for index in range(self.n_layers):
            prefix = f"model.s4_layers.{index}."
            tensors |= self._layer(rng, prefix)
            tensors |= self._kernel(rng, f"{prefix}kernel.")
        for index in range(self.n_layers if self.norm else 0):
            prefix = f"model.norms.{index}."
            tensors |= _norm(rng, prefix, self.d_model, self.norm == "batch")
        if self.vocabulary is None:
            tensors["encoder.0.weight"] = _normal(rng, self.d_model, self.d_input)
            tensors["encoder.0.bias"] = _normal(rng, self.d_model, scale=0.3)
        else:
            tensors["encoder.0.weight"] = _normal(rng, self.vocabulary, self.d_model)
        tensors["decoder.0.output_transform.weight"] = _normal(rng, self.classes, self.d_model)
        tensors["decoder.0.output_transform.bias"] = _normal(rng, self.classes)
        return tensors, self._configuration()

    def _configuration(self) -> dict[str, Any]:
        layer = {
            "d_state": self.d_state,
            "bidirectional": self.bidirectional,
            "trainable_B": self.trainable_b,
            "neuron": self.neuron,
            "learnable_vth": self.threshold != "none",
            "shared_vth": self.threshold == "shared",
            "lr": 0.001,
            "dt_min": self.dt_min,
            "dt_max": self.dt_max,
        }
        return {
            "model": {
                "_name_": "spikingssm",
                "d_model": self.d_model,
                "n_layers": self.n_layers,
                "prenorm": self.prenorm,
                "norm": self.norm,
                "dropout": 0.1,
                "layer": layer,
            },
            "encoder": "linear" if self.vocabulary is None else "embedding",
            "decoder": {"_name_": "sequence", "mode": self.mode, "use_lengths": self.use_lengths},
            "task": {"_name_": "base", "loss": "cross_entropy"},
            "train": {"ema": 0.0},
        }

    def _layer(self, rng: np.random.Generator, prefix: str) -> Tensors:
        channels = self.d_model
        tensors: Tensors = {f"{prefix}D": _normal(rng, 1, channels, scale=self.drive / 2)}
        if self.threshold != "none":
            rows = (channels, 1) if self.threshold == "channel" else (1,)
            tensors[f"{prefix}ln_vth"] = _normal(rng, *rows, scale=0.2)
        if self.neuron == "sdn":
            for name, shape in _SURROGATE_SHAPES.items():
                tensors[f"{prefix}neuron.model.{name}"] = _normal(rng, *shape, scale=0.1)
        tensors[f"{prefix}output_linear.0.weight"] = _normal(
            rng, 2 * channels, channels, 1, scale=channels**-0.5
        )
        tensors[f"{prefix}output_linear.0.bias"] = _normal(rng, 2 * channels, scale=0.1)
        return tensors

    def _kernel(self, rng: np.random.Generator, prefix: str) -> Tensors:
        channels, modes, rows = self.d_model, self.d_state // 2, 2 if self.bidirectional else 1
        log_dt = rng.uniform(np.log(self.dt_min), np.log(self.dt_max), channels).astype(np.float32)
        real = np.log(0.5) + _normal(rng, channels, modes, scale=0.1)
        imag = np.pi * np.arange(modes) + _normal(rng, channels, modes, scale=0.1)
        c = _normal(rng, rows, channels, modes, 2)
        tensors: Tensors = {f"{prefix}C": c * np.float32(self.drive)}
        if self.trainable_b:
            tensors[f"{prefix}inv_dt"] = log_dt[:, None]
            tensors[f"{prefix}B"] = 1 + _normal(rng, 1, channels, modes, 2, scale=0.3)
            tensors[f"{prefix}A_real"] = real
        else:
            tensors[f"{prefix}log_dt"] = log_dt
            tensors[f"{prefix}log_A_real"] = real
        tensors[f"{prefix}A_imag"] = imag.astype(np.float32)
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

"""Small random networks and the checkpoints that would hold them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from snn_deploy.checkpoint import Checkpoint
from snn_deploy.examples.random_spikingssm import RandomSpikingSSM, Tensors

__all__ = ["Tensors", "checkpoint_of", "random_inputs", "set_option", "tiny_spikingssm_state"]


def tiny_spikingssm_state(**form: Any) -> tuple[Tensors, dict[str, Any]]:
    """Give weights and configuration of a random SpikingSSM."""
    return RandomSpikingSSM(**form).make()


def checkpoint_of(
    tensors: Tensors, config: dict[str, Any] | None, extras: Mapping[str, Any] | None = None
) -> Checkpoint:
    """Give a checkpoint as if it had been read from a file called ``tiny.ckpt``."""
    return Checkpoint(
        path=Path("tiny.ckpt"),
        sha256="0" * 64,
        container="zip",
        tensors=tensors,
        config=config,
        extras=dict(extras or {}),
    )


def random_inputs(
    config: Mapping[str, Any], tensors: Tensors, batch: int = 3, steps: int = 20, seed: int = 1
) -> npt.NDArray[Any]:
    """Give fitting inputs: (batch, steps, d_input) numbers or (batch, steps) tokens."""
    rng = np.random.default_rng(seed)
    rows, columns = tensors["encoder.0.weight"].shape
    if config["encoder"] == "embedding":
        return rng.integers(0, rows, (batch, steps))
    return rng.normal(size=(batch, steps, columns)).astype(np.float32)


def set_option(config: dict[str, Any], path: Sequence[str], value: Any) -> None:
    """Set one option of a configuration in place, e.g. ``("model", "layer", "disc")``."""
    section = config
    for name in path[:-1]:
        section = section[name]
    section[path[-1]] = value

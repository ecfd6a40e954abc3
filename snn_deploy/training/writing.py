"""Writing a trained checkpoint, so that ``convert`` reads it like the original."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch

from snn_deploy.checkpoint import Checkpoint, read_checkpoint
from snn_deploy.errors import ConfigError, OutputError, SnnDeployError
from snn_deploy.io.files import atomic_write, check_writable
from snn_deploy.io.reading import read_regular

__all__ = ["RECORD", "check_output", "write_checkpoint"]

RECORD = "snn_deploy_training"
"""Where a checkpoint that training wrote says how it came about."""

_CONFIG_NAME = "config.json"


def write_checkpoint(path: Path, checkpoint: Checkpoint, record: Mapping[str, Any]) -> None:
    """Write tensors and configuration: a PyTorch file, or safetensors with config.json beside it.

    Parameters
    ----------
    path
        With the ending .ckpt, .pt, .pth or .safetensors.
    record
        Plain data about the training, kept in the file.

    Raises
    ------
    OutputError
        If a file cannot be written; an older one is left as it was.
    """
    if path.suffix == ".safetensors":
        _write_safetensors(path, checkpoint, record)
        return
    tensors = {key: torch.tensor(value) for key, value in checkpoint.tensors.items()}
    content = {"state_dict": tensors, "hyper_parameters": checkpoint.config, RECORD: dict(record)}
    with atomic_write(path) as file:
        torch.save(content, file)


def check_output(path: Path, inputs: Mapping[str, str | None]) -> None:
    """Refuse an output name before any work.

    Parameters
    ----------
    path
        The file to write.
    inputs
        What the user calls each input -> its path, or None where it was not given.

    Raises
    ------
    ConfigError
        If the ending says no known format.
    OutputError
        If it is one of the inputs, a file that training did not write, or cannot be written.
    """
    if path.suffix not in (".ckpt", ".pt", ".pth", ".safetensors"):
        raise ConfigError(f"{path}: name the output *.ckpt (PyTorch) or *.safetensors")
    check_writable(path)
    for name, given in inputs.items():
        if given and path.exists() and Path(given).exists() and path.samefile(given):
            raise OutputError(f"{path} is the {name} itself; choose another name with -o")
    if path.exists() and not _was_trained_here(path):
        raise OutputError(
            f"{path} exists and was not written by training; choose another name with -o"
        )


def _was_trained_here(path: Path) -> bool:
    try:
        extras = read_checkpoint(path).extras
    except SnnDeployError:
        return False
    return RECORD in extras or RECORD in extras.get("__metadata__", {})


def _holds(path: Path, text: bytes) -> bool:
    """Whether a file says just this."""
    try:
        return read_regular(path, len(text)) == text
    except OSError:  # larger, no regular file, or a link to nothing
        return False


def _write_safetensors(path: Path, checkpoint: Checkpoint, record: Mapping[str, Any]) -> None:
    from safetensors.numpy import save

    text = json.dumps(checkpoint.config, indent=1, sort_keys=True).encode()
    beside = path.with_name(_CONFIG_NAME)
    if os.path.lexists(beside) and not _holds(beside, text):
        raise OutputError(
            f"{beside} exists and says something else than the configuration of {path}, which "
            "would have to stand there; choose another folder, or write a .ckpt"
        )
    arrays = {key: np.array(value) for key, value in checkpoint.tensors.items()}
    with atomic_write(beside) as file:
        file.write(text)
    with atomic_write(path) as file:
        file.write(save(arrays, {RECORD: json.dumps(dict(record))}))

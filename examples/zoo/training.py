"""Training an entry: its data and its checkpoint, in a folder of its own."""

from __future__ import annotations

import io
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from snn_deploy.checkpoint import read_checkpoint
from snn_deploy.data.inputs import load_data
from snn_deploy.errors import SnnDeployError
from snn_deploy.examples.zoo.entries import Entry
from snn_deploy.examples.zoo.tasks.task import Arrays
from snn_deploy.io.files import atomic_write

__all__ = ["CHECKPOINT", "RECORD", "is_trained", "train_entry"]

CHECKPOINT = "network.ckpt"
RECORD = "snn_deploy_training"
"""Where ``snn_deploy.training.writing``, which needs torch, keeps the record of a training."""

Tell = Callable[[str], None]


def is_trained(entry: Entry, folder: Path) -> bool:
    """Whether the folder holds this entry's checkpoint, trained with its present settings."""
    path = folder / CHECKPOINT
    try:
        return bool(read_checkpoint(path).extras[RECORD]["digest"] == entry.digest)
    except (SnnDeployError, KeyError, TypeError):
        return False


def train_entry(entry: Entry, folder: Path, tell: Tell = print) -> None:
    """Write ``train.npz``, ``test.npz`` and the checkpoint; one line an epoch goes to ``tell``.

    Raises
    ------
    BackendUnavailableError
        If torch, or the package that the data come with, is not installed.
    """
    from snn_deploy.training.availability import require_torch

    require_torch()
    import torch

    from snn_deploy.training.initialise import new_network
    from snn_deploy.training.loop import Schedule, train
    from snn_deploy.training.model import Model
    from snn_deploy.training.writing import write_checkpoint

    torch.set_num_threads(1)  # so that sums are added up in one order
    folder.mkdir(parents=True, exist_ok=True)
    task = entry.what
    for name, arrays in zip(("train", "test"), task.data(), strict=True):
        _write(folder / f"{name}.npz", arrays)
    with np.load(folder / "train.npz") as made:
        width = made["inputs"].shape[2]
    sizes = (width, task.outputs, entry.channels, entry.layers, entry.modes, entry.seed)
    checkpoint = new_network(*sizes, entry.family, task.decoder)
    model = Model.read(checkpoint, output_steps=task.output_steps)
    data = load_data(folder / "train.npz", model.network)
    schedule = Schedule(
        entry.epochs,
        learning_rate=entry.learning_rate,
        batch_size=entry.batch_size,
        seed=entry.seed,
        weight_decay=0.01,
        warmup=50,
    )
    started = time.process_time()
    for epoch in train(model, model.forward, data, schedule):
        right = "" if epoch.accuracy is None else f", {epoch.accuracy:.2%} right"
        spent = time.process_time() - started
        tell(
            f"{entry.name}: epoch {epoch.number}/{entry.epochs}, loss {epoch.loss:.4f}{right}, "
            f"{spent:.0f} s of CPU"
        )
    record = {
        "digest": entry.digest,
        "seconds": round(time.process_time() - started),
        "settings": entry.settings(),
    }
    write_checkpoint(folder / CHECKPOINT, model.checkpoint(), record)


def _write(path: Path, arrays: Arrays) -> None:
    text = io.BytesIO()
    np.savez_compressed(text, **arrays)
    with atomic_write(path) as file:
        file.write(text.getvalue())

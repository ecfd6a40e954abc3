"""A live torch module: its state dict is read as a checkpoint's would be."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from snn_deploy.checkpoint import Checkpoint
from snn_deploy.checkpoint.contents import matches
from snn_deploy.checkpoint.plain_data import to_plain_data
from snn_deploy.data.forms import tensor_numbers
from snn_deploy.readers.checkpoint import convert_checkpoint
from snn_deploy.readers.source import ReadOptions, Source

__all__ = ["ModuleReader"]


class ModuleReader:
    """Reads the weights of a ``torch.nn.Module``, and a Lightning module's hyper-parameters; and a
    :class:`~snn_deploy.training.model.Model`, which has a checkpoint's keys itself.
    """

    def recognises(self, thing: object) -> bool:
        """Tell whether it is a torch module, without importing torch."""
        return _is_trained_here(thing) or any(
            base.__module__.startswith("torch.nn.") for base in type(thing).__mro__
        )

    def read(self, thing: Any, options: ReadOptions) -> Source:
        """Copy the state dict, so that training on changes nothing; convert as a checkpoint."""
        options.refuse("a live module", "state_dict_key", "weights")
        if _is_trained_here(thing):
            options.refuse("a model that is trained here", "ignore_keys")
            return convert_checkpoint(thing.checkpoint(), options, "module")
        tensors = {
            key: _array(key, value)
            for key, value in thing.state_dict().items()
            if not matches(key, options.ignore_keys)
        }
        hparams = getattr(thing, "hparams", None)
        checkpoint = Checkpoint(
            path=Path(type(thing).__name__),
            sha256=_digest(tensors),
            container="module",
            tensors=tensors,
            config=to_plain_data(dict(hparams)) if isinstance(hparams, Mapping) else None,
            extras={},
        )
        return convert_checkpoint(checkpoint, options, "module")


def _is_trained_here(thing: object) -> bool:
    kind = type(thing)
    return (kind.__module__, kind.__name__) == ("snn_deploy.training.model", "Model")


def _array(key: str, value: Any) -> npt.NDArray[Any]:
    array = np.array(tensor_numbers(value, f"the weights '{key}'"))
    array.flags.writeable = False
    return array


def _digest(tensors: Mapping[str, npt.NDArray[Any]]) -> str:
    sha = hashlib.sha256()
    for key, tensor in sorted(tensors.items()):
        sha.update(f"{key};{tensor.dtype.str};{tensor.shape};".encode())
        sha.update(np.ascontiguousarray(tensor).tobytes())
    return sha.hexdigest()

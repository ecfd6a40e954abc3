"""Plain data from what a pickle holds: dict, list, str, numbers, None, and arrays for tensors.

OmegaConf's containers become the dictionaries and lists they hold; interpolations such as
``${train.monitor}`` stay the strings they are and are never resolved. Types become their names.
A value that the pickle reuses is written out each time, so the amount is bounded.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from snn_deploy.checkpoint.tensors import Array, TensorRef
from snn_deploy.checkpoint.vocabulary import Instance, Name
from snn_deploy.errors import CheckpointError

__all__ = ["to_plain_data"]

_MAX_VALUES = 500_000
_MAX_DEPTH = 64
_SCALARS = (str, int, float, bool, type(None), bytes)


def to_plain_data(value: object, tensor: Callable[[TensorRef], Array] | None = None) -> Any:
    """Convert ``value``, making the arrays with ``tensor`` (without it, there may be none).

    Raises
    ------
    CheckpointError
        If it is nested too deeply or in a circle, too large, or not plain data.
    """
    return _Converter(tensor).convert(value, 0)


class _Converter:
    def __init__(self, tensor: Callable[[TensorRef], Array] | None) -> None:
        self._tensor = tensor
        self._left = _MAX_VALUES

    def convert(self, value: object, depth: int) -> Any:
        self._left -= 1
        if self._left < 0:
            raise CheckpointError(f"it holds more than {_MAX_VALUES} values")
        if depth > _MAX_DEPTH:
            raise CheckpointError(f"it is nested in a circle, or deeper than {_MAX_DEPTH} levels")
        if isinstance(value, _SCALARS):
            return value
        if isinstance(value, dict):
            return {key: self.convert(item, depth + 1) for key, item in value.items()}
        if isinstance(value, list | tuple):
            return [self.convert(item, depth + 1) for item in value]
        if isinstance(value, TensorRef) and self._tensor is not None:
            return self._tensor(value)
        if isinstance(value, Name):
            return value.path
        if isinstance(value, Instance):
            return self.convert(_content(value), depth + 1)
        raise CheckpointError(f"it holds a {type(value).__name__} where plain data should be")


def _content(instance: Instance) -> object:
    match instance.kind.rpartition(".")[2], instance.state:
        case (("DictConfig" | "ListConfig"), {"_content": content}):
            return content
        case (("Namespace"), dict(attributes)):
            return attributes
        case _, {"_val": value}:
            return value
    raise CheckpointError(f"it holds an incomplete object of {instance.kind!r}")

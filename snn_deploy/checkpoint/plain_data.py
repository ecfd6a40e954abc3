"""Plain data from what a pickle holds: dict, list, str, numbers, None, and arrays for tensors.

OmegaConf's containers become the dictionaries and lists they hold; interpolations such as
``${train.monitor}`` stay the strings they are and are never resolved. Types become their names,
numpy's arrays of numbers arrays, objects of any other class a :class:`Record` of their attributes.
A value that the pickle reuses is written out each time, so the amount is bounded.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from snn_deploy.checkpoint.tensors import Array, TensorRef
from snn_deploy.checkpoint.vocabulary import LATIN1, NDARRAY, Instance, Name, number_code
from snn_deploy.errors import CheckpointError
from snn_deploy.io.arrays import is_possible

__all__ = ["Record", "to_plain_data"]

_MAX_VALUES = 500_000
_MAX_DEPTH = 64
_MAX_BYTES = 256 << 20
_SCALARS = (str, int, float, bool, type(None), bytes)


class Record(dict[str, Any]):
    """What a file says of an object of class ``kind``: its attributes or items by name.

    It is empty where the file says nothing that can be read without the class.
    """

    def __init__(self, kind: str, content: dict[str, Any] | None = None) -> None:
        super().__init__(content or {})
        self.kind = kind

    def __repr__(self) -> str:
        return f"<an object of {self.kind}>"


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
        self._bytes_left = _MAX_BYTES
        self._open: set[Instance] = set()

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
            return self._convert_instance(value, depth)
        raise CheckpointError(f"it holds a {type(value).__name__} where plain data should be")

    def _convert_instance(self, instance: Instance, depth: int) -> Any:
        """Give what a container holds, and of another object its attributes, as far as it has any.

        An object that holds itself, as a module with a link to its parent does, is empty there.
        """
        kind = instance.kind
        if kind == NDARRAY:
            return self._convert_array(instance)
        if kind == LATIN1:
            return self._convert_bytes(instance)
        if kind.startswith("omegaconf."):
            return self.convert(_omegaconf_content(instance), depth + 1)
        if instance in self._open:
            return Record(kind)
        self._open.add(instance)
        content: dict[object, object] = dict(instance.items)
        if isinstance(instance.state, dict):
            content |= instance.state
        elif isinstance(instance.state, tuple) and len(instance.state) == 2:  # with __slots__
            for part in instance.state:
                content |= part if isinstance(part, dict) else {}
        found = {str(key): self.convert(item, depth + 1) for key, item in content.items()}
        elements = [self.convert(item, depth + 1) for item in instance.elements]
        self._open.discard(instance)
        return elements if elements and not found else Record(kind, found)

    def _convert_bytes(self, instance: Instance) -> bytes:
        """Encode a text, which thousands of calls in the pickle may share."""
        (text,) = instance.arguments
        assert isinstance(text, str)
        self._bytes_left -= len(text)
        if self._bytes_left < 0:
            raise CheckpointError(f"it holds more than {_MAX_BYTES >> 20} MiB of bytes as text")
        try:
            return text.encode("latin1")
        except UnicodeEncodeError:
            raise CheckpointError("bytes in it are written as text that is none") from None

    def _convert_array(self, instance: Instance) -> Any:
        """Make an array of numbers; one of dates, texts or objects is kept unread."""
        match instance.state:
            case (_, tuple(shape), dtype, bool(fortran), data) if code := _number_code(dtype):
                if isinstance(data, Instance) and data.kind == LATIN1:
                    data = self._convert_bytes(data)
                if isinstance(data, bytes):
                    return _array(data, code, shape, fortran)
        return Record(NDARRAY)


def _omegaconf_content(instance: Instance) -> object:
    match instance.kind.rpartition(".")[2], instance.state:
        case (("DictConfig" | "ListConfig"), {"_content": content}):
            return content
        case (("Metadata" | "ContainerMetadata"), _):
            return None
        case _, {"_val": value}:
            return value
    raise CheckpointError(f"it holds an incomplete object of {instance.kind!r}")


def _number_code(dtype: object) -> str | None:
    try:
        return number_code(dtype)
    except TypeError:
        raise CheckpointError("a numpy array in it has an incomplete dtype") from None


def _array(data: bytes, code: str, shape: tuple[object, ...], fortran: bool) -> Array:
    if not is_possible(shape):
        raise CheckpointError("a numpy array in it has an impossible shape")
    sizes = [size for size in shape if isinstance(size, int)]
    if math.prod(sizes) * np.dtype(code).itemsize != len(data):
        raise CheckpointError(f"a numpy array in it has {len(data)} bytes, not those of its shape")
    flat = np.frombuffer(data, code)
    native = flat.astype(flat.dtype.newbyteorder("="), copy=False)
    array: Array = native.reshape(sizes, order="F" if fortran else "C")
    array.flags.writeable = False
    return array

"""Everything that a checkpoint's pickle may name, and the inert thing each name stands for.

A pickle builds objects by naming classes and functions and asking for them to be called. Here a
name is looked up in the tables below and nowhere else: nothing is imported, and what is "called"
is one of the small functions of this file, each of which only builds plain data or a description
of a tensor. A name that is not in a table is refused.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import PurePosixPath, PureWindowsPath

import numpy as np

from snn_deploy.checkpoint.tensors import DTYPES, StorageRef, TensorRef
from snn_deploy.errors import CheckpointError

__all__ = ["Instance", "Name", "call", "create", "look_up", "storage_reference"]


@dataclass(frozen=True, slots=True)
class Name:
    """A class or function that the pickle names; only the name, never the thing."""

    path: str


@dataclass(slots=True, eq=False)
class Instance:
    """An object of class ``kind`` in the pickle: its state is kept, its class is never made."""

    kind: str
    state: dict[str, object] | tuple[object, ...] | None = None
    arguments: tuple[object, ...] = ()


def look_up(path: str) -> Name:
    """Give the inert stand-in of ``path``, or refuse it.

    Raises
    ------
    CheckpointError
        If genuine checkpoints do not need this name.
    """
    name = _NAMES.get(path)
    if name is None:
        raise CheckpointError(
            f"refuses to load {path[:200]!r}: a checkpoint may hold only tensors and plain data. "
            "Nothing in the file was run. If the file is yours, save the model's state_dict() (and "
            "the configuration as plain numbers and strings) instead of whole objects"
        )
    return name


def call(name: Name, arguments: tuple[object, ...]) -> object:
    """Do what calling ``name`` stands for."""
    function = _CALLS.get(name.path)
    if function is None:
        raise CheckpointError(f"refuses to call {name.path!r}, which is only ever named")
    try:
        return function(*arguments)
    except (TypeError, ValueError, OverflowError):
        raise CheckpointError(
            f"{name.path!r} is called with arguments that no genuine file has"
        ) from None


def create(name: Name, arguments: tuple[object, ...]) -> object:
    """Give the empty stand-in of a new object of class ``name``."""
    if name.path in _INSTANCES and arguments == ():
        return Instance(name.path)
    if name.path in _MAPPINGS and arguments == ():
        return {}
    raise CheckpointError(f"refuses to create an object of {name.path!r}")


def storage_reference(persistent_id: object) -> StorageRef:
    """Read a storage's persistent id: ("storage", type, key, location, numel[, no view])."""
    match persistent_id:
        case ("storage", Name(path), str(key), str(), int(numel), *view):
            if path in _STORAGES and len(key) <= 100 and numel >= 0 and view in ([], [None]):
                return StorageRef(key, _STORAGES[path], numel)
    raise CheckpointError("a storage is described in a way that no genuine file has")


def _rebuild_tensor_v2(
    storage: object,
    offset: object,
    size: object,
    stride: object,
    _requires_grad: object,
    _hooks: object,
    metadata: object = None,
) -> TensorRef:
    if not isinstance(storage, StorageRef):
        raise TypeError("no storage")
    return _tensor(storage, storage.dtype, offset, size, stride, metadata)


def _rebuild_tensor_v3(
    storage: object,
    offset: object,
    size: object,
    stride: object,
    _requires_grad: object,
    _hooks: object,
    dtype: object,
    metadata: object = None,
) -> TensorRef:
    if not isinstance(storage, StorageRef) or not isinstance(dtype, Name):
        raise TypeError("no storage or no dtype")
    return _tensor(storage, dtype.path.removeprefix("torch."), offset, size, stride, metadata)


def _tensor(
    storage: StorageRef, dtype: str, offset: object, size: object, stride: object, metadata: object
) -> TensorRef:
    if dtype not in DTYPES or type(offset) is not int:
        raise TypeError("no dtype or no offset")
    if metadata:
        raise CheckpointError("a tensor is a lazy conjugate or negative; save x.resolve_conj()")
    return TensorRef(storage, dtype, offset, _integers(size), _integers(stride))


def _integers(values: object) -> tuple[int, ...]:
    if type(values) is not tuple or len(values) > _MAX_PARTS:
        raise TypeError("not a short tuple")
    if any(type(value) is not int for value in values):
        raise TypeError("not integers")
    return values


def _rebuild_parameter(
    data: object, _requires_grad: object, _hooks: object, _state: object = None
) -> TensorRef:
    if not isinstance(data, TensorRef):
        raise TypeError("not a tensor")
    return data


def _size(values: object) -> tuple[int, ...]:
    return _integers(values)


def _string(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError("not a string")
    return value


def _short(value: object) -> str:
    text = _string(value)
    if len(text) > _MAX_CHARACTERS:
        raise ValueError("too long")
    return text


def _device(kind: object, index: object = None) -> str:
    return f"{_short(kind)}:{index}" if type(index) is int else _string(kind)


def _ordered_dict() -> dict[object, object]:
    return {}


def _default_dict(_factory: Name | None = None) -> dict[object, object]:
    return {}


def _counter(counts: object) -> dict[object, object]:
    if not isinstance(counts, dict):
        raise TypeError("not a dict")
    return counts


def _set(items: object) -> list[object]:
    if not isinstance(items, list):
        raise TypeError("not a list")
    return items


def _encode(text: object, encoding: object) -> bytes:
    if encoding != "latin1":
        raise ValueError("pickle writes bytes as latin1 only")
    return _short(text).encode("latin1")


def _posix_path(*parts: object) -> str:
    return str(PurePosixPath(*_path_parts(parts)))


def _windows_path(*parts: object) -> str:
    return str(PureWindowsPath(*_path_parts(parts)))


def _path_parts(parts: tuple[object, ...]) -> list[str]:
    if len(parts) > _MAX_PARTS:
        raise ValueError("too many parts")
    return [_short(part) for part in parts]


def _numpy_dtype(code: object, _align: object, _copy: object) -> Instance:
    if code not in _NUMPY_SCALARS:
        raise ValueError("not a number")
    return Instance("numpy.dtype", arguments=(code,))


def _numpy_scalar(dtype: object, data: object) -> object:
    match dtype, data:
        case Instance("numpy.dtype", tuple(state), (str(code),)), bytes():
            if len(state) == 8 and state[1] in ("<", ">", "|"):
                return np.frombuffer(data, f"{state[1]}{code}", count=1).item()
    raise TypeError("not a numpy scalar")


# A pickle can ask for the same call a million times with a few bytes, so each must be cheap.
_MAX_PARTS = 64
_MAX_CHARACTERS = 255

_NUMPY_SCALARS = ("b1", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "f2", "f4", "f8")

_STORAGES = {
    "torch.BoolStorage": "bool",
    "torch.ByteStorage": "uint8",
    "torch.CharStorage": "int8",
    "torch.ShortStorage": "int16",
    "torch.IntStorage": "int32",
    "torch.LongStorage": "int64",
    "torch.BFloat16Storage": "bfloat16",
    "torch.HalfStorage": "float16",
    "torch.FloatStorage": "float32",
    "torch.DoubleStorage": "float64",
    "torch.ComplexFloatStorage": "complex64",
    "torch.ComplexDoubleStorage": "complex128",
    "torch.storage.UntypedStorage": "uint8",
}

_CALLS: dict[str, Callable[..., object]] = {
    "torch._utils._rebuild_tensor_v2": _rebuild_tensor_v2,
    "torch._utils._rebuild_tensor_v3": _rebuild_tensor_v3,
    "torch._utils._rebuild_parameter": _rebuild_parameter,
    "torch._utils._rebuild_parameter_with_state": _rebuild_parameter,
    "torch.Size": _size,
    "torch.device": _device,
    "torch.serialization._get_layout": _string,
    "collections.OrderedDict": _ordered_dict,
    "collections.defaultdict": _default_dict,
    "collections.Counter": _counter,
    "_codecs.encode": _encode,
    "numpy.dtype": _numpy_dtype,
    "numpy.core.multiarray.scalar": _numpy_scalar,
    "numpy._core.multiarray.scalar": _numpy_scalar,
    "__builtin__.set": _set,
    "__builtin__.frozenset": _set,
    "builtins.set": _set,
    "builtins.frozenset": _set,
    "pathlib.PosixPath": _posix_path,
    "pathlib.WindowsPath": _windows_path,
    "pathlib._local.PosixPath": _posix_path,
    "pathlib._local.WindowsPath": _windows_path,
}
"""What a pickle may call."""

_INSTANCES = {
    "argparse.Namespace",
    "omegaconf.base.ContainerMetadata",
    "omegaconf.base.Metadata",
    "omegaconf.dictconfig.DictConfig",
    "omegaconf.listconfig.ListConfig",
    *(
        f"omegaconf.nodes.{kind}Node"
        for kind in ("Any", "String", "Integer", "Float", "Boolean", "Bytes", "Path")
    ),
}
"""Classes of which a pickle may hold objects with a state."""

_MAPPINGS = {
    "lightning.fabric.utilities.data.AttributeDict",
    "lightning_fabric.utilities.data.AttributeDict",
    "pytorch_lightning.utilities.parsing.AttributeDict",
}
"""Dictionaries by another name: Lightning's hyper-parameters without OmegaConf."""

_ONLY_NAMED = {
    "typing.Any",
    "torch.strided",
    *(f"torch.{name}" for name in DTYPES),
    *(
        f"{module}.{name}"
        for module in ("__builtin__", "builtins")
        for name in ("bool", "int", "long", "float", "str", "unicode", "bytes", "list", "dict")
    ),
    *("builtins.tuple", "__builtin__.tuple"),
}
"""Types that a pickle may mention (OmegaConf's metadata, optimiser settings) but not use."""

_NAMES = {path: Name(path) for path in (*_STORAGES, *_CALLS, *_INSTANCES, *_MAPPINGS, *_ONLY_NAMED)}

"""What a checkpoint's pickle may name and "call", and the inert thing each of that stands for.

A pickle builds objects by naming classes and functions and asking for them to be called. Nothing is
imported or called here, whatever the name: a name is a :class:`Name`, a string in a wrapper. What
the tables below know becomes plain data or the description of a tensor, by the small functions of
this file. A call of anything else, or an object of any other class, becomes an :class:`Instance`, a
record of what the file says of it. Only what must be run to mean anything is refused, by name: it
would do no harm here, but no trained network needs it, and whoever opens such a file wants to know.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import PurePosixPath, PureWindowsPath

import numpy as np

from snn_deploy.checkpoint.tensors import DTYPES, StorageRef, TensorRef
from snn_deploy.errors import CheckpointError

__all__ = [
    "LATIN1",
    "NDARRAY",
    "Instance",
    "Name",
    "call",
    "create",
    "look_up",
    "number_code",
    "stored_apart",
]


@dataclass(frozen=True, slots=True)
class Name:
    """A class or function that the pickle names; only the name, never the thing."""

    path: str


@dataclass(slots=True, eq=False)
class Instance:
    """A record of an object of class ``kind``, or of a call of ``kind``: neither is ever made.

    ``elements`` are those of an object that is also a list, ``items`` those of one that is also a
    dictionary.
    """

    kind: str
    arguments: tuple[object, ...] = ()
    state: object = None
    elements: list[object] = field(default_factory=list)
    items: dict[object, object] = field(default_factory=dict)


def look_up(path: str) -> Name:
    """Give the inert stand-in of ``path``, or refuse it.

    Raises
    ------
    CheckpointError
        If it names what can only be meant to run.
    """
    module, _, attribute = path.rpartition(".")
    if path in _RUNS or module in _RUNNERS or module.partition(".")[0] in _RUNNERS:
        raise CheckpointError(
            f"refuses to load {path[:200]!r}, which no trained network needs: the file was made to "
            "run code when it is opened. Nothing in it was run. If the file is yours, save the "
            "model's state_dict() and the configuration as plain numbers and strings"
        )
    if attribute in _NESTED_PICKLES:
        raise CheckpointError(
            f"a part of it was pickled on its own ({path[:200]!r}), by pickle.dump or joblib and "
            "not by torch.save alone; load it where it was made, and save the model's state_dict()"
        )
    return Name(path)


def call(name: Name, arguments: tuple[object, ...]) -> object:
    """Do what calling ``name`` stands for: build plain data, or a record of the call."""
    function = _CALLS.get(name.path)
    if function is None:
        return Instance(_RECONSTRUCTED.get(name.path, _itself)(name, arguments), arguments)
    try:
        return function(*arguments)
    except (TypeError, ValueError, OverflowError):
        raise CheckpointError(
            f"{name.path!r} is called with arguments that no genuine file has"
        ) from None


def create(name: Name, arguments: tuple[object, ...]) -> object:
    """Give the empty stand-in of a new object of class ``name``."""
    if name.path in _MAPPINGS and arguments == ():
        return {}
    return Instance(name.path, arguments)


def stored_apart(persistent_id: object) -> StorageRef | Name:
    """Read a persistent id: ("storage", type, key, location, numel[, no view]), or a class.

    Before PyTorch 1.6 a module's class came with its source text, which is not looked at.
    """
    match persistent_id:
        case ("module", Name() as name, _, _):
            return name
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


def _encode(text: object, encoding: object) -> bytes | Instance:
    if encoding != "latin1":
        raise ValueError("pickle writes bytes as latin1 only")
    if len(_string(text)) > _MAX_CHARACTERS:
        return Instance(LATIN1, (text,))
    return _string(text).encode("latin1")


def _posix_path(*parts: object) -> str:
    return str(PurePosixPath(*_path_parts(parts)))


def _windows_path(*parts: object) -> str:
    return str(PureWindowsPath(*_path_parts(parts)))


def _path_parts(parts: tuple[object, ...]) -> list[str]:
    if len(parts) > _MAX_PARTS:
        raise ValueError("too many parts")
    return [_short(part) for part in parts]


def _numpy_dtype(code: object, _align: object, _copy: object) -> Instance:
    return Instance("numpy.dtype", (_short(code),))


def _numpy_scalar(dtype: object, data: object) -> object:
    code = number_code(dtype)
    if code is None:  # a date, a text, an object: kept unread
        return Instance("numpy.generic")
    if not isinstance(data, bytes):
        raise TypeError("not a numpy scalar")
    return np.frombuffer(data, code, count=1).item()


def _numpy_buffer(data: object, dtype: object, shape: object, order: object) -> Instance:
    return Instance(NDARRAY, state=(1, _integers(shape), dtype, order == "F", data))


def number_code(dtype: object) -> str | None:
    """Give the code of a described numpy dtype as numpy takes it; None if it is of no numbers."""
    match dtype:
        case Instance("numpy.dtype", (str(code),), tuple(state)) if code in _NUMPY_NUMBERS:
            if len(state) == 8 and state[1] in ("<", ">", "|"):
                return f"{state[1]}{code}"
            raise TypeError("not a dtype")
    return None


def _rebuild_from_type(
    function: object, _kind: object, arguments: object, _state: object
) -> object:
    if not isinstance(function, Name) or not isinstance(arguments, tuple):
        raise TypeError("no tensor with attributes")
    if not function.path.startswith("torch._utils._rebuild_"):
        raise TypeError("no tensor with attributes")
    return call(function, arguments)


def _itself(name: Name, _arguments: tuple[object, ...]) -> str:
    return name.path


def _first_class(name: Name, arguments: tuple[object, ...]) -> str:
    return arguments[0].path if arguments and isinstance(arguments[0], Name) else name.path


# A pickle can ask for the same call a million times with a few bytes, so each must be cheap.
_MAX_PARTS = 64
_MAX_CHARACTERS = 255

NDARRAY = "numpy.ndarray"
LATIN1 = "_codecs.encode"
"""Kinds of instances that ``plain_data`` makes something of: arrays, and bytes written as text."""

_NUMPY_NUMBERS = ("b1", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "f2", "f4", "f8")

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
    "torch._tensor._rebuild_from_type_v2": _rebuild_from_type,
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
    "numpy.core.numeric._frombuffer": _numpy_buffer,
    "numpy._core.numeric._frombuffer": _numpy_buffer,
    "__builtin__.set": _set,
    "__builtin__.frozenset": _set,
    "builtins.set": _set,
    "builtins.frozenset": _set,
    "pathlib.PosixPath": _posix_path,
    "pathlib.WindowsPath": _windows_path,
    "pathlib._local.PosixPath": _posix_path,
    "pathlib._local.WindowsPath": _windows_path,
    "pathlib.PurePosixPath": _posix_path,
    "pathlib.PureWindowsPath": _windows_path,
    "pathlib._local.PurePosixPath": _posix_path,
    "pathlib._local.PureWindowsPath": _windows_path,
}
"""Calls whose result is plain data or a tensor."""

_RECONSTRUCTED: dict[str, Callable[[Name, tuple[object, ...]], str]] = {
    f"{module}.{name}": _first_class
    for module, name in (
        ("copyreg", "_reconstructor"),
        ("copyreg", "__newobj__"),
        ("copyreg", "__newobj_ex__"),
        ("copy_reg", "_reconstructor"),
        ("numpy.core.multiarray", "_reconstruct"),
        ("numpy._core.multiarray", "_reconstruct"),
    )
}
"""Calls that make an object of the class that is their first argument."""

_MAPPINGS = {
    "lightning.fabric.utilities.data.AttributeDict",
    "lightning_fabric.utilities.data.AttributeDict",
    "pytorch_lightning.utilities.parsing.AttributeDict",
}
"""Dictionaries by another name: Lightning's hyper-parameters without OmegaConf."""

_BUILTINS = ("eval", "exec", "compile", "open", "__import__", "input", "breakpoint", "execfile")

_RUNS = {
    *(f"{module}.{name}" for module in ("builtins", "__builtin__") for name in _BUILTINS),
    "torch.load",
    "torch.jit.load",
    "torch.serialization.load",
    "torch.utils.cpp_extension.load",
    "numpy.load",
    "types.FunctionType",
    "types.CodeType",
    "code.interact",
    "code.InteractiveInterpreter",
}
"""What runs code, or reads what may."""

_RUNNERS = {
    *("os", "posix", "nt", "posixpath", "ntpath", "subprocess", "multiprocessing", "pty", "shutil"),
    *("importlib", "runpy", "pkgutil", "zipimport", "codeop", "sys", "ctypes", "socket", "urllib"),
    *("pickle", "_pickle", "cPickle", "dill", "cloudpickle", "joblib", "marshal", "shelve"),
    *("webbrowser", "asyncio", "ftplib", "torch.hub"),
}
"""Modules of which every function runs code, or reaches files, processes or the network."""

_NESTED_PICKLES = {"_load_from_bytes"}
"""Functions that torch gives a tensor's bytes, themselves a pickle, where pickle.dump wrote it."""

"""A pickle interpreter that can build plain data and nothing else.

It implements the opcodes of protocols 2 to 5 that torch.save uses. It has no means to import or to
call anything: names and calls go to ``vocabulary.py``, where each stands for something inert.
Tensors come out as ``TensorRef``, objects as ``Instance``, types as ``Name``, and ``plain_data.py``
converts these. Work and memory are bounded by ``_MAX_OPCODES``.

Opcodes: Python's Lib/pickletools.py, which documents every one.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from snn_deploy.checkpoint.tensors import StorageRef
from snn_deploy.checkpoint.vocabulary import (
    Instance,
    Name,
    call,
    create,
    look_up,
    stored_apart,
)
from snn_deploy.errors import CheckpointError

__all__ = ["Unpickled", "unpickle"]

_MAX_OPCODES = 2_000_000
"""A tensor takes about 30; this is over 60,000 tensors."""
_unpack_u4 = struct.Struct("<I").unpack_from
_MAX_INTEGER_BYTES = 16
_MAX_NAME_BYTES = 1000
_MAX_KEY_PARTS = 8
_KEY_TYPES = frozenset((str, int, float, bool, type(None)))


@dataclass(frozen=True, slots=True)
class Unpickled:
    """A pickle's value, the storages it names by their key, and where the pickle ended."""

    value: object
    storages: dict[str, StorageRef]
    end: int


def unpickle(data: bytes, start: int = 0) -> Unpickled:
    """Interpret the pickle that begins at ``data[start]``.

    Raises
    ------
    CheckpointError
        If the pickle is damaged, too long, or asks for anything but tensors and plain data.
    """
    machine = _Machine(data, start)
    try:
        for _ in range(_MAX_OPCODES):
            opcode = data[machine.position]
            machine.position += 1
            if opcode == _STOP:
                return Unpickled(machine.stack.pop(), machine.storages, machine.position)
            _HANDLERS[opcode](machine)
    except (LookupError, struct.error, UnicodeDecodeError, _DamagedError):
        raise CheckpointError(
            f"the pickle in it is damaged at byte {machine.position - start}"
        ) from None
    raise CheckpointError(f"the pickle in it is longer than {_MAX_OPCODES} operations")


class _DamagedError(Exception):
    """An operation that finds the wrong kind of value on the stack."""


class _Machine:
    """The interpreter's state; one method an opcode or a family of them."""

    def __init__(self, data: bytes, start: int) -> None:
        self.data = data
        self.position = start
        self.stack: list[Any] = []
        self.outer_stacks: list[list[Any]] = []
        self.memo: dict[int, Any] = {}
        self.storages: dict[str, StorageRef] = {}

    def take(self, count: int) -> bytes:
        end = self.position + count
        chunk = self.data[self.position : end]
        if len(chunk) != count:
            raise _DamagedError
        self.position = end
        return chunk

    def u1(self) -> int:
        value = self.data[self.position]
        self.position += 1
        return value

    def u2(self) -> int:
        return int.from_bytes(self.take(2), "little")

    def u4(self) -> int:
        value: int = _unpack_u4(self.data, self.position)[0]
        self.position += 4
        return value

    def u8(self) -> int:
        return int.from_bytes(self.take(8), "little")

    def take_line(self) -> str:
        end = self.data.find(b"\n", self.position, self.position + _MAX_NAME_BYTES)
        if end < 0:
            raise _DamagedError
        line = self.data[self.position : end].decode("utf-8")
        self.position = end + 1
        return line

    def pop_to_mark(self) -> list[Any]:
        items = self.stack
        self.stack = self.outer_stacks.pop()
        return items

    def mark(self) -> None:
        self.outer_stacks.append(self.stack)
        self.stack = []

    def pop(self) -> None:
        if self.stack:
            self.stack.pop()
        else:
            self.pop_to_mark()

    def duplicate(self) -> None:
        self.stack.append(self.stack[-1])

    def skip_protocol(self) -> None:
        protocol = self.u1()
        if not 2 <= protocol <= 5:
            raise CheckpointError(f"it is a pickle of protocol {protocol}; 2 to 5 can be read")

    def signed_integer(self) -> None:
        self.stack.append(int.from_bytes(self.take(4), "little", signed=True))

    def long_integer(self, count: int) -> None:
        if count > _MAX_INTEGER_BYTES:
            raise CheckpointError(f"it holds an integer of {count} bytes (at most 16)")
        self.stack.append(int.from_bytes(self.take(count), "little", signed=True))

    def double(self) -> None:
        self.stack.append(struct.unpack(">d", self.take(8))[0])

    def text(self, length: int) -> None:
        self.stack.append(self.take(length).decode("utf-8"))

    def bytestring(self, length: int) -> None:
        self.stack.append(self.take(length))

    def pack_tuple(self, count: int) -> None:
        if len(self.stack) < count:
            raise _DamagedError
        self.stack[-count:] = [tuple(self.stack[-count:])]

    def pack_marked_tuple(self) -> None:
        items = self.pop_to_mark()
        self.stack.append(tuple(items))

    def pack_marked_list(self) -> None:
        items = self.pop_to_mark()
        self.stack.append(items)

    def extend(self, items: list[Any]) -> None:
        target = self.stack[-1]
        if type(target) is Instance:
            target = target.elements
        if type(target) is not list:
            raise _DamagedError
        target.extend(items)

    def set_items(self, items: list[Any]) -> None:
        target = self.stack[-1]
        if type(target) is Instance:
            target = target.items
        if type(target) is not dict or len(items) % 2:
            raise _DamagedError
        keys = items[::2]
        types = set(map(type, keys))
        if types - _KEY_TYPES or (int in types and any(_is_wide(key) for key in keys)):
            keys = [_key(key, number) for number, key in enumerate(keys, len(target))]
        target.update(zip(keys, items[1::2], strict=True))

    def set_item(self) -> None:
        value, key = self.stack.pop(), self.stack.pop()
        self.set_items([key, value])

    def append(self) -> None:
        self.extend([self.stack.pop()])

    # Two thirds of a checkpoint's opcodes are the next four, so they are written out.

    def remember_u1(self) -> None:
        self.memo[self.data[self.position]] = self.stack[-1]
        self.position += 1

    def remember_u4(self) -> None:
        self.memo[_unpack_u4(self.data, self.position)[0]] = self.stack[-1]
        self.position += 4

    def recall_u1(self) -> None:
        self.stack.append(self.memo[self.data[self.position]])
        self.position += 1

    def recall_u4(self) -> None:
        self.stack.append(self.memo[_unpack_u4(self.data, self.position)[0]])
        self.position += 4

    def remember_next(self) -> None:
        self.memo[len(self.memo)] = self.stack[-1]

    def name(self) -> None:
        module = self.take_line()
        self.stack.append(look_up(f"{module}.{self.take_line()}"))

    def name_from_stack(self) -> None:
        attribute, module = self.stack.pop(), self.stack.pop()
        if type(attribute) is not str or type(module) is not str:
            raise _DamagedError
        self.stack.append(look_up(f"{module}.{attribute}"))

    def pop_call(self) -> tuple[Name, tuple[object, ...]]:
        arguments, name = self.stack.pop(), self.stack.pop()
        if type(name) is not Name or type(arguments) is not tuple:
            raise _DamagedError
        return name, arguments

    def create_with_names(self) -> None:
        named = self.stack.pop()
        if type(named) is not dict:
            raise _DamagedError
        name, arguments = self.pop_call()
        self.stack.append(create(name, (*arguments, named)))

    def build(self) -> None:
        state, target = self.stack.pop(), self.stack[-1]
        if type(target) is Instance and target.state is None:
            target.state = state
        elif type(target) is not dict or type(state) is not dict:
            # What a dictionary carries besides its items (OrderedDict._metadata) is not needed.
            raise CheckpointError("it sets attributes of something that has none")

    def storage(self) -> None:
        reference = stored_apart(self.stack.pop())
        if isinstance(reference, Name):
            self.stack.append(reference)
            return
        known = self.storages.setdefault(reference.key, reference)
        if known.nbytes != reference.nbytes:
            raise CheckpointError(f"storage {reference.key!r} is declared with two sizes")
        self.stack.append(reference)

    def unknown(self) -> None:
        position = self.position - 1
        raise CheckpointError(
            f"its pickle has opcode {self.data[position]:#04x} at byte {position}, which no "
            "genuine checkpoint has: the file is damaged or was not written by torch.save"
        )


def _is_wide(key: object) -> bool:
    return type(key) is int and key.bit_length() > 64


def _key(key: object, number: int) -> object:
    """Give a key that is cheap to hash: classes, objects and short tuples become text.

    Nested tuples may take for ever to hash, and wide integers can be made to collide.
    """
    if type(key) in _KEY_TYPES and not _is_wide(key):
        return key
    if type(key) is Name:
        return key.path
    if type(key) is Instance:
        return f"{key.kind}#{number}"
    if type(key) is tuple and len(key) <= _MAX_KEY_PARTS:
        parts = [part.path if type(part) is Name else part for part in key]
        if all(type(part) in _KEY_TYPES and not _is_wide(part) for part in parts):
            return str(tuple(parts))
    raise CheckpointError("a dictionary in it has a key that is no string or number")


_STOP = ord(".")

_OPCODES: dict[str, Callable[[_Machine], object]] = {
    "\x80": _Machine.skip_protocol,
    "\x95": lambda m: m.take(8),  # frame: only a hint for reading ahead
    "(": _Machine.mark,
    "0": _Machine.pop,
    "1": _Machine.pop_to_mark,
    "2": _Machine.duplicate,
    "N": lambda m: m.stack.append(None),
    "\x88": lambda m: m.stack.append(True),
    "\x89": lambda m: m.stack.append(False),
    "J": _Machine.signed_integer,
    "K": lambda m: m.stack.append(m.u1()),
    "M": lambda m: m.stack.append(m.u2()),
    "\x8a": lambda m: m.long_integer(m.u1()),
    "\x8b": lambda m: m.long_integer(m.u4()),
    "G": _Machine.double,
    "\x8c": lambda m: m.text(m.u1()),
    "X": lambda m: m.text(m.u4()),
    "\x8d": lambda m: m.text(m.u8()),
    "U": lambda m: m.text(m.u1()),  # Python 2's strings
    "T": lambda m: m.text(m.u4()),
    "C": lambda m: m.bytestring(m.u1()),
    "B": lambda m: m.bytestring(m.u4()),
    "\x8e": lambda m: m.bytestring(m.u8()),
    "\x96": lambda m: m.bytestring(m.u8()),
    ")": lambda m: m.stack.append(()),
    "\x85": lambda m: m.pack_tuple(1),
    "\x86": lambda m: m.pack_tuple(2),
    "\x87": lambda m: m.pack_tuple(3),
    "t": _Machine.pack_marked_tuple,
    "]": lambda m: m.stack.append([]),
    "l": _Machine.pack_marked_list,
    "a": _Machine.append,
    "e": lambda m: m.extend(m.pop_to_mark()),
    "\x8f": lambda m: m.stack.append([]),  # sets are read as lists
    "\x90": lambda m: m.extend(m.pop_to_mark()),
    "\x91": _Machine.pack_marked_list,
    "}": lambda m: m.stack.append({}),
    "s": _Machine.set_item,
    "u": lambda m: m.set_items(m.pop_to_mark()),
    "q": _Machine.remember_u1,
    "r": _Machine.remember_u4,
    "\x94": _Machine.remember_next,
    "h": _Machine.recall_u1,
    "j": _Machine.recall_u4,
    "c": _Machine.name,
    "\x93": _Machine.name_from_stack,
    "R": lambda m: m.stack.append(call(*m.pop_call())),
    "\x81": lambda m: m.stack.append(create(*m.pop_call())),
    "\x92": _Machine.create_with_names,
    "b": _Machine.build,
    "Q": _Machine.storage,
}

_HANDLERS = [_OPCODES.get(chr(opcode), _Machine.unknown) for opcode in range(256)]

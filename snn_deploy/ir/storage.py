"""Integer networks as JSON and tensors, and back; nothing in a file is ever executed.

Derived from the nodes' own dataclass fields: a new node, or a new field, is stored without a word
here. Arrays become tensors named ``node/field``; the JSON keeps their place.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import math
import types
import typing
from collections.abc import Mapping
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt

from snn_deploy.errors import ConfigError, DeploymentError
from snn_deploy.ir.answer import Answer
from snn_deploy.ir.head import head_kinds, stored
from snn_deploy.ir.network import Network
from snn_deploy.ir.node import Node
from snn_deploy.nodes.registry import legal_kinds
from snn_deploy.printable import is_plain, shown

__all__ = [
    "Tensors",
    "content_digest",
    "network_digest",
    "network_from_document",
    "network_to_document",
]

Tensors = dict[str, npt.NDArray[Any]]

MAX_STEPS = 2**31  # of a sequence
MAX_WIDTH = 2**20  # channels of a node
MAX_TOTAL_WIDTH = 2**22  # of all nodes
MAX_DELAY = 2**16  # steps
MAX_INTEGER = 2**62  # what 64 bits hold and still add
MAX_NAME = 1000  # characters

_ANSWER_KEYS = {"output_steps", "head", "use_lengths"}
_KEYS = {"stage", "nodes", "steps", "outputs"} | _ANSWER_KEYS


def network_to_document(network: Network) -> tuple[dict[str, Any], Tensors]:
    """Give a network as a JSON-able document and the tensors that it refers to by name."""
    tensors: Tensors = {}
    nodes = [
        {"kind": node.kind, **_encode_fields(node, node.name, tensors)} for node in network.nodes
    ]
    document: dict[str, Any] = {"stage": network.stage, "nodes": nodes}
    answers = {name: _encode_answer(a, tensors) for name, a in network.outputs.items()}
    if list(answers) == [network.names[-1]]:
        (answer,) = answers.values()
        document.update(answer)
    else:
        document["outputs"] = [{"node": name, **answer} for name, answer in answers.items()]
    if network.steps is not None:
        document["steps"] = network.steps
    return document, tensors


def _encode_answer(answer: Answer, tensors: Tensors) -> dict[str, Any]:
    document: dict[str, Any] = {"output_steps": answer.steps}
    if answer.head:
        document["head"] = [
            {"kind": node.kind, **_encode_fields(node, node.name, tensors)} for node in answer.head
        ]
    if answer.valid:
        document["use_lengths"] = True
    return document


def network_digest(network: Network) -> str:
    """Give the SHA-256 of a network: of its structure and of every parameter."""
    return content_digest(*network_to_document(network))


def content_digest(document: Mapping[str, Any], tensors: Mapping[str, npt.NDArray[Any]]) -> str:
    """Give the SHA-256 of a document and its tensors, whatever file holds them."""
    sha = hashlib.sha256(json.dumps(document, sort_keys=True, default=str).encode())
    for name, tensor in sorted(tensors.items()):
        sha.update(f"{name};{tensor.dtype.str};{tensor.shape};".encode())
        sha.update(np.ascontiguousarray(tensor).tobytes())
    return sha.hexdigest()


def network_from_document(document: Any, tensors: Mapping[str, npt.NDArray[Any]]) -> Network:
    """Rebuild a network; the caller still verifies it.

    Raises
    ------
    DeploymentError
        Naming the node and field that is missing, unknown, or of another type.
    """
    stage = _take(document, "stage", "network")
    if stage not in ("integer", "lowered"):
        raise DeploymentError(
            f"a stored network has stage 'integer' or 'lowered', not {shown(stage)}"
        )
    if unknown := set(document) - _KEYS:
        raise DeploymentError(
            f"network: unknown keys {', '.join(sorted(unknown))}; a newer snn-deploy wrote this"
        )
    length = document.get("steps")
    if length is not None and not _is_length(length):
        raise DeploymentError(f"steps is the length of all sequences, or null, not {shown(length)}")
    answers = _decode_answers(document, tensors)
    nodes = _decode_nodes(_take(document, "nodes", "network"), legal_kinds(stage), tensors)
    _check_sizes(nodes)
    return Network(stage, nodes, answers, length)


def _decode_answers(document: Any, tensors: Mapping[str, npt.NDArray[Any]]) -> tuple[Answer, ...]:
    if "outputs" not in document:
        stated = {key: document[key] for key in _ANSWER_KEYS & set(document)}
        return (_decode_answer(stated, "network", tensors),)
    outputs = document["outputs"]
    if not isinstance(outputs, list) or _ANSWER_KEYS & set(document):
        raise DeploymentError("network: 'outputs' is a list, which holds all that is said of each")
    return tuple(_decode_answer(output, "an output", tensors) for output in outputs)


def _decode_answer(document: Any, where: str, tensors: Mapping[str, npt.NDArray[Any]]) -> Answer:
    steps = _take(document, "output_steps", where)
    if steps not in ("one", "all") and not _is_length(steps):
        raise DeploymentError(
            f"output_steps is 'one', 'all' or a number of steps, not {shown(steps)}"
        )
    node = None if where == "network" else _take(document, "node", where)
    if not (node is None or isinstance(node, str)) or not set(document) <= _ANSWER_KEYS | {"node"}:
        raise DeploymentError(f"{where} has a 'node', {sorted(_ANSWER_KEYS)}, and nothing else")
    use_lengths = document.get("use_lengths", False)
    if type(use_lengths) is not bool:
        raise DeploymentError(f"use_lengths is true or false, not {use_lengths!r}")
    head = _decode_nodes(document.get("head", []), head_kinds(), tensors)
    return Answer(steps=steps, node=node, valid=use_lengths, head=head)


def _is_length(steps: Any) -> bool:
    return type(steps) is int and 1 <= steps <= MAX_STEPS


def _check_sizes(nodes: tuple[Node, ...]) -> None:
    """Refuse widths and delays that nothing in the file has to be paid for, but memory would."""
    total = 0
    for node in nodes:
        total += node.width
        if node.width > MAX_WIDTH or total > MAX_TOTAL_WIDTH:
            raise DeploymentError(
                f"node '{node.name}' has {node.width:,} channels, all up to it {total:,}; the most "
                f"are {MAX_WIDTH:,} and {MAX_TOTAL_WIDTH:,}"
            )
        for edge in node.inputs:
            longest = max(edge.delay, edge.steps_back)
            if longest > MAX_DELAY:
                raise DeploymentError(
                    f"node '{node.name}': a delay of {longest:,} steps, over {MAX_DELAY:,}"
                )


def _decode_nodes(
    documents: Any, kinds: Mapping[str, type[Node]], tensors: Mapping[str, npt.NDArray[Any]]
) -> tuple[Node, ...]:
    if not isinstance(documents, list):
        raise DeploymentError("network: 'nodes' and 'head' are lists")
    return tuple(_decode_node(document, kinds, tensors) for document in documents)


def _take(document: Any, key: str, where: str) -> Any:
    if not isinstance(document, dict) or key not in document:
        raise DeploymentError(f"{where}: '{key}' is missing")
    return document[key]


def _encode_fields(value: Any, path: str, tensors: Tensors) -> dict[str, Any]:
    return {
        field.name: _encode(getattr(value, field.name), f"{path}/{field.name}", tensors)
        for field in dataclasses.fields(value)
    }


def _encode(value: Any, path: str, tensors: Tensors) -> Any:
    if isinstance(value, np.ndarray):
        tensors[path] = np.ascontiguousarray(stored(value))
        return {"tensor": path}
    if dataclasses.is_dataclass(value):
        return _encode_fields(value, path, tensors)
    if isinstance(value, tuple):
        return [_encode(item, f"{path}/{i}", tensors) for i, item in enumerate(value)]
    return value


def _decode_node(
    document: Any, kinds: Mapping[str, type[Node]], tensors: Mapping[str, npt.NDArray[Any]]
) -> Node:
    kind = _take(document, "kind", "a node")
    if not isinstance(kind, str) or kind not in kinds:
        raise DeploymentError(f"unknown node kind {shown(kind)}; there are: {', '.join(kinds)}")
    fields = {key: value for key, value in document.items() if key != "kind"}
    node = _decode_dataclass(fields, kinds[kind], str(fields.get("name", kind)), tensors)
    return typing.cast(Node, node)


@cache
def _field_types(kind: type) -> dict[str, Any]:
    hints = typing.get_type_hints(kind)
    return {field.name: hints[field.name] for field in dataclasses.fields(kind)}


@cache
def _required_fields(kind: type) -> frozenset[str]:
    """Name the fields that have no default: a file from before a field was added lacks it."""
    missing = dataclasses.MISSING
    return frozenset(
        field.name
        for field in dataclasses.fields(kind)
        if field.default is missing and field.default_factory is missing
    )


def _decode_dataclass(
    document: Any, kind: type, where: str, tensors: Mapping[str, npt.NDArray[Any]]
) -> Any:
    expected, required = _field_types(kind), _required_fields(kind)
    if not isinstance(document, dict) or not required <= set(document) <= set(expected):
        found = sorted(document) if isinstance(document, dict) else document
        raise DeploymentError(f"{where}: {kind.__name__} has {sorted(expected)}, not {found}")
    fields = {
        name: _decode(document[name], hint, f"{where}/{name}", tensors)
        for name, hint in expected.items()
        if name in document
    }
    try:
        return kind(**fields)
    except ConfigError as error:  # a number format that cannot be
        raise DeploymentError(f"{where}: {error}") from error


def _decode(value: Any, hint: Any, where: str, tensors: Mapping[str, npt.NDArray[Any]]) -> Any:
    """Rebuild one field as its annotation says it must be; anything else is refused."""
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin in (np.ndarray, npt.NDArray):
        return _decode_tensor(value, [_scalar_type(hint)], where, tensors)
    if origin in (typing.Union, types.UnionType):
        return _decode_union(value, arguments, where, tensors)
    if origin is tuple and isinstance(value, list):
        return tuple(
            _decode(item, arguments[0], f"{where}/{i}", tensors) for i, item in enumerate(value)
        )
    if origin is typing.Literal and value in arguments:
        return value
    if dataclasses.is_dataclass(hint):
        return _decode_dataclass(value, typing.cast(type, hint), where, tensors)
    if isinstance(hint, type) and type(value) is hint:
        return _checked(value, where)
    raise DeploymentError(f"{where}: {shown(value)} is not a {getattr(hint, '__name__', hint)}")


def _checked(value: Any, where: str) -> Any:
    """Refuse a number that no engine can hold, and a name that is not one line of plain text."""
    if isinstance(value, int) and abs(value) > MAX_INTEGER:
        raise DeploymentError(f"{where}: a number of {value.bit_length()} bits, over 62")
    if isinstance(value, float) and not math.isfinite(value):
        raise DeploymentError(f"{where}: {value} is no finite number")
    if isinstance(value, str) and not is_plain(value, MAX_NAME):
        raise DeploymentError(
            f"{where}: {value[:80]!r} is not one line of at most {MAX_NAME:,} printable characters"
        )
    return value


def _decode_union(
    value: Any, options: tuple[Any, ...], where: str, tensors: Mapping[str, npt.NDArray[Any]]
) -> Any:
    if value is None and type(None) in options:
        return None
    wanted = [o for o in options if o is not type(None)]
    if all(typing.get_origin(o) in (np.ndarray, npt.NDArray) for o in wanted):
        return _decode_tensor(value, [_scalar_type(o) for o in wanted], where, tensors)
    if len(wanted) > 1:  # an exponent: one int, or one for each channel
        wanted = [o for o in wanted if (typing.get_origin(o) is tuple) == isinstance(value, list)]
    return _decode(value, wanted[0], where, tensors)


def _scalar_type(hint: Any) -> Any:
    """Give the scalar type of ``NDArray[scalar]``, an alias of its own in newer numpy."""
    *_, last = typing.get_args(hint)
    return last if typing.get_origin(hint) is npt.NDArray else typing.get_args(last)[0]


def _decode_tensor(
    value: Any, scalars: list[Any], where: str, tensors: Mapping[str, npt.NDArray[Any]]
) -> npt.NDArray[Any]:
    name = _take(value, "tensor", where)
    if not isinstance(name, str) or name not in tensors:
        raise DeploymentError(f"{where}: tensor '{name}' is not in the file")
    expected, tensor = [np.dtype(scalar) for scalar in scalars], tensors[name]
    if expected == [np.float64] and tensor.dtype == np.float32:
        return tensor.astype(np.float64)  # stored narrow because that lost nothing
    if not tensor.ndim:
        raise DeploymentError(f"{where}: tensor '{name}' is a bare number, not an array")
    if tensor.dtype not in expected:
        told = " or ".join(map(str, expected))
        raise DeploymentError(f"{where}: dtype {tensor.dtype}, not {told}")
    return tensor

"""An ONNX model as plain data: its operators in order, and its arrays; nothing of it is run."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from onnx import AttributeProto, TensorProto, helper

from snn_deploy.errors import CheckpointError, UnsupportedNetworkError
from snn_deploy.formats.onnx.arrays import TensorError, tensor_array

__all__ = ["Array", "Graph", "Operator", "read_graph"]

Array = npt.NDArray[Any]

MOST_OPERATORS = 100_000
MOST_NAME = 1000  # characters, of a node's
_REAL = (TensorProto.FLOAT, TensorProto.DOUBLE, TensorProto.FLOAT16)
_OURS = ("", "ai.onnx", "qonnx.custom_op.general", "onnx.brevitas")


@dataclass(frozen=True)
class Operator:
    """A node of the graph: ``where`` is what messages call it."""

    name: str
    kind: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attributes: Mapping[str, Any]
    where: str

    def refuse(self, why: str) -> UnsupportedNetworkError:
        """Make the error that says why it cannot be expressed."""
        return UnsupportedNetworkError(f"{self.where}: {why}")

    def whole(self, name: str, default: int) -> int:
        """Give an attribute that is a whole number."""
        value = self.attributes.get(name, default)
        if not isinstance(value, int):
            raise CheckpointError(f"{self.where}: {name} is no whole number")
        return value

    def wholes(self, name: str, default: tuple[int, ...]) -> tuple[int, ...]:
        """Give an attribute that is a list of whole numbers, as many as by default."""
        values = tuple(self.attributes.get(name, default))
        if len(values) != len(default) or not all(isinstance(value, int) for value in values):
            raise CheckpointError(f"{self.where}: {name} is not {len(default)} whole numbers")
        return values

    def real(self, name: str, default: float) -> float:
        """Give an attribute that is a number."""
        value = self.attributes.get(name, default)
        if not isinstance(value, int | float) or not np.isfinite(value):
            raise CheckpointError(f"{self.where}: {name} is no number")
        return float(value)


@dataclass(frozen=True)
class Graph:
    """A model's graph.

    Parameters
    ----------
    where
        What messages call the model.
    inputs
        By name: axes, None where one may be of any size.
    arrays
        Its initialisers.
    """

    where: str
    inputs: Mapping[str, tuple[int | None, ...]]
    outputs: tuple[str, ...]
    arrays: Mapping[str, Array]
    operators: tuple[Operator, ...]


def read_graph(model: Any, where: str) -> Graph:
    """Take an ``onnx.ModelProto`` apart, without trusting it.

    Raises
    ------
    CheckpointError
        If it is damaged, its numbers are in another file, or its operators are in a circle.
    UnsupportedNetworkError
        If it holds functions of its own, or operators of another domain.
    """
    graph = model.graph
    if model.functions:
        name = model.functions[0].name
        raise UnsupportedNetworkError(
            f"{where}: it has functions of its own, such as '{name}': inline them "
            "(onnx.inliner.inline_local_functions)"
        )
    if graph.sparse_initializer:
        raise UnsupportedNetworkError(f"{where}: it has sparse initialisers; store them densely")
    if len(graph.node) > MOST_OPERATORS:
        raise UnsupportedNetworkError(f"{where}: over {MOST_OPERATORS:,} operators")
    try:
        arrays = {tensor.name: tensor_array(tensor) for tensor in graph.initializer}
    except TensorError as error:
        raise CheckpointError(
            f"{where}: {error}; write the model as one file (torch.onnx: external_data=False)"
        ) from error
    inputs = {value.name: _axes(value, where) for value in graph.input if value.name not in arrays}
    operators = tuple(_operators(graph, where))
    _check_order(operators, {*arrays, *inputs})
    return Graph(where, inputs, tuple(value.name for value in graph.output), arrays, operators)


_OVER_STEPS = frozenset({"CumSum", "DFT", "GRU", "LSTM", "Loop", "RNN", "STFT", "Scan"})


def _axes(value: Any, where: str) -> tuple[int | None, ...]:
    told = value.type.tensor_type
    if not value.type.HasField("tensor_type") or told.elem_type not in _REAL:
        raise UnsupportedNetworkError(f"{where}: input '{value.name}' takes no real numbers")
    sizes = (axis.dim_value if axis.HasField("dim_value") else None for axis in told.shape.dim)
    axes = tuple(size if size is None or size > 0 else None for size in sizes)
    if not axes:
        raise UnsupportedNetworkError(f"{where}: input '{value.name}' has no stated axes")
    return axes


def _operators(graph: Any, where: str) -> Iterator[Operator]:
    taken: set[str] = set()
    for node in graph.node:
        name = node.name or (node.output[0] if node.output else "")
        told = f"{where}: node '{name}' ({node.op_type})"
        if not name or len(name) > MOST_NAME or not node.output:
            raise CheckpointError(f"{told}: it has no name of 1 to {MOST_NAME} characters")
        if node.domain not in _OURS:
            raise UnsupportedNetworkError(f"{told}: a custom operator, of '{node.domain}'")
        if node.op_type in _OVER_STEPS:
            raise UnsupportedNetworkError(
                f"{told}: it works over the steps, and only what works within one is read from "
                "ONNX; give convert the network's checkpoint, or the live module"
            )
        while name in taken:
            name += "_"
        taken.add(name)
        attributes = {entry.name: _attribute(entry, told) for entry in node.attribute}
        yield Operator(name, node.op_type, tuple(node.input), tuple(node.output), attributes, told)


def _attribute(entry: Any, told: str) -> Any:
    if entry.type == AttributeProto.TENSOR:
        try:
            return tensor_array(entry.t)
        except TensorError as error:
            raise CheckpointError(f"{told}: {error}") from error
    if entry.type == AttributeProto.STRING:
        return entry.s.decode(errors="replace")
    if entry.type in (AttributeProto.FLOAT, AttributeProto.INT):
        return helper.get_attribute_value(entry)
    if entry.type in (AttributeProto.FLOATS, AttributeProto.INTS):
        return tuple(helper.get_attribute_value(entry))
    raise UnsupportedNetworkError(f"{told}: its attribute '{entry.name}' holds graphs or objects")


def _check_order(operators: tuple[Operator, ...], there: set[str]) -> None:
    """Refuse what reads a value that is not there yet: ONNX's operators stand in order."""
    made = {name for operator in operators for name in operator.outputs}
    for operator in operators:
        for name in operator.inputs:
            if name and name not in there:
                why = "comes later: its operators are in a circle, or not in order"
                why = why if name in made else "nothing gives"
                raise CheckpointError(f"{operator.where}: reads '{name}', which {why}")
        again = there.intersection(operator.outputs) - {""}
        if again:
            raise CheckpointError(
                f"{operator.where}: gives '{again.pop()}', which is there already"
            )
        there.update(operator.outputs)

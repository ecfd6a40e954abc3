"""Operators that become nodes of the network, or change nothing but a signal's shape."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from snn_deploy.errors import CheckpointError
from snn_deploy.ir.formats import Edge
from snn_deploy.nodes.affine import Affine
from snn_deploy.nodes.gelu import Gelu
from snn_deploy.nodes.layer_norm import LayerNorm
from snn_deploy.nodes.linear import Linear
from snn_deploy.nodes.product import Product
from snn_deploy.nodes.relu import Relu
from snn_deploy.nodes.residual import Residual
from snn_deploy.readers.onnx.graph import Array, Operator
from snn_deploy.readers.onnx.quantised import dequantise, quantise, quantise_in_place
from snn_deploy.readers.onnx.signals import Building, Real, Signal, Value, edge
from snn_deploy.readers.onnx.spatial import (
    average_pool,
    convolution,
    global_average_pool,
    reduce_mean,
)

__all__ = ["LAYERS"]


def _gemm(building: Building, operator: Operator) -> Signal:
    weight = building.reals(operator, 1)
    if operator.whole("transA", 0):
        raise operator.refuse("transA: a signal is not turned")
    if weight.ndim != 2:
        raise CheckpointError(f"{operator.where}: a weight of shape {weight.shape}")
    weight = weight if operator.whole("transB", 0) else weight.T
    bias = np.zeros(len(weight))
    if building.has(operator, 2):
        told = building.reals(operator, 2)
        bias = operator.real("beta", 1.0) * _spread(operator, told, (len(weight),))
    return _linear(building, operator, operator.real("alpha", 1.0) * weight, bias)


def _matmul(building: Building, operator: Operator) -> Signal:
    weight = building.reals(operator, 1)
    if weight.ndim != 2:
        raise operator.refuse(f"a product with an array of shape {weight.shape}")
    return _linear(building, operator, weight.T, np.zeros(weight.shape[1]))


def _linear(building: Building, operator: Operator, weight: Real, bias: Real) -> Signal:
    signal = building.signal(operator)
    if signal.shape != weight.shape[1:]:
        told = f"weights for {weight.shape[1]} channels, and {signal.shape} arrive"
        raise CheckpointError(f"{operator.where}: {told}")
    made = Linear(name=operator.name, inputs=edge(signal), weight=weight, bias=bias)
    return building.made(made, signal, (len(weight),))


def _spread(operator: Operator, numbers: Real, shape: tuple[int, ...]) -> Real:
    """Give an array of a step one number a channel, (channels,), as ONNX broadcasts it."""
    while numbers.ndim > len(shape) and len(numbers) == 1:
        numbers = numbers[0]
    try:
        return np.broadcast_to(numbers, shape).reshape(-1).copy()
    except ValueError as error:
        told = f"an array of shape {numbers.shape} on a signal of {shape}"
        raise CheckpointError(f"{operator.where}: {told}") from error


def _add(building: Building, operator: Operator) -> Signal:
    found = _with_array(building, operator, lambda x: (1.0, x))
    if found is not None:
        return found
    left, inputs = _both(building, operator)
    made = Residual(name=operator.name, inputs=inputs, channels=left.width)
    return building.made(made, left)


def _multiply(building: Building, operator: Operator) -> Signal:
    found = _with_array(building, operator, lambda x: (x, 0.0))
    if found is not None:
        return found
    left, inputs = _both(building, operator)
    made = Product(name=operator.name, inputs=inputs, channels=left.width)
    return building.made(made, left)


def _subtract(building: Building, operator: Operator) -> Signal:
    found = _with_array(building, operator, lambda x: (1.0, -x), lambda x: (-1.0, x))
    if found is None:
        raise operator.refuse("a difference of two signals")
    return found


def _divide(building: Building, operator: Operator) -> Signal:
    found = _with_array(building, operator, lambda x: (1.0 / x, 0.0), None)
    if found is None:
        raise operator.refuse("a division by a signal")
    return found


Gain = Callable[[Real], "tuple[Any, Any]"]


def _with_array(
    building: Building, operator: Operator, gain: Gain, turned: Gain | None = None
) -> Signal | None:
    """Make a gain and an offset a channel of a signal and an array; None where both are signals.

    ``gain`` gives both for an array that stands behind the signal; ``turned`` before it, if that
    is another.
    """
    first = building.value(operator, 0)
    place = 1 if isinstance(first, Signal) else 0
    if isinstance(building.value(operator, place), Signal):
        return None
    signal = building.signal(operator, 1 - place)
    numbers = _spread(operator, building.reals(operator, place), signal.shape)
    rule = gain if place == 1 or operator.kind in ("Add", "Mul") else turned
    if rule is None or (operator.kind == "Div" and not numbers.all()):
        raise operator.refuse("a division by a signal, or by 0")
    scale, shift = (np.broadcast_to(x, (signal.width,)).astype(np.float64) for x in rule(numbers))
    if operator.kind == "Add" and building.alone(operator, 1 - place):
        folded = _folded_bias(building, signal, shift)
        if folded is not None:
            return folded
    made = Affine(name=operator.name, inputs=edge(signal), scale=scale, shift=shift)
    return building.made(made, signal)


def _folded_bias(building: Building, signal: Signal, shift: Real) -> Signal | None:
    """Add an offset to the bias of the weights before it, where each filter has one of its own."""
    bias = getattr(building.nodes[signal.node], "bias", None)
    if bias is None or not hasattr(building.nodes[signal.node], "weight"):
        return None
    each = shift.reshape(len(bias), -1)
    if len(bias) > signal.width or np.ptp(each, axis=1).any():
        return None
    building.changed(signal.node, bias=bias + each[:, 0])
    return signal


def _both(building: Building, operator: Operator) -> tuple[Signal, tuple[Edge, Edge]]:
    """Give the first of two signals of one shape, and the edges from both."""
    left, right = (building.signal(operator, place) for place in (0, 1))
    if left.shape != right.shape:
        raise operator.refuse(f"it reads {left.shape} and {right.shape}, and nothing is repeated")
    return left, (Edge(left.node), Edge(right.node))


def _relu(building: Building, operator: Operator) -> Signal:
    signal = building.signal(operator)
    made = Relu(name=operator.name, inputs=edge(signal), channels=signal.width)
    return replace(building.made(made, signal), positive=True)


def _gelu(building: Building, operator: Operator) -> Signal:
    signal = building.signal(operator)
    if operator.attributes.get("approximate", "none") != "none":
        raise operator.refuse("the approximation by tanh; there is the exact one")
    made = Gelu(name=operator.name, inputs=edge(signal), channels=signal.width)
    return building.made(made, signal)


def _batch_norm(building: Building, operator: Operator) -> Signal:
    signal = building.signal(operator)
    if operator.whole("training_mode", 0):
        raise operator.refuse("training_mode: export it for inference")
    weight, bias, mean, variance = (building.reals(operator, place) for place in (1, 2, 3, 4))
    maps = signal.shape[0] if signal.lead == 1 else 0
    if any(array.shape != (maps,) for array in (weight, bias, mean, variance)):
        raise CheckpointError(f"{operator.where}: not one number for each of {maps} maps")
    spread = variance + operator.real("epsilon", 1e-5)
    if not (spread > 0).all():
        raise CheckpointError(f"{operator.where}: a variance that is not positive")
    scale = weight / np.sqrt(spread)
    each = signal.width // maps
    made = Affine(
        name=operator.name,
        inputs=edge(signal),
        scale=np.repeat(scale, each),
        shift=np.repeat(bias - mean * scale, each),
    )
    return building.made(made, signal)


def _layer_norm(building: Building, operator: Operator) -> Signal:
    signal = building.signal(operator)
    if len(signal.shape) != 1 or signal.axis(operator.whole("axis", -1), operator) != 0:
        raise operator.refuse("a norm of other axes than a step's channels")
    weight = _spread(operator, building.reals(operator, 1), signal.shape)
    bias = np.zeros_like(weight)
    if building.has(operator, 2):
        bias = _spread(operator, building.reals(operator, 2), signal.shape)
    epsilon = operator.real("epsilon", 1e-5)
    made = LayerNorm(
        name=operator.name, inputs=edge(signal), weight=weight, bias=bias, epsilon=epsilon
    )
    return building.made(made, signal)


def _flatten(building: Building, operator: Operator) -> Signal:
    signal = building.signal(operator)
    if signal.lead != 1 or signal.axis(operator.whole("axis", 1), operator) != 0:
        raise operator.refuse("it takes sequences, or steps, together")
    return replace(signal, shape=(signal.width,))


def _reshape(building: Building, operator: Operator) -> Signal:
    """Axes of a step may be cut and joined; 0 keeps one, -1 stands for what is left."""
    signal = building.signal(operator)
    target = [int(x) for x in building.array(operator, 1).ravel()]
    lead = target[: signal.lead]
    before = [0] * signal.lead + list(signal.shape)
    whole = [size or before[axis] for axis, size in enumerate(target) if size or axis < len(before)]
    sizes = whole[signal.lead :] or [1]
    known = int(np.prod([size for size in sizes if size != -1]))
    if sizes.count(-1) == 1 and known > 0:
        sizes = [signal.width // known if size == -1 else size for size in sizes]
    fits = min(sizes) > 0 and int(np.prod(sizes)) == signal.width
    if not fits or any(size > 1 for size in lead) or len(lead) < signal.lead:
        raise operator.refuse(f"a shape {target} for {signal.shape}: it mixes sequences or steps")
    return replace(signal, shape=tuple(sizes))


def _squeeze(building: Building, operator: Operator) -> Signal:
    signal = building.signal(operator)
    axes = {signal.axis(axis, operator) for axis in _axes(building, operator)}
    if any(axis < 0 or signal.shape[axis] != 1 for axis in axes) or not axes:
        raise operator.refuse("it takes away an axis of sequences, or one that is not of size 1")
    kept = tuple(size for axis, size in enumerate(signal.shape) if axis not in axes)
    return replace(signal, shape=kept or (1,))


def _unsqueeze(building: Building, operator: Operator) -> Signal:
    signal = building.signal(operator)
    rank = signal.lead + len(signal.shape) + len(_axes(building, operator))
    shape = list(signal.shape)
    for axis in sorted(axis % rank - signal.lead for axis in _axes(building, operator)):
        if axis < 0:
            raise operator.refuse("it adds an axis before those of a step")
        shape.insert(axis, 1)
    return replace(signal, shape=tuple(shape))


def _axes(building: Building, operator: Operator) -> tuple[int, ...]:
    if building.has(operator, 1):
        return tuple(int(axis) for axis in building.array(operator, 1).reshape(-1))
    return tuple(operator.attributes.get("axes", ()))


def _shape(building: Building, operator: Operator) -> Array:
    """Give a signal's axes; 0, which a Reshape leaves as it is, for those before a step's."""
    signal = building.signal(operator)
    return np.array([0] * signal.lead + list(signal.shape), np.int64)


def _same(building: Building, operator: Operator) -> Signal:
    return building.signal(operator)


LAYERS: dict[str, Callable[[Building, Operator], Value]] = {
    "Add": _add,
    "AveragePool": average_pool,
    "BatchNormalization": _batch_norm,
    "Cast": _same,
    "Conv": convolution,
    "DequantizeLinear": dequantise,
    "Div": _divide,
    "Dropout": _same,
    "Flatten": _flatten,
    "Gelu": _gelu,
    "Gemm": _gemm,
    "GlobalAveragePool": global_average_pool,
    "Identity": _same,
    "LayerNormalization": _layer_norm,
    "MatMul": _matmul,
    "Mul": _multiply,
    "Quant": quantise_in_place,
    "QuantizeLinear": quantise,
    "ReduceMean": reduce_mean,
    "Relu": _relu,
    "Reshape": _reshape,
    "Shape": _shape,
    "Squeeze": _squeeze,
    "Sub": _subtract,
    "Unsqueeze": _unsqueeze,
}

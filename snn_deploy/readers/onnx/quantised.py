"""Quantisers: of arrays exactly; of signals they are left out, as formats are chosen here anew.

ONNX's QuantizeLinear and DequantizeLinear, and the Quant of QONNX (its operators' documents).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from snn_deploy.nodes.relu import Relu
from snn_deploy.readers.onnx.graph import Array, Operator
from snn_deploy.readers.onnx.signals import Building, Quantiser, Signal, edge

__all__ = ["dequantise", "dequantised", "quantise", "quantise_in_place", "quantised", "rounded"]


def dequantised(operator: Operator, arrays: list[Array | None]) -> Array:
    """Give ``(x - zero) * scale``, along an axis if there are several scales."""
    x, scale, zero = (*arrays, None)[:3]
    if x is None or scale is None or operator.whole("block_size", 0):
        raise ValueError("only one scale for all, or one a channel")
    by = _along(scale, x, operator)
    return (x.astype(np.float64) - (0 if zero is None else _along(zero, x, operator))) * by


def quantised(operator: Operator, arrays: list[Array | None]) -> Array:
    """Give ``round(x / scale) + zero`` within the type of ``zero``, halves to even."""
    x, scale, zero = (*arrays, None)[:3]
    if x is None or scale is None or zero is None or operator.whole("block_size", 0):
        raise ValueError("only one scale for all, or one a channel, and a zero point")
    limits = np.iinfo(zero.dtype)
    mantissa = np.rint(x / _along(scale, x, operator)) + _along(zero, x, operator)
    return np.clip(mantissa, limits.min, limits.max)


def rounded(operator: Operator, arrays: list[Array | None]) -> Array:
    """Give what QONNX's Quant makes of an array."""
    x, scale, zero, bits = arrays
    if x is None or scale is None or zero is None or bits is None:
        raise ValueError("an input is missing")
    mode = operator.attributes.get("rounding_mode", "ROUND")
    if mode not in _ROUNDING:
        raise ValueError(f"rounding_mode {mode}")
    signed, narrow = operator.whole("signed", 1), operator.whole("narrow", 0)
    low = -(2.0 ** (bits - 1)) + narrow if signed else np.zeros_like(bits)
    high = 2.0 ** (bits - signed) - 1.0 - (narrow if not signed else 0)
    mantissa = np.clip(_ROUNDING[str(mode)](x / scale + zero), low, high)
    return np.asarray((mantissa - zero) * scale)


_ROUNDING: dict[str, Callable[[Array], Array]] = {
    "ROUND": np.rint,
    "CEIL": np.ceil,
    "FLOOR": np.floor,
    "ROUND_TO_ZERO": np.trunc,
}


def _along(numbers: Array, x: Array, operator: Operator) -> Array:
    """Give one number a channel the axes of ``x``."""
    if numbers.size == 1:
        return numbers.reshape(()).astype(np.float64)
    shape = [1] * x.ndim
    shape[operator.whole("axis", 1)] = numbers.size
    return numbers.reshape(shape).astype(np.float64)


def quantise(building: Building, operator: Operator) -> Signal:
    """Leave a quantiser of a signal out; what it cuts off below 0 is kept as a ReLU."""
    signal = building.signal(operator)
    zero = building.array(operator, 2) if building.has(operator, 2) else np.zeros((), np.uint8)
    kept = Quantiser(building.reals(operator, 1), zero.astype(np.float64))
    if zero.dtype.kind not in "iu":
        raise operator.refuse("its zero point is of no type of whole numbers")
    signal = _cut_off(building, operator, signal, bool((zero == np.iinfo(zero.dtype).min).all()))
    return replace(signal, quantised=kept)


def dequantise(building: Building, operator: Operator) -> Signal:
    """Take back what a quantiser wrote."""
    signal = building.value(operator, 0)
    if not isinstance(signal, Signal) or signal.quantised is None:
        raise operator.refuse("it reads what no QuantizeLinear gave")
    zero = building.reals(operator, 2) if building.has(operator, 2) else np.zeros(())
    if not Quantiser(building.reals(operator, 1), zero).same(signal.quantised):
        raise operator.refuse("its scale or zero point is not that of the quantiser before it")
    return replace(signal, quantised=None)


def quantise_in_place(building: Building, operator: Operator) -> Signal:
    """Leave a Quant of a signal out."""
    signal = building.signal(operator)
    unsigned = not operator.whole("signed", 1) and not building.reals(operator, 2).any()
    return _cut_off(building, operator, signal, unsigned)


def _cut_off(building: Building, operator: Operator, signal: Signal, below_zero: bool) -> Signal:
    building.left_out.append(operator.name)
    if signal.positive or not below_zero:
        return signal
    node = Relu(name=operator.name, inputs=edge(signal), channels=signal.width)
    return replace(building.made(node, signal), positive=True)

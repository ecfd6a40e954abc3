"""Convolutions and pools over the frame of a step."""

from __future__ import annotations

import numpy as np

from snn_deploy.errors import CheckpointError, ConfigError
from snn_deploy.ir.windows import Windows
from snn_deploy.nodes.spatial_convolution import SpatialConvolution
from snn_deploy.nodes.spatial_pooling import SpatialPooling
from snn_deploy.readers.onnx.graph import Operator
from snn_deploy.readers.onnx.signals import Building, Signal, edge

__all__ = ["average_pool", "convolution", "global_average_pool", "reduce_mean"]

Shape = tuple[int, ...]


def convolution(building: Building, operator: Operator) -> Signal:
    """Make Conv: weight (filters, maps of a group, …)."""
    signal, weight = building.signal(operator), building.reals(operator, 1)
    axes, groups = len(signal.shape) - 1, operator.whole("group", 1)
    if signal.lead != 1 or axes < 1 or weight.ndim != axes + 2 or not weight.size:
        raise CheckpointError(f"{operator.where}: weight {weight.shape} on {signal.shape}")
    if weight.shape[1] * groups != signal.shape[0] or len(weight) % max(groups, 1):
        told = f"{groups} groups of {weight.shape[1]} maps, and {signal.shape[0]} arrive"
        raise CheckpointError(f"{operator.where}: {told}")
    windows = _windows(operator, signal, weight.shape[2:], groups)
    bias = building.reals(operator, 2) if building.has(operator, 2) else np.zeros(len(weight))
    if bias.shape != (len(weight),):
        raise CheckpointError(f"{operator.where}: bias {bias.shape} for {len(weight)} filters")
    made = SpatialConvolution(
        name=operator.name, inputs=edge(signal), windows=windows, weight=weight, bias=bias
    )
    return building.made(made, signal, (len(weight), *windows.outer))


def average_pool(building: Building, operator: Operator) -> Signal:
    """Make AveragePool, where zeros outside of the frame count or there are none."""
    signal = building.signal(operator)
    kernel = tuple(operator.attributes.get("kernel_shape", ()))
    if operator.whole("ceil_mode", 0):
        raise operator.refuse("ceil_mode: the last window may not stand over the frame's end")
    if len(kernel) != len(signal.shape) - 1 or not kernel:
        raise CheckpointError(f"{operator.where}: a kernel {kernel} on {signal.shape}")
    windows = _windows(operator, signal, kernel, signal.shape[0])
    if any((*windows.before, *windows.after)) and not operator.whole("count_include_pad", 0):
        raise operator.refuse("zeros around the frame must count (count_include_pad=1)")
    return _pool(building, operator, signal, windows)


def global_average_pool(building: Building, operator: Operator) -> Signal:
    """Make the mean of each map, which keeps its axes."""
    signal = building.signal(operator)
    if signal.lead != 1 or len(signal.shape) < 2:
        raise operator.refuse(f"a mean of maps on a signal of shape {signal.shape}")
    return _pool(building, operator, signal, _whole_frame(signal))


def reduce_mean(building: Building, operator: Operator) -> Signal:
    """Make the mean of each map, where all of its axes are reduced."""
    signal = building.signal(operator)
    axes = operator.attributes.get("axes", ())
    if building.has(operator, 1):
        axes = tuple(int(axis) for axis in building.array(operator, 1).reshape(-1))
    places = sorted(signal.axis(int(axis), operator) for axis in axes)
    if len(signal.shape) < 2 or places != list(range(1, len(signal.shape))):
        raise operator.refuse("a mean that is not of all places of each map")
    pooled = _pool(building, operator, signal, _whole_frame(signal))
    kept = operator.whole("keepdims", 1)
    return pooled if kept else Signal(pooled.node, pooled.lead, pooled.shape[:1])


def _pool(building: Building, operator: Operator, signal: Signal, windows: Windows) -> Signal:
    factor = 1.0 / int(np.prod(windows.kernel))
    made = SpatialPooling(name=operator.name, inputs=edge(signal), windows=windows, factor=factor)
    return building.made(made, signal, (signal.shape[0], *windows.outer))


def _whole_frame(signal: Signal) -> Windows:
    return Windows.over(signal.shape, signal.shape[1:], groups=signal.shape[0])


def _windows(operator: Operator, signal: Signal, kernel: Shape, groups: int) -> Windows:
    maps, *size = signal.shape
    ones, none = (1,) * len(kernel), (0,) * len(kernel)
    automatic = str(operator.attributes.get("auto_pad", "NOTSET"))
    if automatic not in ("NOTSET", "VALID", ""):
        raise operator.refuse(f"auto_pad={automatic}; state the padding")
    pads = operator.wholes("pads", none + none)
    before, after = pads[: len(kernel)], pads[len(kernel) :]
    stride, dilation = operator.wholes("strides", ones), operator.wholes("dilations", ones)
    try:
        return Windows(maps, tuple(size), kernel, stride, before, after, dilation, groups)
    except ConfigError as error:
        raise operator.refuse(str(error)) from error

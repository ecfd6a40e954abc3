"""NIR's convolutions and pools over the frame of a step."""

from __future__ import annotations

import numpy as np

from snn_deploy.errors import CheckpointError, ConfigError, UnsupportedNetworkError
from snn_deploy.ir.windows import Windows
from snn_deploy.nodes.spatial_convolution import SpatialConvolution
from snn_deploy.nodes.spatial_pooling import SpatialPooling
from snn_deploy.readers.nir.graph import Primitive
from snn_deploy.readers.nir.place import Made, Place

__all__ = ["convolution", "pooling"]

Shape = tuple[int, ...]


def convolution(node: Primitive, place: Place) -> Made:
    """Make ``Conv1d`` or ``Conv2d``: weight (filters, maps of a group, …)."""
    weight = node.array("weight")
    axes = {"Conv1d": 1, "Conv2d": 2}[node.kind]
    if weight.ndim != axes + 2 or not weight.size:
        raise CheckpointError(f"{node.where}: weight has shape {weight.shape}")
    (groups,) = _whole(node, "groups", 1, 1)
    kernel, dilation = weight.shape[2:], _whole(node, "dilation", axes, 1)
    stride = _whole(node, "stride", axes, 1)
    before, after = _padding(node, kernel, dilation)
    frame = _frame(node, place, axes, weight.shape[1] * groups)
    windows = _windows(node, frame, kernel, stride, (before, after), dilation, groups)
    if len(weight) % groups:
        raise CheckpointError(f"{node.where}: {len(weight)} filters in {groups} groups")
    made = SpatialConvolution(
        name=node.name,
        inputs=(place.reads,),
        windows=windows,
        weight=weight,
        bias=node.each("bias", (len(weight),), 0.0),
    )
    return Made([made], (len(weight), *windows.outer))


def pooling(node: Primitive, place: Place) -> Made:
    """Make ``SumPool2d`` or ``AvgPool2d``, whose averages count zeros outside of the frame."""
    kernel = _whole(node, "kernel_size", 2)
    padding = _whole(node, "padding", 2, 0)
    stride = _whole(node, "stride", 2)
    frame = _frame(node, place, 2, None)
    windows = _windows(node, frame, kernel, stride, (padding, padding), (1, 1), frame[0])
    factor = 1.0 if node.kind == "SumPool2d" else 1.0 / int(np.prod(kernel))
    made = SpatialPooling(name=node.name, inputs=(place.reads,), windows=windows, factor=factor)
    return Made([made], (frame[0], *windows.outer))


def _windows(
    node: Primitive,
    frame: Shape,
    kernel: Shape,
    stride: Shape,
    padding: tuple[Shape, Shape],
    dilation: Shape,
    groups: int,
) -> Windows:
    maps, *size = frame
    before, after = padding
    try:
        return Windows(maps, tuple(size), kernel, stride, before, after, dilation, groups)
    except ConfigError as error:
        raise UnsupportedNetworkError(f"{node.where}: {error}") from error


def _frame(node: Primitive, place: Place, axes: int, maps: int | None) -> Shape:
    """Give the maps, and their axes, that a node reads; axes of one sample before them go."""
    shape = place.shape
    if len(shape) == axes and maps == 1:
        shape = (1, *shape)
    outside, there = shape[: -axes - 1], shape[-axes - 1] if len(shape) > axes else 0
    if not there or np.prod(outside) != 1 or maps not in (None, there):
        wanted = f"{axes} axes" if maps is None else f"{maps} maps of {axes} axes"
        raise CheckpointError(f"{node.where}: reads {place.shape}, where it wants {wanted}")
    return shape[-axes - 1 :]


def _whole(node: Primitive, name: str, count: int, default: int | None = None) -> Shape:
    """Give one whole number an axis; one for all is repeated."""
    values = node.each(name, (count,), default)
    if (values != np.floor(values)).any():
        raise CheckpointError(f"{node.where}: {name} {values} is no whole number")
    return tuple(int(value) for value in values)


def _padding(node: Primitive, kernel: Shape, dilation: Shape) -> tuple[Shape, Shape]:
    """Give the zeros before and after each axis; ``same`` puts an odd one behind."""
    told = node.given.get("padding", 0)
    if not isinstance(told, str):
        padding = _whole(node, "padding", len(kernel), 0)
        return padding, padding
    if told not in ("same", "valid"):
        raise CheckpointError(f"{node.where}: padding '{told}' is neither 'same' nor 'valid'")
    if told == "valid":
        return (0,) * len(kernel), (0,) * len(kernel)
    spans = [(taps - 1) * step for taps, step in zip(kernel, dilation, strict=True)]
    return tuple(span // 2 for span in spans), tuple(span - span // 2 for span in spans)

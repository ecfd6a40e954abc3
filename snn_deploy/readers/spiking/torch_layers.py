"""torch's own layers."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from snn_deploy.readers.spiking.layer import Layer, Stated, numbers

__all__ = ["LAYERS"]


def _dense(layer: Layer) -> Stated:
    weight, bias = layer.module.weight, layer.module.bias
    given = {"weight": numbers(weight, "weight")}
    if bias is None:
        return Stated({"type": "Linear", **given})
    return Stated({"type": "Affine", **given, "bias": numbers(bias, "bias")})


def _convolution(layer: Layer) -> Stated:
    module = layer.module
    layer.only("padding_mode", "zeros", told="only zeros around a frame can be had")
    weight = numbers(module.weight, "weight")
    bias = np.zeros(len(weight)) if module.bias is None else numbers(module.bias, "bias")
    rest = {name: getattr(module, name) for name in ("stride", "padding", "dilation", "groups")}
    kind = {"Conv1d": "Conv1d", "Conv2d": "Conv2d"}[layer.names[1]]
    return Stated({"type": kind, "weight": weight, "bias": bias, **rest})


def _average(layer: Layer) -> Stated:
    layer.only("ceil_mode", False, told="places that lie half outside of a frame cannot be had")
    layer.only("divisor_override", None, told="only averages can be had")
    if np.any(layer.module.padding):
        layer.only("count_include_pad", True, told="averages count the zeros of the padding")
    names = ("kernel_size", "stride", "padding")
    return Stated({"type": "AvgPool2d", **{name: getattr(layer.module, name) for name in names}})


def _flatten(layer: Layer) -> Stated:
    first, last = layer.module.start_dim, layer.module.end_dim
    return Stated(
        {
            "type": "Flatten",
            "start_dim": first - 1 if first > 0 else first,  # without the batch
            "end_dim": last - 1 if last > 0 else last,
        }
    )


def _nothing(layer: Layer) -> Stated:
    return Stated(None)


LAYERS: dict[tuple[str, str], Callable[[Layer], Stated]] = {
    ("torch", "Linear"): _dense,
    ("torch", "Conv1d"): _convolution,
    ("torch", "Conv2d"): _convolution,
    ("torch", "AvgPool2d"): _average,
    ("torch", "Flatten"): _flatten,
    ("torch", "Dropout"): _nothing,
    ("torch", "Identity"): _nothing,
}

"""Loops over what a message reaches: all channels of a layer, or the places of a kernel."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from snn_deploy.ir.program import Value
from snn_deploy.ir.windows import Windows

__all__ = ["laid_out", "reached"]

Add = Callable[[str, str], str]
"""Writes the adding of a weight, second, to an element."""


def laid_out(value: Value) -> npt.NDArray[Any]:
    """Give the weights of a weighted sum in the order in which messages meet them."""
    weight = value.arguments[0].content[0]
    if value.operation == "weighted_sum":
        return np.ascontiguousarray(weight.T)
    windows: Windows = value.content
    by_group = weight.reshape(windows.groups, -1, windows.taps)
    return np.ascontiguousarray(by_group.swapaxes(1, 2))


def reached(value: Value, table: str, target: str, add: Add) -> list[str]:
    """Write what a message ``x`` of channel ``j`` adds to ``target``."""
    if value.operation == "weighted_sum":
        out = value.arguments[0].content[0].shape[0]
        return [
            f"for (int32_t h = 0; h < {out}; h++) {{",
            f"    {add(f'{target}[h]', f'{table}[j * {out} + h]')}",
            "}",
        ]
    return list(_at_places(value, table, target, add))


def _at_places(value: Value, table: str, target: str, add: Add) -> Iterator[str]:
    """For each tap, the one place at which it reads the message, if there is one."""
    windows: Windows = value.content
    filters = len(value.arguments[0].content[0]) // windows.groups
    left = "j"
    for axis in reversed(range(len(windows.size))):
        size = windows.size[axis]
        yield f"const int32_t at{axis} = {left} % {size} + {windows.before[axis]};"
        left = f"{left} / {size}" if left == "j" else f"({left}) / {size}"
    maps, taps = windows.maps // windows.groups, _product(windows.kernel)
    yield f"const int32_t map = {left};"
    yield f"const int32_t group = map / {maps};"
    tap, place, indent = f"group * {windows.taps} + map % {maps} * {taps}", "0", ""
    strides = [_product(windows.kernel[axis + 1 :]) for axis in range(len(windows.size))]
    for axis, (kernel, stride, outer) in enumerate(
        zip(windows.kernel, windows.stride, windows.outer, strict=True)
    ):
        k, p = f"tap{axis}", f"place{axis}"
        yield f"{indent}for (int32_t {k} = 0; {k} < {kernel}; {k}++) {{"
        indent += "    "
        offset = f"offset{axis}"
        yield f"{indent}const int32_t {offset} = at{axis} - {k} * {windows.dilation[axis]};"
        yield f"{indent}const int32_t {p} = {offset} / {stride};"
        outside = f"{offset} < 0 || {p} * {stride} != {offset} || {p} >= {outer}"
        yield f"{indent}if ({outside}) continue;"
        tap += f" + {k} * {strides[axis]}"
        place = f"({place}) * {outer} + {p}" if place != "0" else p
    yield f"{indent}for (int32_t f = 0; f < {filters}; f++) {{"
    element = f"{target}[(group * {filters} + f) * {windows.places} + {place}]"
    yield f"{indent}    {add(element, f'{table}[({tap}) * {filters} + f]')}"
    yield f"{indent}}}"
    for _ in windows.size:
        indent = indent[4:]
        yield f"{indent}}}"


def _product(sizes: Iterable[int]) -> int:
    return int(np.prod(tuple(sizes), dtype=np.int64))

"""Random shared synapses behind an input, their equation in plain loops, and rules they break."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

import numpy as np

from snn_deploy import fixedpoint as fp
from snn_deploy.ir.formats import SPIKE, Edge, Format
from snn_deploy.ir.network import Network
from snn_deploy.ir.node import Node
from snn_deploy.ir.windows import Windows
from snn_deploy.nodes.inputs import Input
from snn_deploy.nodes.shared_synapses import QuantizedConvolution, SharedSynapses

__all__ = ["SHARED_RULES", "make_convolution", "make_shared", "random_windows", "shared_sums"]

Random = np.random.Generator


def random_windows(rng: Random) -> Windows:
    """Draw windows on a frame of one to three axes, whose kernel may hang over every border."""
    axes = int(rng.integers(1, 4))
    groups = int(rng.integers(1, 3))
    size = rng.integers(1, 6, axes)
    before, after = rng.integers(0, 3, (2, axes))
    dilation = rng.integers(1, 3, axes)
    kernel = [
        int(rng.integers(1, 1 + (s - 1) // d + 1)) for s, d in zip(size, dilation, strict=True)
    ]

    def ints(values: Any) -> tuple[int, ...]:
        return tuple(int(value) for value in values)

    return Windows(
        maps=groups * int(rng.integers(1, 3)),
        size=ints(size),
        kernel=ints(kernel),
        stride=ints(rng.integers(1, 4, axes)),
        before=ints(before),
        after=ints(before if rng.integers(2) else after),
        dilation=ints(dilation),
        groups=groups,
    )


def make_shared(rng: Random) -> tuple[Node, ...]:
    windows, bits = random_windows(rng), int(rng.integers(2, 9))
    form = Format(int(rng.integers(2, 10)), 0)
    source = Input(name="input", output=SPIKE if rng.integers(2) else form, channels=windows.inputs)
    limit = fp.limit_of(bits)
    filters = windows.groups * int(rng.integers(1, 4))
    kernel = rng.integers(-limit, limit + 1, (filters, *windows.filter_shape))
    node = SharedSynapses(
        name="node",
        inputs=(Edge("input", 1),),
        output=Format(24, 0),
        windows=windows,
        kernel=kernel.astype(np.int8),
        weight_bits=bits,
    )
    return source, node


def make_convolution(rng: Random, rescale: Any, output: Any) -> tuple[Node, ...]:
    """``rescale`` and ``output`` draw a gain and a format for so many channels."""
    source, shared = make_shared(rng)
    assert isinstance(shared, SharedSynapses)
    node = QuantizedConvolution(
        name="node",
        inputs=(Edge("input"),),
        output=output(rng, shared.width),
        windows=shared.windows,
        kernel=shared.kernel,
        weight_bits=shared.weight_bits,
        sum_bits=24,
        rescale=rescale(rng, shared.width),
    )
    return source, node


def shared_sums(node: Any, x: list[int]) -> list[int]:
    """Add up what each filter reads at each place, tap by tap."""
    return [total for filter_ in range(len(node.kernel)) for total in _of_filter(node, filter_, x)]


def _of_filter(node: Any, filter_: int, x: list[int]) -> Iterator[int]:
    windows = node.windows
    maps = windows.maps // windows.groups
    group = filter_ // (len(node.kernel) // windows.groups)
    for place in itertools.product(*map(range, windows.outer)):
        total = 0
        for tap in itertools.product(range(maps), *map(range, windows.kernel)):
            at = group * maps + tap[0]
            inside = True
            for axis, size in enumerate(windows.size):
                step, gap = windows.stride[axis], windows.dilation[axis]
                here = place[axis] * step + tap[axis + 1] * gap - windows.before[axis]
                inside &= 0 <= here < size
                at = at * size + here
            if inside:
                total += int(node.kernel[(filter_, *tap)]) * x[at]
        yield total


def _broken(groups: int, *shape: int) -> Network:
    windows = Windows.over((2, 4), (3,), groups=groups)
    node = SharedSynapses(
        name="node",
        inputs=(Edge("input", 1),),
        output=Format(24, 0),
        windows=windows,
        kernel=np.ones(shape, np.int8),
        weight_bits=8,
    )
    source = Input(name="input", output=Format(8, 0), channels=windows.inputs)
    return Network("lowered", (source, node), "all")


SHARED_RULES = {
    "filters of another kernel": (
        lambda: _broken(1, 4, 2, 2),
        "node 'node' (SharedSynapses): kernel has shape (4, 2, 2), whose filters are not (2, 3)",
    ),
    "filters that no group gets": (
        lambda: _broken(2, 3, 1, 3),
        "node 'node' (SharedSynapses): 3 filters cannot be dealt out to 2 groups",
    ),
}

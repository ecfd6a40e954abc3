"""A layer's weights as nodes: synapses, side by side where one node does not hold them all."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from snn_deploy import fixedpoint as fp
from snn_deploy.ir.formats import Edge, Format
from snn_deploy.ir.program_bounds import Interval
from snn_deploy.ir.windows import Windows
from snn_deploy.nodes.requantize import Requantize
from snn_deploy.nodes.shared_synapses import SharedSynapses
from snn_deploy.nodes.synapses import Synapses
from snn_deploy.nodes.weighted import Sums
from snn_deploy.readers.lava_dl.fields import Fields, IntArray
from snn_deploy.readers.lava_dl.weights import Plane, planes_of

__all__ = [
    "SUM_BITS",
    "dense_synapses",
    "dense_synapses_of_delays",
    "exponent_of",
    "message_bits",
    "shared_synapses",
    "sum_of",
]

SUM_BITS = 24  # Loihi's accumulators
LEAST_MESSAGE_BITS = 4


def dense_synapses(name: str, weight: IntArray, edge: Edge, layer: Fields) -> list[Synapses]:
    """Give synapses of a matrix (out, in)."""
    return [
        Synapses(
            name=f"{name}{suffix}",
            inputs=(edge,),
            output=Format(SUM_BITS, -plane.exponent),
            weight=plane.weight,
            weight_bits=plane.bits,
        )
        for suffix, plane in _named(planes_of(weight, layer))
    ]


def dense_synapses_of_delays(
    name: str, weight: IntArray, delay: IntArray | None, source: str, layer: Fields
) -> list[Synapses]:
    """Give synapses of a matrix for each delay that there is; delay (out, in) in steps."""
    if delay is None or not delay.any():
        return dense_synapses(f"{name}.synapses", weight, Edge(source), layer)
    made = []
    for steps in np.unique(delay[weight != 0]).tolist() or [0]:
        edge, kept = Edge(source, steps_back=steps), np.where(delay == steps, weight, 0)
        made += dense_synapses(f"{name}.delay{steps}", kept, edge, layer)
    return made


def shared_synapses(
    name: str, kernel: IntArray, windows: Windows, source: str, layer: Fields
) -> list[SharedSynapses]:
    """Give synapses of filters (filters, maps of a group, rows, columns)."""
    return [
        SharedSynapses(
            name=f"{name}.synapses{suffix}",
            inputs=(Edge(source),),
            output=Format(SUM_BITS, -plane.exponent),
            windows=windows,
            kernel=plane.weight,
            weight_bits=plane.bits,
        )
        for suffix, plane in _named(planes_of(kernel, layer))
    ]


def _named(planes: tuple[Plane, ...]) -> list[tuple[str, Plane]]:
    names = ("",) if len(planes) == 1 else (".high", ".low")
    return list(zip(names, planes, strict=True))


def exponent_of(node: Sums) -> int:
    """Give what a unit of its weights stands for, as a power of 2."""
    exponent = node.output.exponent
    assert isinstance(exponent, int)  # one for all neurons
    return -exponent


def sum_of(name: str, parts: Sequence[Sums], late: Sequence[Sums], lowest: int) -> Requantize:
    """Give the node that adds up synapses, in units of ``2**lowest``; ``late`` ones are read a step
    back.
    """
    every = [*parts, *late]
    width = every[0].width
    align = [[exponent_of(node) - lowest] * width for node in every]
    return Requantize(
        name=name,
        inputs=tuple(Edge(node.name, steps_back=int(node in late)) for node in every),
        output=Format(SUM_BITS, -lowest),
        channels=width,
        align=np.array(align, np.int8),
    )


def message_bits(readers: Sequence[Sums], layer: Fields) -> int:
    """Give how wide messages may be for no sum of them to overflow.

    Raises
    ------
    CheckpointError
        If that is next to nothing.
    """
    one = Interval(-np.ones(readers[0].input_width), np.ones(readers[0].input_width))
    worst = max(1.0, *(float(node.weighed(one).high.max()) for node in readers))
    bits = 1 + int(np.floor(np.log2(fp.limit_of(SUM_BITS) / worst + 1.0)))
    if bits < LEAST_MESSAGE_BITS:
        raise layer.refused(
            f"its weights add up to {worst:,.0f}, so that {SUM_BITS} bits hold no sums of messages "
            f"of {LEAST_MESSAGE_BITS} bits"
        )
    return bits

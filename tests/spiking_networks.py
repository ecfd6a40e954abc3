"""Small networks of spikes and the synapses that they reach."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from snn_deploy.ir.formats import Edge, Format
from snn_deploy.ir.network import Network
from snn_deploy.nodes.base import IntegerNode
from snn_deploy.nodes.inputs import Input
from snn_deploy.nodes.lif import LifSoma
from snn_deploy.nodes.requantize import Requantize
from snn_deploy.nodes.synapses import Synapses

__all__ = ["WORD", "spiking", "wide_weights"]

WORD = Format(24, 0)


def spiking(width: int, weight: np.ndarray) -> list[IntegerNode]:
    """An input whose ones are spikes, and synapses that they reach."""
    return [
        Input(name="input", output=Format(4, 0), channels=width),
        LifSoma(name="lif", inputs=(Edge("input"),), channels=width, threshold=0, decay=4095),
        Synapses(
            name="synapses",
            inputs=(Edge("lif", delay=1),),
            output=WORD,
            weight=weight.astype(np.int8),
            weight_bits=8,
        ),
    ]


def wide_weights(
    rng: np.random.Generator,
    width: int,
    targets: int,
    spikes: bool,
    shifts: Sequence[int],
    limit: int,
) -> Network:
    """Make weights of several words, each of 8 bits and shifted so far, and their sums, ``total``,
    which either spikes or an input's small integers reach.
    """
    matrices = rng.integers(-limit, limit + 1, (len(shifts), targets, width)).astype(np.int8)
    matrices[:, :, 0] = limit
    source = "lif" if spikes else "input"
    words = [
        Synapses(
            name=f"word{i}",
            inputs=(Edge(source, delay=1),),
            output=Format(24, -shift),
            weight=matrix,
            weight_bits=8,
        )
        for i, (shift, matrix) in enumerate(zip(shifts, matrices, strict=True))
    ]
    align = np.repeat(np.array(shifts, np.int8)[:, None], targets, axis=1)
    total = Requantize(
        name="total",
        inputs=tuple(Edge(word.name) for word in words),
        output=Format(32, 0),
        channels=targets,
        align=align,
    )
    before = spiking(width, matrices[0])[: 2 if spikes else 1]
    return Network("lowered", (*before, *words, total), "all")

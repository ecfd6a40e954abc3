"""A network of every kind of node that is as wide as what it reads, with random parameters."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import networks
import numpy as np
import pytest
from networks import INTEGER_KINDS, MAKERS

from snn_deploy.ir.formats import SPIKE, Edge, Format
from snn_deploy.ir.network import Network
from snn_deploy.ir.node import Node
from snn_deploy.ir.verifier import verify_network
from snn_deploy.nodes.base import IntegerNode, Rescale
from snn_deploy.nodes.inputs import Input
from snn_deploy.nodes.requantize import Requantize

__all__ = ["every_kind"]

WIDTH, BITS = 4, 16
Random = np.random.Generator


def every_kind(seed: int) -> Network:
    """Give an input, and a node of each kind that takes as many channels, side by side."""
    rng = np.random.default_rng(seed)
    members: list[Node] = [Input(name="input", output=Format(BITS, 0), channels=WIDTH)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(networks, "_width", lambda rng: WIDTH)
        for kind in INTEGER_KINDS:
            if issubclass(kind, IntegerNode) and kind.lowered and not kind.host_capable:
                members += _entered(kind.__name__, rng, *MAKERS[kind](rng))
    network = Network("lowered", tuple(members), "all")
    verify_network(network)
    return network


def _entered(name: str, rng: Random, source: Any, node: Any) -> tuple[Node, ...]:
    """Bring the input to the format of what the node was made to read."""
    if source.width != WIDTH or source.output == SPIKE:
        return ()
    shift = max(0, BITS - source.output.bits - int(rng.integers(2)))
    gain = Rescale(
        mantissa=np.full(WIDTH, 1 << max(0, source.output.bits - BITS), np.int32),
        shift=np.full(WIDTH, shift, np.int8),
        bias=np.zeros(WIDTH, np.int32),
        bits=16,
    )
    entry = Requantize(
        name=f"into {name}",
        inputs=(Edge("input"),),
        output=source.output,
        channels=WIDTH,
        rescale=gain,
    )
    reads = tuple(replace(edge, source=entry.name) for edge in node.inputs)
    return entry, replace(node, name=name, inputs=reads)

"""A network of every kind of node that is as wide as what it reads, with random parameters."""

from __future__ import annotations

from dataclasses import replace
from itertools import count
from typing import Any

import networks
import numpy as np
import pytest
from networks import INTEGER_KINDS, MAKERS

from snn_deploy.engines.reference import ReferenceEngine
from snn_deploy.engines.result import Run
from snn_deploy.engines.session import run_whole
from snn_deploy.ir.formats import SPIKE, Edge, Format
from snn_deploy.ir.network import Network
from snn_deploy.ir.node import Node
from snn_deploy.ir.verifier import verify_network
from snn_deploy.nodes.base import IntegerNode, Rescale
from snn_deploy.nodes.inputs import Input
from snn_deploy.nodes.requantize import Requantize

__all__ = ["every_kind"]

WIDTH, BITS = 4, 16
SOURCE = Input(name="input", output=Format(BITS, 0), channels=WIDTH)


def every_kind(run: Run, seed: int) -> Network:
    """Give an input, and beside each other a node of each kind, all of which speak in ``run``.

    ``seed`` is the first whose parameters are tried.
    """
    members: list[Node] = [SOURCE]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(networks, "_width", lambda rng: WIDTH)
        for kind in INTEGER_KINDS:
            if issubclass(kind, IntegerNode) and kind.lowered and "host" not in kind.places:
                members += _speaking(kind, run, seed)
    network = Network("lowered", tuple(members), "all")
    verify_network(network)
    return network


def _speaking(kind: type[Node], run: Run, first: int) -> tuple[Node, ...]:
    for seed in count(first):
        rng = np.random.default_rng(seed)
        source, *between, node = MAKERS[kind](rng)
        if between or source.width != WIDTH or source.output == SPIKE:  # type: ignore[attr-defined]
            return ()
        made = _entered(kind.__name__, rng, source, node)
        network = Network("lowered", (SOURCE, *made), "all")
        if run_whole(ReferenceEngine(), network, replace(run, trace=[])).output.any():
            return made
    raise AssertionError


def _entered(name: str, rng: np.random.Generator, source: Any, node: Any) -> tuple[Node, ...]:
    """Bring the input to the format of what the node was made to read."""
    bits = source.output.bits
    gain = Rescale(
        mantissa=np.full(WIDTH, 1 << max(0, bits - BITS), np.int32),
        shift=np.full(WIDTH, max(0, BITS - bits - int(rng.integers(2))), np.int8),
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

"""Random networks with edges that read earlier steps, and loops of them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from random_networks import Limits, random_network

from snn_deploy.errors import NetworkError
from snn_deploy.ir.formats import Edge
from snn_deploy.ir.host import chip_part
from snn_deploy.ir.loops import groups, is_recurrent
from snn_deploy.ir.network import Network
from snn_deploy.ir.verifier import check_accumulators
from snn_deploy.nodes.requantize import Requantize

__all__ = ["looped"]

MOST_BACK = 4


def looped(seed: int, limits: Limits | None = None) -> Network | None:
    """Make a random network that reads its past; None where its sums have no room for that.

    An edge may read earlier steps, and a relay may read a node of its width after it.
    """
    rng = np.random.default_rng([seed, 7])
    try:
        network = random_network(seed, limits)
    except NetworkError:
        return None
    chip = chip_part(network)
    nodes: list[Any] = list(network.nodes)
    for place, node in enumerate(nodes):
        if node.name not in chip.names or not chip[node.name].inputs:
            continue
        edges = [
            replace(edge, steps_back=int(rng.integers(1, MOST_BACK)) if rng.random() < 0.3 else 0)
            for edge in node.inputs
        ]
        later = [n for n in nodes[place:] if n.width == node.width and n.output.bits <= 24]
        if isinstance(node, Requantize) and later and rng.random() < 0.7:
            partner = later[int(rng.integers(len(later)))].name
            edges.append(Edge(partner, steps_back=int(rng.integers(1, MOST_BACK))))
            shape = (len(edges), node.width)
            align = np.zeros(shape, np.int8)
            if node.align is not None:
                align[:-1] = node.align
            nodes[place] = replace(node, align=align)
        nodes[place] = replace(nodes[place], inputs=tuple(edges))
    network = replace(network, nodes=tuple(nodes))
    try:
        check_accumulators(network)
    except NetworkError:
        return None
    backwards = any(n.runs_backwards for g in groups(network) if is_recurrent(g) for n in g)
    return None if backwards else network

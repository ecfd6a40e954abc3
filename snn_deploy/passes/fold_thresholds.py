"""Fold learned thresholds into what drives the soma.

``x / threshold >= 1`` is the same for a readout and skip that are divided by the threshold, so that
every soma of the network compares with one common number. Where something else drives the soma, a
node that scales it comes between.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from snn_deploy.ir.formats import Edge
from snn_deploy.ir.network import Network
from snn_deploy.ir.node import Node
from snn_deploy.nodes.affine import Affine
from snn_deploy.passes.base import Pass

__all__ = ["FoldThresholds"]


@dataclass(frozen=True)
class FoldThresholds(Pass):
    """``c / threshold``, ``d / threshold`` and a threshold of 1, for every soma."""

    name = "fold-thresholds"
    takes = "float"
    gives = "float"

    def __call__(self, network: Network) -> Network:
        replacements: dict[str, tuple[Node, ...]] = {}
        nodes: Iterable[Any] = network
        for soma in (node for node in nodes if node.unfolded is not None):
            source: Any = network[soma.inputs[0].source]
            alone = len(network.consumers(source.name)) == 1
            divided = source.divided(soma.unfolded) if alone else None
            if divided is not None:
                replacements |= {source.name: (divided,), soma.name: (soma.folded(),)}
            else:
                scaled = _scaled(soma)
                behind = replace(soma.folded(), inputs=(Edge(scaled.name),))
                replacements[soma.name] = (scaled, behind)
        return network.rewrite(replacements)


def _scaled(soma: Any) -> Affine:
    """Give a node that scales what drives the soma."""
    scale = 1.0 / soma.unfolded
    shift = np.zeros_like(scale)
    return Affine(name=f"{soma.name}.drive", inputs=soma.inputs, scale=scale, shift=shift)

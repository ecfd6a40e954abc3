"""Fold learned thresholds into what drives the soma.

``x / threshold >= 1`` is the same for a readout and skip that are divided by the threshold, so that
every soma of the network compares with one common number. Where something else drives the soma, a
node that scales it comes between.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from snn_deploy.ir.formats import Edge
from snn_deploy.ir.network import Network
from snn_deploy.ir.node import Node
from snn_deploy.nodes.affine import Affine
from snn_deploy.nodes.float_lif import Lif
from snn_deploy.nodes.ssm import DiagonalSsm
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
        for soma in network.of_kind(Lif):
            if np.all(soma.threshold == 1.0):
                continue
            (source,) = network.sources(soma)
            folded = replace(soma, threshold=np.ones_like(soma.threshold))
            if isinstance(source, DiagonalSsm) and len(network.consumers(source.name)) == 1:
                replacements[source.name] = (_divided(source, soma.threshold),)
                replacements[soma.name] = (folded,)
            else:
                scaled = _scaled(soma)
                replacements[soma.name] = (scaled, replace(folded, inputs=(Edge(scaled.name),)))
        return network.rewrite(replacements)


def _scaled(soma: Lif) -> Affine:
    """Give a node that scales what drives the soma."""
    scale = 1.0 / soma.threshold
    shift = np.zeros_like(scale)
    return Affine(name=f"{soma.name}.drive", inputs=soma.inputs, scale=scale, shift=shift)


def _divided(ssm: DiagonalSsm, threshold: npt.NDArray[np.float64]) -> DiagonalSsm:
    reverse = None if ssm.c_reverse is None else ssm.c_reverse / threshold[:, None]
    return replace(ssm, c=ssm.c / threshold[:, None], d=ssm.d / threshold, c_reverse=reverse)

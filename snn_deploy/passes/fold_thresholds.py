"""Fold learned thresholds into what drives the soma.

``x / threshold >= 1`` is the same for a readout and skip that are divided by the threshold, so that
every soma of the network compares with one common number.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from snn_deploy.errors import UnsupportedNetworkError
from snn_deploy.ir.float_nodes import DiagonalSsm, Lif
from snn_deploy.ir.network import Network
from snn_deploy.ir.node import Node
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
            (ssm,) = network.sources(soma)
            if not isinstance(ssm, DiagonalSsm) or len(network.consumers(ssm.name)) != 1:
                raise UnsupportedNetworkError(
                    f"node '{soma.name}' has learned thresholds but is not fed by an SSM of its "
                    f"own ('{ssm.name}' is a {ssm.kind}); they cannot be folded"
                )
            replacements[ssm.name] = (_divided(ssm, soma.threshold),)
            replacements[soma.name] = (replace(soma, threshold=np.ones_like(soma.threshold)),)
        return network.rewrite(replacements)


def _divided(ssm: DiagonalSsm, threshold: npt.NDArray[np.float64]) -> DiagonalSsm:
    reverse = None if ssm.c_reverse is None else ssm.c_reverse / threshold[:, None]
    return replace(ssm, c=ssm.c / threshold[:, None], d=ssm.d / threshold, c_reverse=reverse)

"""Turn dense state matrices into modes: see ``snn_deploy.quantize.modes``."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

from snn_deploy.ir.network import Network
from snn_deploy.passes.base import Pass

__all__ = ["DiagonaliseSsm"]


@dataclass(frozen=True)
class DiagonaliseSsm(Pass):
    """Every state-space model of a dense matrix to a diagonal one, with a mode for each of the
    matrix's eigenvalues; where its response is cut, the network then holds for ``steps`` alone.

    ``steps`` are those of the sequences, where they are known.
    """

    name = "diagonalise-ssm"
    takes = "float"
    gives = "float"

    steps: int | None = None

    def __call__(self, network: Network) -> Network:
        nodes: Iterable[Any] = network
        dense = [node for node in nodes if node.dense]
        made = network.rewrite({node.name: (node.as_modes(self.steps),) for node in dense})
        cut = any(node.taps is not None for node in dense)
        return replace(made, steps=self.steps) if cut else made

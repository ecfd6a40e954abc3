"""What a graph without steps of its own answers with: a node that reads its output out."""

from __future__ import annotations

import numpy as np

from snn_deploy.errors import ConfigError
from snn_deploy.ir.formats import Edge
from snn_deploy.ir.node import Node
from snn_deploy.nodes.affine import Affine
from snn_deploy.nodes.readout import Readout

__all__ = ["READOUTS", "check_readout", "pooled", "relay"]

READOUTS = ("mean", "sum", "last")
"""What one vector a sequence can be of the output's steps."""


def check_readout(readout: str, where: str) -> None:
    """Refuse what is none of :data:`READOUTS`.

    Raises
    ------
    ConfigError
        Naming it, and those.
    """
    if readout not in READOUTS:
        raise ConfigError(f"{where}: readout={readout} is not one of {', '.join(READOUTS)}")


def pooled(name: str, reads: Edge, width: int, readout: str) -> Node:
    """Give a node that makes one vector a sequence of a signal, of its valid steps."""
    return Readout(
        name=name,
        inputs=(reads,),
        mode=readout,  # type: ignore[arg-type]  # checked
        weight=np.eye(width),
        bias=np.zeros(width),
        use_lengths=True,
    )


def relay(name: str, reads: Edge, width: int) -> Node:
    """Give a node that answers what it reads."""
    return Affine(name=name, inputs=(reads,), scale=np.ones(width), shift=np.zeros(width))

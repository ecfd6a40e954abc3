"""What the host holds and does for a network, beside encoding its input."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from snn_deploy.ir.host import host_part
from snn_deploy.ir.host_nodes import Lookup, Positions, Window
from snn_deploy.ir.network import Network
from snn_deploy.ir.node import Node

__all__ = ["HostWork", "host_work"]


@dataclass(frozen=True)
class HostWork:
    """One node that the host computes.

    Parameters
    ----------
    node, kind
        Its name and class.
    does
        In a few words, e.g. ``table 18 × 128``.
    bytes
        Of its tables and weights, as the file holds them.
    """

    node: str
    kind: str
    does: str
    bytes: int

    def __str__(self) -> str:
        size = f", {self.bytes / 1000:,.1f} kB" if self.bytes else ""
        return f"{self.node} ({self.does}{size})"


def host_work(network: Network) -> tuple[HostWork, ...]:
    """List what the host computes of a lowered network after encoding its input, in order."""
    return tuple(
        HostWork(node.name, node.kind, _describe(node), sum(a.nbytes for a in _arrays(node)))
        for node in host_part(network)[1:]
    )


def _describe(node: Node) -> str:
    if isinstance(node, Lookup):
        factors = " + ".join(
            f"{len(cluster.table)} × {cluster.table.shape[1]}" for cluster in node.clusters
        )
        projected = any(cluster.projection is not None for cluster in node.clusters)
        return f"table {factors}" + (f", projected to {node.width}" if projected else "")
    if isinstance(node, Positions):
        return f"{len(node.table)} positions × {node.width}"
    if isinstance(node, Window):
        return f"window of {node.steps} steps"
    return node.kind.lower()


def _arrays(value: Any) -> Iterator[np.ndarray[Any, Any]]:
    """Give every array in a node's fields."""
    for field in dataclasses.fields(value):
        item = getattr(value, field.name)
        for part in item if isinstance(item, tuple) else (item,):
            if isinstance(part, np.ndarray):
                yield part
            elif dataclasses.is_dataclass(part):
                yield from _arrays(part)

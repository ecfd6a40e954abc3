"""What the host holds and does for a network, beside encoding its input and decoding its answer."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from snn_deploy.ir.head import stored
from snn_deploy.ir.network import Network

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
    parameters, macs
        Numbers that it holds; multiplications and additions each time that it is evaluated. 0 for
        what is looked up.
    per
        How often that is: each ``step``, or for what is computed once a sequence, or pair of them,
        each ``answer``.
    """

    node: str
    kind: str
    does: str
    bytes: int
    parameters: int = 0
    macs: int = 0
    per: str = "step"

    def __str__(self) -> str:
        facts = [self.does]
        if self.macs:
            facts.append(f"{self.macs:,} multiplications {_EACH[self.per]}")
        if self.bytes:
            facts.append(f"{self.bytes / 1000:,.1f} kB")
        return f"{self.node} ({', '.join(facts)})"


_EACH = {"step": "a step", "answer": "an answer"}


def host_work(network: Network) -> tuple[HostWork, ...]:
    """List what the host computes of a lowered network, in order: after encoding its input, and on
    its decoded answer.
    """
    encoding = (_encoding_work(node) for node in network.placed("host") if not node.is_input)
    return (*encoding, *(_head_work(network, node) for node in network.placed("head")))


def _encoding_work(node: Any) -> HostWork:
    weights = node.stored_weights.size if node.synaptic else 0
    macs = int(node.fan_out(0, node.width).sum()) if node.synaptic else 0
    size = sum(array.nbytes for array in _arrays(node))
    return HostWork(node.name, node.kind, node.does, size, parameters=weights, macs=macs)


def _head_work(network: Network, node: Any) -> HostWork:
    arrays = list(_arrays(node))
    stepwise = node.pointwise and network.answer.steps != "one"
    return HostWork(
        node=node.name,
        kind=node.kind,
        does=node.does,
        bytes=sum(stored(array).nbytes for array in arrays),
        parameters=sum(array.size for array in arrays),
        macs=sum(array.size for array in arrays if array.ndim == 2),
        per="step" if stepwise else "answer",
    )


def _arrays(value: Any) -> Iterator[np.ndarray[Any, Any]]:
    """Give every array in a node's fields."""
    for field in dataclasses.fields(value):
        item = getattr(value, field.name)
        for part in item if isinstance(item, tuple) else (item,):
            if isinstance(part, np.ndarray):
                yield part
            elif dataclasses.is_dataclass(part):
                yield from _arrays(part)

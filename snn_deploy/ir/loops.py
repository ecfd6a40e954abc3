"""Which nodes of a recurrent network must run together, step by step."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import numpy.typing as npt

from snn_deploy.ir.formats import Edge
from snn_deploy.ir.network import Network
from snn_deploy.ir.node import Node

__all__ = ["delayed", "groups", "is_recurrent", "past_steps", "run_loop"]

Signal = npt.NDArray[Any]


def groups(network: Network) -> tuple[tuple[Node, ...], ...]:
    """Split the nodes, in order, into groups that can run one after another over whole signals.

    A group of one may still read itself; a group of more holds all from a node that reads a later
    one to that one.
    """
    place = {name: index for index, name in enumerate(network.names)}
    last = list(range(len(network)))
    for index, node in enumerate(network):
        last[index] = max(index, *(place[edge.source] for edge in node.inputs), index)
    found: list[tuple[Node, ...]] = []
    start = end = 0
    for index in range(len(network)):
        end = max(end, last[index])
        if index == end:
            found.append(network.nodes[start : index + 1])
            start = end = index + 1
    return tuple(found)


def is_recurrent(group: tuple[Node, ...]) -> bool:
    """Tell whether a group's nodes must take turns at every step."""
    return len(group) > 1 or any(edge.source == group[0].name for edge in group[0].inputs)


def past_steps(edges: Iterable[Edge]) -> dict[str, int]:
    """Give, by node, how many of its past steps some edges read, where they read any."""
    steps: dict[str, int] = {}
    for edge in edges:
        steps[edge.source] = max(steps.get(edge.source, 0), edge.steps_back)
    return {name: count for name, count in steps.items() if count > 0}


def delayed(signal: Signal, steps: int) -> Signal:
    """Give a signal (B, L, width) as it was some steps before, 0 before its start."""
    if steps == 0:
        return signal
    silence = np.zeros_like(signal[:, :steps])
    return np.concatenate([silence, signal[:, : max(signal.shape[1] - steps, 0)]], axis=1)


def run_loop(
    group: tuple[Node, ...],
    signals: dict[str, Signal],
    shape: tuple[int, int],
    step: Callable[[Node, list[Signal], int], Signal],
) -> None:
    """Run nodes that read each other's past, one step of all of them after another.

    Parameters
    ----------
    group
        Of :func:`groups`; what it reads from outside is in ``signals``, which gets its own.
    signals
        By node name, (B, L, width), of one type of number.
    shape
        Sequences and steps, (B, L).
    step
        Gives a node's answer, (B, width), to what it reads in step t, (B, width) each.
    """
    number = next(iter(signals.values())).dtype
    for node in group:
        signals[node.name] = np.zeros((*shape, node.width), dtype=number)
    for t in range(shape[1]):
        for node in group:
            ports = [_at(signals[edge.source], t - edge.steps_back) for edge in node.inputs]
            signals[node.name][:, t] = step(node, ports, t)


def _at(signal: Signal, t: int) -> Signal:
    return signal[:, t] if t >= 0 else np.zeros_like(signal[:, 0])

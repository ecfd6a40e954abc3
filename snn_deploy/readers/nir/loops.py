"""The order in which a graph's nodes compute, and where its loops are a step late."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import replace

from snn_deploy.errors import UnsupportedNetworkError
from snn_deploy.readers.nir.graph import Graph

__all__ = ["computing_order", "fold_recurrent_biases"]

REMEMBERS = frozenset({"LI", "LIF", "CubaLI", "CubaLIF", "I", "IF", "Delay"})


def computing_order(graph: Graph) -> tuple[list[str], set[tuple[str, str]]]:
    """Order the nodes that inputs reach, each after what it reads, and name the edges that close
    loops: what goes over those arrives a step later.

    NIR draws a loop and says nothing of its delay. In a step a spike leaves a neuron when all that
    the neuron gets in that step has arrived, so that it comes round a step later at the earliest.

    Raises
    ------
    UnsupportedNetworkError
        If a loop has no neuron and no delay in it.
    """
    finished: list[str] = []
    closing: set[tuple[str, str]] = set()
    for start in graph.of_kind("Input"):
        closing |= set(_visit(graph, start, finished))
    return finished[::-1], closing


def _visit(graph: Graph, start: str, finished: list[str]) -> Iterator[tuple[str, str]]:
    """Go depth first from a node, appending nodes as all behind them are done."""
    done = set(finished)
    path: list[str] = []
    readers: list[Iterator[str]] = []

    def enter(name: str) -> None:
        path.append(name)
        readers.append(iter(graph.after(name)))

    if start not in done:
        enter(start)
    while path:
        name = path[-1]
        for reader in readers[-1]:
            if reader in path:
                _check_loop(graph, path[path.index(reader) :])
                yield name, reader
            elif reader not in done:
                enter(reader)
                break
        else:
            done.add(name)
            finished.append(name)
            path.pop()
            readers.pop()


def _check_loop(graph: Graph, loop: Collection[str]) -> None:
    if not any(graph.nodes[name].kind in REMEMBERS for name in loop):
        told = " → ".join(f"'{name}'" for name in loop)
        raise UnsupportedNetworkError(
            f"{graph.where}: the loop {told} has no neuron and no delay in it, so that it has no "
            "order in which to compute; put one in"
        )


def fold_recurrent_biases(graph: Graph, closing: set[tuple[str, str]]) -> None:
    """Move biases of weights that close a loop to the weights beside them.

    What comes round a loop is silent in the first step, but a bias is not: the first step has it.
    Where there are no weights beside, it stays, and begins a step late.
    """
    for source, target in closing:
        back = graph.nodes[source]
        beside = [
            name
            for name in graph.before(target)
            if graph.nodes[name].kind in ("Affine", "Linear")
            and graph.after(name) == [target]
            and (name, target) not in closing
        ]
        if back.kind != "Affine" or graph.after(source) != [target] or not beside:
            continue
        forward = graph.nodes[beside[0]]
        shape = forward.array("weight").shape[:1]
        bias = back.each("bias", shape) + forward.each("bias", shape, 0.0)
        graph.nodes[source] = replace(back, kind="Linear")
        graph.nodes[beside[0]] = replace(
            forward, kind="Affine", given={**forward.given, "bias": bias}
        )

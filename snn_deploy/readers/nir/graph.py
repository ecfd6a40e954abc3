"""A NIR graph as plain data: nodes by name, their parameters checked, subgraphs laid out flat."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from snn_deploy.errors import CheckpointError, UnsupportedNetworkError

__all__ = ["Graph", "Primitive", "flat_graph"]

Real = npt.NDArray[np.float64]

MOST_DEPTH = 16  # of graphs in graphs
MOST_NAME = 200  # characters
MOST_NODES = 4096
MOST_EDGES = 16_384
MOST_CHANNELS = 1 << 24


@dataclass(frozen=True)
class Primitive:
    """A node of a graph, and where it is: ``FILE: 'NAME' (LIF)``."""

    name: str
    kind: str
    given: Mapping[str, Any]
    where: str

    def array(self, name: str, default: float | None = None) -> Real:
        """Give a parameter, float64 and finite.

        Raises
        ------
        CheckpointError
            If it is missing, and has no default, or is not finite numbers.
        """
        value = self.given.get(name)
        if value is None:
            if default is None:
                raise CheckpointError(f"{self.where} has no {name}")
            return np.asarray(default, dtype=np.float64)
        try:
            array = np.asarray(value, dtype=np.float64)
        except (TypeError, ValueError):
            raise CheckpointError(f"{self.where}: {name} is not an array of numbers") from None
        if not np.isfinite(array).all():
            raise CheckpointError(f"{self.where}: {name} holds NaN or infinity")
        return array

    def each(self, name: str, shape: tuple[int, ...], default: float | None = None) -> Real:
        """Give a parameter for each of ``shape`` neurons, flat; one for all is repeated."""
        array = self.array(name, default)
        if array.size == 1:
            return np.full(int(np.prod(shape)), float(array.reshape(-1)[0]))
        try:
            return np.ravel(np.broadcast_to(array, shape))
        except ValueError:
            told = f"{name} has shape {array.shape}, where {shape} neurons are"
            raise CheckpointError(f"{self.where}: {told}") from None

    def shape(self, name: str) -> tuple[int, ...]:
        """Give a parameter that is a shape."""
        sizes = np.ravel(self.array(name))
        if not (sizes.size and (sizes == np.floor(sizes)).all() and (sizes >= 1).all()):
            raise CheckpointError(f"{self.where}: {name} {sizes} is no shape")
        if float(np.prod(sizes)) > MOST_CHANNELS:
            told = f"{name} {sizes} is over {MOST_CHANNELS:,} channels"
            raise UnsupportedNetworkError(f"{self.where}: {told}")
        return tuple(int(size) for size in sizes)


@dataclass
class Graph:
    """Nodes by name, in the file's order, and edges between them: none of them a graph itself.

    ``metadata`` are the outermost graph's. Edges are there once each.
    """

    where: str
    nodes: dict[str, Primitive] = field(default_factory=dict)
    edges: dict[tuple[str, str], None] = field(default_factory=dict)
    metadata: Mapping[str, Any] = field(default_factory=dict)

    def of_kind(self, kind: str) -> list[str]:
        """Name the nodes of a kind."""
        return [name for name, node in self.nodes.items() if node.kind == kind]

    def before(self, name: str) -> list[str]:
        """Name what a node reads."""
        return [source for source, target in self.edges if target == name]

    def after(self, name: str) -> list[str]:
        """Name what reads a node."""
        return [target for source, target in self.edges if source == name]

    def leading_to(self, targets: list[str]) -> set[str]:
        """Name the nodes from which some target is reached, those themselves too."""
        found, waiting = set(targets), list(targets)
        while waiting:
            new = [name for name in self.before(waiting.pop()) if name not in found]
            found.update(new)
            waiting += new
        return found

    def without(self, name: str) -> None:
        """Take out a node that changes nothing: its readers read what it read."""
        sources, readers = self.before(name), self.after(name)
        self.nodes.pop(name)
        self.edges = {edge: None for edge in self.edges if name not in edge}
        self.edges |= {(source, reader): None for source in sources for reader in readers}


def flat_graph(tree: Mapping[str, Any], where: str) -> Graph:
    """Check a graph as ``nir`` stores it, as nested dictionaries, and lay it out flat.

    Raises
    ------
    CheckpointError
        If it is no such graph.
    """
    metadata = tree.get("metadata") or {}
    graph = Graph(where, metadata=metadata if isinstance(metadata, Mapping) else {})
    _add(graph, tree, "", 0)
    for name in [*graph.of_kind("Input"), *graph.of_kind("Output")]:
        if name not in tree["nodes"]:
            graph.without(name)  # of a graph in the graph: its readers read what it read
    for what, count, most in (
        ("nodes", len(graph.nodes), MOST_NODES),
        ("edges", len(graph.edges), MOST_EDGES),
    ):
        if count > most:
            raise UnsupportedNetworkError(f"{where}: {count:,} {what}, over {most:,}")
    return graph


def _add(graph: Graph, tree: Mapping[str, Any], prefix: str, depth: int) -> tuple[str, str]:
    """Add a graph's nodes and edges; give its input's and its output's name, if it has one each."""
    inside = f"{graph.where}: the graph" + (f" '{prefix.rstrip('.')}'" if prefix else "")
    if depth > MOST_DEPTH:
        raise CheckpointError(f"{inside} is nested deeper than {MOST_DEPTH} graphs")
    ports: dict[str, tuple[str, str]] = {}
    nodes = tree.get("nodes")
    if not isinstance(nodes, Mapping) or not nodes:
        raise CheckpointError(f"{inside} has no nodes: not a NIR graph")
    for own, given in nodes.items():
        name = f"{prefix}{own}"
        if not (0 < len(name) <= MOST_NAME and name.isprintable()):
            raise CheckpointError(
                f"{inside}: a node's name is not plain text of {MOST_NAME} or less"
            )
        kind = given.get("type") if isinstance(given, Mapping) else None
        if not isinstance(kind, str):
            raise CheckpointError(f"{inside}: node '{own}' has no type")
        if kind == "NIRGraph":
            ports[own] = _add(graph, given, f"{name}.", depth + 1)
        elif name in graph.nodes:
            raise CheckpointError(f"{inside}: two nodes are called '{name}'")
        else:
            graph.nodes[name] = Primitive(name, kind, given, f"{graph.where}: '{name}' ({kind})")
            ports[own] = name, name
    for source, target in _edges(tree, inside):
        for end in (source, target):
            if end not in ports:
                raise CheckpointError(f"{inside}: an edge names '{end}', which is no node")
        ends = ports[source][1], ports[target][0]
        if not all(ends):
            named = source if not ends[0] else target
            told = f"'{named}' has not one input and one output, so that an edge does not say which"
            raise UnsupportedNetworkError(f"{inside}: the part {told}")
        graph.edges[ends] = None
    return tuple(  # type: ignore[return-value]  # two
        _only([f"{prefix}{own}" for own, node in nodes.items() if node.get("type") == kind])
        for kind in ("Input", "Output")
    )


def _edges(tree: Mapping[str, Any], inside: str) -> Iterator[tuple[str, str]]:
    edges = tree.get("edges")
    listed = [] if edges is None else np.asarray(edges, dtype=object).tolist()
    for edge in listed:
        if not (isinstance(edge, list | tuple) and len(edge) == 2):
            raise CheckpointError(f"{inside}: its edges are not pairs of names")
        yield str(edge[0]), str(edge[1])


def _only(names: list[str]) -> str:
    return names[0] if len(names) == 1 else ""

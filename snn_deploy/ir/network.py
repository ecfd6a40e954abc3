"""A network at one stage of the compilation: nodes in the order they compute."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Literal, cast

from snn_deploy.errors import NetworkError
from snn_deploy.ir.answer import Answer, OutputSteps
from snn_deploy.ir.node import Node, Placement

__all__ = ["Network", "OutputSteps", "Stage"]

Stage = Literal["float", "integer", "lowered"]


@dataclass(frozen=True, eq=False, repr=False)
class Network:
    """Nodes in topological order, inputs first; ``nodes[-1]`` gives the answer, if it is the one.

    Parameters
    ----------
    stage
        Which nodes are legal: see ``snn_deploy.ir.verifier``.
    nodes
        Each after all that it reads.
    answers
        What it answers, each of a node of its own: see :class:`~snn_deploy.ir.answer.Answer`. Of
        one answer of the last node its steps are enough.
    steps
        The only padded length that the network holds for; None: any.
    """

    stage: Stage
    nodes: tuple[Node, ...]
    answers: tuple[Answer, ...] | OutputSteps = "one"
    steps: int | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.answers, tuple):
            object.__setattr__(self, "answers", (Answer(self.answers),))

    def __repr__(self) -> str:
        from snn_deploy.summaries import network_summary

        return network_summary(self)

    def _repr_html_(self) -> str:
        from snn_deploy.page.notebook import network_html

        return network_html(self, repr(self))

    def __iter__(self) -> Iterator[Node]:
        return iter(self.nodes)

    def __len__(self) -> int:
        return len(self.nodes)

    def __getitem__(self, name: str) -> Node:
        try:
            return self._by_name[name]
        except KeyError:
            there = ", ".join(self.names)
            raise NetworkError(f"no node named '{name}'; there are: {there}") from None

    @cached_property
    def _by_name(self) -> dict[str, Node]:
        # of two nodes with one name, which the verifier refuses, the first
        return {node.name: node for node in reversed(self.nodes)}

    @property
    def names(self) -> tuple[str, ...]:
        """The nodes' names, in order."""
        return tuple(node.name for node in self.nodes)

    @cached_property
    def inputs(self) -> Mapping[str, Node]:
        """The nodes that the outside world feeds, by name."""
        return {node.name: node for node in self.nodes if node.is_input}

    @cached_property
    def outputs(self) -> Mapping[str, Answer]:
        """What it answers, by the names of the answers' nodes, with what its nodes say of each."""
        answers = (self._completed(a) for a in cast("tuple[Answer, ...]", self.answers))
        return {answer.source.name: answer for answer in answers}

    @cached_property
    def input(self) -> Node:
        """The one node that the outside world feeds; refuses a network that has several."""
        if len(self.inputs) != 1:
            raise NetworkError(
                f"this network has {len(self.inputs)} inputs ({', '.join(self.inputs)}), where one "
                "is taken"
            )
        return next(iter(self.inputs.values()))

    @property
    def input_width(self) -> int:
        """How many numbers it takes a step: of all its inputs, side by side."""
        return sum(node.width for node in self.inputs.values())

    @property
    def answer(self) -> Answer:
        """The first thing that it answers: what labels are of, where there are several."""
        return next(iter(self.outputs.values()))

    def _completed(self, stated: Answer) -> Answer:
        name = self.nodes[-1].name if stated.node is None else self[stated.node].name
        found: set[str] = set()
        waiting = [name]
        while waiting:
            node = self[waiting.pop()]
            if node.name not in found:
                found.add(node.name)
                # what is not there is the verifier's to refuse
                waiting += [e.source for e in node.inputs if e.source in self._by_name]
        return replace(stated, node=name, path=tuple(n for n in self.nodes if n.name in found))

    def answering(self, **changes: Any) -> Network:
        """Give the network with fields of its answers changed, of all of them."""
        answers = cast("tuple[Answer, ...]", self.answers)
        return replace(self, answers=tuple(replace(a, **changes) for a in answers))

    @property
    def output(self) -> Node:
        """The node whose signal is the (first) answer."""
        return self.answer.source

    @property
    def head(self) -> tuple[Node, ...]:
        """What the host computes on the answers."""
        return tuple(node for answer in self.outputs.values() for node in answer.head)

    @cached_property
    def placement(self) -> Mapping[str, Placement]:
        """Where each node is computed, by name.

        On the host is what only a host can compute, and all that feeds it; the head is the head;
        the rest is the chip's. The verifier checks that each of them can be where it is.
        """
        found: dict[str, Placement] = dict.fromkeys(self.names, "chip")
        for node in reversed(self.nodes):
            if node.places == ("host",) or found[node.name] == "host":
                found[node.name] = "host"
                found.update((edge.source, "host") for edge in node.inputs)
        return {**found, **{node.name: "head" for node in self.head}}

    def placed(self, where: Placement) -> tuple[Node, ...]:
        """All nodes that are computed there, in order."""
        return self._by_place[where]

    @cached_property
    def _by_place(self) -> Mapping[Placement, tuple[Node, ...]]:
        nodes: dict[Placement, list[Node]] = {"host": [], "chip": [], "head": []}
        for node in (*self.nodes, *self.head):
            nodes[self.placement[node.name]].append(node)
        return {place: tuple(found) for place, found in nodes.items()}

    @property
    def pairs(self) -> bool:
        """Whether it compares pairs of sequences: first ones come first, then second ones."""
        return any(answer.pairs for answer in self.outputs.values())

    def sources(self, node: Node) -> tuple[Node, ...]:
        """The nodes that ``node`` reads, in its equation's order."""
        return tuple(self[edge.source] for edge in node.inputs)

    def consumers(self, name: str) -> tuple[Node, ...]:
        """The nodes that read the node called ``name``."""
        return tuple(n for n in self.nodes if any(e.source == name for e in n.inputs))

    def of_kind(self, *kinds: type[Node]) -> tuple[Any, ...]:
        """All nodes of the given classes, in order."""
        return tuple(node for node in self.nodes if isinstance(node, kinds))

    @property
    def spiking(self) -> tuple[Node, ...]:
        """All nodes that send binary spikes, in order."""
        return tuple(node for node in self.nodes if node.spikes)

    def rewrite(
        self, replacements: Mapping[str, tuple[Node, ...]], stage: Stage | None = None
    ) -> Network:
        """Put each named node's replacements in its place; the others stay as they are.

        The last replacement must keep the old node's name if anything reads it.
        """
        nodes = tuple(new for old in self.nodes for new in replacements.get(old.name, (old,)))
        return replace(self, nodes=nodes, stage=stage or self.stage)

"""Complete models: of whole sequences, and of one step."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np
from onnx import helper

from snn_deploy.errors import TargetError
from snn_deploy.formats.onnx.clock import StepClock
from snn_deploy.formats.onnx.graph import Graph, signal_info
from snn_deploy.formats.onnx.library import Library
from snn_deploy.formats.onnx.operations import DOMAIN, OPSET
from snn_deploy.formats.onnx.parameters import Parameters
from snn_deploy.formats.onnx.sequence import SequenceGraph
from snn_deploy.formats.onnx.step import State, Step
from snn_deploy.ir.network import Network
from snn_deploy.ir.storage import Tensors
from snn_deploy.version import __version__

__all__ = ["Model", "NoStepError", "answer_name", "sequence_model", "step_model"]

IR_VERSION = 8
"""The first with functions."""

PRODUCER, GRAPH = "snn-deploy", "network"


class NoStepError(TargetError):
    """A network that is no step after step; its sequences have a model still."""


def answer_name(name: str) -> str:
    """Name a model's output: what the network answers of a node."""
    return f"{name}/answer"


@dataclass(frozen=True)
class Model:
    """A model, and how the network's tensors are called in it.

    ``states`` are, of a step's model, the names of its states and of what they are next.
    """

    proto: Any
    tensors: Mapping[str, str]
    states: Mapping[str, str] = field(default_factory=dict)


def sequence_model(network: Network, tensors: Tensors, traced: Collection[str] = ()) -> Model:
    """Give a model of whole sequences.

    It takes each input, int64 (B, L, width), and ``lengths`` (B,) where the network heeds them; it
    gives each answer, and the signals (B, L, width) of ``traced`` nodes.

    Raises
    ------
    TargetError
        For a node that ONNX is not written for.
    """
    graph = Graph()
    library = Library(network, Parameters(tensors, graph))
    made = SequenceGraph(graph, library)
    steps: int | str = "steps" if network.steps is None else network.steps
    axes: tuple[int | str, ...] = ("batch", steps)
    inputs = [signal_info(made.signals[n.name], (*axes, n.width)) for n in network.inputs.values()]
    outputs = []
    for name, answer in network.outputs.items():
        taken = steps if answer.steps == "all" else answer.length
        before = axes[:1] if answer.steps == "one" else (*axes[:1], taken)
        picked = made.answer(name, answer, answer_name(name))
        outputs.append(signal_info(picked, (*before, answer.source.width)))
    outputs += [signal_info(made.signals[n], (*axes, network[n].width)) for n in traced]
    if made.clock.asks_lengths:
        inputs.append(signal_info(made.clock.lengths, ("batch",)))
    return _model(library, inputs, outputs, {})


def step_model(network: Network, tensors: Tensors) -> Model:
    """Give a model of one step: states in, states out.

    It takes each input, int64 (B, width), and the states, all 0 before the first step; those for
    the next one are called ``NAME/next``. Answers, (B, width), are those of a sequence that ends
    with this step.

    Raises
    ------
    NoStepError
        If the network looks at its sequence as a whole, naming the node that does.
    TargetError
        For a node that ONNX is not written for.
    """
    graph = Graph()
    library = Library(network, Parameters(tensors, graph))
    if (reason := _why_no_steps(network, library)) is not None:
        raise NoStepError(f"this network has no model of a step: {reason}")
    inputs = {(name, 0): graph.name(name) for name in network.inputs}
    clock = StepClock(graph)
    step = Step(graph, library, network.nodes, inputs, partial(_begun, graph, clock, library))
    step.take({n.name: clock.words(n, library.function(n.name).clock) for n in _computed(network)})
    takes = [signal_info(inputs[name, 0], ("batch", network[name].width)) for name, _ in inputs]
    takes += [signal_info(state.name, ("batch", *state.shape)) for state in step.states]
    gives = [
        signal_info(
            graph.add("Identity", [step.signals[name, 0]], answer_name(name)),
            ("batch", answer.source.width),
        )
        for name, answer in network.outputs.items()
    ]
    gives += [signal_info(state.following, ("batch", *state.shape)) for state in step.states]
    states = {state.name: state.following for state in step.states}
    if clock.asks_step:
        states[clock.step] = clock.following
        takes.append(signal_info(clock.step, ()))
        gives.append(signal_info(clock.following, ()))
    return _model(library, takes, gives, states)


def _begun(graph: Graph, clock: StepClock, library: Library, state: State) -> str:
    """Give a state as a step reads it: in the first one it is what it starts with, not 0."""
    if not np.any(state.start):
        return state.name
    first = graph.apply("equal", [clock.at, graph.constant(0)], "first")
    start = library.parameters.wide(state.node, f"{state.word}_start", np.asarray(state.start))
    return graph.apply("select", [first, start, state.name], f"{state.name}/begun")


def _computed(network: Network) -> list[Any]:
    return [node for node in network if not node.is_input]


def _why_no_steps(network: Network, library: Library) -> str | None:
    """Say why a network has no model of a step; None: it has one."""
    late: set[str] = set()
    for node in _computed(network):
        told = f"node '{node.name}' ({node.kind})"
        edges = library.edges(node)
        after = [edge for edge in edges if edge.source in late]
        if node.runs_backwards:
            return f"{told} runs from a sequence's end to its start"
        if any(edge.steps_back < 0 for edge in edges):
            return f"{told} looks ahead"
        if after and (node.once or library.function(node.name).words):
            return f"{told} follows a pool, and remembers"
        if any(edge.steps_back for edge in after):
            return f"{told} reads what a pool said at earlier steps"
        if node.once or after:
            late.add(node.name)
    return None


def _model(
    library: Library, inputs: Sequence[Any], outputs: Sequence[Any], states: Mapping[str, str]
) -> Model:
    nodes = library.parameters.graph.nodes
    whole = helper.make_graph(nodes, GRAPH, inputs, outputs, library.parameters.protos)
    bodies = [a.g.node for node in nodes for a in node.attribute if a.HasField("g")]
    called = [*nodes, *(node for body in bodies for node in body)]
    opsets = [helper.make_opsetid("", OPSET), helper.make_opsetid(DOMAIN, 1)]
    proto = helper.make_model(
        whole,
        ir_version=IR_VERSION,
        opset_imports=opsets,
        functions=library.protos(called),
        producer_name=PRODUCER,
        producer_version=__version__,
    )
    return Model(proto, library.parameters.taken, states)

"""From an ONNX graph to a float network, an operator at a time."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

from snn_deploy.errors import CheckpointError, UnsupportedNetworkError
from snn_deploy.ir.answer import Answer
from snn_deploy.ir.formats import Edge
from snn_deploy.ir.network import Network, OutputSteps
from snn_deploy.nodes.float_inputs import FloatInput
from snn_deploy.readers.answers import check_readout, pooled, relay
from snn_deploy.readers.onnx.folding import FOLDED, fold
from snn_deploy.readers.onnx.graph import Graph, Operator
from snn_deploy.readers.onnx.layers import LAYERS
from snn_deploy.readers.onnx.signals import Building, Signal

__all__ = ["build_network"]

_OF_FRAMES = ("AveragePool", "BatchNormalization", "Conv", "GlobalAveragePool")
MOST_CHANNELS = 2**24


def build_network(
    graph: Graph, steps: OutputSteps, readout: str
) -> tuple[Network, tuple[str, ...]]:
    """Build the network of a graph, and name the quantisers of signals that are left out.

    Parameters
    ----------
    graph
        Its outputs are the answers.
    steps
        ``"one"`` vector a sequence, by ``readout``; or all steps, or the last K.
    readout
        One of ``answers.READOUTS``.

    Raises
    ------
    CheckpointError
        If the graph's parts do not fit.
    UnsupportedNetworkError
        If a part of it has no equivalent here.
    """
    check_readout(readout, graph.where)
    read = Counter(name for operator in graph.operators for name in operator.inputs)
    made = Building(Counter({**read, **{name: read[name] + 1 for name in graph.outputs}}))
    made.values.update(graph.arrays)
    of_frames = any(operator.kind in _OF_FRAMES for operator in graph.operators)
    for name, axes in graph.inputs.items():
        made.values[name] = _input(made, graph, name, axes, of_frames)
    for operator in graph.operators:
        _add(made, operator)
    answers = [_answer(made, graph, name, steps, readout) for name in graph.outputs]
    if not graph.inputs or not answers:
        raise CheckpointError(f"{graph.where}: the graph has no inputs, or no outputs")
    network = Network("float", tuple(made.nodes.values()))
    return replace(network, answers=tuple(answers)), tuple(made.left_out)


def _input(
    made: Building, graph: Graph, name: str, axes: tuple[int | None, ...], of_frames: bool
) -> Signal:
    """Take (batch, channels), (batch, steps, channels), or (batch, maps, …) where frames are."""
    lead = 2 if len(axes) == 3 and not of_frames else 1
    shape = axes[lead:]
    sizes = tuple(size for size in shape if size is not None)
    if not sizes or len(sizes) != len(shape):
        raise UnsupportedNetworkError(
            f"{graph.where}: input '{name}' has axes {axes}: those of a step must be stated, "
            "behind one of sequences; export it with sizes"
        )
    signal = Signal(name, lead, sizes)
    if signal.width > MOST_CHANNELS:
        raise UnsupportedNetworkError(
            f"{graph.where}: input '{name}' has {signal.width:,} channels"
        )
    made.add(FloatInput(name=name, channels=signal.width))
    return signal


def _add(made: Building, operator: Operator) -> None:
    """Work an operator out if it reads what is known; else add what it becomes."""
    if any(operator.outputs[1:]):
        raise operator.refuse("it has several outputs")
    values = [made.values[name] if name else None for name in operator.inputs]
    arrays = [value for value in values if not isinstance(value, Signal)]
    if len(arrays) == len(values) and operator.kind in FOLDED:
        found = fold(operator, arrays)
    elif operator.kind in LAYERS:
        if operator.name in made.nodes:
            raise CheckpointError(f"{operator.where}: an input has the same name")
        found = LAYERS[operator.kind](made, operator)  # type: ignore[assignment]
    else:
        known = ", ".join(sorted(LAYERS))
        raise operator.refuse(f"this operator cannot be expressed; there are: {known}")
    made.values[operator.outputs[0]] = found


def _answer(made: Building, graph: Graph, name: str, steps: OutputSteps, readout: str) -> Answer:
    signal = made.values.get(name)
    if not isinstance(signal, Signal) or signal.quantised is not None:
        raise UnsupportedNetworkError(
            f"{graph.where}: output '{name}' is no signal of real numbers"
        )
    own, reads = name, Edge(signal.node)
    while own in made.nodes:
        own += "_"
    if steps == "one":
        made.add(pooled(own, reads, signal.width, readout))
        return Answer("one", own)
    taken = {answer for answer in graph.outputs if answer != name}
    if any(made.values.get(other) is signal for other in taken) or signal.node in graph.inputs:
        made.add(relay(own, reads, signal.width))
        return Answer(steps, own)
    return Answer(steps, signal.node)

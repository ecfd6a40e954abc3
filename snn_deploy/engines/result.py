"""What goes into an engine and what comes out: the same for every engine."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from snn_deploy.errors import DataError
from snn_deploy.ir.host import chip_part
from snn_deploy.ir.network import Network

__all__ = [
    "IntArray",
    "Ports",
    "Record",
    "Result",
    "Run",
    "Values",
    "all_outputs",
    "alone",
    "by_name",
    "no_progress",
    "senders",
]

IntArray = npt.NDArray[np.int64]
Values = npt.NDArray[Any]
"""Mantissas, int64; of a float network real numbers, float64."""

Ports = Any
"""An array; of a network with several inputs or outputs, a mapping from their names to arrays."""

Record = Callable[[str, int, int, Values], None]
"""Takes a part of a traced signal: the node's name, the first sample and step, and values (b, t,
width).
"""


def no_progress(fraction: float) -> None:
    """The default when nobody watches."""


@dataclass(frozen=True)
class Run:
    """One batch for an engine.

    Parameters
    ----------
    inputs
        Mantissas in the format of the network's input node, int64 (B, L, d_input), by name where
        there are several; for a float network what
        :class:`~snn_deploy.engines.floating.FloatEngine` takes.
    lengths
        Valid steps of each sequence, int64 (B,), 1 … L.
    trace
        Names of the nodes whose output at every step is wanted.
    record
        Where the traced signals go, part by part, in any order, instead of into the result: an
        engine that does not hold whole signals need not begin to.
    progress
        Called now and then with the part of the work done since the last call; the parts of one
        run add up to 1.
    """

    inputs: Ports
    lengths: IntArray
    trace: Collection[str] = ()
    record: Record | None = None
    progress: Callable[[float], None] = field(default=no_progress)


@dataclass(frozen=True)
class Result:
    """What every engine gives; two engines agree when all of it is equal.

    Parameters
    ----------
    output
        Mantissas of the network's answer: (B, width) for one vector a sequence, (B, steps, width)
        for all steps or the last K; by name where there are several.
    messages
        By the name of each of :func:`senders`: how many non-zero messages each channel sent for
        each sequence, (B, width); for a soma these are its spike counts.
    saturated
        By node name: how many values were clipped, over the whole batch. Engines that cannot
        count (Lava) leave it empty.
    trace
        By node name: the output at every step, (B, L, width), pipeline delays taken out. Empty
        where it was recorded.
    late
        By node name: what a stream knows of a traced signal only at its end, as if it had ended
        here: a function of the first step and the one after the last, (B, steps, width).
    """

    output: Ports
    messages: Mapping[str, IntArray]
    saturated: Mapping[str, int]
    trace: Mapping[str, Values]
    late: Mapping[str, Callable[[int, int], Values]] = field(default_factory=dict)

    @classmethod
    def collect(
        cls,
        network: Network,
        run: Run,
        signals: Mapping[str, IntArray],
        saturated: Mapping[str, int],
    ) -> Result:
        """Make a result from every node's whole signal."""
        if run.record is not None:
            for name in run.trace:
                run.record(name, 0, 0, signals[name])
        return cls(
            output=alone(
                {name: a.take(signals[name], run.lengths) for name, a in network.outputs.items()}
            ),
            messages={
                name: np.count_nonzero(signals[name], axis=1).astype(np.int64)
                for name in senders(network)
            },
            saturated=dict(saturated),
            trace={} if run.record else {name: signals[name] for name in run.trace},
        )


def by_name(network: Network, inputs: Ports) -> dict[str, Values]:
    """Give what goes into each input of a network, by name; one array holds them side by side.

    Raises
    ------
    DataError
        If there are not as many arrays as inputs, of their names.
    """
    names = list(network.inputs)
    alone = len(names) == 1
    if alone and isinstance(inputs, np.ndarray):
        return {names[0]: inputs}
    if isinstance(inputs, Mapping):
        given: dict[str, Any] = dict(inputs)
    elif alone:
        given = {names[0]: inputs}
    else:
        given = _taken_apart(network, np.asarray(inputs))
    if set(given) != set(names):
        told = ", ".join(map(str, given)) or f"an array of shape {np.shape(inputs)}"
        raise DataError(
            f"inputs: {told}; this network takes an array for each of {names}, or one of "
            f"{network.input_width} channels, side by side"
        )
    return {name: given[name] for name in names}


def _taken_apart(network: Network, inputs: Values) -> dict[str, Values]:
    if inputs.ndim != 3 or inputs.shape[2] != network.input_width:
        return {}
    ends = np.cumsum([node.width for node in network.inputs.values()])
    return dict(zip(network.inputs, np.split(inputs, ends[:-1], axis=2), strict=True))


def all_outputs(network: Network, output: Ports) -> Mapping[str, Values]:
    """Give what each output of a network is, by name, of what an engine gave."""
    return output if len(network.outputs) > 1 else {network.output.name: output}


def alone(named: Mapping[str, Any]) -> Any:
    """Give the one that there is; of several, all, by name."""
    return named if len(named) > 1 else next(iter(named.values()))


def senders(network: Network) -> tuple[str, ...]:
    """Name the nodes whose messages are counted: somas, and all that send into synapses.

    What the host computes sends no messages but the signal that enters the chip.
    """
    chip = chip_part(network)
    into_synapses = {e.source for node in chip if node.synaptic for e in node.inputs}
    return tuple(node.name for node in chip if node.name in into_synapses or node.spikes)

"""What the host computes of a network as it encodes: its leading nodes, in the same integers.

The engines for the chip's part take the last of these signals as their input. The nodes compute
as in the reference engine; here they run over any steps of a sequence, so that memory need not grow
with its length.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from snn_deploy.engines.reference import run_node
from snn_deploy.engines.result import IntArray
from snn_deploy.errors import ConfigError, DataError
from snn_deploy.ir.formats import extremes
from snn_deploy.ir.host import chip_part
from snn_deploy.ir.network import Network
from snn_deploy.ir.node import Node
from snn_deploy.nodes.base import Place

__all__ = ["Host", "HostSignals", "HostStream", "check_mantissas", "check_range"]


class HostSignals(NamedTuple):
    """What the host computed of some steps.

    Parameters
    ----------
    signals
        By the name of each of its nodes, (B, steps, width).
    entering
        The last of them, which the chip takes in.
    saturated
        By node: how many values were clipped.
    """

    signals: Mapping[str, IntArray]
    entering: IntArray
    saturated: Mapping[str, int]

    def write(self, watched: Mapping[str, IntArray]) -> None:
        """Copy the signals that are ``watched``, by name, to where they are wanted."""
        for name in watched.keys() & self.signals.keys():
            watched[name][...] = self.signals[name]


class Host:
    """The host's part of a network; ``chip`` is the network that is left.

    ``before`` and ``after`` are the steps around each step that it looks at.
    """

    def __init__(self, network: Network) -> None:
        self.network = network
        self.nodes = network.placed("host")
        self.chip = chip_part(network)
        reach = [node.reach for node in self.nodes]  # type: ignore[attr-defined]  # integer stage
        self.before, self.after = map(max, zip(*reach, strict=True))

    def compute(
        self, inputs: IntArray, start: int = 0, stop: int | None = None, first: int = 0
    ) -> HostSignals:
        """Compute the steps ``start`` … ``stop - 1`` of ``inputs`` (B, L, d_input).

        ``first`` is the step of the sequence that ``inputs`` begin with. Outside of them there are
        zeros: where a network looks around, they must hold the ``before`` steps before ``start``
        and the ``after`` steps from ``stop`` on, as far as the sequence has them. Before its first
        step there are zeros, so ``first`` may be negative.

        Raises
        ------
        DataError
            For tokens that are not known, and for more steps than there are positions.
        """
        stop = inputs.shape[1] if stop is None else stop
        if len(self.nodes) == 1:  # the input, whose mantissas these are
            taken = inputs[:, start:stop]
            return HostSignals({self.nodes[0].name: taken}, taken, {})
        low = max(0, start - self.before)
        signal = inputs[:, low : stop + self.after]
        signals = {}
        saturated = {}
        place = Place(lengths=inputs[:, 0, 0], steps=first + stop, start=first + start)
        for node in self.nodes[1:]:
            signal, clipped = run_node(node, [signal], place)
            if node.clips:  # type: ignore[attr-defined]  # integer stage
                saturated[node.name] = clipped
            if any(node.reach):  # type: ignore[attr-defined]  # it reads the input: so far nothing was clipped
                signal = signal[:, start - low : stop - low]
            signals[node.name] = signal
        signals[self.network.input.name] = inputs[:, start:stop]
        return HostSignals(signals, signal, saturated)


class HostStream:
    """The host's part of a stream: it keeps the inputs that its windows still look at.

    Parameters
    ----------
    host
        Of one input.
    samples
        How many sequences run side by side, B.

    Raises
    ------
    ConfigError
        If a node looks at steps to come.
    """

    def __init__(self, host: Host, samples: int) -> None:
        for node in host.nodes:
            ahead = node.reach[1]  # type: ignore[attr-defined]  # integer stage
            if ahead:
                raise ConfigError(
                    "this network cannot run as a stream: its encoder looks ahead: node "
                    f"'{node.name}' reads up to x[t + {ahead}]; give it whole sequences"
                )
        entry = host.network.input
        self._host, self._name = host, f"{entry.name}/past"
        self._past = np.zeros((samples, host.before, entry.width), dtype=np.int64)

    def advance(self, first: int, chunk: IntArray) -> HostSignals:
        """Compute the next steps, (B, T, d_input) from step ``first`` on."""
        before, steps = self._host.before, chunk.shape[1]
        if not before:
            return self._host.compute(chunk, first=first)
        inputs = np.concatenate([self._past, chunk], axis=1)
        self._past = inputs[:, steps:].copy()
        return self._host.compute(inputs, before, before + steps, first - before)

    def state(self) -> dict[str, IntArray]:
        """Copy the last ``before`` inputs, (B, before, d_input), if there are any to keep."""
        return {self._name: self._past.copy()} if self._host.before else {}

    def restore(self, state: Mapping[str, IntArray]) -> None:
        """Go on from what :meth:`state` gave."""
        if self._host.before:
            self._past = state[self._name].copy()


def check_mantissas(network: Network, inputs: IntArray, samples: int, first: int = 0) -> None:
    """Refuse inputs that the host's encoder cannot have given.

    ``first`` is the step of the sequence that the inputs begin with.

    Raises
    ------
    DataError
        Naming the shape, the mantissa and the format, the token, or the number of steps.
    """
    node = network.input
    if inputs.ndim != 3 or inputs.shape[0] != samples or inputs.shape[2] != node.width:
        raise DataError(
            f"inputs of shape {inputs.shape}; this network takes ({samples}, steps, {node.width})"
        )
    check_range(node, inputs)
    for reader in network.placed("host"):
        reader.check_inputs(inputs, first)  # type: ignore[attr-defined]  # integer stage


def check_range(node: Node, inputs: IntArray) -> None:
    """Refuse mantissas beyond the format of an input.

    Raises
    ------
    DataError
        Naming the mantissa, the node and its format.
    """
    form = node.output  # type: ignore[attr-defined]  # lowered stage
    limit = form.limit
    lowest, highest = extremes(inputs)
    if highest > limit or lowest < (-limit if form.signed else 0):
        raise DataError(
            f"an input mantissa of magnitude {max(highest, -lowest)} exceeds "
            f"{'±' if form.signed else '0 … '}{limit}, the format of node '{node.name}'; "
            "encode inputs with its format first"
        )

"""Lava processes for the nodes that Lava has no stock process for; ``models`` says what they do."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from lava.magma.core.process.ports.ports import InPort, OutPort
from lava.magma.core.process.process import AbstractProcess

from snn_deploy.engines.lava.clock import Clock
from snn_deploy.nodes.base import IntegerNode

__all__ = [
    "AccumulatorProcess",
    "DelayProcess",
    "DendriteProcess",
    "GateProcess",
    "NodeProcess",
    "NormalizeProcess",
    "PlayerProcess",
    "RecorderProcess",
    "RelayProcess",
    "RunningSumProcess",
]


class NodeProcess(AbstractProcess):
    """One node: ports ``in_0``, ``in_1``, … of the given widths; ``s_out`` (node.width,)."""

    def __init__(
        self, *, node: IntegerNode, widths: Sequence[int], clock: Clock, **kwargs: Any
    ) -> None:
        super().__init__(node=node, ports=len(widths), clock=clock, name=node.name, **kwargs)
        _add_in_ports(self, widths)
        self.s_out = OutPort(shape=(node.width,))


class RelayProcess(NodeProcess):
    """A Requantize."""


class DendriteProcess(NodeProcess):
    """A Dendrite, in its own direction of time."""


class GateProcess(NodeProcess):
    """A Gate."""


class NormalizeProcess(NodeProcess):
    """A Normalize, the sums over its channels included."""


class AccumulatorProcess(NodeProcess):
    """An Accumulator; ``lengths`` (B,) are the sequences' valid steps."""


class RunningSumProcess(NodeProcess):
    """A RunningSum."""


class DelayProcess(AbstractProcess):
    """Holds messages back by ``steps`` steps: a residual path, or a slow axon."""

    def __init__(self, *, channels: int, steps: int, name: str) -> None:
        super().__init__(steps=steps, channels=channels, name=name)
        self.a_in = InPort(shape=(channels,))
        self.s_out = OutPort(shape=(channels,))


class PlayerProcess(AbstractProcess):
    """Sends the rows of ``signal`` (B, L, channels), one a step: the host's side of the input."""

    def __init__(self, *, signal: Any, clock: Clock, name: str) -> None:
        super().__init__(signal=signal, clock=clock, name=name)
        self.s_out = OutPort(shape=(signal.shape[2],))


class RecorderProcess(AbstractProcess):
    """Listens on ports ``in_0``, ``in_1``, … of the given widths: the host's side of the output."""

    def __init__(self, *, widths: Sequence[int], **kwargs: Any) -> None:
        super().__init__(name="recorder", **kwargs)
        _add_in_ports(self, widths)


def _add_in_ports(process: AbstractProcess, widths: Sequence[int]) -> None:
    for number, width in enumerate(widths):
        setattr(process, f"in_{number}", InPort(shape=(width,)))

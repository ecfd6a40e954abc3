"""Lava processes for what Lava has no stock process for; ``models`` says what they do."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from lava.magma.core.process.ports.ports import InPort, OutPort
from lava.magma.core.process.process import AbstractProcess

from snn_deploy.engines.lava.clock import Clock
from snn_deploy.engines.result import IntArray
from snn_deploy.nodes.base import IntegerNode

__all__ = ["DelayProcess", "PlayerProcess", "ProgramProcess", "RecorderProcess"]


class ProgramProcess(AbstractProcess):
    """A node that runs on its program, in its own direction of time.

    Ports ``in_0``, ``in_1``, … have the given widths, ``s_out`` has (node.width,). ``words`` are
    what the program is told of its sequences, (B, L, 1) each.
    """

    def __init__(
        self,
        *,
        node: IntegerNode,
        widths: Sequence[int],
        clock: Clock,
        words: Mapping[str, IntArray],
        **kwargs: Any,
    ) -> None:
        ports = len(widths)
        super().__init__(node=node, ports=ports, clock=clock, words=words, name=node.name, **kwargs)
        _add_in_ports(self, widths)
        self.s_out = OutPort(shape=(node.width,))


class DelayProcess(AbstractProcess):
    """Holds messages back by ``steps`` steps: a residual path, a slow axon, or a loop.

    In the first ``silent`` steps of each sequence of ``clock`` it sends zeros: for who looks back
    there is nothing yet.
    """

    def __init__(self, *, channels: int, steps: int, silent: int, clock: Clock, name: str) -> None:
        super().__init__(steps=steps, channels=channels, silent=silent, clock=clock, name=name)
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

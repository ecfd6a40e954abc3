"""What our own Lava processes do each step.

A node computes its program, as in the reference engine; its state lives here, between steps, and
starts afresh whenever the process's clock begins another sequence. No process waits for a message
before it has sent what it already holds, so that a loop cannot come to a standstill.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from lava.magma.core.decorator import implements, requires
from lava.magma.core.model.py.model import PyLoihiProcessModel
from lava.magma.core.model.py.ports import PyInPort, PyOutPort
from lava.magma.core.model.py.type import LavaPyType
from lava.magma.core.resources import CPU
from lava.magma.core.sync.protocols.loihi_protocol import LoihiProtocol

from snn_deploy.engines.lava.clock import Clock
from snn_deploy.engines.lava.job import Pulse
from snn_deploy.engines.lava.processes import DelayProcess, PlayerProcess, ProgramProcess
from snn_deploy.engines.result import IntArray
from snn_deploy.ir.program_step import ProgramStep

__all__ = ["DelayModel", "PlayerModel", "ProgramModel", "with_in_ports"]


def with_in_ports(model: type[PyLoihiProcessModel], count: int) -> type[PyLoihiProcessModel]:
    """Give the model as many in ports ``in_0``, ``in_1``, …; Lava wants each as an attribute."""
    # messages are widened as they arrive, so that no sum can wrap before the node clips it
    ports = {f"in_{i}": LavaPyType(PyInPort.VEC_DENSE, np.int64) for i in range(count)}
    return type(model.__name__, (model,), {**ports, "__module__": model.__module__})


@implements(proc=ProgramProcess, protocol=LoihiProtocol)
@requires(CPU)
class ProgramModel(PyLoihiProcessModel):
    """Receives, takes a step of the program unless asleep, and sends; asleep it sends zeros."""

    s_out: PyOutPort = LavaPyType(PyOutPort.VEC_DENSE, np.int32)

    def __init__(self, proc_params: Mapping[str, Any]) -> None:
        super().__init__(proc_params)
        self.node: Any = proc_params["node"]
        self.clock: Clock = proc_params["clock"]
        self.words: Mapping[str, IntArray] = proc_params["words"]
        self.pulse: Pulse = proc_params["pulse"]
        self.silence = np.zeros(self.node.width, dtype=np.int64)

    def run_spk(self) -> None:
        """Do one step."""
        messages = [getattr(self, f"in_{i}").recv() for i in range(self.proc_params["ports"])]
        place = self.clock.place(self.time_step)
        with self.pulse.busy(self.node.name):
            y = self.silence if place is None else self.step(messages, *place)
        self.s_out.send(y)

    def step(self, messages: list[IntArray], sequence: int, step: int) -> IntArray:
        """Answer the messages of ``step``, 0 … L - 1 in its own time, of ``sequence``."""
        if step == 0:
            self.program = ProgramStep(self.node.program, 1)
        t = -1 - step if self.node.runs_backwards else step
        clock = {name: word[sequence, t][None] for name, word in self.words.items()}
        sent: IntArray = self.program([message[None] for message in messages], clock)[0]
        return sent


@implements(proc=DelayProcess, protocol=LoihiProtocol)
@requires(CPU)
class DelayModel(PyLoihiProcessModel):
    """A ring of as many messages as there are steps of delay, silent at first."""

    a_in: PyInPort = LavaPyType(PyInPort.VEC_DENSE, np.int32)
    s_out: PyOutPort = LavaPyType(PyOutPort.VEC_DENSE, np.int32)

    def __init__(self, proc_params: Mapping[str, Any]) -> None:
        super().__init__(proc_params)
        self.ring = np.zeros((proc_params["steps"], proc_params["channels"]), dtype=np.int32)
        self.silent: int = proc_params["silent"]
        self.clock: Clock = proc_params["clock"]

    def run_spk(self) -> None:
        """Do one step."""
        if not len(self.ring):
            self.s_out.send(self.heard(self.a_in.recv()))
            return
        row = self.time_step % len(self.ring)
        self.s_out.send(self.heard(self.ring[row]))
        self.ring[row] = self.a_in.recv()

    def heard(self, message: IntArray) -> IntArray:
        """Give the message, or silence where it is of the sequence before."""
        place = self.clock.place(self.time_step)
        early = place is not None and place[1] < self.silent
        return np.zeros_like(message) if early else message


@implements(proc=PlayerProcess, protocol=LoihiProtocol)
@requires(CPU)
class PlayerModel(PyLoihiProcessModel):
    """Plays a signal; silent before and after it."""

    s_out: PyOutPort = LavaPyType(PyOutPort.VEC_DENSE, np.int32)

    def __init__(self, proc_params: Mapping[str, Any]) -> None:
        super().__init__(proc_params)
        self.signal: IntArray = proc_params["signal"]
        self.clock: Clock = proc_params["clock"]

    def run_spk(self) -> None:
        """Do one step."""
        place = self.clock.place(self.time_step)
        silence = np.zeros(self.signal.shape[2], dtype=np.int32)
        self.s_out.send(silence if place is None else self.signal[place])

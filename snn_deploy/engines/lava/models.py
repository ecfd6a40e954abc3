"""What our own Lava processes do each step, bit for bit the equations of ``snn_deploy/nodes/``.

All arithmetic is ``fixedpoint``'s. State lives here, between steps; it starts afresh whenever the
process's clock begins another sequence.
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

from snn_deploy import fixedpoint as fp
from snn_deploy.engines.lava.clock import Clock
from snn_deploy.engines.lava.job import Pulse
from snn_deploy.engines.lava.processes import (
    AccumulatorProcess,
    DelayProcess,
    DendriteProcess,
    GateProcess,
    NormalizeProcess,
    PlayerProcess,
    RelayProcess,
    RunningSumProcess,
)
from snn_deploy.engines.result import IntArray
from snn_deploy.nodes.base import Rescale
from snn_deploy.nodes.dendrite import Dendrite, ModeBank
from snn_deploy.nodes.gate import Gate
from snn_deploy.nodes.normalize import Normalize
from snn_deploy.nodes.pooling import Accumulator

__all__ = [
    "AccumulatorModel",
    "DelayModel",
    "DendriteModel",
    "GateModel",
    "NodeModel",
    "NormalizeModel",
    "PlayerModel",
    "RelayModel",
    "RunningSumModel",
    "with_in_ports",
]


def with_in_ports(model: type[PyLoihiProcessModel], count: int) -> type[PyLoihiProcessModel]:
    """Give the model as many in ports ``in_0``, ``in_1``, …; Lava wants each as an attribute."""
    # messages are widened as they arrive, so that no sum can wrap before the node clips it
    ports = {f"in_{i}": LavaPyType(PyInPort.VEC_DENSE, np.int64) for i in range(count)}
    return type(model.__name__, (model,), {**ports, "__module__": model.__module__})


class NodeModel(PyLoihiProcessModel):
    """Receives, computes :meth:`step` unless asleep, and sends; asleep it sends zeros."""

    s_out: PyOutPort = LavaPyType(PyOutPort.VEC_DENSE, np.int32)

    def __init__(self, proc_params: Mapping[str, Any]) -> None:
        super().__init__(proc_params)
        self.node: Any = proc_params["node"]
        self.clock: Clock = proc_params["clock"]
        self.pulse: Pulse = proc_params["pulse"]
        self.silence = np.zeros(self.node.width, dtype=np.int64)

    def run_spk(self) -> None:
        """Do one step."""
        messages = [port.recv() for port in self.in_ports]
        place = self.clock.place(self.time_step)
        with self.pulse.busy(self.node.name):
            y = self.silence if place is None else self.step(self.gather(messages), *place)
        self.s_out.send(y)

    @property
    def in_ports(self) -> list[PyInPort]:
        """The ports, in the order of the node's inputs."""
        return [getattr(self, f"in_{number}") for number in range(self.proc_params["ports"])]

    def gather(self, messages: list[IntArray]) -> IntArray:
        """Make the node's input of what arrived at its ports."""
        (x,) = messages
        return x

    def step(self, x: IntArray, sequence: int, step: int) -> IntArray:
        """Answer the input x of ``step``, 0 … L - 1, of ``sequence``, 0 … B - 1."""
        raise NotImplementedError

    def saturate(self, x: IntArray) -> IntArray:
        """Clip to the node's output format."""
        return fp.saturate(x, self.node.output.bits, self.node.output.signed)[0]


def _rescaled(x: IntArray, rescale: Rescale) -> IntArray:
    return fp.multiply_shift(x, rescale.mantissa, rescale.shift) + rescale.bias


@implements(proc=RelayProcess, protocol=LoihiProtocol)
@requires(CPU)
class RelayModel(NodeModel):
    """Requantize."""

    def gather(self, messages: list[IntArray]) -> IntArray:
        """Add up the inputs, aligned."""
        align = self.node.align
        if align is not None:
            messages = [fp.signed_shift(x, k) for x, k in zip(messages, align, strict=True)]
        return np.asarray(np.sum(messages, axis=0))

    def step(self, x: IntArray, sequence: int, step: int) -> IntArray:
        rescale = self.node.rescale
        return self.saturate(x if rescale is None else _rescaled(x, rescale))


@implements(proc=GateProcess, protocol=LoihiProtocol)
@requires(CPU)
class GateModel(NodeModel):
    """Gate: value × table."""

    def step(self, x: IntArray, sequence: int, step: int) -> IntArray:
        node: Gate = self.node
        a, _ = fp.saturate(_rescaled(x, node.rescale), node.value_bits)
        sigmoid = node.sigmoid
        row = fp.sigmoid_index(a[node.width :], sigmoid.index_shift, len(sigmoid.table))
        product = fp.multiply_shift(a[: node.width], sigmoid.table[row], sigmoid.out_shift)
        return self.saturate(product)


@implements(proc=NormalizeProcess, protocol=LoihiProtocol)
@requires(CPU)
class NormalizeModel(NodeModel):
    """Normalize: mean and root over the channels of one step."""

    def step(self, x: IntArray, sequence: int, step: int) -> IntArray:
        node: Normalize = self.node
        z = fp.normalize(x, node.align, node.epsilon, node.square_shift, node.reciprocal_bits)
        return self.saturate(_rescaled(z, node.rescale))


@implements(proc=DendriteProcess, protocol=LoihiProtocol)
@requires(CPU)
class DendriteModel(NodeModel):
    """Dendrite: compartments u, v (H, N) live from step to step of one sequence."""

    def step(self, x: IntArray, sequence: int, step: int) -> IntArray:
        node: Dendrite = self.node
        if step == 0:
            self.u = np.zeros_like(node.bank.decay_real, dtype=np.int64)
            self.v = np.zeros_like(self.u)
        if not node.reversed_time:
            self._advance(node.bank, x)
        drive = self._contribution(node.bank)
        if node.reversed_time:
            self._advance(node.bank, x)
        drive = drive + fp.multiply_shift(x, node.skip_mantissa, node.skip_shift)
        return self.saturate(fp.round_shift(drive, node.drive_shift))

    def _advance(self, bank: ModeBank, x: IntArray) -> None:
        u, v, k = self.u, self.v, bank.decay_shift
        entering = fp.signed_shift(x[:, None], bank.input_shift)
        real = fp.multiply_shift(u, bank.decay_real, k) + fp.multiply_shift(v, -bank.decay_imag, k)
        imag = fp.multiply_shift(u, bank.decay_imag, k) + fp.multiply_shift(v, bank.decay_real, k)
        self.u, _ = fp.saturate(real + entering, bank.state_bits)
        self.v, _ = fp.saturate(imag, bank.state_bits)

    def _contribution(self, bank: ModeBank) -> IntArray:
        real = fp.multiply_shift(self.u, bank.readout_real, bank.readout_shift)
        imag = fp.multiply_shift(self.v, -bank.readout_imag, bank.readout_shift)
        return np.asarray((real + imag).sum(axis=1), dtype=np.int64)


@implements(proc=AccumulatorProcess, protocol=LoihiProtocol)
@requires(CPU)
class AccumulatorModel(NodeModel):
    """Accumulator: a running sum (or the first or last x), sent at the last valid step."""

    def __init__(self, proc_params: Mapping[str, Any]) -> None:
        super().__init__(proc_params)
        self.lengths: IntArray = proc_params["lengths"]

    def step(self, x: IntArray, sequence: int, step: int) -> IntArray:
        node: Accumulator = self.node
        if step == 0:
            self.held = x
        elif node.mode in {"mean", "sum"}:
            self.held = self.held + x
        elif node.mode == "last":
            self.held = x
        length = int(self.lengths[sequence])
        return self.saturate(self._pooled(node, length)) if step == length - 1 else self.silence

    def _pooled(self, node: Accumulator, length: int) -> IntArray:
        if node.mode != "mean":
            return fp.signed_shift(self.held, node.guard_bits)
        divisor = fp.reciprocal(length, node.reciprocal_bits, node.headroom_bits, node.guard_bits)
        return fp.mean_from_sum(self.held, divisor)


@implements(proc=RunningSumProcess, protocol=LoihiProtocol)
@requires(CPU)
class RunningSumModel(NodeModel):
    """RunningSum: the sum lives from step to step of one sequence."""

    def step(self, x: IntArray, sequence: int, step: int) -> IntArray:
        before = np.zeros_like(x) if step == 0 else self.held
        self.held: IntArray = before + x
        return self.saturate(fp.signed_shift(self.held, self.node.guard_bits))


@implements(proc=DelayProcess, protocol=LoihiProtocol)
@requires(CPU)
class DelayModel(PyLoihiProcessModel):
    """A ring of as many messages as there are steps of delay, silent at first."""

    a_in: PyInPort = LavaPyType(PyInPort.VEC_DENSE, np.int32)
    s_out: PyOutPort = LavaPyType(PyOutPort.VEC_DENSE, np.int32)

    def __init__(self, proc_params: Mapping[str, Any]) -> None:
        super().__init__(proc_params)
        self.ring = np.zeros((proc_params["steps"], proc_params["channels"]), dtype=np.int32)

    def run_spk(self) -> None:
        """Do one step."""
        row = self.time_step % len(self.ring)
        self.s_out.send(self.ring[row])
        self.ring[row] = self.a_in.recv()


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

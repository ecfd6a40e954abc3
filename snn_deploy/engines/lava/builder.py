"""Wiring one segment of a network from Lava processes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from lava.magma.core.model.py.model import PyLoihiProcessModel
from lava.magma.core.process.process import AbstractProcess
from lava.magma.core.run_configs import Loihi2HwCfg, Loihi2SimCfg, RunConfig
from lava.proc.dense.models import PyDenseModelBitAcc
from lava.proc.dense.process import Dense
from lava.proc.lif.models import PyLifResetModelBitAcc
from lava.proc.lif.process import LIFReset
from lava.utils.weightutils import SignMode

from snn_deploy.engines.lava import models, processes
from snn_deploy.engines.lava.clock import Clock
from snn_deploy.engines.lava.job import Device, Job, JobFolder, Pulse
from snn_deploy.engines.lava.recorder import RecorderModel, Tape
from snn_deploy.engines.lava.segments import Segment
from snn_deploy.ir.formats import SPIKE, Edge
from snn_deploy.ir.node import Node
from snn_deploy.nodes.base import IntegerNode, Place
from snn_deploy.nodes.lif import LifSoma
from snn_deploy.nodes.shared_synapses import SharedSynapses
from snn_deploy.nodes.synapses import Synapses

__all__ = ["Wiring", "wire_segment"]

HOST = (processes.PlayerProcess, processes.RecorderProcess)
IMMEDIATE_CURRENT_DECAY = 4095  # with Loihi's fixed offset of 1: the whole current, each step
CONV_SUM_BITS = 24  # to which Lava's Conv clips what it adds up

Models = dict[AbstractProcess, type[PyLoihiProcessModel]]


@dataclass(frozen=True, eq=False)
class Wiring:
    """A segment's processes, connected.

    Parameters
    ----------
    recorder
        The process that hears from all that are recorded.
    models
        The process model of every process.
    steps
        How long to run.
    """

    recorder: AbstractProcess
    models: Models
    steps: int

    @property
    def without_microcode(self) -> list[str]:
        """Name our own processes that belong on the chip but have a model for the host only."""
        return [
            process.name
            for process, model in self.models.items()
            if model.__module__ == models.__name__ and not isinstance(process, HOST)
        ]

    def run_config(self, device: Device) -> RunConfig:
        """Give Lava's run configuration: every model named, or on hardware the chip's own ones."""
        if device == "cpu":
            return Loihi2SimCfg(exception_proc_model_map=self.models)
        on_host = {p: model for p, model in self.models.items() if isinstance(p, HOST)}
        return Loihi2HwCfg(exception_proc_model_map=on_host)


def wire_segment(job: Job, segment: Segment, folder: JobFolder, pulse: Pulse) -> Wiring:
    """Make and connect the processes of ``segment``, ready to be run from the recorder."""
    bench = _Bench(job, segment, folder, pulse)
    for name in segment.sweep.reads:
        bench.play(name, folder.open_signal(job, name))
    for node in segment.sweep.nodes:
        bench.add(node)
    for node in segment.sweep.nodes:
        bench.connect(node)
    recorder = bench.record()
    steps = len(job.inputs) * job.inputs.shape[1] + segment.delay
    return Wiring(recorder, bench.models, steps)


@dataclass
class _Bench:
    """A segment under construction.

    ``receives`` holds the in ports of each node, ``sends`` the out port of each node and of each
    recorded signal.
    """

    job: Job
    segment: Segment
    folder: JobFolder
    pulse: Pulse
    models: Models = field(default_factory=dict)
    receives: dict[str, list[Any]] = field(default_factory=dict)
    sends: dict[str, Any] = field(default_factory=dict)
    delays: dict[tuple[str, int, int, Clock], Any] = field(default_factory=dict)

    def clock(self, name: str, ahead: int = 0) -> Clock:
        """Give a process's clock, or one that is some steps ahead of it."""
        sequences, period = self.job.inputs.shape[:2]
        return Clock(self.segment.latency[name] - ahead, sequences, period)

    def play(self, name: str, signal: Any) -> None:
        """Add the player of a signal (B, L, channels)."""
        in_order = signal[:, ::-1] if self.segment.sweep.backwards else signal
        player = processes.PlayerProcess(signal=in_order, clock=self.clock(name), name=name)
        self.models[player] = models.PlayerModel
        self.sends[name] = player.s_out

    def add(self, node: Any) -> None:
        """Add a node's process."""
        if node.is_input:
            self.play(node.name, self.job.inputs)
            return
        make: Callable[[_Bench, Any], Parts] = _STOCK.get(type(node), _own)
        process, model, self.receives[node.name], self.sends[node.name] = make(self, node)
        self.models[process] = model

    def connect(self, node: Node) -> None:
        """Connect a node's process to what it reads."""
        for edge, port in zip(node.inputs, self.receives.get(node.name, ()), strict=True):
            # stock synapses answer a step later of themselves; all other processes at once
            stock = not isinstance(port.process, processes.ProgramProcess)
            realised = int(stock and node.synaptic)
            clock = self.clock(node.name, ahead=realised)
            source = self._late(edge, edge.delay - realised, clock)
            if len(port.shape) > 1:
                source = source.reshape((port.shape[-1], *port.shape[:-1])).transpose((1, 2, 0))
            source.connect(port)

    def record(self) -> AbstractProcess:
        """Add the recorder of all nodes that the job wants recorded."""
        recorded = [node for node in self.segment.sweep.nodes if node.name in self.job.recorded]
        backwards = self.segment.sweep.backwards
        tapes = [
            Tape(self.folder.fill_signal(self.job, node.name), self.clock(node.name), backwards)
            for node in recorded
        ]
        recorder = processes.RecorderProcess(
            widths=[node.width for node in recorded], tapes=tapes, pulse=self.pulse
        )
        for number, node in enumerate(recorded):
            self.sends[node.name].connect(getattr(recorder, f"in_{number}"))
        self.models[recorder] = models.with_in_ports(RecorderModel, len(recorded))
        return recorder

    def _late(self, edge: Edge, steps: int, clock: Clock) -> Any:
        """Give the port that sends what an edge brings ``steps`` later; one process for all.

        ``clock`` is the time in which the edge looks back.
        """
        port, back = self.sends[edge.source], edge.steps_back
        if steps == 0 == back:
            return port
        clock = clock if back else self.clock(edge.source)
        key = (edge.source, steps, back, clock)
        if key not in self.delays:
            past = f" without {back} steps from {clock.latency}" if back else ""
            late = processes.DelayProcess(
                channels=port.shape[0],
                steps=steps,
                silent=back,
                clock=clock,
                name=f"{edge.source} delayed by {steps}{past}",
            )
            port.connect(late.a_in)
            self.models[late] = models.DelayModel
            self.delays[key] = late.s_out
        return self.delays[key]


Parts = tuple[AbstractProcess, type[PyLoihiProcessModel], list[Any], Any]
"""A process, its model, its in ports and its out port."""


def _synapses(bench: _Bench, node: Synapses) -> Parts:
    """Stock Dense, exactly weight · x for every matrix of 8-bit weights.

    With mixed signs, Loihi's 8 bits are a sign and eight bits of magnitude, whose lowest is lost:
    doubled weights lose nothing, and the exponent -1 halves the (even) sum again. The sign mode is
    given, so that a matrix whose weights happen to be of one sign is encoded like all others.
    """
    (source,) = bench.job.network.sources(node)
    form = source.output  # type: ignore[attr-defined]  # lowered stage
    dense = Dense(
        weights=2 * node.weight.astype(np.int32),
        weight_exp=-1,
        num_weight_bits=8,
        sign_mode=SignMode.MIXED,
        num_message_bits=0 if form == SPIKE else form.bits,
        name=node.name,
    )
    return dense, PyDenseModelBitAcc, [dense.s_in], dense.a_out


def _shared_synapses(bench: _Bench, node: SharedSynapses) -> Parts:
    """Stock Conv, which has the maps last and turns kernels round.

    It does frames of one or two axes, padded alike at both ends, and clips its sums to 24 bits;
    what it cannot do runs on its program.
    """
    windows = node.windows
    axes = len(windows.size)
    if axes > 2 or windows.before != windows.after or node.output.bits > CONV_SUM_BITS:
        return _own(bench, node)
    from lava.proc.conv.models import PyConvModelFixed  # brings scipy.signal, a second of imports
    from lava.proc.conv.process import Conv

    flat = (1,) * (2 - axes)
    kernel = node.kernel.reshape(len(node.kernel), -1, *windows.kernel, *flat)
    (source,) = bench.job.network.sources(node)
    form = source.output  # type: ignore[attr-defined]  # lowered stage
    conv = Conv(
        weight=kernel.transpose(0, 2, 3, 1)[:, ::-1, ::-1].astype(np.int32),
        input_shape=(*windows.size, *flat, windows.maps),
        padding=(*windows.before, *(0,) * len(flat)),
        stride=(*windows.stride, *flat),
        dilation=(*windows.dilation, *flat),
        groups=windows.groups,
        num_message_bits=0 if form == SPIKE else form.bits,
        name=node.name,
    )
    sent = conv.a_out.transpose((2, 0, 1)).reshape((node.width,))
    return conv, PyConvModelFixed, [conv.s_in], sent


def _lif(bench: _Bench, node: LifSoma) -> Parts:
    clock = bench.clock(node.name)
    lif = LIFReset(
        shape=(node.width,),
        du=IMMEDIATE_CURRENT_DECAY,
        dv=node.decay,
        vth=node.threshold,
        reset_interval=clock.period,
        reset_offset=clock.reset_offset,
        name=node.name,
    )
    return lif, PyLifResetModelBitAcc, [lif.a_in], lif.s_out


def _own(bench: _Bench, node: IntegerNode) -> Parts:
    widths = [source.width for source in bench.job.network.sources(node)]
    steps = bench.job.inputs.shape[1]
    process = processes.ProgramProcess(
        node=node,
        widths=widths,
        clock=bench.clock(node.name),
        words=node.clock(Place(bench.job.lengths, steps), steps),
        pulse=bench.pulse,
    )
    receives = [getattr(process, f"in_{number}") for number in range(len(widths))]
    model = models.with_in_ports(models.ProgramModel, len(widths))
    return process, model, receives, process.s_out


_STOCK: Mapping[type[Node], Callable[[_Bench, Any], Parts]] = {
    Synapses: _synapses,
    SharedSynapses: _shared_synapses,
    LifSoma: _lif,
}

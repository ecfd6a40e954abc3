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
from snn_deploy.engines.lava.segments import Feed, Segment
from snn_deploy.ir.formats import SPIKE
from snn_deploy.ir.node import Node
from snn_deploy.nodes.base import IntegerNode
from snn_deploy.nodes.dendrite import Dendrite
from snn_deploy.nodes.gate import Gate
from snn_deploy.nodes.inputs import Input
from snn_deploy.nodes.lif import LifSoma
from snn_deploy.nodes.normalize import Normalize
from snn_deploy.nodes.pooling import Accumulator, RunningSum
from snn_deploy.nodes.requantize import Requantize
from snn_deploy.nodes.synapses import Synapses

__all__ = ["Wiring", "wire_segment"]

HOST = (processes.PlayerProcess, processes.RecorderProcess)
IMMEDIATE_CURRENT_DECAY = 4095  # with Loihi's fixed offset of 1: the whole current, each step

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
    for feed in segment.feeds:
        bench.play(feed)
    for node in segment.nodes:
        bench.add(node)
    recorder = bench.record()
    steps = len(job.inputs) * job.inputs.shape[1] + segment.delay
    return Wiring(recorder, bench.models, steps)


@dataclass
class _Bench:
    """A segment under construction; ``sends`` holds the out port of each node and feed."""

    job: Job
    segment: Segment
    folder: JobFolder
    pulse: Pulse
    models: Models = field(default_factory=dict)
    sends: dict[str | Feed, Any] = field(default_factory=dict)
    delayed: dict[tuple[str | Feed, int], Any] = field(default_factory=dict)

    def clock(self, name: str) -> Clock:
        sequences, period = self.job.inputs.shape[:2]
        return Clock(self.segment.latency[name], sequences, period)

    def play(self, feed: Feed) -> None:
        """Add the player of a recorded signal."""
        signal = self.folder.open_signal(self.job, feed.source)
        self.sends[feed] = self._player(
            feed.source, signal[:, ::-1] if feed.reversed_time else signal
        )

    def add(self, node: Node) -> None:
        """Add a node's process and connect it to what it reads."""
        if isinstance(node, Input):
            self.sends[node.name] = self._player(node.name, self.job.inputs)
            return
        process, model, receives, sends = _PROCESSES[type(node)](self, node)
        self.models[process] = model
        self.sends[node.name] = sends
        # Dense answers a step later of itself; all other processes at once
        realised = node.crossing if isinstance(node, Synapses) else 0
        for edge, port in zip(node.inputs, receives, strict=True):
            source = self.segment.feed_of(node, edge) or edge.source
            self._late(source, edge.delay - realised).connect(port)

    def record(self) -> AbstractProcess:
        """Add the recorder of all nodes that the job wants recorded."""
        recorded = [node for node in self.segment.nodes if node.name in self.job.recorded]
        tapes = [
            Tape(
                self.folder.fill_signal(self.job, node.name),
                self.clock(node.name),
                node.runs_backwards,
            )
            for node in recorded
        ]
        recorder = processes.RecorderProcess(
            widths=[node.width for node in recorded], tapes=tapes, pulse=self.pulse
        )
        for number, node in enumerate(recorded):
            self.sends[node.name].connect(getattr(recorder, f"in_{number}"))
        self.models[recorder] = models.with_in_ports(RecorderModel, len(recorded))
        return recorder

    def _player(self, name: str, signal: Any) -> Any:
        player = processes.PlayerProcess(signal=signal, clock=self.clock(name), name=name)
        self.models[player] = models.PlayerModel
        return player.s_out

    def _late(self, source: str | Feed, steps: int) -> Any:
        """Give the port that sends what ``source`` sent ``steps`` ago; one process for all."""
        if steps == 0:
            return self.sends[source]
        if (source, steps) not in self.delayed:
            port = self.sends[source]
            late = processes.DelayProcess(
                channels=port.shape[0], steps=steps, name=f"{port.process.name} delayed by {steps}"
            )
            port.connect(late.a_in)
            self.models[late] = models.DelayModel
            self.delayed[source, steps] = late.s_out
        return self.delayed[source, steps]


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


def _own(
    process: type[processes.NodeProcess], model: type[models.NodeModel]
) -> Callable[[_Bench, Any], Parts]:
    def make(bench: _Bench, node: IntegerNode) -> Parts:
        widths = [source.width for source in bench.job.network.sources(node)]
        made = process(
            node=node,
            widths=widths,
            clock=bench.clock(node.name),
            pulse=bench.pulse,
            **_extra(bench, node),
        )
        receives = [getattr(made, f"in_{number}") for number in range(len(widths))]
        return made, models.with_in_ports(model, len(widths)), receives, made.s_out

    return make


def _extra(bench: _Bench, node: IntegerNode) -> dict[str, Any]:
    if not isinstance(node, Accumulator):
        return {}
    lengths = bench.job.lengths
    every = np.full_like(lengths, bench.job.inputs.shape[1])
    return {"lengths": lengths if node.use_lengths else every}


_PROCESSES: Mapping[type[Node], Callable[[_Bench, Any], Parts]] = {
    Synapses: _synapses,
    LifSoma: _lif,
    Requantize: _own(processes.RelayProcess, models.RelayModel),
    Dendrite: _own(processes.DendriteProcess, models.DendriteModel),
    Gate: _own(processes.GateProcess, models.GateModel),
    Normalize: _own(processes.NormalizeProcess, models.NormalizeModel),
    Accumulator: _own(processes.AccumulatorProcess, models.AccumulatorModel),
    RunningSum: _own(processes.RunningSumProcess, models.RunningSumModel),
}

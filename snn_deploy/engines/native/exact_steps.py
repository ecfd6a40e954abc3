"""Nodes as the ``exact`` program runs them: in 64-bit integers, whatever their widths.

The plain way, a kernel a node, or the node's own program in numpy for the kinds that have none;
what the fast program cannot prove to be safe in its own arithmetic runs here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np

from snn_deploy import fixedpoint as fp
from snn_deploy.engines.native import exact_kernels as kernels
from snn_deploy.engines.native.plan import ChunkPosition
from snn_deploy.engines.result import IntArray
from snn_deploy.ir.node import Node
from snn_deploy.ir.program_step import ProgramStep, run_program
from snn_deploy.nodes.base import IntegerNode, Place, Rescale
from snn_deploy.nodes.dendrite import Dendrite
from snn_deploy.nodes.gate import Gate
from snn_deploy.nodes.inputs import Input
from snn_deploy.nodes.lif import LifSoma
from snn_deploy.nodes.normalize import Normalize
from snn_deploy.nodes.pooling import Accumulator, RunningSum
from snn_deploy.nodes.requantize import Requantize
from snn_deploy.nodes.synapses import Synapses

__all__ = ["Pool", "ProgramNode", "Step", "pool", "prepare"]

ENDLESS = 2**48  # steps of a sequence whose end nobody knows yet


class Step(Protocol):
    """One node on some samples: takes a chunk's inputs, gives output and clips.

    ``state`` is what it carries from chunk to chunk, by name, (samples, …) each; to go back to an
    earlier chunk, write into these arrays.
    """

    @property
    def state(self) -> Mapping[str, IntArray]: ...

    def __call__(self, sources: list[IntArray], at: ChunkPosition) -> tuple[IntArray, int]: ...


@dataclass(frozen=True)
class _Step:
    run: Callable[[list[IntArray], ChunkPosition], tuple[IntArray, int]]
    state: Mapping[str, IntArray] = field(default_factory=dict)

    def __call__(self, sources: list[IntArray], at: ChunkPosition) -> tuple[IntArray, int]:
        return self.run(sources, at)


def prepare(node: Any, samples: int) -> Step:
    """Make a node ready to run on some samples: on its kernel, or else on its program."""
    make = _STEPS.get(type(node), ProgramNode)
    return make(node, samples)


class ProgramNode:
    """A node that has no kernel: its program runs as on the reference engine."""

    def __init__(self, node: IntegerNode, samples: int) -> None:
        self._node, self._running = node, ProgramStep(node.program, samples)
        self.state = {name: word.copy() for name, word in self._running.words.items()}

    def __call__(self, sources: list[IntArray], at: ChunkPosition) -> tuple[IntArray, int]:
        self._running.words = {name: word.copy() for name, word in self.state.items()}
        lengths, every = np.where(at.last < 0, ENDLESS, at.last + 1)
        place = Place(lengths, int(every.max(initial=0)), at.start)
        clock = self._node.clock(place, sources[0].shape[1])
        backwards = self._node.runs_backwards
        y, clipped = run_program(
            self._node.program, sources, clock, backwards=backwards, step=self._running
        )
        for name, word in self._running.words.items():
            self.state[name][...] = word
        return y, clipped


def _integers(*arrays: Any) -> IntArray:
    """Stack parameters of one shape; one array stays as it is."""
    stacked = np.stack([np.asarray(a, dtype=np.int64) for a in arrays])
    return np.ascontiguousarray(stacked[0] if len(arrays) == 1 else stacked)


def _output(x: IntArray, width: int) -> IntArray:
    return np.empty((*x.shape[:2], width), dtype=np.int64)


def _rescaled(x: IntArray, rescale: Rescale, bits: int) -> tuple[IntArray, int]:
    y = np.empty_like(x)
    parameters = (_integers(p) for p in (rescale.mantissa, rescale.shift, rescale.bias))
    return y, kernels.rescale(x, *parameters, fp.limit_of(bits), y)


def _input(node: Input, samples: int) -> Step:
    return _Step(lambda sources, at: (sources[0], 0))


def _synapses(node: Synapses, samples: int) -> Step:
    weight = np.ascontiguousarray(node.weight.T.astype(np.int64))

    def step(sources: list[IntArray], at: ChunkPosition) -> tuple[IntArray, int]:
        y = _output(sources[0], node.width)
        kernels.add_synapses(sources[0], weight, y)
        return y, 0

    return _Step(step)


def _relay(node: Requantize, samples: int) -> Step:
    unity = np.ones(node.width, np.int32)
    nothing = np.zeros_like(unity)
    rescale = node.rescale or Rescale(unity, nothing.astype(np.int8), nothing, 2)

    def step(sources: list[IntArray], at: ChunkPosition) -> tuple[IntArray, int]:
        if node.align is not None:
            sources = [fp.signed_shift(x, by) for x, by in zip(sources, node.align, strict=True)]
        total = sources[0] if len(sources) == 1 else np.sum(sources, axis=0)
        return _rescaled(total, rescale, node.output.bits)

    return _Step(step)


def _normalize(node: Normalize, samples: int) -> Step:
    def step(sources: list[IntArray], at: ChunkPosition) -> tuple[IntArray, int]:
        z = fp.normalize(
            sources[0], node.align, node.epsilon, node.square_shift, node.reciprocal_bits
        )
        return _rescaled(z, node.rescale, node.output.bits)

    return _Step(step)


def _dendrite(node: Dendrite, samples: int) -> Step:
    bank = node.bank
    coefficients = _integers(bank.decay_real, bank.decay_imag, bank.readout_real, bank.readout_imag)
    shifts = _integers(bank.input_shift, bank.readout_shift)
    skip = _integers(node.skip_mantissa, node.skip_shift)
    u, v = np.zeros((2, samples, node.width, bank.modes), dtype=np.int64)

    def step(sources: list[IntArray], at: ChunkPosition) -> tuple[IntArray, int]:
        y = _output(sources[0], node.width)
        clipped = kernels.run_dendrite(
            sources[0],
            u,
            v,
            coefficients,
            shifts,
            skip,
            bank.decay_shift,
            node.drive_shift,
            fp.limit_of(bank.state_bits),
            node.output.limit,
            node.reversed_time,
            y,
        )
        return y, clipped

    return _Step(step, {"u": u, "v": v})


def _lif(node: LifSoma, samples: int) -> Step:
    membrane = np.zeros((samples, node.width), dtype=np.int64)
    kept = (1 << fp.DECAY_UNITY_BITS) - node.decay
    limit = fp.limit_of(fp.MEMBRANE_BITS)

    def step(sources: list[IntArray], at: ChunkPosition) -> tuple[IntArray, int]:
        y = np.empty_like(sources[0])
        return y, kernels.drive_soma(sources[0], membrane, node.threshold, kept, limit, y)

    return _Step(step, {"membrane": membrane})


def _gate(node: Gate, samples: int) -> Step:
    sigmoid = node.sigmoid
    table, out_shift = _integers(sigmoid.table), _integers(sigmoid.out_shift)

    def step(sources: list[IntArray], at: ChunkPosition) -> tuple[IntArray, int]:
        x, clipped = _rescaled(sources[0], node.rescale, node.value_bits)
        y = _output(x, node.width)
        limit = node.output.limit
        return y, clipped + kernels.gate(x, table, sigmoid.index_shift, out_shift, limit, y)

    return _Step(step)


def _running_sum(node: RunningSum, samples: int) -> Step:
    held = np.zeros((samples, node.width), dtype=np.int64)

    def step(sources: list[IntArray], at: ChunkPosition) -> tuple[IntArray, int]:
        running = np.cumsum(sources[0], axis=1) + held[:, None]
        held[...] = running[:, -1]
        return fp.saturate(fp.signed_shift(running, node.guard_bits), node.output.bits)

    return _Step(step, {"gathered": held})


class Pool:
    """The running sum, first and latest vector of each sequence; speaks at its last valid step."""

    def __init__(self, node: Accumulator, samples: int) -> None:
        self.node = node
        self.held = np.zeros((samples, node.width), dtype=np.int64)
        self.state = {"gathered": self.held}

    def __call__(self, sources: list[IntArray], at: ChunkPosition) -> tuple[IntArray, int]:
        x = sources[0]
        y = np.zeros_like(x)
        clipped = 0
        for b, last in enumerate(at.last[0 if self.node.use_lengths else 1]):
            self._gather(b, x[b, : max(last + 1 - at.start, 0)] if last >= 0 else x[b], at)
            if at.start <= last < at.start + x.shape[1]:
                pooled = pool(self.node, self.held[b], int(last) + 1)
                y[b, last - at.start], count = fp.saturate(pooled, self.node.output.bits)
                clipped += count
        return y, clipped

    def _gather(self, b: int, x: IntArray, at: ChunkPosition) -> None:
        if len(x) == 0:
            return
        if self.node.mode in ("mean", "sum"):
            self.held[b] += x.sum(axis=0)
        elif self.node.mode == "last":
            self.held[b] = x[-1]
        elif at.start == 0:
            self.held[b] = x[0]


def pool(node: Accumulator, held: IntArray, steps: int) -> IntArray:
    """Give what an accumulator says after ``steps`` valid steps, before saturation.

    ``held`` is the sum over them, or the first or last of them, as the node's mode says.
    """
    if node.mode == "mean":
        divisor = fp.reciprocal(steps, node.reciprocal_bits, node.headroom_bits, node.guard_bits)
        return fp.mean_from_sum(held, divisor)
    return fp.signed_shift(held, node.guard_bits)


_STEPS: dict[type[Node], Callable[[Any, int], Step]] = {
    Input: _input,
    Synapses: _synapses,
    Requantize: _relay,
    Dendrite: _dendrite,
    LifSoma: _lif,
    Gate: _gate,
    Accumulator: Pool,
    Normalize: _normalize,
    RunningSum: _running_sum,
}

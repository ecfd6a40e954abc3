"""What a process costs on a chip, and how that is counted from a neuron's program.

All channels of a process cost the same, so a cost is given for one channel, beside what every core
that holds any of its channels must store once (a table, a shared constant). Memory is counted in
bits, exactly as the node declares its widths; only a core's total is rounded up to bytes.
"""

from __future__ import annotations

import operator
from dataclasses import dataclass, field, replace

from snn_deploy.ir.program import OPERATIONS, Program, Value

__all__ = ["SUM_SLOTS", "UNIT_WEIGHT_BITS", "Memory", "NodeCost", "Runs", "program_cost"]

SUM_SLOTS = 2  # an accumulator fills for the next step while this step's is read
UNIT_WEIGHT_BITS = 8  # a synapse that only passes its message on
WORD_BITS = 24  # of a neuron's register: what is wider takes two, and twice the additions


@dataclass(frozen=True)
class Memory:
    """Bits by what they hold.

    ``weights`` of synapses; ``coefficients``: gains, decays, shifts, thresholds, biases;
    ``tables``; ``state`` that persists from step to step; ``accumulators`` of synaptic input, two
    slots each; ``delays``: signals that wait for a later step.
    """

    weights: int = 0
    coefficients: int = 0
    tables: int = 0
    state: int = 0
    accumulators: int = 0
    delays: int = 0

    def __add__(self, other: Memory) -> Memory:
        return Memory(*map(operator.add, self._parts, other._parts))

    def __mul__(self, times: int) -> Memory:
        return Memory(*(part * times for part in self._parts))

    @property
    def _parts(self) -> tuple[int, ...]:
        kinds = (self.weights, self.coefficients, self.tables)
        return (*kinds, self.state, self.accumulators, self.delays)

    @property
    def bits(self) -> int:
        """Sum of all."""
        return sum(self._parts)

    @property
    def bytes(self) -> int:
        """Sum of all, rounded up to whole bytes."""
        return -(-self.bits // 8)

    @property
    def synaptic_bytes(self) -> int:
        """What a chip keeps in its synaptic memory: the weights."""
        return -(-self.weights // 8)


@dataclass(frozen=True)
class Runs:
    """Memory that a core keeps once for each run of a process's channels of which it holds any.

    Parameters
    ----------
    memory
        Bits a run.
    channels
        How long a run is.
    times
        How many channels of the process there are for each that its cost is for: i, i + H, ….
    """

    memory: Memory = field(default_factory=Memory)
    channels: int = 1
    times: int = 1

    def held(self, all_channels: int, start: int = 0, stop: int | None = None) -> Memory:
        """Give what a core keeps that holds channels ``start`` … ``stop - 1`` of all."""
        stop = all_channels if stop is None else stop
        held = {
            run
            for first in range(start, self.times * all_channels, all_channels)
            for run in range(
                first // self.channels, (first + stop - start - 1) // self.channels + 1
            )
        }
        return self.memory * (len(held) if self.memory.bits else 0)

    def most_held(self, all_channels: int, count: int) -> Memory:
        """Give the most that a core can keep that holds ``count`` neighbouring channels."""
        touched = self.times * ((count + self.channels - 2) // self.channels + 1)
        return self.memory * min(touched, -(-self.times * all_channels // self.channels))


@dataclass(frozen=True)
class NodeCost:
    """Cost of one process.

    Parameters
    ----------
    channels
        How many channels the other figures are for one of.
    neurons
        Neurons a channel: 1 for each program that runs once a step; 0 for synapses, and for
        dendrites that lie within their soma's neuron.
    compartments
        Real compartments a channel: 2 for a complex mode.
    synapses, nonzero_synapses
        Connections of the whole process; and how many of them have a weight that is not zero.
    operations
        Instructions of the neuron's program in a channel and step, as ``ir/program.py`` counts
        them.
    macs
        How many of them are multiplications.
    own_messages, own_synops
        Messages within the process, a channel and step, and the synaptic operations they cause.
    memory, shared
        Bits a channel; bits a core that holds at least one channel.
    runs
        What neighbouring channels share.
    """

    channels: int
    neurons: int = 0
    compartments: int = 0
    synapses: int = 0
    nonzero_synapses: int = 0
    operations: int = 0
    macs: int = 0
    own_messages: int = 0
    own_synops: int = 0
    memory: Memory = field(default_factory=Memory)
    shared: Memory = field(default_factory=Memory)
    runs: Runs = field(default_factory=Runs)

    @property
    def total(self) -> Memory:
        """Bits of all channels, the shared ones once."""
        return self.memory * self.channels + self.shared + self.runs.held(self.channels)

    def within_a_neuron(self, compartments: int) -> NodeCost:
        """Give the same as a part of the neuron that it feeds."""
        return replace(self, neurons=0, compartments=compartments)


def program_cost(program: Program) -> NodeCost:
    """Count a program: instructions of a step, and the bits that it stores.

    What is worked out of parameters alone is worked out before, and costs nothing. What is computed
    only to be sent (``send_when``) is skipped in a step without a message, and not counted.
    """
    operations = macs = 0
    memory, shared = Memory(), Memory()
    needed = program.every_step
    for value in program:
        own, common = _parameter(value, program.width)
        memory, shared = memory + own, shared + common
        if value.constant or id(value) not in needed:
            continue
        operation, times = OPERATIONS[value.operation], _times(value)
        operations += len(operation.instructions) * times * _words(program, value)
        macs += operation.multiplies * times
    for word in program.words.values():
        memory += Memory(state=word.bits * _modes(word.value))
    return NodeCost(
        program.width, neurons=1, operations=operations, macs=macs, memory=memory, shared=shared
    )


def _times(value: Value) -> int:
    if value.operation == "sum_modes":
        return _modes(value.arguments[0])
    return _modes(value)


def _modes(value: Value) -> int:
    return 1 if value.modes is None else value.modes


def _words(program: Program, value: Value) -> int:
    """Count the registers that a word of state takes which this value becomes."""
    followed = [word.bits for word in program.words.values() if word.following is value]
    return -(-max(followed, default=1) // WORD_BITS) if value.operation == "add" else 1


def _parameter(value: Value, width: int) -> tuple[Memory, Memory]:
    """Give the bits of a parameter, of each channel and of each core."""
    if value.operation != "parameter":
        return Memory(), Memory()
    array, bits = value.content
    if array.ndim == 2:
        return Memory(coefficients=bits * array.shape[1]), Memory()
    if array.ndim == 0:
        return Memory(), Memory(coefficients=bits)
    if value.name.startswith("table"):
        return Memory(), Memory(tables=bits * len(array))
    return Memory(coefficients=bits), Memory()

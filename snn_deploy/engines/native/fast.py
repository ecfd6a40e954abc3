"""The ``fast`` program: some sequences on their way through a network, in doubles, exactly."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from snn_deploy.engines.native.fast_nodes import POOL_ROWS
from snn_deploy.engines.native.fast_program import FastProgram, SweepProgram
from snn_deploy.engines.native.fast_state import (
    read_past,
    read_rows,
    read_state,
    state_names,
    write_past,
    write_rows,
    write_state,
)
from snn_deploy.engines.native.operations import CLIPPING, run_operations
from snn_deploy.engines.native.packing import aligned, aligned_zeros, pitch_of
from snn_deploy.engines.native.plan import ChunkPosition, Plan
from snn_deploy.engines.native.vectors import LANES
from snn_deploy.engines.result import IntArray
from snn_deploy.engines.session import MESSAGES
from snn_deploy.ir.program_step import first_words
from snn_deploy.ir.sweeps import Sweep

__all__ = ["FastFlow", "Workspace"]

Reals = npt.NDArray[np.float64]
FLOAT_BITS = 25  # signed integers that a 32-bit float holds exactly


TILE_CACHE = 2**17  # bytes of a tile's signals: what stays in a core's own cache
MIN_TILE = 4  # steps


class Workspace:
    """What one core needs to run blocks of at most ``block`` steps of ``samples`` samples, whosever
    they are, and chunks of as many blocks as come.
    """

    def __init__(self, program: FastProgram, samples: int, block: int) -> None:
        self.block, self.rows = block, samples * block
        self.tile = max(TILE_CACHE // (8 * program.passing_size), MIN_TILE)
        self.passing = program.row_size * self.rows
        # an operation may read a vector that starts before the end
        self.signals = aligned_zeros(self.passing + program.passing_size * self.tile + LANES)
        numbers = {layout.modes.dtype.type for layout in program.layouts.values()}
        self.work = aligned_zeros(program.work_size) if np.float64 in numbers else None
        self.float_work = (
            aligned_zeros(program.work_size, np.float32) if np.float32 in numbers else None
        )
        self.values = program.values.copy()
        self.events = aligned_zeros(self.tile * (1 + program.widest + LANES), np.int32)
        self.incoming = aligned_zeros(LANES)

    def take_in(self, inputs: IntArray) -> None:
        """Hold a chunk's inputs ready as doubles, filled up to whole vectors."""
        samples, steps, width = inputs.shape
        size = samples * steps * pitch_of(width)
        if self.incoming.size < size:
            self.incoming = aligned_zeros(size)
        rows = self.incoming[:size].reshape(samples, steps, pitch_of(width))
        rows[:, :, :width] = inputs
        rows[:, :, width:] = 0.0


class FastFlow:
    """Some sequences, from their first step to where they are now.

    Parameters
    ----------
    plan, program
        Of the network.
    samples
        How many sequences.
    steps
        How many steps they have, for networks of more than one sweep.
    """

    def __init__(self, plan: Plan, program: FastProgram, samples: int, steps: int) -> None:
        self.plan, self.program, self.samples = plan, program, samples
        self._state = aligned_zeros(program.state_size * samples + LANES)
        for name in program.states:
            node: Any = plan.network[name]
            begins = any(np.any(word.start) for word in node.program.words.values())
            if program.layouts.get(name) is None and begins:  # not with the zeros that are there
                self._write(name, first_words(node.program, samples))
        self._clipped = [np.zeros(len(sweep.operations)) for sweep in program.sweeps]
        self._length = steps
        self._kept = aligned(program.kept_size * samples * steps + LANES, np.int32)

    def advance(
        self,
        sweep: Sweep,
        position: ChunkPosition,
        inputs: IntArray,
        watched: Mapping[str, IntArray],
        workspace: Workspace,
    ) -> None:
        """Run a sweep over the next chunk: see ``ExactFlow.advance``."""
        number = self.plan.sweeps.index(sweep)
        program, steps = self.program.sweeps[number], position.stop - position.start
        wanted = {name for name in watched if (name, 0) in program.slots}
        if not sweep.nodes[0].inputs:
            workspace.take_in(inputs)
        size = workspace.block if wanted else steps  # what is watched is looked at after each block
        firsts = range(0, steps, size)
        for first in reversed(firsts) if sweep.backwards else firsts:
            part = slice(first, min(first + size, steps))
            run_operations(
                program.operations,
                self.program.params,
                self.program.floats,
                self.program.weights,
                self.program.tables,
                self._state,
                self._state.view(np.float32),
                self._state.view(np.int64),
                workspace.work,
                workspace.float_work,
                workspace.values,
                workspace.events,
                workspace.signals,
                self._kept,
                workspace.incoming,
                _ends(position),
                self.samples,
                position.start,
                steps,
                part.start,
                part.stop,
                workspace.block,
                workspace.tile,
                sweep.backwards,
                self._length,
                workspace.rows,
                workspace.passing,
                self._clipped[number],
            )
            for name in wanted:
                signal = self._view(program, workspace, name, part.stop - part.start)
                watched[name][:, part] = signal[:, :, : watched[name].shape[2]]

    def _view(self, program: SweepProgram, workspace: Workspace, name: str, steps: int) -> Reals:
        """Give a node's signal in the current chunk, (samples, steps, pitch)."""
        pitch = pitch_of(self.plan.network[name].width)
        start = program.slots[name, 0] * workspace.rows
        flat = workspace.signals[start : start + self.samples * steps * pitch]
        return flat.reshape(self.samples, steps, pitch)

    def _rows(self, place: int, name: str) -> IntArray:
        return read_rows(
            self.plan.network[name].width, self._state[place * self.samples :], self.samples
        )

    def held(self, pool: str) -> IntArray:
        """What a pool has gathered, (samples, width)."""
        return self._rows(self.program.states[pool], pool)

    @property
    def messages(self) -> dict[str, IntArray]:
        """How many messages each counted node has sent, (samples, width)."""
        return {name: self._rows(place, name) for name, place in self.program.counts.items()}

    def state(self) -> dict[str, IntArray]:
        """Copy what is carried from chunk to chunk: see ``ExactFlow.state``."""
        carried = {f"{name}/{MESSAGES}": count for name, count in self.messages.items()}
        for name, place in self.program.states.items():
            packed = self._state[place * self.samples :]
            state = read_state(
                self.plan.network[name], packed, self.samples, self.program.layouts.get(name)
            )
            carried |= {f"{name}/{what}": array for what, array in state.items()}
        for name, place in self.program.pasts.items():
            width, packed = self.plan.network[name].width, self._state[place * self.samples :]
            past = read_past(width, self.plan.reach[name], packed, self.samples)
            carried[f"{name}/past"] = past
        return carried

    def restore(self, state: Mapping[str, IntArray]) -> None:
        """Go on from what :meth:`state` gave, here or in an ``ExactFlow``."""
        for name, place in self.program.counts.items():
            packed = self._state[place * self.samples :]
            write_rows(packed, self.samples, state[f"{name}/{MESSAGES}"])
        for name in self.program.states:
            names = state_names(self.plan.network[name])
            self._write(name, {what: state[f"{name}/{what}"] for what in names})
        for name, place in self.program.pasts.items():
            write_past(self._state[place * self.samples :], state[f"{name}/past"])

    def _write(self, name: str, state: Mapping[str, IntArray]) -> None:
        packed = self._state[self.program.states[name] * self.samples :]
        layout = self.program.layouts.get(name)
        write_state(self.plan.network[name], packed, self.samples, state, layout)

    @property
    def saturated(self) -> Counter[str]:
        """How many values were clipped, by node."""
        total: Counter[str] = Counter()
        for sweep, clipped in zip(self.program.sweeps, self._clipped, strict=True):
            for operation, owner, count in zip(
                sweep.operations, sweep.owners, clipped, strict=True
            ):
                node: Any = self.plan.network[owner]
                if operation["kind"] in CLIPPING and node.clips:
                    total[owner] += int(count)
        return total


def _ends(position: ChunkPosition) -> IntArray:
    """Give the step at which each kind of pool stops taking in, (kinds, samples)."""
    ends = np.empty((len(POOL_ROWS), position.last.shape[1]), dtype=np.int64)
    by_length, every = np.where(position.last < 0, position.stop, position.last + 1)
    ends[POOL_ROWS["by length"]] = by_length
    ends[POOL_ROWS["all"]] = every
    ends[POOL_ROWS["first"]] = 1
    return ends

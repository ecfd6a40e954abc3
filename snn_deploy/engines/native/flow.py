"""Some sequences on their way through a network."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from snn_deploy.engines.native.abi import KINDS, SweepTask, address
from snn_deploy.engines.native.assembly import Assembly, SweepProgram
from snn_deploy.engines.native.dendrite_layout import DendriteLayout
from snn_deploy.engines.native.emitters import POOL_ROWS
from snn_deploy.engines.native.flow_state import (
    read_past,
    read_rows,
    read_state,
    write_past,
    write_rows,
    write_state,
)
from snn_deploy.engines.native.library import load_target
from snn_deploy.engines.native.packing import SLACK, aligned, aligned_zeros, pitch_of
from snn_deploy.engines.native.plan import ChunkPosition, Plan
from snn_deploy.engines.result import IntArray
from snn_deploy.engines.session import MESSAGES
from snn_deploy.ir.program_step import first_words
from snn_deploy.ir.sweeps import Sweep
from snn_deploy.nodes.base import Place

__all__ = ["Flow", "Workspace"]

ENDLESS = 2**48  # steps of a sequence whose end nobody knows yet
TILE_CACHE = 2**17  # bytes of a tile's signals: what stays in a core's own cache
MIN_TILE = 4  # steps


class Workspace:
    """What one core needs to run blocks of at most ``block`` steps of ``samples`` samples, whosever
    they are, and chunks of as many blocks as come.
    """

    def __init__(self, program: Assembly, samples: int, block: int) -> None:
        self.block, self.rows = block, samples * block
        self.tile = max(TILE_CACHE // (8 * program.passing_size), MIN_TILE)
        self.passing = program.row_size * self.rows
        # an operation may read a vector that starts before the end
        size = self.passing + program.passing_size * self.tile + SLACK
        self.signals = aligned_zeros(size, program.number)
        self.work = aligned_zeros(program.work_size)
        self.values = program.values.copy()
        self.events = aligned_zeros(self.tile * (1 + program.widest + SLACK), np.int32)
        self.incoming = aligned_zeros(SLACK, program.number)
        self.fields = {
            name: address(getattr(self, name)) for name in ("work", "values", "events", "signals")
        }
        self.fields |= {"block": block, "tile": self.tile, "capacity": self.rows}
        self.fields |= {"passing": self.passing}

    def take_in(self, signals: list[IntArray], pitch: int) -> None:
        """Hold what comes in ready, side by side, each filled up to whole vectors."""
        samples, steps, _ = signals[0].shape
        size = samples * steps * pitch
        if self.incoming.size < size:
            self.incoming = aligned_zeros(size, self.incoming.dtype)
        rows, column = self.incoming[:size].reshape(samples, steps, pitch), 0
        for signal in signals:
            width = signal.shape[2]
            rows[:, :, column : column + width] = signal
            rows[:, :, column + width : column + pitch_of(width)] = 0
            column += pitch_of(width)


class Flow:
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

    def __init__(self, plan: Plan, program: Assembly, samples: int, steps: int) -> None:
        self.plan, self.program, self.samples = plan, program, samples
        self._run = load_target().run
        self._state = aligned_zeros(program.state_size * samples + SLACK, program.number)
        for name in program.states:
            node: Any = plan.network[name]
            begins = any(np.any(word.start) for word in node.program.words.values())
            if begins:  # not with the zeros that are there
                self._write(name, first_words(node.program, samples))
        self._clipped = [np.zeros(len(s.operations), np.int64) for s in program.sweeps]
        self._kept = aligned(program.kept_size * samples * steps + SLACK, program.kept_number)
        self._tasks = [
            self._prepare(sweep.backwards, part, clipped, steps)
            for sweep, part, clipped in zip(plan.sweeps, program.sweeps, self._clipped, strict=True)
        ]

    def _prepare(
        self, backwards: bool, part: SweepProgram, clipped: IntArray, steps: int
    ) -> SweepTask:
        """Give what a sweep's tasks have in common."""
        shared = {
            name: address(getattr(self.program, name))
            for name in ("params", "floats", "weights", "tables")
        }
        return SweepTask(
            operations=address(part.operations),
            count=len(part.operations),
            state=address(self._state),
            kept=address(self._kept),
            clipped=address(clipped),
            samples=self.samples,
            backwards=backwards,
            length=steps,
            incoming_pitch=part.incoming_pitch,
            integers=self.program.integers,
            **shared,
        )

    def advance(
        self,
        sweep: Sweep,
        position: ChunkPosition,
        inputs: IntArray,
        watched: Mapping[str, IntArray],
        workspace: Workspace,
    ) -> None:
        """Run a sweep over the next chunk.

        Parameters
        ----------
        sweep, position
            Of the plan; chunks come in the sweep's order.
        inputs
            The network's input in these steps, (samples, steps, width).
        watched
            By name, where the output of a watched node is written; the same shape.
        workspace
            Of the core that does it.
        """
        number = self.plan.sweeps.index(sweep)
        part, steps = self.program.sweeps[number], position.stop - position.start
        wanted = {name for name in watched if (name, 0) in part.slots}
        if part.entering:
            workspace.take_in(self._entering(part, position, inputs), part.incoming_pitch)
        ends = _ends(position)
        task = SweepTask.from_buffer_copy(self._tasks[number])
        for field, value in workspace.fields.items():
            setattr(task, field, value)
        task.incoming, task.ends = address(workspace.incoming), address(ends)
        task.start, task.whole = position.start, steps
        size = workspace.block if wanted else steps  # what is watched is looked at after each block
        firsts = range(0, steps, size) if steps else range(0)
        for first in reversed(firsts) if sweep.backwards else firsts:
            task.begin, task.end = first, min(first + size, steps)
            self._run(task)
            for name in wanted:
                signal = self._view(part, workspace, name, task.end - task.begin)
                into = watched[name][:, task.begin : task.end]
                into[...] = signal[:, :, : into.shape[2]]

    def _entering(
        self, part: SweepProgram, position: ChunkPosition, inputs: IntArray
    ) -> list[IntArray]:
        """Give what comes in: the network's input, and words of the sequence."""
        steps, signals = position.stop - position.start, []
        lengths, every = np.where(position.last < 0, ENDLESS, position.last + 1)
        place = Place(lengths, int(every.max(initial=0)), position.start)
        for name, word in part.entering:
            node: Any = self.plan.network[name]
            signals.append(inputs if word is None else node.clock(place, steps)[word])
        return signals

    def _view(
        self, program: SweepProgram, workspace: Workspace, name: str, steps: int
    ) -> npt.NDArray[Any]:
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
        """Copy what is carried from chunk to chunk: by ``node/what``, (samples, …) each."""
        carried = {f"{name}/{MESSAGES}": count for name, count in self.messages.items()}
        for name, place in self.program.states.items():
            packed = self._state[place * self.samples :]
            node, form = self.plan.network[name], self._form(name)
            state = read_state(node, packed, self.samples, *form)
            carried |= {f"{name}/{what}": array for what, array in state.items()}
        for name, place in self.program.pasts.items():
            width, packed = self.plan.network[name].width, self._state[place * self.samples :]
            past = read_past(width, self.plan.reach[name], packed, self.samples)
            carried[f"{name}/past"] = past
        return carried

    def restore(self, state: Mapping[str, IntArray]) -> None:
        """Go on from what :meth:`state` gave."""
        for name, place in self.program.counts.items():
            packed = self._state[place * self.samples :]
            write_rows(packed, self.samples, state[f"{name}/{MESSAGES}"])
        for name in self.program.states:
            node: Any = self.plan.network[name]
            self._write(name, {what: state[f"{name}/{what}"] for what in node.program.words})
        for name, place in self.program.pasts.items():
            write_past(self._state[place * self.samples :], state[f"{name}/past"])

    def _write(self, name: str, state: Mapping[str, IntArray]) -> None:
        packed = self._state[self.program.states[name] * self.samples :]
        write_state(self.plan.network[name], packed, self.samples, state, *self._form(name))

    def _form(self, name: str) -> tuple[bool, DendriteLayout | None]:
        """Tell how a node's state is packed."""
        return name in self.program.in_rows, self.program.layouts.get(name)

    @property
    def saturated(self) -> Counter[str]:
        """How many values were clipped, by node."""
        total: Counter[str] = Counter()
        for sweep, clipped in zip(self.program.sweeps, self._clipped, strict=True):
            for operation, owner, count in zip(
                sweep.operations, sweep.owners, clipped, strict=True
            ):
                node: Any = self.plan.network[owner]
                if operation["kind"] != KINDS["pool"] and node.clips:
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

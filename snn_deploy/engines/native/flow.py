"""Some sequences on their way through a network."""

from __future__ import annotations

from collections.abc import Mapping
from ctypes import addressof, byref
from functools import lru_cache
from typing import Any

import numpy as np

from snn_deploy.engines.native.abi import (
    Port,
    Scratch,
    SweepTask,
    address,
    turns_size,
)
from snn_deploy.engines.native.carried import Carried
from snn_deploy.engines.native.packing import SLACK, aligned, aligned_zeros
from snn_deploy.engines.native.plan import REMEMBERED, Plan
from snn_deploy.engines.native.program import Assembly
from snn_deploy.engines.result import IntArray
from snn_deploy.engines.session import MESSAGES
from snn_deploy.nodes.base import Place

__all__ = ["Flow", "Workspace", "Workspaces"]

ENDLESS = 2**48  # steps of a sequence whose end nobody knows yet
TILE_CACHE = 2**17  # bytes of a tile's signals: what stays in a core's own cache
MIN_TILE = 4  # steps
WORTH_KEEPING = 2**20  # bytes of signals at most: larger ones are soon paid for
NOWHERE = np.zeros((0, 0, 0), dtype=np.int64)  # where a signal goes that nobody wants


class Workspace:
    """What one core needs to run blocks of at most ``block`` steps of ``samples`` samples, whosever
    they are.
    """

    def __init__(self, program: Assembly, samples: int, block: int) -> None:
        self.tile = min(max(TILE_CACHE // (8 * program.passing_size), MIN_TILE), block)
        rows = samples * block
        passing = program.row_size * rows
        # an operation may read a vector that starts before the end
        size = passing + program.passing_size * self.tile + SLACK
        self.signals = aligned(size, program.number)
        self.work = aligned(program.work_size)
        self.values = program.values.copy()
        self.events = aligned(self.tile * (1 + program.widest + SLACK), np.int32)
        arrays = self.work, self.values, self.events, self.signals
        self.scratch = byref(Scratch(*map(address, arrays), rows, passing, self.tile))


class Workspaces:
    """Those of a run, a core each. When it is over the next one of its shape takes them: to get new
    memory from the system takes about as long as a short sequence.
    """

    def __init__(self, program: Assembly, samples: int, block: int) -> None:
        self._shape = program, samples, block
        self._spare = _spare_workspaces(*self._shape)
        self._own: list[Workspace] = []

    def take(self, count: int) -> list[Workspace]:
        """Give the first ``count``."""
        while len(self._own) < count:
            self._own.append(self._take_one())
        return self._own[:count]

    def _take_one(self) -> Workspace:
        try:
            return self._spare.pop()
        except IndexError:  # there is none, or another thread was faster
            return Workspace(*self._shape)

    def __del__(self) -> None:
        self._spare += [own for own in self._own if own.signals.nbytes <= WORTH_KEEPING]


@lru_cache(maxsize=REMEMBERED)
def _spare_workspaces(program: Assembly, samples: int, block: int) -> list[Workspace]:
    """Keep those that no run has now."""
    return []


class Flow:
    """Some sequences, from their first step to where they are now.

    Parameters
    ----------
    plan, program
        Of the network.
    last
        (2, samples): each sequence's last valid step for a pool that heeds lengths, and for one
        that does not. Negative where it is not known yet: then all steps are valid.
    steps
        How many steps they have, for networks of more than one sweep.
    """

    def __init__(self, plan: Plan, program: Assembly, last: IntArray, steps: int) -> None:
        self.plan, self.program, self.samples = plan, program, last.shape[1]
        self._last = np.ascontiguousarray(last)
        self._state = aligned_zeros(program.state_size * self.samples + SLACK, program.number)
        for carried in program.carried:
            if carried.start is not None:
                self._write(carried, carried.start)
        self.clipped = [np.zeros(len(s.operations), np.int64) for s in program.sweeps]
        """By sweep: how many values each operation clipped."""
        size = program.kept_size * self.samples * steps + SLACK
        self._kept = aligned(size, program.kept_number)
        self._ports = [
            (Port * (len(part.entering) + len(part.leaving)))() for part in program.sweeps
        ]
        self._turns = [
            np.zeros(turns_size(len(part.operations)), np.int64) for part in program.sweeps
        ]
        self._signals: list[IntArray] = []
        self.tasks = [self._prepare(number, steps) for number in range(len(program.sweeps))]
        """What the library carries out, by sweep."""

    def _prepare(self, number: int, steps: int) -> SweepTask:
        """Give what a sweep's chunks have in common."""
        task = SweepTask.from_buffer_copy(self.program.tasks[number])
        task.state, task.kept, task.last = map(address, (self._state, self._kept, self._last))
        task.clipped, task.ports = address(self.clipped[number]), addressof(self._ports[number])
        task.samples, task.length = self.samples, steps
        return task

    def prepare(
        self,
        number: int,
        start: int,
        inputs: IntArray,
        watched: Mapping[str, IntArray],
        rows: slice,
        block: int,
        shared: bool,
    ) -> None:
        """Let a sweep's task stand for the next chunk; chunks come in the sweep's order.

        Parameters
        ----------
        number
            Of the sweep.
        start, inputs
            The chunk's first step, and the network's input in it, (samples, steps, width).
        watched, rows
            By name, where the output of a watched node is written: in some rows.
        block
            How many steps go through all operations at a time.
        shared
            Whether several threads will run the task, side by side.
        """
        part, task = self.program.sweeps[number], self.tasks[number]
        task.start, task.steps, task.block = start, inputs.shape[1], block
        signals = [self._entering(what, start, inputs) for what in part.entering]
        signals += [watched[n][rows] if n in watched else NOWHERE for n in part.leaving]
        for port, signal in zip(self._ports[number], signals, strict=True):
            port.at, port.width = address(signal), signal.shape[2]
            port.sample, port.step, _ = signal.strides
        self._signals = signals  # which must live as long as the task points to them
        task.turns = None
        if shared:
            self._turns[number][:] = 0
            task.turns = address(self._turns[number])

    def prepare_again(self, number: int, start: int) -> bool:
        """Let a sweep's task stand for a chunk that is where the one before it was; give whether
        that is all there is to it: words of the sequence are others at each step.
        """
        self.tasks[number].start = start
        return not self.program.sweeps[number].clocked

    def _entering(self, what: tuple[str, str | None], start: int, inputs: IntArray) -> IntArray:
        """Give what comes in: the network's input, or a word of the sequence."""
        name, word = what
        signal = inputs
        if word is not None:
            node: Any = self.plan.network[name]
            lengths, every = np.where(self._last < 0, ENDLESS, self._last + 1)
            place = Place(lengths, int(every.max(initial=0)), start)
            signal = node.clock(place, inputs.shape[1])[word]
        whole = signal.strides[2] == signal.itemsize and signal.dtype == np.int64
        return signal if whole else np.ascontiguousarray(signal, dtype=np.int64)

    def _read(self, carried: Carried) -> dict[str, IntArray]:
        return carried.form.read(self._state[carried.place * self.samples :], self.samples)

    def held(self, pool: str) -> IntArray:
        """What a pool has gathered, (samples, width)."""
        (carried,) = (c for c in self.program.carried if c.owner == pool)
        (word,) = self._read(carried).values()
        return word

    @property
    def messages(self) -> dict[str, IntArray]:
        """How many messages each counted node has sent, (samples, width)."""
        carried = (c for c in self.program.carried if MESSAGES in c.form.names)
        return {c.owner: self._read(c)[MESSAGES] for c in carried}

    def state(self) -> dict[str, IntArray]:
        """Copy what is carried from chunk to chunk: by ``node/what``, (samples, …) each."""
        carried = ((c.owner, self._read(c)) for c in self.program.carried)
        return {f"{name}/{what}": word for name, read in carried for what, word in read.items()}

    def restore(self, state: Mapping[str, IntArray]) -> None:
        """Go on from what :meth:`state` gave."""
        for carried in self.program.carried:
            words = {what: state[f"{carried.owner}/{what}"] for what in carried.form.names}
            self._write(carried, words)

    def _write(self, carried: Carried, words: Mapping[str, IntArray]) -> None:
        packed = self._state[carried.place * self.samples :]
        carried.form.write(packed, self.samples, words)

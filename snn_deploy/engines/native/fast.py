"""The ``fast`` program: some sequences on their way through a network, in doubles, exactly."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from snn_deploy.engines.native.fast_nodes import POOL_ROWS
from snn_deploy.engines.native.fast_program import FastProgram, SweepProgram
from snn_deploy.engines.native.fast_state import (
    STATES,
    read_rows,
    read_state,
    write_rows,
    write_state,
)
from snn_deploy.engines.native.operations import CLIPPING, run_operations
from snn_deploy.engines.native.packing import aligned_zeros, pitch_of
from snn_deploy.engines.native.plan import MESSAGES, Moment, Plan
from snn_deploy.engines.native.schedule import Sweep
from snn_deploy.engines.native.vectors import LANES
from snn_deploy.engines.result import IntArray

__all__ = ["FastFlow", "Workspace"]

Reals = npt.NDArray[np.float64]
FLOAT_BITS = 25  # signed integers that a 32-bit float holds exactly


class Workspace:
    """What one core needs to run chunks of at most ``rows`` rows, whosever they are."""

    def __init__(self, program: FastProgram, rows: int) -> None:
        self.rows = rows
        # an operation may read a vector that starts before the end
        self.signals = aligned_zeros(program.row_size * rows + LANES)
        self.work = aligned_zeros(program.work_size)


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
        self._clipped = [np.zeros(len(sweep.operations)) for sweep in program.sweeps]
        self._length = steps
        self._kept = aligned_zeros(program.kept_size * samples * steps + LANES, np.int32)

    def advance(
        self,
        sweep: Sweep,
        moment: Moment,
        inputs: IntArray,
        watched: Mapping[str, IntArray],
        workspace: Workspace,
    ) -> None:
        """Run a sweep over the next chunk: see ``ExactFlow.advance``."""
        number = self.plan.sweeps.index(sweep)
        program, steps = self.program.sweeps[number], moment.stop - moment.start
        if not sweep.nodes[0].inputs:
            signal = self._view(program, workspace, sweep.nodes[0].name, steps)
            signal[:, :, : inputs.shape[2]] = inputs
            signal[:, :, inputs.shape[2] :] = 0.0
        run_operations(
            program.operations,
            self.program.params,
            self.program.weights,
            self.program.tables,
            self._state,
            workspace.work,
            workspace.signals,
            self._kept,
            _valid_steps(moment),
            self.samples,
            moment.start,
            steps,
            self._length,
            workspace.rows,
            self._clipped[number],
        )
        for name in watched.keys() & program.slots.keys():
            signal = self._view(program, workspace, name, steps)
            watched[name][...] = signal[:, :, : watched[name].shape[2]]

    def _view(self, program: SweepProgram, workspace: Workspace, name: str, steps: int) -> Reals:
        """Give a node's signal in the current chunk, (samples, steps, pitch)."""
        pitch = pitch_of(self.plan.network[name].width)
        start = program.slots[name] * workspace.rows
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
            state = read_state(self.plan.network[name], packed, self.samples)
            carried |= {f"{name}/{what}": array for what, array in state.items()}
        return carried

    def restore(self, state: Mapping[str, IntArray]) -> None:
        """Go on from what :meth:`state` gave, here or in an ``ExactFlow``."""
        for name, place in self.program.counts.items():
            packed = self._state[place * self.samples :]
            write_rows(packed, self.samples, state[f"{name}/{MESSAGES}"])
        for name, place in self.program.states.items():
            packed = self._state[place * self.samples :]
            own = {what: state[f"{name}/{what}"] for what in STATES[type(self.plan.network[name])]}
            write_state(self.plan.network[name], packed, self.samples, own)

    @property
    def saturated(self) -> Counter[str]:
        """How many values were clipped, by node."""
        total: Counter[str] = Counter()
        for sweep, clipped in zip(self.program.sweeps, self._clipped, strict=True):
            for operation, owner, count in zip(
                sweep.operations, sweep.owners, clipped, strict=True
            ):
                if operation["kind"] in CLIPPING:
                    total[owner] += int(count)
        return total


def _valid_steps(moment: Moment) -> IntArray:
    """Count the steps of a chunk that each kind of pool takes in, (kinds, samples)."""
    steps = moment.stop - moment.start
    ends = np.where(moment.last < 0, moment.stop, np.minimum(moment.last + 1, moment.stop))
    by_length, every = np.clip(ends - moment.start, 0, steps)
    first = np.full_like(every, 1 if moment.start == 0 else 0)
    valid = np.empty((len(POOL_ROWS), len(every)), dtype=np.int64)
    valid[POOL_ROWS["by length"]] = by_length
    valid[POOL_ROWS["all"]] = every
    valid[POOL_ROWS["first"]] = first
    return valid

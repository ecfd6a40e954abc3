"""Sequences on their way through a network, chunk by chunk, on all cores."""

from __future__ import annotations

import ctypes
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from functools import lru_cache, partial
from itertools import pairwise

import numpy as np

from snn_deploy.engines.native.abi import SweepTask
from snn_deploy.engines.native.assembly import assemble
from snn_deploy.engines.native.closing import Closing, close
from snn_deploy.engines.native.flow import Flow, Workspaces
from snn_deploy.engines.native.library import load_target
from snn_deploy.engines.native.plan import REMEMBERED, Plan
from snn_deploy.engines.native.threads import run_together, thread_count
from snn_deploy.engines.result import IntArray
from snn_deploy.ir.sweeps import Sweep
from snn_deploy.nodes.dendrite import Dendrite
from snn_deploy.nodes.pooling import Accumulator

__all__ = ["SweepRunner", "batch_samples"]

BATCH_BYTES = 256 * 2**20  # of states, and of sequences that are stored between sweeps
CHUNK_STEPS = 1024  # between two looks at the world outside: of a few samples, up to
CHUNK_ROWS = 4096  # steps of all samples, as long as their inputs are
CHUNK_BYTES = 2**24  # at the most
BLOCK_CACHE = 2**18  # bytes of a block's signals: what stays in a core's cache
MIN_STEPS, MAX_STEPS = 64, 256  # of a block
TILE_SAMPLES, FEW_SAMPLES = 8, 4  # at most and at least, as a batch has them
NEAR_CACHE = 2**19  # bytes of signals of the shortest blocks, beyond which a tile has few samples
WORTH_SHARING = 2**21  # numbers to compute: some 0.3 ms; to wake a thread takes a fourth of it
BLOCKS_A_CORE = 4  # at least, so that no core waits long for the last ones


class SweepRunner:
    """A batch on its way through a plan's sweeps, in tiles of a few samples, on all cores.

    Parameters
    ----------
    plan
        Of the network.
    samples
        Sequences, B.
    lengths
        Valid steps (B,) of each sequence, or None: all.
    steps
        Steps of the whole sequence, or None where nobody knows yet.
    watched
        Names of the nodes that ``advance`` may be asked to write.
    """

    def __init__(
        self,
        plan: Plan,
        samples: int,
        lengths: IntArray | None,
        steps: int | None,
        watched: Collection[str],
    ) -> None:
        self.plan = plan
        self._last = np.full((2, samples), -1 if steps is None else steps - 1, dtype=np.int64)
        if lengths is not None:
            self._last[0] = lengths - 1
        self._cores = thread_count()
        self._program = program = assemble(plan, frozenset(watched))
        near = NEAR_CACHE // (8 * program.row_size * MIN_STEPS)
        self._tiles = _split(samples, self._cores, min(max(near, FEW_SAMPLES), TILE_SAMPLES))
        most = max(tile.stop - tile.start for tile in self._tiles)
        self._flows = [Flow(plan, program, self._last[:, t], steps or 0) for t in self._tiles]
        fitting = BLOCK_CACHE // (8 * program.row_size * most)
        self.block_steps = min(max(fitting, MIN_STEPS), MAX_STEPS, steps or MAX_STEPS)
        entering = 8 * samples * plan.network.input.width
        fitting = min(max(CHUNK_ROWS // samples, CHUNK_STEPS), CHUNK_BYTES // entering)
        self.chunk_steps = max(fitting, self.block_steps)
        self._workspaces = Workspaces(program, most, self.block_steps)
        tasks = ctypes.POINTER(SweepTask) * len(self._flows)
        self._tasks = [
            tasks(*(ctypes.pointer(flow.tasks[number]) for flow in self._flows))
            for number in range(len(plan.sweeps))
        ]
        self._run = load_target().run
        self._prepared: dict[tuple[int, int], list[Callable[[], None]]] = {}
        self._given: tuple[int, IntArray | None, Mapping[str, IntArray]] = -1, None, {}

    def advance(
        self, sweep: Sweep, start: int, inputs: IntArray, watched: Mapping[str, IntArray]
    ) -> None:
        """Run a sweep over the next chunk, on as many cores as that is worth.

        Parameters
        ----------
        sweep
            Of the plan; chunks come in its order.
        start, inputs
            The chunk's first step, and the network's input in it, (samples, steps, width).
        watched
            By name, where the output of a watched node is written; the same shape.

        The same two objects as before are another chunk at the same place (then int64, and whole):
        to tell the library where a single step is would take as long as to compute it.
        """
        number = self.plan.sweeps.index(sweep)
        team, block = self._share_out(inputs.shape[1])
        given = self._given
        again = team == 1 and number == given[0] and inputs is given[1] and watched is given[2]
        for tile, flow in zip(self._tiles, self._flows, strict=True):
            if not (again and flow.prepare_again(number, start)):
                flow.prepare(number, start, inputs[tile], watched, tile, block, team > 1)
        self._given = number, inputs, watched
        run_together(self._works(number, team))

    def _works(self, number: int, team: int) -> Sequence[Callable[[], None]]:
        """Give what each core of a team does: it begins elsewhere, and then helps the others."""
        if (number, team) not in self._prepared:
            tasks = self._tasks[number]
            firsts = [core * len(tasks) // team for core in range(team)]
            self._prepared[number, team] = [
                partial(self._run, tasks, len(tasks), first, workspace.scratch)
                for first, workspace in zip(firsts, self._workspaces.take(team), strict=True)
            ]
        return self._prepared[number, team]

    def _share_out(self, steps: int) -> tuple[int, int]:
        """Give how many cores run a chunk, and how many steps of it go through at a time."""
        if self._program.effort * steps * self._last.shape[1] < WORTH_SHARING:
            return 1, self.block_steps
        shares = -(-steps * len(self._flows) // (self._cores * BLOCKS_A_CORE))
        block = min(self.block_steps, max(-(-shares // MIN_STEPS) * MIN_STEPS, MIN_STEPS))
        return min(self._cores, len(self._flows) * -(-steps // block)), block

    def close(self, steps: int) -> Closing:
        """Compute what is said once a sequence, after ``steps`` steps."""
        speaks = np.full(self._last.shape[1], steps - 1, dtype=np.int64)
        pools = [node for node in self.plan.closing if isinstance(node, Accumulator)]
        if any(pool.use_lengths for pool in pools):
            speaks = np.where(self._last[0] >= 0, np.minimum(self._last[0], steps - 1), speaks)
        held = {p.name: np.concatenate([f.held(p.name) for f in self._flows]) for p in pools}
        return close(self.plan.closing, held, speaks, steps)

    def messages(self) -> dict[str, IntArray]:
        """Count the messages so far of the plan's counted nodes, (B, width) each."""
        parts = [flow.messages for flow in self._flows]
        return {name: np.concatenate([p[name] for p in parts]) for name in self.plan.counted}

    def state(self) -> dict[str, IntArray]:
        """Copy what is carried from chunk to chunk: by ``node/what``, (B, …) each."""
        parts = [flow.state() for flow in self._flows]
        return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}

    def restore(self, state: Mapping[str, IntArray]) -> None:
        """Go on from what :meth:`state` gave, however that batch was cut into tiles."""
        for tile, flow in zip(self._tiles, self._flows, strict=True):
            flow.restore({name: array[tile] for name, array in state.items()})

    def saturated(self) -> Counter[str]:
        """Count the values clipped so far in the nodes of the sweeps."""
        total: Counter[str] = Counter()
        for number, sweep in enumerate(self._program.sweeps):
            for clipped in (flow.clipped[number].tolist() for flow in self._flows):
                for operation, owner in sweep.clipping:
                    total[owner] += clipped[operation]
        return total


def _split(samples: int, cores: int, most: int) -> list[slice]:
    """Cut a batch into tiles: as many for each core, of even size since samples go in pairs."""
    count = cores * -(-samples // (cores * most))
    bounds = [min(-(-samples * tile // count) + 1 & ~1, samples) for tile in range(count)]
    tiles = [slice(a, b) for a, b in pairwise([*bounds, samples])]
    return [tile for tile in tiles if tile.stop > tile.start]


def batch_samples(plan: Plan, steps: int) -> int:
    """Give how many samples to take at once, so that states and stored sequences fit in memory: as
    many as make whole tiles on all cores.
    """
    states, stored = _held(plan)
    whole = thread_count() * TILE_SAMPLES
    fitting = BATCH_BYTES // (8 * states + 4 * stored * steps + 1)  # sequences are of 32 bits
    return max(fitting - fitting % whole, whole)


@lru_cache(maxsize=REMEMBERED)
def _held(plan: Plan) -> tuple[int, int]:
    """Count a sample's numbers in dendrites, and those of a step that are kept between sweeps."""
    states: int = sum(2 * node.width * node.bank.modes for node in plan.network.of_kind(Dendrite))
    kept = (plan.network[name].width for sweep in plan.sweeps for name in sweep.keeps)
    return states, sum(kept)

"""The native engine: whole batches through any lowered network."""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Iterator
from functools import lru_cache

import numpy as np

from snn_deploy.engines.host import check_mantissas
from snn_deploy.engines.native.library import load_target
from snn_deploy.engines.native.plan import Plan, plan_network
from snn_deploy.engines.native.session import SweepRunner, batch_samples
from snn_deploy.engines.native.stream import NativeSession
from snn_deploy.engines.reference import ReferenceEngine
from snn_deploy.engines.result import IntArray, Result, Run
from snn_deploy.engines.session import Session, Watch, WholeEngine
from snn_deploy.errors import BackendUnavailableError, SnnDeployWarning
from snn_deploy.ir.network import Network
from snn_deploy.ir.sweeps import Sweep

__all__ = ["NativeEngine"]


class NativeEngine(WholeEngine):
    """Runs a network in chunks of time, so that memory does not grow with a causal one's length.

    What does grow: what was asked for (traces, the answer at every step), and for networks that
    read time backwards the sequences stored between sweeps, of a few samples at a time.
    """

    name = "native"
    streams = True

    def open_one(self, network: Network, watch: Watch) -> Session:
        """Begin a stream of a causal network, or a run of whole sequences through any."""
        if not _library_is_there():
            return ReferenceEngine().open(network, watch)
        if watch.steps is not None:
            return super().open_one(network, watch)
        return NativeSession(network, watch)

    def compute(self, network: Network, run: Run) -> Result:
        """Run mantissas ``run.inputs`` (B, L, d_input) through the network.

        Raises
        ------
        DataError
            If the inputs have another width, or mantissas beyond the input's format.
        """
        check_mantissas(network, run.inputs, len(run.inputs))
        return _Collector(plan_network(network), run).run()


@lru_cache(maxsize=1)
def _library_is_there() -> bool:
    """Tell whether there is compiled code to run; if not, say so, once, and who runs instead."""
    try:
        load_target()
    except BackendUnavailableError as error:
        told = f"{error}; until then the reference engine runs in its place, much slower"
        warnings.warn(told, SnnDeployWarning, stacklevel=1)
        return False
    return True


class _Collector:
    """Runs as many sequences at once as fit in memory, and gathers what the result asks for."""

    def __init__(self, plan: Plan, run: Run) -> None:
        self.plan, self.batch = plan, run
        self.samples, self.steps, _ = run.inputs.shape
        self.output = plan.network.output.name
        self.record = run.record
        self.recorded = frozenset(run.trace if run.record else ())
        kept = set(run.trace) - self.recorded
        self.trace = {name: self._empty(name, self.steps) for name in kept}
        self.spoken = self.output in {node.name for node in plan.closing}
        self.answers_from = 0
        if self.output not in self.trace and not self.spoken:
            self.answers_from = plan.network.answer.begins(run.lengths, self.steps)
        self.answers: list[IntArray] = []
        self.messages: list[dict[str, IntArray]] = []
        self.saturated: Counter[str] = Counter()

    def _empty(self, name: str, steps: int) -> IntArray:
        width = self.plan.host.network[name].width
        return np.empty((self.samples, steps, width), dtype=np.int64)

    def run(self) -> Result:
        size = batch_samples(self.plan, self.steps)
        for first in range(0, self.samples, size):
            self._run_rows(slice(first, min(first + size, self.samples)))
        return Result(
            output=np.concatenate(self.answers),
            messages={
                name: np.concatenate([part[name] for part in self.messages])
                for name in self.messages[0]
            },
            saturated=dict(self.saturated),
            trace=self.trace,
        )

    def _run_rows(self, rows: slice) -> None:
        lengths = self.batch.lengths[rows]
        names = {*self.trace, *self.recorded, self.output}
        runner = SweepRunner(self.plan, len(lengths), lengths, self.steps, names)
        signals = {name: signal[rows] for name, signal in self.trace.items()}
        if self.output not in signals and not self.spoken:
            shape = (len(lengths), self.steps - self.answers_from, self.plan.network.output.width)
            signals[self.output] = np.empty(shape, dtype=np.int64)
        part = len(lengths) / self.samples / self.steps / len(self.plan.sweeps)
        for sweep in self.plan.sweeps:
            # what is recorded is held for a chunk
            size = runner.block_steps if self.recorded else runner.chunk_steps
            for start, stop in self._chunks(sweep, size):
                watched = self._views(signals, start, stop)
                recorded = self._recorded_parts(sweep, watched, len(lengths), stop - start)
                inputs = self._entering(sweep, rows, start, stop, watched)
                runner.advance(sweep, start, inputs, watched | recorded)
                self._record(rows.start, start, recorded)
                self.batch.progress(part * (stop - start))
        self._finish_rows(runner, rows, signals)

    def _entering(
        self, sweep: Sweep, rows: slice, start: int, stop: int, watched: dict[str, IntArray]
    ) -> IntArray:
        """Give what enters the chip in some steps; the first sweep alone reads it."""
        inputs: IntArray = self.batch.inputs[rows]
        if sweep is not self.plan.sweeps[0]:
            return inputs[:, start:stop]
        at_host = self.plan.host.compute(inputs, start, stop)
        at_host.write(watched)
        here = self.recorded & at_host.signals.keys() - {self.plan.network.input.name}
        self._record(rows.start, start, {name: at_host.signals[name] for name in here})
        self.saturated.update(at_host.saturated)
        return at_host.entering

    def _views(self, signals: dict[str, IntArray], start: int, stop: int) -> dict[str, IntArray]:
        """Give the parts of watched signals that a chunk fills; the output's may begin later."""
        views = {}
        for name, signal in signals.items():
            first = self.answers_from if name == self.output else 0
            if start >= first:
                views[name] = signal[:, start - first : stop - first]
        return views

    def _recorded_parts(
        self, sweep: Sweep, watched: dict[str, IntArray], samples: int, steps: int
    ) -> dict[str, IntArray]:
        """Make room for a chunk of each recorded signal of a sweep, where there is none yet."""
        parts = {}
        for node in sweep.nodes:
            if node.name in self.recorded and node not in self.plan.closing:
                part = watched.get(node.name)
                shape = (samples, steps, node.width)
                parts[node.name] = np.empty(shape, dtype=np.int64) if part is None else part
        return parts

    def _record(self, sample: int, step: int, parts: dict[str, IntArray]) -> None:
        if self.record is not None:
            for name, part in parts.items():
                self.record(name, sample, step, part)

    def _chunks(self, sweep: Sweep, size: int) -> Iterator[tuple[int, int]]:
        """Split the sequence, also where the answer begins, in the sweep's order."""
        starts = sorted({*range(0, self.steps, size), self.answers_from})
        chunks = list(zip(starts, [*starts[1:], self.steps], strict=True))
        return reversed(chunks) if sweep.backwards else iter(chunks)

    def _finish_rows(
        self,
        runner: SweepRunner,
        rows: slice,
        signals: dict[str, IntArray],
    ) -> None:
        network, lengths = self.plan.network, self.batch.lengths[rows]
        closing = runner.close(self.steps)
        for name in signals.keys() & closing.spoken.keys():
            signals[name][...] = closing.signal(name)
        late = closing.spoken.keys() & self.recorded
        for start in range(0, self.steps, runner.block_steps):
            stop = min(start + runner.block_steps, self.steps)
            parts = {name: closing.signal(name, start, stop) for name in late}
            self._record(rows.start, start, parts)
        if self.spoken and network.answer.steps == "one":
            self.answers.append(closing.spoken[self.output].answer)
        else:
            signal = closing.signal(self.output) if self.spoken else signals[self.output]
            self.answers.append(network.answer.take(signal, lengths - self.answers_from))
        self.messages.append(
            runner.messages() | {name: closing.messages(name) for name in self.plan.counted_late}
        )
        self.saturated.update(runner.saturated())
        self.saturated.update(closing.saturated)

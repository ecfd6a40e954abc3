"""Streams through causal networks on the native engine: state is carried from chunk to chunk."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from functools import partial
from typing import Any

import numpy as np

from snn_deploy.engines.host import HostStream, check_mantissas
from snn_deploy.engines.native.plan import Plan, plan_network
from snn_deploy.engines.native.session import SweepRunner
from snn_deploy.engines.result import IntArray, Result
from snn_deploy.engines.session import RECENT, Snapshot, Watch
from snn_deploy.errors import ConfigError, DataError
from snn_deploy.ir.network import Network
from snn_deploy.nodes.pooling import MAX_POOLED_STEPS, Accumulator, RunningSum

__all__ = ["NativeSession"]


class NativeSession:
    """A stream: chunks of any length go in; see :class:`~snn_deploy.engines.session.Session`.

    Raises
    ------
    ConfigError
        If the network is no stream: something in it waits for the end of its sequence.
    """

    def __init__(self, network: Network, watch: Watch) -> None:
        self.plan = plan_network(network)
        _check_streamable(self.plan)
        self.steps = 0
        self._network, self._watch = network, watch
        late = {node.name for node in self.plan.closing}
        self.late = tuple(name for name in watch.trace if name in late)
        self._traced = {network[name].name for name in watch.trace} - late
        # last outputs of a network that pools nothing, as many as its answer has
        self._recent_steps = 0 if network.output.name in late else network.answer.length
        self._recent = np.zeros((watch.samples, 0, network.output.width), dtype=np.int64)
        self._watched = self._traced | ({network.output.name} if self._recent_steps else set())
        self._host = HostStream(self.plan.host, watch.samples)
        self._runner = SweepRunner(self.plan, watch.samples, watch.lengths, None, self._watched)
        # where single steps come in, and what is watched of them
        self._one: tuple[IntArray, dict[str, IntArray]] | None = None
        # by the host, and before this session went on
        self._saturated_besides: Counter[str] = Counter()

    def step(self, chunk: IntArray) -> dict[str, IntArray]:
        """Take the next steps (B, T, d_input) in; give the traced nodes' outputs (B, T, width).

        Raises
        ------
        DataError
            If the chunk has another shape, or mantissas beyond the input's format, or there are
            more steps than a pool can sum.
        """
        network, runner, first = self._network, self._runner, self.steps
        check_mantissas(network, chunk, self._watch.samples, first)
        self._check_length(first + chunk.shape[1])
        if chunk.shape[1] == 1:
            watched = self._take_step(chunk)
        else:
            watched = self._room(chunk.shape[1])
            for start in range(0, chunk.shape[1], runner.chunk_steps):
                part = slice(start, start + runner.chunk_steps)
                views = {name: signal[:, part] for name, signal in watched.items()}
                entering = self._enter(first + start, chunk[:, part], views)
                runner.advance(self.plan.sweeps[0], first + start, entering, views)
        self.steps += chunk.shape[1]
        if self._recent_steps:
            joined = np.concatenate([self._recent, watched[network.output.name]], axis=1)
            self._recent = joined[:, max(joined.shape[1] - self._recent_steps, 0) :].copy()
        return self._watch.give(first, {name: watched[name] for name in self._traced})

    def _take_step(self, chunk: IntArray) -> dict[str, IntArray]:
        """Take a single step in, always at the same place, and give copies of what is watched."""
        if self._one is None:
            inner = self.plan.network.input.width
            self._one = np.empty((self._watch.samples, 1, inner), np.int64), self._room(1)
        entering, views = self._one
        entering[...] = self._enter(self.steps, chunk, views)
        self._runner.advance(self.plan.sweeps[0], self.steps, entering, views)
        return {name: signal.copy() for name, signal in views.items()}

    def _room(self, steps: int) -> dict[str, IntArray]:
        """Make room for the watched signals of some steps."""
        samples = self._watch.samples
        return {
            name: np.empty((samples, steps, self._network[name].width), dtype=np.int64)
            for name in self._watched
        }

    def _enter(self, first: int, chunk: IntArray, views: Mapping[str, IntArray]) -> IntArray:
        """Let the host compute some steps; give what enters the chip."""
        at_host = self._host.advance(first, chunk)
        at_host.write(views)
        if at_host.saturated:
            self._saturated_besides.update(at_host.saturated)
        return at_host.entering

    def _check_length(self, steps: int) -> None:
        if steps < MAX_POOLED_STEPS:
            return
        for node in (
            *self.plan.network.of_kind(Accumulator),
            *self.plan.network.of_kind(RunningSum),
        ):
            sums = isinstance(node, RunningSum) or (
                node.mode in ("mean", "sum")
                and not (node.use_lengths and self._watch.lengths is not None)
            )
            if sums:
                raise DataError(
                    f"step {steps - 1:,}: node '{node.name}' sums fewer than {MAX_POOLED_STEPS:,} "
                    "steps; start a new stream"
                )

    def finish(self) -> Result:
        """Compute the pools, and what follows them, as if the last step had been the last."""
        network, one = self._network, self._network.answer.steps == "one"
        messages, saturated = self._runner.messages(), self._saturated()
        output = self._recent[:, -1] if one and self._recent.size else self._recent
        if not self.steps or not self.plan.closing:
            return Result(output, messages, saturated, {})
        closing = self._runner.close(self.steps)
        messages |= {name: closing.messages(name) for name in self.plan.counted_late}
        saturated.update(closing.saturated)
        name = network.output.name
        if name in closing.spoken and one:
            output = closing.spoken[name].answer
        elif name in closing.spoken:
            first = max(self.steps - network.answer.length, 0)
            output = closing.signal(name, first, self.steps)
        late = {name: partial(closing.signal, name) for name in self.late}
        return Result(output, messages, saturated, {}, late)

    def state(self) -> Snapshot:
        """Copy the stream's state."""
        return Snapshot(self.steps, self._arrays(), self._saturated())

    def restore(self, state: Snapshot) -> None:
        """Go on, before the first step of this session, from where a state was taken."""
        samples, _, width = self._recent.shape
        recent = np.zeros((samples, min(state.steps, self._recent_steps), width), dtype=np.int64)
        if _kinds(state.arrays) != _kinds({**self._arrays(), RECENT: recent}):
            raise DataError(f"this state is not one of {samples} sequences through this network")
        self._host.restore(state.arrays)
        self._runner.restore(state.arrays)
        self._recent = state.arrays[RECENT].copy()
        self._saturated_besides = Counter(state.saturated)
        self.steps = state.steps

    def _saturated(self) -> dict[str, int]:
        total = self._runner.saturated()
        total.update(self._saturated_besides)
        return dict(total)

    def _arrays(self) -> dict[str, IntArray]:
        return {**self._host.state(), **self._runner.state(), RECENT: self._recent.copy()}


def _kinds(arrays: Mapping[str, IntArray]) -> dict[str, Any]:
    return {name: (array.shape, array.dtype) for name, array in arrays.items()}


def _check_streamable(plan: Plan) -> None:
    reason = None
    if not plan.causal:
        reason = "it reads its sequence from the end, too"
    elif plan.needs_length:
        reason = "a pool in its midst waits for the last step"
    if reason is not None:
        raise ConfigError(f"this network cannot run as a stream: {reason}; give it whole sequences")

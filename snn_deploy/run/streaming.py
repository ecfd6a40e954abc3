"""A deployed network as a stream: chunks of inputs go in, answers come out, state is carried.

Memory does not depend on how many steps come. What the state is, and how it is put away, is in
``stream_state.py``.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from snn_deploy.data.inputs import check_inputs
from snn_deploy.engines.head import add_steps, apply_head
from snn_deploy.engines.registry import get_engine
from snn_deploy.engines.result import IntArray, Ports, Result, all_outputs
from snn_deploy.engines.session import Engine, Watch
from snn_deploy.errors import ConfigError, DataError
from snn_deploy.io.stream_state import StreamState, read_state, write_state
from snn_deploy.ir.network import Network
from snn_deploy.run.answers import output_format
from snn_deploy.run.simulation import (
    check_traced,
    encode,
    spike_counts,
    warn_of_clipped,
)

__all__ = ["Stream", "StreamOutput"]

Reals = npt.NDArray[np.float64]


@dataclass(frozen=True)
class StreamOutput:
    """What a network gave for one chunk.

    Parameters
    ----------
    first_step
        The chunk's place in its stream.
    outputs
        (B, T, d_output) real numbers, the answer at every step, of several answers the first (trace
        the others); None for a network that pools its sequence and answers once.
    answer
        (B, n_classes): what a pooling network would answer if the stream ended with this chunk;
        None for others, and where nobody asked.
    trace
        By node name: its output at every step of the chunk, integers (B, T, width).
    """

    first_step: int
    outputs: Reals | None
    answer: Reals | None = None
    trace: Mapping[str, IntArray] = field(default_factory=dict)


class Stream:
    """Sequences side by side through a causal network, a chunk at a time.

    Parameters
    ----------
    network
        A deployment's.
    samples
        How many sequences run side by side, B.
    lengths
        Valid steps (B,) of each sequence, for pools that heed them; by default all that come.
    trace
        Names of nodes whose output at every step is wanted. Those in ``late_trace``, pools and what
        follows them, speak at the end: see :meth:`result`.
    engine
        That runs it, by default the native one.

    Raises
    ------
    ConfigError
        If the network, or any on that engine, is no stream, or there is no such node.
    """

    def __init__(
        self,
        network: Network,
        samples: int = 1,
        lengths: npt.ArrayLike | None = None,
        trace: Collection[str] = (),
        engine: Engine | None = None,
    ) -> None:
        if type(samples) is not int or samples < 1:
            raise ConfigError(
                f"a stream has a whole number of sequences, at least one, not {samples!r}"
            )
        check_traced(network, trace)
        _check_streamable(network, samples, lengths)
        self.network, self.samples = network, samples
        self.lengths = None if lengths is None else _checked_lengths(lengths, samples)
        names = sorted({*trace, network.output.name})
        watch = Watch(samples, self.lengths, trace=names)
        self._session = (engine or get_engine("native")).open(network, watch)
        late = self._session.late
        self.trace = tuple(name for name in trace if name not in late)
        self.late_trace = tuple(name for name in trace if name in late)
        self._answers_once = network.output.name in late
        if self._answers_once and network.answer.steps == "all":
            raise ConfigError(
                "this network cannot run as a stream: it pools its sequence, and yet every step is "
                "its answer; give it whole sequences"
            )
        self._clipped = dict.fromkeys(network.inputs, 0)
        self._summed: Reals | None = None  # so far, by a head that sums steps

    def __repr__(self) -> str:
        from snn_deploy.summaries import stream_summary

        return stream_summary(self)

    @classmethod
    def resume(
        cls,
        network: Network,
        path: str | os.PathLike[str],
        trace: Collection[str] = (),
        engine: Engine | None = None,
    ) -> Stream:
        """Go on from the state that :meth:`save` wrote, to the same bits.

        Raises
        ------
        DataError
            If the file is damaged, no stream's state, or another network's.
        """
        engine = engine or get_engine("native")
        state = read_state(path, network, engine)
        stream = cls(network, state.samples, state.lengths, trace, engine)
        try:
            stream._session.restore(state.snapshot)
        except DataError as error:
            raise DataError(f"{path}: {error}") from error
        stream._clipped, stream._summed = dict(state.clipped), state.summed
        return stream

    @property
    def answers_at_end(self) -> bool:
        """Whether the answer is that of the end, and not of every step."""
        return self.network.answer.once or self.network.answer.steps != "all"

    @property
    def classes(self) -> int:
        """How many logits an answer has."""
        return self.network.answer.width

    @property
    def steps(self) -> int:
        """How many steps came so far."""
        return self._session.steps

    def step(self, chunk: npt.ArrayLike) -> StreamOutput:
        """Take the next steps in: (B, T, d_input) real numbers, or (B, T) tokens; any T.

        Raises
        ------
        DataError
            If they do not fit the network, or are not B sequences.
        """
        first = self.steps
        where = f"steps from {first}"
        inputs = check_inputs(self.network, chunk, where)
        if len(inputs) != self.samples:
            raise DataError(
                f"{where}: {len(inputs)} sequences; this stream has {self.samples} side by side"
            )
        signals = self._session.step(self._encoded(inputs))
        outputs = None
        if not self._answers_once:
            last = signals[self.network.output.name]
            taken = output_format(self.network).decode(last)
            if not self.network.answer.sums_steps:
                outputs = apply_head(self.network.answer, taken)
            elif inputs.shape[1]:
                self._summed = add_steps(self.network.answer, self._summed, taken)
        return StreamOutput(first, outputs, trace={name: signals[name] for name in self.trace})

    def run(self, chunks: Iterable[npt.ArrayLike]) -> Iterator[StreamOutput]:
        """Take chunk after chunk, and give for each what :meth:`step` does, and the answer so far
        of a network that pools its sequence.
        """
        for chunk in chunks:
            output = self.step(chunk)
            once = self._answers_once or self._summed is not None
            if once and self.steps >= self.network.answer.length:
                output = replace(output, answer=self.answer())
            yield output

    def answer(self) -> Reals:
        """Give the logits as if the stream had ended here; it can go on afterwards.

        Raises
        ------
        DataError
            If no step came yet, or fewer than the answer has.
        ConfigError
            If every step is this network's answer: :meth:`step` gave it.
        """
        if self.network.answer.sums_steps:
            if self._summed is None:
                raise DataError("the answer is a sum over all steps; none came so far")
            return self._summed
        taken = output_format(self.network).decode(self.last_outputs())
        return apply_head(self.network.answer, taken)

    def last_outputs(self) -> IntArray:
        """Give the integers that :meth:`answer` decodes, before any head: (B, width), or (B, K,
        width); raises what :meth:`answer` does.
        """
        if self.network.answer.steps == "all":
            raise ConfigError("every step is this network's answer: take it as the steps come")
        needed = self.network.answer.length
        if self.steps < needed:
            raise DataError(f"the answer is that of {needed} steps; only {self.steps} came so far")
        return all_outputs(self.network, self._session.finish().output)[self.network.output.name]

    def result(self) -> Result:
        """Give all that is known if the stream ends here; it can go on afterwards.

        Its ``late`` are the signals of ``late_trace``: functions of two steps, the first and the
        one after the last, that give them (B, steps, width).
        """
        result = self._session.finish()
        saturated = {**result.saturated, **self._clipped}
        late = {name: signal for name, signal in result.late.items() if name in self.late_trace}
        return replace(result, saturated=saturated, late=late)

    @property
    def messages(self) -> Mapping[str, IntArray]:
        """How many messages each channel sent so far, by node, (B, width) each."""
        return self.result().messages

    @property
    def spike_counts(self) -> Mapping[str, IntArray]:
        """Spikes of each neuron so far, by layer, (B, d) each."""
        return spike_counts(self.network, self.messages)

    @property
    def saturated(self) -> Mapping[str, int]:
        """How many values were clipped so far, by node, those of the answer so far included."""
        return self.result().saturated

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write all that :meth:`resume` needs to go on to the same bits, on any machine.

        Raises
        ------
        OutputError
            If the file cannot be written; nothing is left behind then.
        """
        state = StreamState(self._session.state(), self.lengths, self._clipped, self._summed)
        write_state(path, self.network, state)

    def _encoded(self, inputs: npt.NDArray[Any]) -> Ports:
        mantissas, beyond = encode(self.network, inputs)
        clipped = sum(beyond.values())
        if clipped:
            if not any(self._clipped.values()):
                warn_of_clipped(self.network, clipped, inputs.size, stacklevel=4)
            self._clipped = {name: n + beyond[name] for name, n in self._clipped.items()}
        return mantissas


def _check_streamable(network: Network, samples: int, lengths: npt.ArrayLike | None) -> None:
    """Refuse networks whose answer needs more than the steps so far."""
    if network.steps is not None:
        raise ConfigError(
            f"this network's weights are those for sequences of {network.steps} steps, but a "
            "stream has no length; give it whole sequences"
        )
    if network.answer.first_steps is not None:
        raise ConfigError(
            "this network answers with the first steps of a sequence, and a stream has no end: "
            "convert with --output-steps all, and take the steps as they come"
        )
    if network.answer.valid and lengths is not None:
        raise ConfigError(
            "this network answers with the last valid steps of each sequence: give a stream no "
            "lengths, or run whole sequences"
        )
    if network.pairs and samples % 2:
        raise ConfigError(
            f"this network compares pairs of sequences; {samples} side by side is no even number"
        )


def _checked_lengths(lengths: npt.ArrayLike, samples: int) -> IntArray:
    array = np.asarray(lengths)
    if array.shape != (samples,) or not np.issubdtype(array.dtype, np.integer) or (array < 1).any():
        raise DataError(
            f"lengths of shape {array.shape} and dtype {array.dtype}; need a number of steps of at "
            f"least 1 for each of {samples} sequences"
        )
    return array.astype(np.int64)

"""``simulate --chunk``: long sequences through a causal network, a chunk of time at a time."""

from __future__ import annotations

import math
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click

from snn_deploy.cli.console import progress_bar
from snn_deploy.cli.tracing import TraceRequest

if TYPE_CHECKING:
    from snn_deploy.npz import Npz, Spool
    from snn_deploy.recordings import Recording
    from snn_deploy.streaming import Stream, StreamOutput
    from snn_deploy.traces.writer import TraceWriter

__all__ = ["TOO_LARGE", "StreamRequest", "simulate_stream"]

TOO_LARGE = "logits are left out: the scores of so many steps and words are too large"

CHUNK = 4096  # steps, where only a state is asked for
OUTPUT_BYTES = 64 * 2**20  # of a chunk's logits, which a large vocabulary makes many


@dataclass(frozen=True)
class StreamRequest:
    """The options that make ``simulate`` a stream."""

    chunk: int | None
    save: str | None
    resume: str | None

    @property
    def wanted(self) -> bool:
        """Whether any of them was given."""
        return not (self.chunk is None and self.save is None and self.resume is None)


def simulate_stream(
    path: str,
    data_path: str,
    request: StreamRequest,
    limit: int | None,
    trace: TraceRequest,
    output: str | None,
) -> tuple[Stream, Recording]:
    """Run all of a recording, and write what is asked for while it runs."""
    from snn_deploy.api import load
    from snn_deploy.npz import write_npz
    from snn_deploy.recordings import open_recording

    deployment = load(path)
    recording = open_recording(data_path, deployment.network, limit)
    names = trace.nodes(deployment.network)
    if request.resume:
        stream = deployment.resume(request.resume, trace=names)
    else:
        stream = deployment.stream(recording.samples, lengths=recording.lengths, trace=names)
    first, last = stream.steps, stream.steps + recording.steps
    with ExitStack() as stack:
        npz = stack.enter_context(write_npz(output)) if output else None
        traced = trace.writer(deployment.network, stream.samples, first, last)
        writer = stack.enter_context(traced)
        _run(stream, recording, request.chunk or CHUNK, writer, npz)
    if output:
        click.echo(f"wrote {output}")
    if request.save:  # last: a state without its outputs would lose them
        stream.save(request.save)
        click.echo(f"wrote {request.save}")
    return stream, recording


def _run(
    stream: Stream, recording: Recording, chunk: int, writer: TraceWriter | None, npz: Npz | None
) -> None:
    first = stream.steps
    outputs = None
    if not stream.answers_at_end:
        chunk = max(1, min(chunk, OUTPUT_BYTES // (8 * stream.samples * stream.classes)))
        outputs = _Outputs(npz, stream, recording.steps) if npz else None
    with progress_bar("streaming", recording.steps) as progress:
        for inputs in recording.chunks(chunk):
            given = stream.step(inputs)
            if writer:
                _record(writer, given.first_step, given.trace)
            if outputs:
                outputs.write(given)
            progress(inputs.shape[1])
    if writer:
        for start in range(first, stream.steps, chunk):
            stop = min(start + chunk, stream.steps)
            late = {name: stream.late_signal(name, start, stop) for name in stream.late_trace}
            _record(writer, start, late)
    if npz:
        if stream.answers_at_end:
            logits = stream.answer()
            npz.add("logits", logits)
            npz.add("predictions", logits.argmax(axis=-1))
        for layer, counts in stream.spike_counts.items():
            npz.add(f"spike_counts/{layer}", counts)


def _record(writer: TraceWriter, step: int, signals: Mapping[str, Any]) -> None:
    for name, part in signals.items():
        writer.record(name, 0, step, part)


class _Outputs:
    """The answers of a network that answers at every step, on disk as they come."""

    def __init__(self, npz: Npz, stream: Stream, steps: int) -> None:
        from snn_deploy.simulation import LOGIT_BYTES

        shape = (stream.samples, steps, stream.classes)
        self._first = stream.steps
        self._logits: Spool | None = None
        if 8 * math.prod(shape) <= LOGIT_BYTES:
            self._logits = npz.spool("logits", shape, "float64")
        else:
            click.echo(TOO_LARGE)
        self._predictions = npz.spool("predictions", shape[:2], "int64")

    def write(self, given: StreamOutput) -> None:
        assert given.outputs is not None  # such a network has them
        start = given.first_step - self._first
        if self._logits:
            self._logits.write(0, start, given.outputs)
        self._predictions.write(0, start, given.outputs.argmax(axis=-1))

"""``simulate --chunk``: long sequences through a causal network, a chunk of time at a time.

With ``--data -`` the sequence is what another process writes, and answers are printed as they come.
"""

from __future__ import annotations

import math
import sys
from contextlib import ExitStack
from dataclasses import dataclass
from io import BytesIO
from typing import IO, TYPE_CHECKING, Any

from snn_deploy.cli.console import echo, progress_bar

if TYPE_CHECKING:
    from snn_deploy.cli.simulate import SimulateRequest
    from snn_deploy.data.recordings import Recording
    from snn_deploy.engines.session import Engine
    from snn_deploy.io.npz import Npz, Spool
    from snn_deploy.run.streaming import Stream, StreamOutput
    from snn_deploy.traces.writer import TraceWriter

__all__ = ["STANDARD_INPUT", "TOO_LARGE", "StreamRequest", "simulate_piped", "simulate_stream"]

STANDARD_INPUT = "-"

TOO_LARGE = "logits are left out: the scores of so many steps and words are too large"

CHUNK = 4096  # steps, where only a state is asked for
OUTPUT_BYTES = 64 * 2**20  # of a chunk's logits, which a large vocabulary makes many
MOST_PRINTED = 1024  # logits of a line


@dataclass(frozen=True)
class StreamRequest:
    """The options that make ``simulate`` a stream; ``piped`` from standard input."""

    chunk: int | None
    save: str | None
    resume: str | None
    piped: bool

    @property
    def wanted(self) -> bool:
        """Whether any of them was given."""
        return self.piped or any((self.chunk, self.save, self.resume))

    def check(self, engine: Engine, *outputs: str | None) -> None:
        """Refuse what no stream can do, or none without an end.

        Raises
        ------
        ConfigError
            For engines that run none, and for ``outputs`` whose size must be known beforehand.
        """
        from snn_deploy.errors import ConfigError

        if not engine.streams:
            raise ConfigError(
                "--chunk, --save-state, --resume and --data - need --backend native, not "
                f"{engine.name}: other engines run whole sequences"
            )
        if self.piped and any(outputs):
            raise ConfigError(
                "--trace and -o need data of a known length, and --data - has no end: take the "
                "answers from standard output, or give a file"
            )


def simulate_stream(asked: SimulateRequest, engine: Engine) -> tuple[Stream, Recording]:
    """Run all of a recording, and write what is asked for while it runs."""
    import numpy as np

    from snn_deploy.data.familiar import warn_if_unfamiliar
    from snn_deploy.data.inputs import Data
    from snn_deploy.data.recordings import open_recording
    from snn_deploy.deployment import load
    from snn_deploy.io.npz import write_npz

    deployment, request, output = load(asked.network_file), asked.stream, asked.output
    recording = open_recording(asked.data_path, deployment.network, asked.limit)
    inputs = recording.inputs
    if isinstance(inputs, np.ndarray):  # what stays on disk is not read twice
        lengths = np.full(recording.samples, recording.steps)
        data = Data(inputs[recording.rows], None, lengths)
        warn_if_unfamiliar(deployment.origin.calibration, data)
    names = asked.trace.nodes(deployment.network)
    if request.resume:
        stream = deployment.resume(request.resume, trace=names, backend=engine)
    else:
        stream = deployment.stream(
            recording.samples, lengths=recording.lengths, trace=names, backend=engine
        )
    first, last = stream.steps, stream.steps + recording.steps
    with ExitStack() as stack:
        npz = stack.enter_context(write_npz(output)) if output else None
        traced = asked.trace.writer(deployment.network, stream.samples, first, last)
        writer = stack.enter_context(traced)
        _run(stream, recording, _chunk_steps(stream, request.chunk), writer, npz)
    if output:
        echo(f"wrote {output}")
    if request.save:  # last: a state without its outputs would lose them
        stream.save(request.save)
        echo(f"wrote {request.save}")
    return stream, recording


def simulate_piped(asked: SimulateRequest, engine: Engine) -> tuple[Stream, int]:
    """Run what comes on standard input, and print answers; give how many steps came.

    Raises
    ------
    DataError
        If a line is no step for the network, or none came at all.
    """
    from snn_deploy.data.text_steps import read_steps
    from snn_deploy.deployment import load
    from snn_deploy.errors import DataError

    deployment, request = load(asked.network_file), asked.stream
    if request.resume:
        stream = deployment.resume(request.resume, backend=engine)
    else:
        stream = deployment.stream(backend=engine)
    first = stream.steps
    columns = stream.classes if stream.classes <= MOST_PRINTED else 0
    if not columns:
        echo(f"logits are left out: {stream.classes:,} a line are too many", err=True)
    echo(",".join(["step", "prediction", *(f"logit_{i}" for i in range(columns))]))
    size = _chunk_steps(stream, request.chunk)
    source: IO[bytes] = sys.stdin.buffer if sys.stdin else BytesIO()  # closed: no steps
    for given in stream.run(read_steps(source, deployment.network, size)):
        answer = given.answer if given.outputs is None else given.outputs
        if answer is not None:
            _print_answers(answer[0], stream.steps, columns)
    if stream.steps == first:
        raise DataError("standard input: no step came; write one a line")
    if request.save:
        stream.save(request.save)
        echo(f"wrote {request.save}", err=True)
    return stream, stream.steps - first


def _print_answers(answers: Any, stop: int, columns: int) -> None:
    """Print the answer of each step, (T, classes) up to ``stop``, or the one so far (classes,)."""
    rows = answers.reshape(-1, answers.shape[-1])
    lines = (
        ",".join([str(step), str(row.argmax()), *map(repr, row[:columns].tolist())])
        for step, row in enumerate(rows, start=stop - len(rows))
    )
    if len(rows):
        echo("\n".join(lines))


def _chunk_steps(stream: Stream, chunk: int | None) -> int:
    """Give how many steps to take at a time: as asked, unless their logits would be large."""
    size = chunk or CHUNK
    if stream.answers_at_end:
        return size
    return max(1, min(size, OUTPUT_BYTES // (8 * stream.samples * stream.classes)))


def _run(
    stream: Stream, recording: Recording, chunk: int, writer: TraceWriter | None, npz: Npz | None
) -> None:
    from snn_deploy.run.chunks import run_chunks

    outputs = None
    if npz and not stream.answers_at_end:
        outputs = _Outputs(npz, stream, recording.steps)
    with progress_bar("streaming", recording.steps) as progress:

        def came(given: StreamOutput) -> None:
            if outputs:
                outputs.write(given)
            progress(stream.steps - given.first_step)

        run_chunks(stream, recording.chunks(chunk), writer.record if writer else None, came)
    if npz:
        if stream.answers_at_end:
            logits = stream.answer()
            npz.add("logits", logits)
            npz.add("predictions", logits.argmax(axis=-1))
        for layer, counts in stream.spike_counts.items():
            npz.add(f"spike_counts/{layer}", counts)


class _Outputs:
    """The answers of a network that answers at every step, on disk as they come."""

    def __init__(self, npz: Npz, stream: Stream, steps: int) -> None:
        from snn_deploy.run.answers import LOGIT_BYTES

        shape = (stream.samples, steps, stream.classes)
        self._first = stream.steps
        self._logits: Spool | None = None
        if 8 * math.prod(shape) <= LOGIT_BYTES:
            self._logits = npz.spool("logits", shape, "float64")
        else:
            echo(TOO_LARGE)
        self._predictions = npz.spool("predictions", shape[:2], "int64")

    def write(self, given: StreamOutput) -> None:
        assert given.outputs is not None  # such a network has them
        start = given.first_step - self._first
        if self._logits:
            self._logits.write(0, start, given.outputs)
        self._predictions.write(0, start, given.outputs.argmax(axis=-1))

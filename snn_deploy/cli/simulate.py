"""``snn-deploy simulate``: run a deployment, or a checkpoint's float network, on data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from snn_deploy.cli.console import echo, percent, progress_bar, write_json
from snn_deploy.cli.data_options import data_forms
from snn_deploy.cli.options import (
    CHECKPOINT_OPTIONS,
    EngineType,
    checkpoint_options,
    device_option,
    gathered,
    json_option,
    limit_option,
    output_steps_option,
)
from snn_deploy.cli.stream import (
    STANDARD_INPUT,
    TOO_LARGE,
    StreamRequest,
    simulate_piped,
    simulate_stream,
)
from snn_deploy.cli.tracing import TraceRequest, trace_options

if TYPE_CHECKING:
    from snn_deploy.compare.regression import Regression
    from snn_deploy.data.recordings import Recording
    from snn_deploy.deployment import Deployment
    from snn_deploy.ir.network import Network
    from snn_deploy.run.simulation import Simulation
    from snn_deploy.run.streaming import Stream

__all__ = ["SimulateRequest", "make_engine", "simulate"]

FLOAT_BACKENDS = ("float", "float-surrogate")


@dataclass(frozen=True)
class SimulateRequest:
    """What was asked for, by the names of the options."""

    network_file: str
    data_path: str
    backend: str
    device: str
    reading: dict[str, Any]
    output_steps: Any
    limit: int | None
    chunk: int | None
    save_state: str | None
    resume: str | None
    trace: TraceRequest
    output: str | None
    json_path: str | None

    @property
    def stream(self) -> StreamRequest:
        """Those of the options that make it a stream."""
        piped = str(self.data_path) == STANDARD_INPUT
        return StreamRequest(self.chunk, self.save_state, self.resume, piped)

    def check(self) -> None:
        """Refuse files that cannot be written, or would be read and written."""
        from snn_deploy.io.files import check_distinct, check_writable

        read = (self.network_file, self.data_path)
        check_distinct(self.trace.path, self.output, self.save_state, self.json_path)
        self.trace.check(*read, self.resume)
        for path in (self.output, self.json_path):
            if path:
                check_writable(path, *read, self.resume)
        if self.save_state:  # over the one that was resumed is fine
            check_writable(self.save_state, *read)


@click.command(short_help="Run data through a network.")
@click.argument("network_file", metavar="DEPLOYMENT|CHECKPOINT")
@click.option(
    "--data",
    "data_path",
    metavar="DATA.npz|DIR|.npy|-",
    required=True,
    help="Arrays 'inputs' and, where there are any, 'labels' or real-valued 'targets', and "
    "'lengths'; or - for steps on "
    "standard input, one a line, whose answers are printed as they come.",
)
@data_forms("data_path")
@click.option(
    "--backend",
    default="native",
    show_default=True,
    type=EngineType(*FLOAT_BACKENDS),
    help="An integer engine for a DEPLOYMENT; float or float-surrogate for a CHECKPOINT.",
)
@device_option
@checkpoint_options
@output_steps_option
@limit_option
@click.option(
    "--chunk",
    type=click.IntRange(min=1),
    metavar="N",
    help="Run as a stream, N steps at a time: memory does not grow with length. Causal networks.",
)
@click.option("--save-state", metavar="STATE", help="Write the stream's state at its end.")
@click.option("--resume", metavar="STATE", help="Go on from a stream's saved state.")
@trace_options
@click.option("-o", "--output", metavar="OUT.npz", help="Write logits, predictions, spike counts.")
@json_option
@gathered(SimulateRequest)
def simulate(asked: SimulateRequest) -> None:
    """Run DATA through a deployment (bit-exactly), or through a checkpoint's float network."""
    asked.check()
    if asked.stream.wanted:
        _stream(asked)
    else:
        _simulate(asked)


def _stream(asked: SimulateRequest) -> None:
    engine = make_engine(asked.backend, asked.device)
    asked.stream.check(engine, asked.trace.path, asked.output)
    _refuse_checkpoint_options()
    _check_deployment(asked.network_file)
    if asked.stream.piped:
        stream, steps = simulate_piped(asked, engine)
        _tell_stream(asked, stream, steps, None)
    else:
        stream, recording = simulate_stream(asked, engine)
        _tell_stream(asked, stream, recording.steps, recording)


def _simulate(asked: SimulateRequest) -> None:
    from snn_deploy.data.familiar import warn_if_unfamiliar
    from snn_deploy.evaluation.dataset import open_dataset
    from snn_deploy.run.simulation import simulate as run

    is_float = asked.backend in FLOAT_BACKENDS
    deployment = None if is_float else _read_deployed(asked)
    network = _read_float(asked) if deployment is None else deployment.network
    data = open_dataset(asked.data_path, network).first(network, asked.limit)
    if deployment is not None:
        warn_if_unfamiliar(deployment.origin.calibration, data)
    steps = data.inputs.shape[1]
    with (
        asked.trace.writer(network, len(data), 0, steps) as writer,
        progress_bar(f"simulating ({asked.backend})", len(data)) as progress,
    ):
        engine = make_engine(asked.backend, asked.device)
        names, record = asked.trace.nodes(network), writer.record if writer else None
        result = run(network, data, engine, names, progress, record)
    if asked.trace.path and not writer:
        _save(asked.trace.path, result.trace)
    if asked.output:
        arrays: dict[str, Any] = {} if result.regresses else {"predictions": result.predictions}
        if result.logits_fit:
            arrays["logits"] = result.logits
        else:
            echo(TOO_LARGE)
        counts: dict[str, Any] = {
            f"spike_counts/{layer}": n for layer, n in result.spike_counts.items()
        }
        if len(result.answers) > 1:
            counts |= {f"answers/{name}": answer for name, answer in result.answers.items()}
        _save(asked.output, {**arrays, **counts})
    echo(f"{len(data)} sequences of {steps} steps")
    scores = (result.accuracy, result.regression)
    _print_outcome(scores, result.spike_counts, steps, result.saturated)
    write_json(asked.json_path, {"steps": steps, **_outcome(result, steps, scores)})


def make_engine(backend: str, device: Any = "cpu") -> Any:
    """Make an engine; ``device`` counts for lava alone."""
    from snn_deploy.engines.registry import get_engine
    from snn_deploy.errors import ConfigError

    if device == "cpu":
        return get_engine(backend)
    if backend != "lava":
        raise ConfigError(f"--device {device} needs --backend lava, not {backend}")
    from snn_deploy.engines.lava.engine import LavaEngine

    return LavaEngine(device=device)


def _refuse_checkpoint_options() -> None:
    """Refuse what a deployment has decided already, if it was given."""
    from snn_deploy.errors import ConfigError

    for option in (*CHECKPOINT_OPTIONS, "--output-steps"):
        name = option[2:].replace("-", "_")
        given = click.get_current_context().get_parameter_source(name)
        if given is not ParameterSource.DEFAULT:
            raise ConfigError(
                f"{option} belongs to a CHECKPOINT, so to --backend float; leave it out"
            )


def _check_deployment(path: str) -> None:
    from pathlib import Path

    from snn_deploy.errors import ConfigError
    from snn_deploy.formats.registry import holds_deployment

    if not holds_deployment(path) and Path(path).is_file():
        raise ConfigError(
            f"{path} is not a deployment; make one with: snn-deploy convert {path} (or run its "
            "float network with --backend float)"
        )


def _read_deployed(asked: SimulateRequest) -> Deployment:
    from snn_deploy.deployment import load

    _refuse_checkpoint_options()
    _check_deployment(asked.network_file)
    return load(asked.network_file)


def _read_float(asked: SimulateRequest) -> Network:
    from snn_deploy.api import load_float_network
    from snn_deploy.errors import ConfigError
    from snn_deploy.formats.registry import holds_deployment

    if holds_deployment(asked.network_file):
        raise ConfigError(
            f"{asked.network_file} is a deployment, integers only; --backend {asked.backend} takes "
            "the CHECKPOINT"
        )
    asked.trace.check_plain(asked.backend)
    return load_float_network(asked.network_file, output_steps=asked.output_steps, **asked.reading)


def _save(path: str, arrays: Mapping[str, Any]) -> None:
    import numpy as np

    from snn_deploy.io.files import atomic_write

    with atomic_write(path) as file:
        np.savez_compressed(file, **arrays)
    echo(f"wrote {path}")


def _tell_stream(
    asked: SimulateRequest, stream: Stream, steps: int, recording: Recording | None
) -> None:
    err = recording is None  # answers are on standard output
    begun = stream.steps - steps
    before = f" (after {begun:,} before)" if begun else ""
    streams = "1 stream" if stream.samples == 1 else f"{stream.samples} streams"
    echo(f"{streams} of {steps:,} steps{before}", err=err)
    scores: Any = (None, None)
    if recording is not None and recording.scored:
        if stream.answers_at_end:
            scores = recording.scores(stream.answer(), stream.network)
        else:
            echo("what is right at every step is compared without --chunk", err=err)
    _print_outcome(scores, stream.spike_counts, stream.steps, stream.saturated, err)
    write_json(asked.json_path, {"steps": stream.steps, **_outcome(stream, stream.steps, scores)})


def _outcome(
    ran: Simulation | Stream, steps: int, scores: tuple[float | None, Regression | None]
) -> dict[str, Any]:
    """Give what is printed as plain data."""
    correct, regression = scores
    return {
        "accuracy": correct,
        "regression": None if regression is None else regression.figures(),
        "spike_rates": {
            layer: float(spikes.sum() / (spikes.size * steps))
            for layer, spikes in ran.spike_counts.items()
        },
        "saturated": {name: int(count) for name, count in ran.saturated.items() if count},
    }


def _print_outcome(
    scores: tuple[float | None, Regression | None],
    counts: Mapping[str, Any],
    steps: int,
    saturated: Mapping[str, int],
    err: bool = False,
) -> None:
    correct, regression = scores
    if correct is not None:
        echo(f"accuracy {percent(correct)}", err=err)
    if regression is not None:
        echo(str(regression), err=err)
    for layer, spikes in counts.items():
        rate = percent(spikes.sum() / (spikes.size * steps))
        echo(f"spike rate {layer}: {rate}", err=err)
    for name, count in saturated.items():
        if count:
            echo(f"saturated {name}: {count:,} values clipped", err=err)

"""``snn-deploy simulate``: run a deployment, or a checkpoint's float network, on data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from snn_deploy.cli.console import echo, percent, progress_bar
from snn_deploy.cli.options import (
    CHECKPOINT_OPTIONS,
    EngineType,
    checkpoint_options,
    data_forms,
    device_option,
    gathered,
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
    from snn_deploy.ir.network import Network
    from snn_deploy.run.streaming import Stream

__all__ = ["SimulateRequest", "make_engine", "simulate"]

Outcome = tuple[Any, Any, Mapping[str, Any], Mapping[str, int], Any]
"""Logits (None if too large), predictions, spike counts by layer, clipped values, and the data."""

FLOAT_BACKENDS = {"float": "exact", "float-surrogate": "surrogate"}


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

    @property
    def stream(self) -> StreamRequest:
        """Those of the options that make it a stream."""
        piped = str(self.data_path) == STANDARD_INPUT
        return StreamRequest(self.chunk, self.save_state, self.resume, piped)

    def check(self) -> None:
        """Refuse files that cannot be written, or would be read and written."""
        from snn_deploy.io.files import check_distinct, check_writable

        read = (self.network_file, self.data_path)
        check_distinct(self.trace.path, self.output, self.save_state)
        self.trace.check(*read, self.resume)
        if self.output:
            check_writable(self.output, *read, self.resume)
        if self.save_state:  # over the one that was resumed is fine
            check_writable(self.save_state, *read)


@click.command(short_help="Run data through a network.")
@click.argument("network_file", metavar="DEPLOYMENT|CHECKPOINT")
@click.option(
    "--data",
    "data_path",
    metavar="DATA.npz|DIR|.npy|-",
    required=True,
    help="Arrays 'inputs' and, where there are any, 'labels' and 'lengths'; or - for steps on "
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
@gathered(SimulateRequest)
def simulate(asked: SimulateRequest) -> None:
    """Run DATA through a deployment (bit-exactly), or through a checkpoint's float network."""
    asked.check()
    stream = asked.stream
    if stream.wanted:
        _stream(asked, stream)
    else:
        _simulate(asked)


def _stream(asked: SimulateRequest, request: StreamRequest) -> None:
    request.check(asked.backend, asked.trace.path, asked.output)
    _refuse_checkpoint_options()
    make_engine(asked.backend, asked.device)  # refuses a device that it has not
    _check_deployment(asked.network_file)
    if request.piped:
        stream, steps = simulate_piped(asked.network_file, request)
        _print_stream(stream, steps, None, err=True)
        return
    stream, recording = simulate_stream(
        asked.network_file, asked.data_path, request, asked.limit, asked.trace, asked.output
    )
    _print_stream(stream, recording.steps, recording.labels)


def _simulate(asked: SimulateRequest) -> None:
    path, data_path, limit, trace = asked.network_file, asked.data_path, asked.limit, asked.trace
    if asked.backend in FLOAT_BACKENDS:
        network = _read_float(path, asked.backend, asked.reading, asked.output_steps)
        outcome = _simulate_float(network, data_path, asked.backend, limit, trace)
    else:
        _refuse_checkpoint_options()
        outcome = _simulate_integer(path, data_path, asked.backend, asked.device, limit, trace)
    logits, predictions, counts, saturated, data = outcome
    if asked.output:
        arrays = {"predictions": predictions}
        if logits is None:
            echo(TOO_LARGE)
        else:
            arrays["logits"] = logits
        _save(asked.output, {**arrays, **{f"spike_counts/{k}": v for k, v in counts.items()}})
    echo(f"{len(data)} sequences of {data.inputs.shape[1]} steps")
    _print_outcome(predictions, data.labels, counts, data.inputs.shape[1], saturated)


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
    from snn_deploy.io.deployment_file import is_deployment

    if not is_deployment(path) and Path(path).is_file():
        raise ConfigError(
            f"{path} is not a deployment; make one with: snn-deploy convert {path} (or run its "
            "float network with --backend float)"
        )


def _simulate_integer(
    path: str, data_path: str, backend: str, device: str, limit: int | None, trace: TraceRequest
) -> Outcome:
    from snn_deploy.api import load
    from snn_deploy.evaluation.dataset import open_dataset

    _check_deployment(path)
    deployment = load(path)
    network = deployment.network
    data = open_dataset(data_path, network).first(network, limit)
    with (
        trace.writer(network, len(data), 0, data.inputs.shape[1]) as writer,
        progress_bar(f"simulating ({backend})", len(data)) as progress,
    ):
        result = deployment.simulate(
            data,
            backend=make_engine(backend, device),
            trace=trace.nodes(network),
            record=writer.record if writer else None,
            progress=progress,
        )
    logits = result.logits if result.logits_fit else None
    return logits, result.predictions, result.spike_counts, result.saturated, data


def _read_float(path: str, backend: str, reading: dict[str, Any], output_steps: Any) -> Network:
    from snn_deploy.api import load_float_network
    from snn_deploy.errors import ConfigError
    from snn_deploy.io.deployment_file import is_deployment

    if is_deployment(path):
        raise ConfigError(
            f"{path} is a deployment, integers only; --backend {backend} takes the CHECKPOINT"
        )
    return load_float_network(path, output_steps=output_steps, **reading)


def _simulate_float(
    network: Network, data_path: str, backend: str, limit: int | None, trace: TraceRequest
) -> Outcome:
    import numpy as np

    from snn_deploy.data.inputs import load_data
    from snn_deploy.engines.floating import run_float

    trace.check_plain(backend)
    data = load_data(data_path, network).first(limit)
    counts: dict[str, list[Any]] = {node.name: [] for node in network if node.spikes}
    signals: dict[str, list[Any]] = {name: [] for name in trace.nodes(network)}

    def record(name: str, signal: Any) -> None:
        if name in counts:
            counts[name].append(np.count_nonzero(signal, axis=1))
        if name in signals:
            signals[name].append(signal)

    neuron: Any = FLOAT_BACKENDS[backend]
    result = run_float(network, data.inputs, data.lengths, neuron=neuron, record=record)
    if trace.path:
        _save(trace.path, {n: np.concatenate(parts) for n, parts in signals.items() if parts})
    spikes = {name.removesuffix(".lif"): np.concatenate(parts) for name, parts in counts.items()}
    return result.logits, result.logits.argmax(axis=-1), spikes, {}, data


def _save(path: str, arrays: Mapping[str, Any]) -> None:
    import numpy as np

    from snn_deploy.io.files import atomic_write

    with atomic_write(path) as file:
        np.savez_compressed(file, **arrays)
    echo(f"wrote {path}")


def _print_stream(stream: Stream, steps: int, labels: Any, err: bool = False) -> None:
    begun = stream.steps - steps
    before = f" (after {begun:,} before)" if begun else ""
    streams = "1 stream" if stream.samples == 1 else f"{stream.samples} streams"
    echo(f"{streams} of {steps:,} steps{before}", err=err)
    found = None if labels is None or not stream.answers_at_end else stream.answer().argmax(axis=-1)
    _print_outcome(found, labels, stream.spike_counts, stream.steps, stream.saturated, err)


def _print_outcome(
    predictions: Any,
    labels: Any,
    counts: Mapping[str, Any],
    steps: int,
    saturated: Mapping[str, int],
    err: bool = False,
) -> None:
    from snn_deploy.compare.metrics import share_of_right

    correct = None if predictions is None else share_of_right(predictions, labels)
    if correct is not None:
        echo(f"accuracy {percent(correct)}", err=err)
    for layer, spikes in counts.items():
        rate = percent(spikes.sum() / (spikes.size * steps))
        echo(f"spike rate {layer}: {rate}", err=err)
    for name, count in saturated.items():
        if count:
            echo(f"saturated {name}: {count:,} values clipped", err=err)

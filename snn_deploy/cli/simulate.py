"""``snn-deploy simulate``: run a deployment, or a checkpoint's float network, on data."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import click

from snn_deploy.cli.console import percent, progress_bar
from snn_deploy.cli.options import (
    config_option,
    data_option,
    device_option,
    limit_option,
    output_steps_option,
)

__all__ = ["make_engine", "simulate"]

Outcome = tuple[Any, Mapping[str, Any], Mapping[str, Any], Mapping[str, int], Any]
"""Logits, spike counts by layer, trace by node, clipped values by node, and the data."""

FLOAT_BACKENDS = {"float": "exact", "float-surrogate": "surrogate"}


@click.command(short_help="Run data through a network.")
@click.argument("network_file", metavar="DEPLOYMENT|CHECKPOINT")
@data_option
@click.option(
    "--backend",
    default="native",
    show_default=True,
    type=click.Choice(["native", "reference", "lava", *FLOAT_BACKENDS]),
    help="An integer engine for a DEPLOYMENT; float or float-surrogate for a CHECKPOINT.",
)
@device_option
@config_option
@output_steps_option
@limit_option
@click.option(
    "--trace", "trace_path", metavar="TRACE.npz", help="Write every node's output at every step."
)
@click.option("-o", "--output", metavar="OUT.npz", help="Write logits, predictions, spike counts.")
def simulate(
    network_file: str,
    data_path: str,
    backend: str,
    device: str,
    config: str | None,
    output_steps: Any,
    limit: int | None,
    trace_path: str | None,
    output: str | None,
) -> None:
    """Run DATA through a deployment (bit-exactly), or through a checkpoint's float network."""
    from snn_deploy.files import check_writable

    for path in (output, trace_path):
        if path:
            check_writable(path)
    if backend in FLOAT_BACKENDS:
        outcome = _simulate_float(
            network_file, data_path, backend, config, output_steps, limit, bool(trace_path)
        )
    else:
        outcome = _simulate_integer(
            network_file, data_path, backend, device, limit, bool(trace_path)
        )
    logits, counts, trace, saturated, data = outcome
    if output:
        arrays = {"logits": logits, "predictions": logits.argmax(axis=-1)}
        _save(output, {**arrays, **{f"spike_counts/{k}": v for k, v in counts.items()}})
    if trace_path:
        _save(trace_path, trace)
    _print_outcome(logits, counts, data)
    for name, count in saturated.items():
        if count:
            click.echo(f"saturated {name}: {count:,} values clipped")


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


def _simulate_integer(
    path: str, data_path: str, backend: str, device: str, limit: int | None, trace: bool
) -> Outcome:
    import numpy as np

    from snn_deploy.api import load
    from snn_deploy.data import load_data
    from snn_deploy.deployment_file import is_deployment
    from snn_deploy.errors import ConfigError

    if not is_deployment(path) and _exists(path):
        raise ConfigError(
            f"{path} is not a deployment; make one with: snn-deploy convert {path} (or run its "
            "float network with --backend float)"
        )
    deployment = load(path)
    data = load_data(data_path, deployment.network).first(limit)
    names = deployment.network.names if trace else ()
    with progress_bar(f"simulating ({backend})", len(data)) as progress:
        result = deployment.simulate(
            data, backend=make_engine(backend, device), trace=names, progress=progress
        )
    signals = {name: signal.astype(np.int32) for name, signal in result.trace.items()}
    return result.logits, result.spike_counts, signals, result.saturated, data


def _simulate_float(
    path: str,
    data_path: str,
    backend: str,
    config: str | None,
    output_steps: Any,
    limit: int | None,
    trace: bool,
) -> Outcome:
    import numpy as np

    from snn_deploy.api import load_float_network
    from snn_deploy.data import load_data
    from snn_deploy.deployment_file import is_deployment
    from snn_deploy.engines.floating import run_float
    from snn_deploy.errors import ConfigError
    from snn_deploy.ir.float_nodes import Lif

    if is_deployment(path):
        raise ConfigError(
            f"{path} is a deployment, integers only; --backend {backend} takes the CHECKPOINT"
        )
    network = load_float_network(path, config, output_steps)
    data = load_data(data_path, network).first(limit)
    counts: dict[str, list[Any]] = {lif.name: [] for lif in network.of_kind(Lif)}
    signals: dict[str, list[Any]] = {name: [] for name in network.names}

    def record(name: str, signal: Any) -> None:
        if name in counts:
            counts[name].append(signal.sum(axis=1).astype(np.int64))
        if trace:
            signals[name].append(signal)

    neuron: Any = FLOAT_BACKENDS[backend]
    result = run_float(network, data.inputs, data.lengths, neuron=neuron, record=record)
    return (
        result.logits,
        {name.removesuffix(".lif"): np.concatenate(parts) for name, parts in counts.items()},
        {name: np.concatenate(parts) for name, parts in signals.items() if parts},
        {},
        data,
    )


def _exists(path: str) -> bool:
    from pathlib import Path

    return Path(path).exists()


def _save(path: str, arrays: Mapping[str, Any]) -> None:
    import numpy as np

    from snn_deploy.files import atomic_write

    with atomic_write(path) as file:
        np.savez_compressed(file, **arrays)
    click.echo(f"wrote {path}")


def _print_outcome(logits: Any, counts: Mapping[str, Any], data: Any) -> None:
    from snn_deploy.metrics import accuracy

    steps = data.inputs.shape[1]
    click.echo(f"{len(data)} sequences of {steps} steps")
    correct = accuracy(logits, data.labels)
    if correct is not None:
        click.echo(f"accuracy {percent(correct)}")
    for layer, spikes in counts.items():
        click.echo(f"spike rate {layer}: {percent(spikes.sum() / (spikes.size * steps))}")

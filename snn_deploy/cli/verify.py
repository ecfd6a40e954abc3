"""``snn-deploy verify``: the same bits from all engines, and what quantisation changed."""

from __future__ import annotations

import json
from typing import Any

import click

from snn_deploy.cli.console import percent, progress_bar
from snn_deploy.cli.options import config_option, data_option, device_option, limit_option

__all__ = ["verify"]


@click.command(short_help="Compare engines bit by bit.")
@click.argument("deployment_file", metavar="DEPLOYMENT")
@data_option
@click.option("--against", metavar="CHECKPOINT", help="Also compare with its float network.")
@config_option
@click.option(
    "--backends",
    default="native,reference",
    show_default=True,
    metavar="A,B,…",
    help="Engines to compare with the first: native, reference, lava.",
)
@device_option
@click.option(
    "--min-agreement",
    type=click.FloatRange(0, 1),
    metavar="SHARE",
    help="With --against: fail below this share of equal predictions.",
)
@limit_option
@click.option("--json", "json_path", metavar="OUT.json", help="Write every figure.")
def verify(
    deployment_file: str,
    data_path: str,
    against: str | None,
    config: str | None,
    backends: str,
    device: str,
    min_agreement: float | None,
    limit: int | None,
    json_path: str | None,
) -> int:
    """Compare every output of every node at every step between engines; exit code 1 if any differs.

    With --against, also compare accuracy and every signal with the float network.
    """
    from snn_deploy.api import load
    from snn_deploy.cli.convert import refuse_deployment
    from snn_deploy.cli.simulate import make_engine
    from snn_deploy.data import load_data
    from snn_deploy.errors import ConfigError
    from snn_deploy.files import atomic_write, check_writable

    names = [name.strip() for name in backends.split(",")]
    if len(names) < 2 and against is None:
        raise ConfigError(f"--backends {backends}: name at least two engines to compare")
    if min_agreement is not None and against is None:
        raise ConfigError("--min-agreement needs --against CHECKPOINT")
    if against is not None:
        refuse_deployment(against)
    if json_path:
        check_writable(json_path, deployment_file, data_path, against, config)
    deployment = load(deployment_file)
    engines = [make_engine(name, device if name == "lava" else "cpu") for name in names]
    data = load_data(data_path, deployment.network).first(limit)
    runs = len(engines) if len(engines) > 1 else 0
    total = len(data) * (runs + (against is not None))
    with progress_bar("verifying", total) as progress:
        outcome = deployment.verify(
            data, backends=engines, against=against, config=config, progress=progress
        )
    for comparison in outcome.engines:
        click.echo(str(comparison))
    passed = outcome.passed
    if outcome.accuracy is not None:
        _print_accuracy(outcome.accuracy)
        passed &= min_agreement is None or outcome.accuracy.agreement >= min_agreement
    if json_path:
        with atomic_write(json_path) as file:
            file.write(json.dumps(outcome.to_json(), indent=2).encode())
        click.echo(f"wrote {json_path}")
    return 0 if passed else 1


def _print_accuracy(accuracy: Any) -> None:
    click.echo(f"\nfloat against integer, {accuracy.sequences} sequences: signal to noise, or the")
    click.echo("share of spikes that differ")
    rows = (
        ("surrogate float", accuracy.surrogate_accuracy, accuracy.surrogate_agreement),
        ("exact-LIF float", accuracy.exact_accuracy, accuracy.agreement),
        ("integer", accuracy.integer_accuracy, None),
    )
    for name, correct, agrees in rows:
        same = "" if agrees is None else f", integer agrees {percent(agrees):>7}"
        click.echo(f"  {name:<16} accuracy {percent(correct):>7}{same}")
    click.echo(f"  largest logit error {accuracy.largest_logit_error:.3g}")
    click.echo(f"  {accuracy.advice}\n")
    click.echo(f"  {'signal':<20} {'in all':>12} {'added here':>12}  worst channels, notes")
    for signal in accuracy.signals:
        click.echo(f"  {_signal_line(signal)}")


def _signal_line(signal: Any) -> str:
    if signal.mismatch is not None:
        total, local = percent(signal.mismatch), percent(signal.local_mismatch)
    else:
        total = _decibels(signal.signal_to_noise_db)
        local = _decibels(signal.local_signal_to_noise_db)
    counts = {
        "silent": signal.silent,
        "of them alive in float": signal.died,
        "always firing": signal.always,
        "clipped": signal.saturated,
    }
    notes = [f"{number:,} {what}" for what, number in counts.items() if number]
    worst = ",".join(str(channel) for channel in signal.worst_channels)
    if worst:
        notes.insert(0, worst)
    return f"{signal.node:<20} {total:>12} {local:>12}  {'; '.join(notes)}".rstrip()


def _decibels(value: float | None) -> str:
    return "exact" if value is None else f"{value:.1f} dB"

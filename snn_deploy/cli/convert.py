"""``snn-deploy convert``: from a checkpoint to a deployment file."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import click

from snn_deploy.cli.options import config_option, output_steps_option, parse_pairs

__all__ = ["convert"]


@click.command(short_help="Compile a checkpoint for a chip.")
@click.argument("checkpoint")
@click.option("--target", default="loihi2", show_default=True, help="Hardware profile, or a file.")
@config_option
@click.option(
    "--calibration",
    metavar="DATA.npz",
    help="Representative inputs (training data): number formats are chosen from their ranges.",
)
@output_steps_option
@click.option(
    "--set",
    "settings",
    multiple=True,
    metavar="KEY=VALUE",
    callback=parse_pairs,
    help="A quantisation setting, e.g. weight_bits=4; see docs/arithmetic.md.",
)
@click.option(
    "-o", "--output", metavar="OUT.safetensors", help="Default: named after CHECKPOINT, here."
)
def convert(
    checkpoint: str,
    target: str,
    config: str | None,
    calibration: str | None,
    output_steps: Any,
    settings: dict[str, str],
    output: str | None,
) -> None:
    """Quantise CHECKPOINT, lower it to a chip's processes, and write a deployment file."""
    from snn_deploy.api import convert as compile_checkpoint

    started = time.perf_counter()
    out = Path(output) if output else Path(Path(checkpoint).stem + ".safetensors")
    refuse_deployment(checkpoint)
    refuse_overwriting_input(out, checkpoint)
    deployment = compile_checkpoint(
        checkpoint,
        target,
        calibration=calibration,
        config=config,
        output_steps=output_steps,
        settings=settings,
    )
    deployment.save(out)
    seconds = time.perf_counter() - started
    click.echo(f"{out}: {_summary(deployment)}, {out.stat().st_size:,} bytes, {seconds:.1f} s")


def refuse_deployment(checkpoint: str) -> None:
    """Refuse a deployment where a checkpoint is wanted."""
    from snn_deploy.deployment_file import is_deployment
    from snn_deploy.errors import ConfigError

    if is_deployment(checkpoint):
        raise ConfigError(f"{checkpoint} is a deployment already; name the CHECKPOINT it came from")


def refuse_overwriting_input(output: Path, checkpoint: str) -> None:
    """Refuse an output that is the checkpoint itself, or somebody else's file."""
    from snn_deploy.deployment_file import is_deployment
    from snn_deploy.errors import OutputError
    from snn_deploy.files import check_writable

    check_writable(output)
    if output.exists() and not is_deployment(output):
        what = "the checkpoint itself" if _same(output, checkpoint) else "not a deployment"
        raise OutputError(f"{output} exists and is {what}; choose another name with -o")


def _same(output: Path, checkpoint: str) -> bool:
    source = Path(checkpoint)
    return source.exists() and output.samefile(source)


def _summary(deployment: Any) -> str:
    from snn_deploy.ir.integer_nodes import Dendrite, LifSoma

    network = deployment.network
    somas = network.of_kind(LifSoma)
    compartments = sum(2 * d.width * d.bank.modes for d in network.of_kind(Dendrite))
    return (
        f"{len(network)} processes for {deployment.origin.profile}, {len(somas)} layers, "
        f"{sum(soma.width for soma in somas):,} neurons, {compartments:,} dendrite compartments"
    )

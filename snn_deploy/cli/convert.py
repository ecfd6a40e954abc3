"""``snn-deploy convert``: from a checkpoint to a deployment file."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from snn_deploy.cli.console import echo, percent, progress_bar
from snn_deploy.cli.options import (
    config_option,
    family_option,
    output_steps_option,
    parse_pairs,
    set_model_option,
)

if TYPE_CHECKING:
    from snn_deploy.tune.format_search import CostName, Search

__all__ = ["convert", "refuse_deployment", "refuse_overwriting_input"]


@click.command(short_help="Compile a checkpoint for a chip.")
@click.argument("checkpoint")
@click.option("--target", default="loihi2", show_default=True, help="Hardware profile, or a file.")
@config_option
@set_model_option
@family_option
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
    help="A quantisation setting, e.g. weight_bits=4 (see docs/arithmetic.md), or a number of the "
    "profile, e.g. limits.cores_per_chip=120.",
)
@click.option(
    "--formats",
    metavar="FILE.toml",
    help="Settings from a file, of all nodes and of single ones; --set goes before it.",
)
@click.option(
    "--search",
    "wants_search",
    is_flag=True,
    help="Find the cheapest formats; needs --calibration. Writes OUT.search.json.",
)
@click.option(
    "--search-for",
    "cost",
    type=click.Choice(["memory", "energy"]),
    default="memory",
    show_default=True,
    help="With --search: what is to be cheap; energy as the report of the target counts it.",
)
@click.option(
    "--max-loss",
    type=click.FloatRange(0, 1),
    default=0.0,
    show_default=True,
    metavar="SHARE",
    help="With --search: how much accuracy on the calibration set may fall below float.",
)
@click.option(
    "-o", "--output", metavar="OUT.safetensors", help="Default: named after CHECKPOINT, here."
)
def convert(
    checkpoint: str,
    target: str,
    config: Any,
    family: str | None,
    calibration: str | None,
    output_steps: Any,
    settings: dict[str, str],
    formats: str | None,
    wants_search: bool,
    cost: CostName,
    max_loss: float,
    output: str | None,
) -> None:
    """Quantise CHECKPOINT, lower it to a chip's processes, and write a deployment file."""
    from snn_deploy.api import convert as compile_checkpoint
    from snn_deploy.errors import ConfigError

    started = time.perf_counter()
    out = Path(output) if output else Path(Path(checkpoint).stem + ".safetensors")
    refuse_deployment(checkpoint)
    refuse_overwriting_input(out, checkpoint)
    if cost != "memory" and not wants_search:
        raise ConfigError(f"--search-for {cost} goes with --search")
    chosen: dict[str, Any] = {**_read(formats), **settings}
    reading: dict[str, Any] = {"config": config, "family": family, "output_steps": output_steps}
    if wants_search:
        options = {"target": target, "max_loss": max_loss, "cost": cost}
        options |= {"settings": chosen, **reading}
        chosen |= _search(checkpoint, calibration, options, out)
    with progress_bar("calibrating", 1.0) as progress:
        deployment = compile_checkpoint(
            checkpoint,
            target,
            calibration=calibration,
            settings=chosen,
            progress=progress,
            **reading,
        )
    deployment.save(out)
    seconds = time.perf_counter() - started
    echo(f"{out}: {_summary(deployment)}, {out.stat().st_size:,} bytes, {seconds:.1f} s")


def _read(formats: str | None) -> dict[str, Any]:
    from snn_deploy.quantize.config import read_formats

    return read_formats(formats) if formats else {}


def _search(
    checkpoint: str, calibration: str | None, options: dict[str, Any], out: Path
) -> dict[str, Any]:
    """Search formats, write what was tried beside the deployment, and give what was found."""
    from snn_deploy.api import search
    from snn_deploy.errors import ConfigError
    from snn_deploy.io.files import atomic_write

    if calibration is None:
        raise ConfigError("--search needs --calibration DATA.npz to judge accuracy by")
    with progress_bar("searching formats", 1.0) as progress:
        outcome = search(checkpoint, calibration, progress=progress, **options)
    log = out.with_suffix(".search.json")
    with atomic_write(log) as file:
        file.write(json.dumps(outcome.to_json(), indent=2).encode())
    echo(
        f"{log}: {len(outcome.trials)} trials, {_saved(outcome)}, "
        f"{outcome.mean_weight_bits:.2f} bits a synapse, {outcome.score_name} "
        f"{percent(outcome.score)} (float {percent(outcome.float_score)})"
    )
    return outcome.config.model_dump()


def _saved(outcome: Search) -> str:
    from snn_deploy.reports.quantities import quantity

    memory = f"{outcome.before:,} to {outcome.after:,} bytes of chip memory"
    if outcome.energy_before_j is None or outcome.energy_after_j is None:
        return memory
    before, after = quantity(outcome.energy_before_j, "J"), quantity(outcome.energy_after_j, "J")
    return f"{before} to {after} a sequence, {memory}"


def refuse_deployment(checkpoint: str) -> None:
    """Refuse a deployment where a checkpoint is wanted."""
    from snn_deploy.errors import ConfigError
    from snn_deploy.io.deployment_file import is_deployment

    if is_deployment(checkpoint):
        raise ConfigError(f"{checkpoint} is a deployment already; name the CHECKPOINT it came from")


def refuse_overwriting_input(output: Path, checkpoint: str) -> None:
    """Refuse an output that is the checkpoint itself, or somebody else's file."""
    from snn_deploy.errors import OutputError
    from snn_deploy.io.deployment_file import is_deployment
    from snn_deploy.io.files import check_writable

    check_writable(output)
    if output.exists() and not is_deployment(output):
        what = "the checkpoint itself" if _same(output, checkpoint) else "not a deployment"
        raise OutputError(f"{output} exists and is {what}; choose another name with -o")


def _same(output: Path, checkpoint: str) -> bool:
    source = Path(checkpoint)
    return source.exists() and output.samefile(source)


def _summary(deployment: Any) -> str:
    from snn_deploy.ir.integer_nodes import Dendrite, LifSoma
    from snn_deploy.reports.rounding import dendrite_rounding

    network = deployment.network
    somas = network.of_kind(LifSoma)
    compartments = sum(2 * d.width * d.bank.modes for d in network.of_kind(Dendrite))
    rounding = dendrite_rounding(network)
    rounded = f", {rounding}" if rounding.odd else ""
    return (
        f"{len(network)} processes for {deployment.origin.profile}, {len(somas)} layers, "
        f"{sum(soma.width for soma in somas):,} neurons, {compartments:,} dendrite compartments"
        f"{rounded}"
    )

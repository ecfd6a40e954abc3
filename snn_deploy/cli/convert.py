"""``snn-deploy convert``: from a checkpoint to a deployment file."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from snn_deploy.cli.console import echo, make_console, percent, progress_bar
from snn_deploy.cli.data_options import data_forms
from snn_deploy.cli.options import (
    checkpoint_options,
    gathered,
    output_steps_option,
    parse_pairs,
    target_option,
)
from snn_deploy.printable import one_line

if TYPE_CHECKING:
    from snn_deploy.deployment import Deployment
    from snn_deploy.tune.format_search import CostName, Search

__all__ = ["ConvertRequest", "convert", "refuse_deployment", "refuse_overwriting_input"]


@dataclass(frozen=True)
class ConvertRequest:
    """What was asked for, by the names of the options."""

    checkpoint: str
    target: str
    reading: dict[str, Any]
    calibration: str | None
    output_steps: Any
    settings: dict[str, str]
    formats: str | None
    wants_search: bool
    cost: CostName
    max_loss: float
    output: str | None
    wants_report: bool

    @property
    def out(self) -> Path:
        """The deployment file."""
        return Path(self.output or Path(self.checkpoint).stem + ".safetensors")

    def chosen(self) -> dict[str, Any]:
        """All settings; those of the command line go before those of a file."""
        from snn_deploy.quantize.config import read_formats

        return {**(read_formats(self.formats) if self.formats else {}), **self.settings}

    def check(self) -> None:
        """Refuse what does not go together, and files that cannot be."""
        from snn_deploy.errors import ConfigError

        refuse_deployment(self.checkpoint)
        refuse_overwriting_input(self.out, self.checkpoint)
        if self.cost != "memory" and not self.wants_search:
            raise ConfigError(f"--search-for {self.cost} goes with --search")
        if self.wants_report and self.calibration is None:
            raise ConfigError("--report needs --calibration DATA.npz, which it runs")


@click.command(short_help="Compile a checkpoint for a chip.")
@click.argument("checkpoint")
@target_option
@checkpoint_options
@click.option(
    "--calibration",
    metavar="DATA.npz",
    help="Representative inputs (training data): number formats are chosen from their ranges.",
)
@data_forms("calibration")
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
@click.option(
    "--report",
    "wants_report",
    is_flag=True,
    help="Also place it, run the calibration data, and report cores, time and energy.",
)
@gathered(ConvertRequest)
def convert(asked: ConvertRequest) -> None:
    """Quantise CHECKPOINT, lower it to a chip's processes, and write a deployment file."""
    from snn_deploy.api import convert as compile_checkpoint

    started = time.perf_counter()
    asked.check()
    chosen = asked.chosen()
    if asked.wants_search:
        chosen |= _search(asked, chosen)
    with progress_bar("calibrating", 1.0) as progress:
        deployment = compile_checkpoint(
            asked.checkpoint,
            target=asked.target,
            calibration=asked.calibration,
            settings=chosen,
            progress=progress,
            output_steps=asked.output_steps,
            **asked.reading,
        )
    out = asked.out
    deployment.save(out)
    seconds = time.perf_counter() - started
    echo(f"{out}: {_summary(deployment)}, {out.stat().st_size:,} bytes, {seconds:.1f} s")
    echo(f"read as: {one_line(deployment.origin.read_as)}")
    if asked.wants_report:
        _report(asked, deployment)


def _report(asked: ConvertRequest, deployment: Deployment) -> None:
    """Report what the data that numbers were calibrated on cost."""
    from snn_deploy.api import CALIBRATION_SEQUENCES
    from snn_deploy.data.given import as_data
    from snn_deploy.reports.table import render_report

    data = as_data(deployment.network, asked.calibration, where="calibration")
    data = data.first(CALIBRATION_SEQUENCES)
    with progress_bar("running", len(data)) as progress:
        outcome = deployment.report(data, progress=progress)
    render_report(outcome, make_console())


def _search(asked: ConvertRequest, chosen: dict[str, Any]) -> dict[str, Any]:
    """Search formats, write what was tried beside the deployment, and give what was found."""
    from snn_deploy.api import search
    from snn_deploy.errors import ConfigError
    from snn_deploy.io.files import atomic_write

    if asked.calibration is None:
        raise ConfigError("--search needs --calibration DATA.npz to judge accuracy by")
    with progress_bar("searching formats", 1.0) as progress:
        outcome = search(
            asked.checkpoint,
            asked.calibration,
            target=asked.target,
            settings=chosen,
            max_loss=asked.max_loss,
            cost=asked.cost,
            progress=progress,
            output_steps=asked.output_steps,
            **asked.reading,
        )
    log = asked.out.with_suffix(".search.json")
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
    from snn_deploy.formats.registry import holds_deployment

    if holds_deployment(checkpoint):
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
    from snn_deploy.reports.rounding import dendrite_rounding

    network = deployment.network
    somas = network.spiking
    compartments = sum(2 * node.width * (node.modes or 0) for node in network)
    rounding = dendrite_rounding(network)
    rounded = f", {rounding}" if rounding.odd else ""
    return (
        f"{len(network)} processes for {deployment.origin.profile}, {len(somas)} layers, "
        f"{sum(soma.width for soma in somas):,} neurons, {compartments:,} dendrite compartments"
        f"{rounded}"
    )

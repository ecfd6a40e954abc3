"""``snn-deploy compare``: deployments side by side on the same data."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from snn_deploy.cli.console import make_console, progress_bar, write_text
from snn_deploy.cli.data_options import data_option
from snn_deploy.cli.options import (
    checkpoint_options,
    config_file,
    gathered,
    limit_option,
)

if TYPE_CHECKING:
    from snn_deploy.reports.compare import Comparison

__all__ = ["CompareRequest", "compare"]


@dataclass(frozen=True)
class CompareRequest:
    """What was asked for, by the names of the options."""

    deployment_files: tuple[str, ...]
    data_path: str
    limit: int | None
    against: str | None
    on_boards: bool
    built: tuple[str, ...]
    reading: dict[str, Any]
    json_path: str | None
    html_path: str | None

    def check(self) -> None:
        """Refuse what cannot be compared with, and files that cannot be written."""
        from snn_deploy.cli.convert import refuse_deployment
        from snn_deploy.io.files import check_outputs

        if self.against is not None:
            refuse_deployment(self.against)
        read = (*self.deployment_files, self.data_path, self.against, config_file(self.reading))
        check_outputs((self.json_path, self.html_path), *read)


@click.command(short_help="Put deployments side by side.")
@click.argument("deployment_files", metavar="DEPLOYMENT…", nargs=-1, required=True)
@data_option
@limit_option
@click.option("--against", metavar="CHECKPOINT", help="Also compare with its float network.")
@click.option(
    "--on-boards", is_flag=True, help="Also run a sequence on simulated cores of the boards (QEMU)."
)
@click.option(
    "--built",
    metavar="FOLDER",
    multiple=True,
    help="Verilog of one of them, placed and routed by build; repeat it.",
)
@checkpoint_options
@click.option("--json", "json_path", metavar="OUT.json", help="Write every figure.")
@click.option("--html", "html_path", metavar="OUT.html", help="Write a page of figures and charts.")
@gathered(CompareRequest)
def compare(asked: CompareRequest) -> None:
    """Run DATA through several deployments and compare what they answer and what they cost.

    Each is costed on its own target, and its arithmetic alone at 45 nm, spiking and as an
    artificial network.
    """
    from snn_deploy.reports.compare_table import render_comparison

    asked.check()
    comparison = _run(asked)
    if asked.json_path:
        write_text(asked.json_path, json.dumps(comparison.to_json(), indent=2))
    if asked.html_path:
        from snn_deploy.page.comparison_page import ComparisonPage, render_comparison_page

        page = ComparisonPage(comparison, Path(asked.data_path).name)
        write_text(asked.html_path, render_comparison_page(page))
    render_comparison(comparison, make_console())


def _run(asked: CompareRequest) -> Comparison:
    from snn_deploy.api import load_float_network
    from snn_deploy.data.familiar import warn_if_unfamiliar
    from snn_deploy.data.inputs import load_data
    from snn_deploy.deployment import load
    from snn_deploy.reports.compare import compare_deployments

    deployments = [load(path) for path in asked.deployment_files]
    first = deployments[0].network
    data = load_data(asked.data_path, first).first(asked.limit)
    for deployment in deployments:
        warn_if_unfamiliar(deployment.origin.calibration, data)
    source = None
    if asked.against is not None:
        steps = first.answer.requested
        source = load_float_network(asked.against, output_steps=steps, **asked.reading)
    named = list(zip(_short_names(asked.deployment_files), deployments, strict=True))
    with progress_bar("running", len(data) * len(deployments)) as progress:
        return compare_deployments(
            named,
            data,
            against=source,
            on_boards=asked.on_boards,
            built=[Path(folder) for folder in asked.built],
            progress=progress,
        )


def _short_names(paths: tuple[str, ...]) -> list[str]:
    """Name files without folder and ending, unless that makes two the same."""
    stems = [Path(path).stem for path in paths]
    return stems if len(set(stems)) == len(stems) else list(paths)

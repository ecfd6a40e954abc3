"""``snn-deploy export``: a deployment as source code for hardware that anyone can own."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import click

from snn_deploy.cli.console import echo
from snn_deploy.cli.options import gathered

__all__ = ["ExportRequest", "export"]


@dataclass(frozen=True)
class ExportRequest:
    """What was asked for, by the names of the options."""

    deployment_file: str
    form: str
    folder: str
    data_path: str | None
    limit: int


@click.command(short_help="Write C99 for a microcontroller.")
@click.argument("deployment_file", metavar="DEPLOYMENT")
@click.option(
    "--format",
    "form",
    type=click.Choice(["c"]),
    default="c",
    show_default=True,
    help="What to write: C99.",
)
@click.option("-o", "--output", "folder", metavar="FOLDER", required=True, help="Where to.")
@click.option("--data", "data_path", metavar="DATA.npz", help="Inputs for the test vectors.")
@click.option(
    "--limit",
    type=click.IntRange(min=1),
    default=4,
    show_default=True,
    metavar="N",
    help="How many sequences of the data become test vectors.",
)
@gathered(ExportRequest)
def export(asked: ExportRequest) -> None:
    """Write a deployment as source code; the same deployment gives the same bytes."""
    from snn_deploy.api import load
    from snn_deploy.data.inputs import load_data
    from snn_deploy.targets.export import export_deployment
    from snn_deploy.targets.registry import get_target

    deployment = load(asked.deployment_file)
    data = None
    if asked.data_path is not None:
        data = load_data(asked.data_path, deployment.network).first(asked.limit)
    for path in export_deployment(deployment, asked.form, Path(asked.folder), data):
        echo(f"wrote {path}")
    sizes = get_target(asked.form).sizes(deployment.network, Path(asked.folder))
    for what, count in sizes.items():
        echo(f"{count:>10,} bytes  {what}")

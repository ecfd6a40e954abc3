"""``snn-deploy report``: sparsity, memory, cores and energy, layer by layer."""

from __future__ import annotations

import json

import click

from snn_deploy.cli.console import make_console, progress_bar
from snn_deploy.cli.options import data_option, limit_option

__all__ = ["report"]


@click.command(short_help="Account for activity, memory and energy.")
@click.argument("deployment_file", metavar="DEPLOYMENT")
@data_option
@limit_option
@click.option("--json", "json_path", metavar="OUT.json", help="Write every figure.")
def report(deployment_file: str, data_path: str, limit: int | None, json_path: str | None) -> None:
    """Run DATA and account for what the deployed network does and costs on its chip."""
    from snn_deploy.api import load
    from snn_deploy.data import load_data
    from snn_deploy.files import atomic_write, check_writable
    from snn_deploy.reports.table import render_report

    if json_path:
        check_writable(json_path)
    deployment = load(deployment_file)
    data = load_data(data_path, deployment.network).first(limit)
    with progress_bar("running", len(data)) as progress:
        outcome = deployment.report(data, progress=progress)
    render_report(outcome, make_console())
    if json_path:
        with atomic_write(json_path) as file:
            file.write(json.dumps(outcome.to_json(), indent=2).encode())
        click.echo(f"wrote {json_path}")

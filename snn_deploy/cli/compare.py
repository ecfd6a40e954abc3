"""``snn-deploy compare``: deployments side by side on the same data."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from snn_deploy.cli.console import echo, make_console, progress_bar
from snn_deploy.cli.options import (
    checkpoint_options,
    config_file,
    data_option,
    limit_option,
)

__all__ = ["compare"]


@click.command(short_help="Put deployments side by side.")
@click.argument("deployment_files", metavar="DEPLOYMENT…", nargs=-1, required=True)
@data_option
@limit_option
@click.option("--against", metavar="CHECKPOINT", help="Also compare with its float network.")
@checkpoint_options
@click.option("--json", "json_path", metavar="OUT.json", help="Write every figure.")
def compare(
    deployment_files: tuple[str, ...],
    data_path: str,
    limit: int | None,
    against: str | None,
    reading: dict[str, Any],
    json_path: str | None,
) -> None:
    """Run DATA through several deployments and compare what they answer and what they cost.

    Each is costed on its own target, and its arithmetic alone at 45 nm, spiking and as an
    artificial network.
    """
    from snn_deploy.api import load, load_float_network
    from snn_deploy.cli.convert import refuse_deployment
    from snn_deploy.data.inputs import load_data
    from snn_deploy.io.files import atomic_write, check_writable
    from snn_deploy.reports.compare import compare_deployments
    from snn_deploy.reports.compare_table import render_comparison

    if against is not None:
        refuse_deployment(against)
    if json_path:
        check_writable(json_path, *deployment_files, data_path, against, config_file(reading))
    deployments = [load(path) for path in deployment_files]
    first = deployments[0].network
    data = load_data(data_path, first).first(limit)
    source = None
    if against is not None:
        source = load_float_network(against, output_steps=first.answer.requested, **reading)
    names = _short_names(deployment_files)
    with progress_bar("running", len(data) * len(deployments)) as progress:
        comparison = compare_deployments(
            list(zip(names, deployments, strict=True)), data, against=source, progress=progress
        )
    render_comparison(comparison, make_console())
    if json_path:
        with atomic_write(json_path) as file:
            file.write(json.dumps(comparison.to_json(), indent=2).encode())
        echo(f"wrote {json_path}")


def _short_names(paths: tuple[str, ...]) -> list[str]:
    """Name files without folder and ending, unless that makes two the same."""
    stems = [Path(path).stem for path in paths]
    return stems if len(set(stems)) == len(stems) else list(paths)

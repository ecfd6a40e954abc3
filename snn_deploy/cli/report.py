"""``snn-deploy report``: sparsity, memory, cores and energy, layer by layer."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from snn_deploy.cli.console import make_console, progress_bar, write_text
from snn_deploy.cli.options import (
    config_file,
    config_option,
    data_option,
    family_option,
    limit_option,
    parse_pairs,
    set_model_option,
)

__all__ = ["report"]


@click.command(short_help="Account for activity, memory and energy.")
@click.argument("deployment_file", metavar="DEPLOYMENT")
@data_option
@limit_option
@click.option("--json", "json_path", metavar="OUT.json", help="Write every figure.")
@click.option("--html", "html_path", metavar="OUT.html", help="Write a page of figures and charts.")
@click.option(
    "--against", metavar="CHECKPOINT", help="With --html: compare with its float network, too."
)
@config_option
@set_model_option
@family_option
@click.option(
    "--set",
    "settings",
    metavar="KEY=VALUE",
    multiple=True,
    callback=parse_pairs,
    help="Try another number of the profile, e.g. energy.ac_pj=20. Can be repeated.",
)
def report(
    deployment_file: str,
    data_path: str,
    limit: int | None,
    json_path: str | None,
    html_path: str | None,
    against: str | None,
    config: Any,
    family: str | None,
    settings: dict[str, str],
) -> None:
    """Run DATA and account for what the deployed network does and costs on its chip."""
    from snn_deploy.api import load
    from snn_deploy.cli.convert import refuse_deployment
    from snn_deploy.data.inputs import load_data
    from snn_deploy.errors import ConfigError
    from snn_deploy.io.files import check_outputs
    from snn_deploy.page.data import gather_page
    from snn_deploy.reports.table import render_report

    if against is not None and html_path is None:
        raise ConfigError("--against needs --html OUT.html; on the terminal, verify compares")
    if against is not None:
        refuse_deployment(against)
    check_outputs((json_path, html_path), deployment_file, data_path, against, config_file(config))
    deployment = load(deployment_file).with_profile_settings(settings)
    data = load_data(data_path, deployment.network).first(limit)
    page = None
    with progress_bar("running", len(data) * (1 if against is None else 2)) as progress:
        if html_path:
            page = gather_page(
                deployment,
                data,
                name=Path(deployment_file).name,
                data_name=Path(data_path).name,
                against=against,
                config=config,
                family=family,
                progress=progress,
            )
            outcome = page.report
        else:
            outcome = deployment.report(data, progress=progress)
    render_report(outcome, make_console())
    if json_path:
        write_text(json_path, json.dumps(outcome.to_json(), indent=2))
    if html_path and page is not None:
        from snn_deploy.page.html import render_page

        write_text(html_path, render_page(page))

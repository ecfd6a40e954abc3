"""``snn-deploy report``: sparsity, memory, cores and energy, layer by layer."""

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
    parse_pairs,
)
from snn_deploy.progress import doing

if TYPE_CHECKING:
    from snn_deploy.data.inputs import Data
    from snn_deploy.deployment import Deployment
    from snn_deploy.page.data import PageData

__all__ = ["ReportRequest", "report"]


@dataclass(frozen=True)
class ReportRequest:
    """What was asked for, by the names of the options."""

    deployment_file: str
    data_path: str
    limit: int | None
    json_path: str | None
    html_path: str | None
    against: str | None
    reading: dict[str, Any]
    settings: dict[str, str]

    def check(self) -> None:
        """Refuse what does not go together, and files that cannot be."""
        from snn_deploy.cli.convert import refuse_deployment
        from snn_deploy.errors import ConfigError
        from snn_deploy.io.files import check_outputs

        if self.against is not None and self.html_path is None:
            raise ConfigError("--against needs --html OUT.html; on the terminal, verify compares")
        if self.against is not None:
            refuse_deployment(self.against)
        read = (self.deployment_file, self.data_path, self.against, config_file(self.reading))
        check_outputs((self.json_path, self.html_path), *read)


@click.command(short_help="Account for activity, memory and energy.")
@click.argument("deployment_file", metavar="DEPLOYMENT")
@data_option
@limit_option
@click.option("--json", "json_path", metavar="OUT.json", help="Write every figure.")
@click.option("--html", "html_path", metavar="OUT.html", help="Write a page of figures and charts.")
@click.option(
    "--against", metavar="CHECKPOINT", help="With --html: compare with its float network, too."
)
@checkpoint_options
@click.option(
    "--set",
    "settings",
    metavar="KEY=VALUE",
    multiple=True,
    callback=parse_pairs,
    help="Try another number of the profile, e.g. energy.ac_pj=20. Can be repeated.",
)
@gathered(ReportRequest)
def report(asked: ReportRequest) -> None:
    """Run DATA and account for what the deployed network does and costs on its chip."""
    from snn_deploy.data.familiar import warn_if_unfamiliar
    from snn_deploy.data.inputs import load_data
    from snn_deploy.deployment import load
    from snn_deploy.reports.table import render_report

    asked.check()
    deployment = load(asked.deployment_file).with_profile_settings(asked.settings)
    data = load_data(asked.data_path, deployment.network).first(asked.limit)
    warn_if_unfamiliar(deployment.origin.calibration, data)
    page = _gather(asked, deployment, data) if asked.html_path else None
    if page is not None:
        outcome = page.report
    else:
        with progress_bar("running", len(data)) as progress:
            outcome = deployment.report(data, progress=progress)
    if asked.json_path:
        write_text(asked.json_path, json.dumps(outcome.to_json(), indent=2))
    if asked.html_path and page is not None:
        from snn_deploy.page.html import render_page

        with doing("drawing the page"):
            text = render_page(page)
        write_text(asked.html_path, text)
    render_report(outcome, make_console())


def _gather(asked: ReportRequest, deployment: Deployment, data: Data) -> PageData:
    from snn_deploy.page.data import gather_page

    runs = 1 if asked.against is None else 2
    with progress_bar("running", len(data) * runs) as progress:
        compared = None
        if asked.against is not None:
            compared = deployment.verify(
                data,
                backends=["native"],
                against=asked.against,
                **asked.reading,
                progress=progress,
            ).accuracy
        return gather_page(
            deployment,
            data,
            name=Path(asked.deployment_file).name,
            data_name=Path(asked.data_path).name,
            comparison=compared,
            progress=progress,
        )

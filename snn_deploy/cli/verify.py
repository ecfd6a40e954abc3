"""``snn-deploy verify``: the same bits from all engines, and what quantisation changed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from snn_deploy.cli.console import echo, make_console, progress_bar, write_text
from snn_deploy.cli.options import (
    config_file,
    config_option,
    data_option,
    device_option,
    family_option,
    limit_option,
    set_model_option,
)

__all__ = ["verify"]


@click.command(short_help="Compare engines bit by bit.")
@click.argument("deployment_file", metavar="DEPLOYMENT")
@data_option
@click.option("--against", metavar="CHECKPOINT", help="Also compare with its float network.")
@config_option
@set_model_option
@family_option
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
@click.option(
    "--html",
    "html_path",
    metavar="OUT.html",
    help="With --against: write a page of where error enters, with charts.",
)
def verify(
    deployment_file: str,
    data_path: str,
    against: str | None,
    config: Any,
    family: str | None,
    backends: str,
    device: str,
    min_agreement: float | None,
    limit: int | None,
    json_path: str | None,
    html_path: str | None,
) -> int:
    """Compare every output of every node at every step between engines; exit code 1 if any differs.

    With --against, also compare accuracy and every signal with the float network.
    """
    from snn_deploy.api import load
    from snn_deploy.cli.convert import refuse_deployment
    from snn_deploy.cli.simulate import make_engine
    from snn_deploy.data.inputs import load_data
    from snn_deploy.io.files import check_outputs
    from snn_deploy.reports.error_table import error_table

    names = [name.strip() for name in backends.split(",")]
    if against is None:
        _check_without_float(names, min_agreement, html_path)
    else:
        refuse_deployment(against)
    check_outputs((json_path, html_path), deployment_file, data_path, against, config_file(config))
    deployment = load(deployment_file)
    engines = [make_engine(name, device if name == "lava" else "cpu") for name in names]
    data = load_data(data_path, deployment.network).first(limit)
    runs = len(engines) if len(engines) > 1 else 0
    total = len(data) * (runs + (against is not None))
    with progress_bar("verifying", total) as progress:
        outcome = deployment.verify(
            data,
            backends=engines,
            against=against,
            config=config,
            family=family,
            progress=progress,
        )
    for comparison in outcome.engines:
        echo(str(comparison))
    passed = outcome.passed
    if outcome.accuracy is not None:
        echo(error_table(outcome.accuracy, make_console().width))
        passed &= min_agreement is None or outcome.accuracy.agreement >= min_agreement
    if json_path:
        write_text(json_path, json.dumps(outcome.to_json(), indent=2))
    if html_path and outcome.accuracy is not None:
        from snn_deploy.page.error_page import ErrorPage, render_error_page

        page = ErrorPage(
            outcome=outcome,
            compared=outcome.accuracy,
            target=deployment.origin.profile,
            name=Path(deployment_file).name,
            data_name=Path(data_path).name,
            against_name=Path(against or "").name,
        )
        write_text(html_path, render_error_page(page))
    return 0 if passed else 1


def _check_without_float(
    names: list[str], min_agreement: float | None, html_path: str | None
) -> None:
    """Refuse options that need a float network to compare with."""
    from snn_deploy.errors import ConfigError

    if len(names) < 2:
        raise ConfigError(f"--backends {','.join(names)}: name at least two engines to compare")
    if min_agreement is not None:
        raise ConfigError("--min-agreement needs --against CHECKPOINT")
    if html_path is not None:
        raise ConfigError("--html needs --against CHECKPOINT: the page shows errors against float")

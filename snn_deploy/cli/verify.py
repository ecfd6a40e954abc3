"""``snn-deploy verify``: the same bits from all engines, and what quantisation changed."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from snn_deploy.cli.console import echo, make_console, progress_bar, write_text
from snn_deploy.cli.data_options import data_option
from snn_deploy.cli.options import (
    checkpoint_options,
    config_file,
    device_option,
    gathered,
    limit_option,
)

if TYPE_CHECKING:
    from snn_deploy.compare.verification import Verification
    from snn_deploy.deployment import Deployment

__all__ = ["VerifyRequest", "verify"]


@dataclass(frozen=True)
class VerifyRequest:
    """What was asked for, by the names of the options."""

    deployment_file: str
    data_path: str
    against: str | None
    reading: dict[str, Any]
    backends: str
    device: str
    min_agreement: float | None
    seeds: int | None
    limit: int | None
    json_path: str | None
    html_path: str | None

    @property
    def engines(self) -> list[str]:
        """Names of the engines."""
        return [name.strip() for name in self.backends.split(",")]

    def check(self) -> None:
        """Refuse what does not go together, and files that cannot be."""
        from snn_deploy.cli.convert import refuse_deployment
        from snn_deploy.io.files import check_outputs

        if self.against is None:
            self._check_without_float()
        else:
            refuse_deployment(self.against)
        read = (self.deployment_file, self.data_path, self.against, config_file(self.reading))
        check_outputs((self.json_path, self.html_path), *read)

    def _check_without_float(self) -> None:
        from snn_deploy.errors import ConfigError

        if len(self.engines) < 2:
            raise ConfigError(
                f"--backends {','.join(self.engines)}: name at least two engines to compare"
            )
        if self.min_agreement is not None:
            raise ConfigError("--min-agreement needs --against CHECKPOINT")
        if self.seeds is not None:
            raise ConfigError("--seeds needs --against CHECKPOINT: it compares with float")
        if self.html_path is not None:
            raise ConfigError(
                "--html needs --against CHECKPOINT: the page shows errors against float"
            )


@click.command(short_help="Compare engines bit by bit.")
@click.argument("deployment_file", metavar="DEPLOYMENT")
@data_option
@click.option("--against", metavar="CHECKPOINT", help="Also compare with its float network.")
@checkpoint_options
@click.option(
    "--backends",
    default="native,reference",
    show_default=True,
    metavar="A,B,…",
    help="Engines to compare with the first: native, reference, lava, c.",
)
@device_option
@click.option(
    "--min-agreement",
    type=click.FloatRange(0, 1),
    metavar="SHARE",
    help="With --against: fail below this share of equal predictions.",
)
@click.option(
    "--seeds",
    type=click.IntRange(2),
    metavar="N",
    help="With --against: also compare the mean answers over N seeds, where numbers are drawn.",
)
@limit_option
@click.option("--json", "json_path", metavar="OUT.json", help="Write every figure.")
@click.option(
    "--html",
    "html_path",
    metavar="OUT.html",
    help="With --against: write a page of where error enters, with charts.",
)
@gathered(VerifyRequest)
def verify(asked: VerifyRequest) -> int:
    """Compare every output of every node at every step between engines; exit code 1 if any differs.

    With --against, also compare accuracy and every signal with the float network.
    """
    from snn_deploy.deployment import load
    from snn_deploy.errors import ConfigError
    from snn_deploy.reports.error_table import error_table

    asked.check()
    deployment = load(asked.deployment_file)
    outcome = _run(asked, deployment)
    for comparison in outcome.engines:
        echo(str(comparison))
    passed = outcome.passed
    if outcome.accuracy is not None:
        echo(error_table(outcome.accuracy, make_console().width))
        least = asked.min_agreement
        agrees = outcome.accuracy.agreement
        if least is not None and agrees is None:
            raise ConfigError(
                "--min-agreement counts equal predictions, and this is a regression: it predicts "
                "none; judge it by the figures of --json"
            )
        passed &= least is None or (agrees is not None and agrees >= least)
    if outcome.ensemble is not None:
        echo(str(outcome.ensemble))
    if asked.json_path:
        write_text(asked.json_path, json.dumps(outcome.to_json(), indent=2))
    if asked.html_path:
        write_text(asked.html_path, _page(asked, deployment, outcome))
    return 0 if passed else 1


def _run(asked: VerifyRequest, deployment: Deployment) -> Verification:
    from snn_deploy.cli.simulate import make_engine
    from snn_deploy.data.inputs import load_data

    names = asked.engines
    engines = [make_engine(name, asked.device if name == "lava" else "cpu") for name in names]
    data = load_data(asked.data_path, deployment.network).first(asked.limit)
    runs = len(engines) if len(engines) > 1 else 0
    total = len(data) * (runs + (asked.against is not None) + (asked.seeds or 0))
    with progress_bar("verifying", total) as progress:
        return deployment.verify(
            data,
            backends=engines,
            against=asked.against,
            seeds=asked.seeds,
            **asked.reading,
            progress=progress,
        )


def _page(asked: VerifyRequest, deployment: Deployment, outcome: Verification) -> str:
    from snn_deploy.page.error_page import ErrorPage, render_error_page

    assert asked.against is not None  # else --html was refused
    assert outcome.accuracy is not None
    return render_error_page(
        ErrorPage(
            outcome=outcome,
            compared=outcome.accuracy,
            target=deployment.origin.profile,
            name=Path(asked.deployment_file).name,
            data_name=Path(asked.data_path).name,
            against_name=Path(asked.against).name,
        )
    )

"""``snn-deploy export``: a deployment as source code, or as a file that other tools run."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from snn_deploy.cli.console import echo
from snn_deploy.cli.options import gathered
from snn_deploy.errors import ConfigError
from snn_deploy.formats.registry import FORMATS, get_format
from snn_deploy.progress import doing
from snn_deploy.targets.registry import TARGETS, get_target
from snn_deploy.targets.verilog.parts import PARTS

if TYPE_CHECKING:
    from snn_deploy.deployment import Deployment

__all__ = ["ExportRequest", "export"]


@dataclass(frozen=True)
class ExportRequest:
    """What was asked for, by the names of the options."""

    deployment_file: str
    form: str
    output: str
    data_path: str | None
    limit: int
    state_path: str | None
    part_name: str | None


@click.command(short_help="Write C99, Verilog, ONNX, NIR or lava-dl's files.")
@click.argument("deployment_file", metavar="DEPLOYMENT")
@click.option(
    "--format",
    "form",
    type=click.Choice([*TARGETS, *FORMATS]),
    default="c",
    show_default=True,
    help="What to write: c, C99, or verilog, a core, into a folder; onnx, models, nir, a "
    "graph, or lava-dl, its layers, as files.",
)
@click.option("-o", "--output", metavar="PATH", required=True, help="The folder, or the file.")
@click.option("--data", "data_path", metavar="DATA.npz", help="Inputs for the test vectors.")
@click.option(
    "--limit",
    type=click.IntRange(min=1),
    default=4,
    show_default=True,
    metavar="N",
    help="How many sequences of the data become test vectors.",
)
@click.option(
    "--state",
    "state_path",
    metavar="FILE",
    help="With c: also write the state that simulate --save-state wrote, to go on from.",
)
@click.option(
    "--part",
    "part_name",
    type=click.Choice(list(PARTS)),
    help="With verilog: the FPGA that it is made for.  [default: ecp5-25k]",
)
@gathered(ExportRequest)
def export(asked: ExportRequest) -> None:
    """Write a deployment for other tools; the same deployment gives the same bytes."""
    from snn_deploy.deployment import load

    deployment = load(asked.deployment_file)
    if asked.state_path is not None and asked.form != "c":
        raise ConfigError(f"--state: format {asked.form} takes no state: leave it out")
    if asked.part_name is not None and asked.form != "verilog":
        raise ConfigError(f"--part: format {asked.form} is for no FPGA: leave it out")
    if asked.form in TARGETS:
        _write_sources(asked, deployment)
        return
    if asked.data_path is not None:
        raise ConfigError(f"--data: format {asked.form} has no test vectors: leave it out")
    with doing(f"writing {asked.form} to {asked.output}"):
        written = get_format(asked.form).write(deployment, Path(asked.output))
    for path in written.paths:
        echo(f"wrote {path}")
    for note in written.notes:
        echo(note)


def _write_sources(asked: ExportRequest, deployment: Deployment) -> None:
    from snn_deploy.data.inputs import load_data
    from snn_deploy.targets.export import export_deployment, export_state

    data = None
    if asked.data_path is not None:
        data = load_data(asked.data_path, deployment.network).first(asked.limit)
    target = get_target(asked.form, **({"part": asked.part_name} if asked.part_name else {}))
    for path in export_deployment(deployment, target, Path(asked.output), data):
        echo(f"wrote {path}")
    if asked.state_path is not None:
        path = export_state(deployment, Path(asked.state_path), Path(asked.output))
        echo(f"wrote {path}")
    sizes = target.sizes(deployment.network, Path(asked.output))
    for what, count in sizes.items():
        echo(f"{count:>10,} bytes  {what}")

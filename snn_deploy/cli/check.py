"""``snn-deploy check``: which targets can run a network, before anything is converted."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click

from snn_deploy.cli.console import echo, make_console, progress_bar, write_text
from snn_deploy.cli.data_options import data_forms
from snn_deploy.cli.options import (
    TargetType,
    checkpoint_options,
    gathered,
    output_steps_option,
    parse_pairs,
)

if TYPE_CHECKING:
    from snn_deploy.reports.suitability import Suitability

__all__ = ["CheckRequest", "check"]


@dataclass(frozen=True)
class CheckRequest:
    """What was asked for, by the names of the options."""

    source: str
    targets: tuple[str, ...]
    reading: dict[str, Any]
    calibration: str | None
    output_steps: Any
    settings: dict[str, str]
    json_path: str | None


@click.command(short_help="Say which targets can run a network.")
@click.argument("source")
@click.option(
    "--target",
    "targets",
    type=TargetType(),
    multiple=True,
    metavar="NAME",
    help="A hardware profile, or a file; may be given several times. Default: all.",
)
@checkpoint_options
@click.option(
    "--calibration",
    metavar="DATA.npz",
    help="Representative inputs: how much conversion changes is measured on them.",
)
@data_forms("calibration")
@output_steps_option
@click.option(
    "--set",
    "settings",
    multiple=True,
    metavar="KEY=VALUE",
    callback=parse_pairs,
    help="A quantisation setting, or a number of the profiles, as convert takes them.",
)
@click.option("--json", "json_path", metavar="OUT.json", help="Write every verdict.")
@gathered(CheckRequest)
def check(asked: CheckRequest) -> int:
    """Judge SOURCE, a checkpoint or a deployment, on every target: exact, approximate or refused.

    Exit code 1 if a target named by --target refuses it, or, with none named, all of them do.
    """
    from snn_deploy.api import check as judge_targets

    with progress_bar("calibrating", 1.0) as progress:
        found = judge_targets(
            asked.source,
            asked.targets,
            calibration=asked.calibration,
            settings=asked.settings,
            progress=progress,
            output_steps=asked.output_steps,
            **asked.reading,
        )
    _print(found)
    if asked.json_path:
        write_text(asked.json_path, json.dumps([one.to_json() for one in found], indent=2))
    refusals = [one.grade == "refused" for one in found]
    return int(any(refusals) if asked.targets else all(refusals))


def _print(found: tuple[Suitability, ...]) -> None:
    """Print a table of verdicts; below it why targets refuse, then what conversion changes."""
    from rich.markup import escape
    from rich.table import Table

    console = make_console()
    table = Table(box=None, pad_edge=False)
    for title in ("target", "verdict", "cores"):
        table.add_column(title, justify="right" if title == "cores" else "left", overflow="fold")
    for one in found:
        cores = "–" if one.cores is None else f"{one.cores:,}"
        table.add_row(*map(escape, (one.target, one.grade, cores)))
    console.print(table)
    for title, part in (("refused", "reasons"), ("changed", "changes"), ("noted", "notices")):
        _print_lines(found, title, part)


def _print_lines(found: tuple[Suitability, ...], title: str, part: str) -> None:
    """Print each line once, with the targets that it is of; all of one kind: without them."""
    lines: dict[str, list[str]] = {}
    for one in found:
        for line in getattr(one, part):
            lines.setdefault(line, []).append(one.target)
    able = sum(one.grade != "refused" for one in found)
    for line, targets in lines.items():
        everywhere = part != "reasons" and len(targets) == able
        echo(f"{title}: {line}" if everywhere else f"{title}, {', '.join(targets)}: {line}")

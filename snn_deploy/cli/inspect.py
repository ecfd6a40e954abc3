"""``snn-deploy inspect``: what is in a file."""

from __future__ import annotations

from typing import Any

import click

from snn_deploy.cli.console import echo, make_console, write_json
from snn_deploy.cli.options import (
    checkpoint_options,
    json_option,
    output_steps_option,
)
from snn_deploy.printable import one_line

__all__ = ["inspect"]

WIDE = 80  # columns that the whole table needs


@click.command(short_help="Show what is in a file.")
@click.argument("network_file", metavar="CHECKPOINT|DEPLOYMENT")
@checkpoint_options
@output_steps_option
@click.option("--text", is_flag=True, help="Print the network's full text form.")
@json_option
def inspect(
    network_file: str, reading: dict[str, Any], output_steps: Any, text: bool, json_path: str | None
) -> None:
    """Show what a checkpoint or a deployment holds, layer by layer."""
    from snn_deploy.formats.registry import holds_deployment
    from snn_deploy.ir.text import format_network

    if holds_deployment(network_file):
        network, facts = _deployment(network_file)
    else:
        network, facts = _checkpoint(network_file, reading, output_steps)
    for name, value in facts.items():
        echo(f"{name:<12} {one_line(value)}")
    echo()
    if text:
        echo(format_network(network), nl=False)
    else:
        _print_nodes(network)
    write_json(json_path, {"facts": facts, "nodes": _nodes(network)})


def _deployment(path: str) -> tuple[Any, dict[str, str]]:
    from snn_deploy.deployment import load
    from snn_deploy.reports.rounding import dendrite_rounding

    deployment = load(path)
    origin = deployment.origin
    return deployment.network, {
        "deployment": path,
        "target": f"{origin.profile} (version {origin.profile_version})",
        "checkpoint": f"{origin.checkpoint}, SHA-256 {origin.checkpoint_sha256[:16]}…",
        "read as": origin.read_as,
        "calibration": _calibration(origin.calibration),
        "rounding": str(dendrite_rounding(deployment.network)),
        "settings": ", ".join(f"{key}={value}" for key, value in origin.settings.items()),
        "written by": f"snn-deploy {origin.tool_version}",
    }


def _calibration(summary: dict[str, Any]) -> str:
    if summary.get("source") == "calibration":
        return f"{summary.get('sequences')} sequences of {summary.get('steps')} steps"
    if summary.get("source") == "given":
        return "none: the numbers were given"
    return f"none: bounds for inputs of up to ±{summary.get('input_range')}"


def _checkpoint(
    path: str, reading: dict[str, Any], output_steps: Any
) -> tuple[Any, dict[str, str]]:
    from snn_deploy.readers import ReadOptions, read_source

    source = read_source(path, ReadOptions(output_steps=output_steps, **reading))
    network, provenance = source.network, source.provenance
    facts = {"file": path, "SHA-256": provenance.sha256, **provenance.chosen}
    if provenance.notes:
        facts["notes"] = "; ".join(provenance.notes)
    for name, answer in network.outputs.items():
        which = f"output {name}" if len(network.outputs) > 1 else "output"
        facts[which] = f"{answer.source.width} values, output steps: {answer.steps}"
    return network, facts


def _nodes(network: Any) -> list[dict[str, Any]]:
    """Give each node as plain data: what the table shows."""
    rows = []
    for node in (*network, *network.placed("head")):
        output = getattr(node, "output", None)
        rows.append(
            {
                "node": node.name,
                "kind": node.kind,
                "width": node.width,
                "format": "float" if output is None else str(output),
                "place": network.placement[node.name],
                "reads": [str(edge) for edge in node.inputs],
            }
        )
    return rows


def _print_nodes(network: Any) -> None:
    from rich.markup import escape
    from rich.table import Table

    console = make_console()
    titles = ["node", "kind", "width", "format", "reads"]
    if console.width < WIDE:
        titles.remove("reads")  # rather than break every name
    table = Table(box=None, pad_edge=False)
    for title in titles:
        table.add_column(title, justify="right" if title == "width" else "left", overflow="fold")
    for row in _nodes(network):
        number = row["format"]
        cells = (
            row["node"],
            row["kind"],
            str(row["width"]),
            f"{number}, host" if row["place"] == "head" else number,
            ", ".join(row["reads"]),
        )
        table.add_row(*map(escape, cells[: len(titles)]))
    console.print(table)
    if console.width < WIDE:
        echo(f"What each node reads is shown from {WIDE} columns on, and by --text.")

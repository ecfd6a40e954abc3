"""``snn-deploy build``: exported Verilog, placed and routed for an FPGA."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from snn_deploy.cli.console import echo, write_text
from snn_deploy.targets.verilog.parts import PARTS

__all__ = ["build"]


@click.command(short_help="Place and route exported Verilog.")
@click.argument("folder", metavar="FOLDER")
@click.option(
    "--part",
    "part_name",
    type=click.Choice(list(PARTS)),
    help="The FPGA; else the one that it was exported for.",
)
@click.option("--json", "json_path", metavar="OUT.json", help="Write every figure.")
def build(folder: str, part_name: str | None, json_path: str | None) -> None:
    """Synthesise, place and route what `export --format verilog` wrote, with open tools.

    What it takes is estimated first, and a part that is too small refused.
    """
    from snn_deploy.targets.verilog.estimate import Estimate
    from snn_deploy.targets.verilog.synthesis import place

    expected = Estimate.read(Path(folder))
    part = PARTS[part_name or expected.part]
    there = part.resources
    expected.check(part)
    echo(f"{part.name} ({part.device}; {part.board})")
    placed = place(Path(folder), part)
    if placed.top != "snn":
        told = "words go in and out bit by bit"
        echo(f"{placed.top}: the core has {expected.pins} ports for {part.pins} pins; {told}")
    estimated = {
        "block RAMs": (expected.block_rams(there), there.block_rams),
        "multipliers": (expected.multipliers(there), there.multipliers),
        "luts": (None, there.luts),
    }
    for what, (count, most) in estimated.items():
        told = "" if count is None else f", estimated {count:,}"
        echo(f"{placed.used[what]:>10,} of {most:,} {what}{told}")
    echo(f"{placed.megahertz:>10.1f} MHz")
    figures: dict[str, Any] = {
        "part": part.name,
        "top": placed.top,
        "used": {what: placed.used[what] for what in estimated},
        "estimated": {what: count for what, (count, _) in estimated.items()},
        "available": {what: most for what, (_, most) in estimated.items()},
        "megahertz": placed.megahertz,
        "cycles_a_step": {
            "silent": expected.least_cycles,
            "test_vectors": expected.usual_cycles,
            "all_speak": expected.most_cycles,
        },
    }
    for what, cycles in (
        ("all are silent", expected.least_cycles),
        ("as many speak as in the test vectors", expected.usual_cycles),
        ("all speak", expected.most_cycles),
    ):
        rate = placed.megahertz * 1e6 / cycles
        echo(
            f"{rate:>10,.0f} steps a second where {what}: {cycles:,} cycles, "
            f"{1e6 / rate:,.1f} microseconds"
        )
    last = (expected.most_cycles + expected.closing_cycles) / placed.megahertz
    echo(f"{last:>10,.1f} microseconds from the last step to the answer, at the most")
    echo("power: unknown; no open tool estimates it")
    if json_path is not None:
        figures["answer_microseconds"] = last
        write_text(json_path, json.dumps(figures, indent=2))

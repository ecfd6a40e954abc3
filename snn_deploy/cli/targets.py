"""``snn-deploy targets``: the hardware profiles, with the source of every number."""

from __future__ import annotations

import click

from snn_deploy.cli.console import make_console

__all__ = ["targets"]


@click.command(short_help="List the hardware profiles.")
@click.argument("name", required=False)
def targets(name: str | None) -> None:
    """List the hardware profiles, or show all of profile NAME with its sources."""
    from snn_deploy.mapping.profile import load_profile, load_profiles
    from snn_deploy.reports.table import render_profile, render_profiles

    console = make_console()
    if name is None:
        render_profiles(load_profiles(), console)
    else:
        render_profile(load_profile(name), console)

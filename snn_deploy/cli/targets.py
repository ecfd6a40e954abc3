"""``snn-deploy targets``: the hardware profiles, with the source of every number."""

from __future__ import annotations

import click

from snn_deploy.cli.console import make_console, write_json
from snn_deploy.cli.options import TargetType, json_option

__all__ = ["targets"]


@click.command(short_help="List the hardware profiles.")
@click.argument("name", type=TargetType(), required=False)
@json_option
def targets(name: str | None, json_path: str | None) -> None:
    """List the hardware profiles, or show all of profile NAME with its sources."""
    from snn_deploy.mapping.profile import load_profile, load_profiles
    from snn_deploy.reports.table import render_profile, render_profiles

    console = make_console()
    if name is None:
        profiles = load_profiles()
        render_profiles(profiles, console)
        write_json(json_path, {profile.name: profile.to_dict() for profile in profiles})
    else:
        profile = load_profile(name)
        render_profile(profile, console)
        write_json(json_path, profile.to_dict())

"""``snn-deploy new-profile``: a hardware profile to fill in."""

from __future__ import annotations

import re
from pathlib import Path

import click

from snn_deploy.cli.console import echo
from snn_deploy.cli.options import TargetType

__all__ = ["new_profile"]

_NAME = re.compile(r"[a-z][a-z0-9_]*")


@click.command(short_help="Write a hardware profile to fill in.")
@click.argument("name")
@click.option(
    "--extends",
    type=TargetType(),
    metavar="PROFILE",
    help="Build on a bundled profile: only what differs is in the file.",
)
@click.option("-o", "--output", metavar="OUT.toml", help="By default NAME.toml.")
def new_profile(name: str, extends: str | None, output: str | None) -> None:
    """Write a hardware profile called NAME, with every key explained, to fill in."""
    from snn_deploy.errors import ConfigError
    from snn_deploy.io.files import atomic_write, check_writable

    if not _NAME.fullmatch(name):
        raise ConfigError(
            f"'{name}' is no name of a profile: small letters, digits and underscores, after a "
            "letter"
        )
    path = output or f"{name}.toml"
    if Path(path).exists():
        raise ConfigError(f"{path} exists; choose another name with -o")
    check_writable(path)
    text = _template(name) if extends is None else _extended(name, extends)
    with atomic_write(path) as file:
        file.write(text.encode())
    echo(f"wrote {path}; fill it in, and then: snn-deploy convert CHECKPOINT --target {path}")


def _template(name: str) -> str:
    from importlib import resources

    file = resources.files("snn_deploy.hw_profiles") / "_template.toml"
    text = file.read_text(encoding="utf-8").replace("mychip.toml", f"{name}.toml")
    return re.sub(r'^name = "mychip"', f'name = "{name}"', text, count=1, flags=re.MULTILINE)


def _extended(name: str, extends: str) -> str:
    from snn_deploy.errors import ConfigError
    from snn_deploy.mapping.profile import is_bundled, load_profile
    from snn_deploy.mapping.schema import Limit

    base = load_profile(extends)
    if not is_bundled(extends):
        raise ConfigError(f"{extends} is a file: copy it, or extend a profile of the package")
    limits = [
        f'# {key.removeprefix("limits.")} = {{ value = {number.value}, known = "assumed", '
        'source = "mine" }'
        for key, number in base.constants()
        if key.startswith("limits.") and isinstance(number, Limit) and number.value is not None
    ]
    return "\n".join(
        [
            f"# Built on {base.name} {base.version}: give only what differs. docs/profiles.md",
            f"# explains every key, and `snn-deploy targets {base.name}` shows the values.",
            "",
            "schema_version = 1",
            f'name = "{name}"',
            f'extends = "{base.name}"',
            'version = "0.1.0"  # change it whenever a number changes',
            'vendor = "Example Inc."',
            f'summary = "{base.name}, but for what is below"',
            "",
            "[sources]",
            'mine = "say where each number of yours comes from"',
            "",
            "[limits]",
            *limits,
            "",
        ]
    )

"""``snn-deploy completion``: what makes a shell complete commands, options, files, targets."""

from __future__ import annotations

import click

from snn_deploy.cli.console import echo

__all__ = ["completion"]


@click.command(short_help="Print what makes a shell complete commands.")
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def completion(shell: str) -> None:
    """Print a script for SHELL: eval "$(snn-deploy completion bash)" in its start-up file."""
    from click.shell_completion import get_completion_class

    kind = get_completion_class(shell)
    assert kind is not None  # of the choices
    commands = click.get_current_context().find_root().command
    echo(kind(commands, {}, "snn-deploy", "_SNN_DEPLOY_COMPLETE").source())

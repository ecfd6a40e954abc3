"""``snn-deploy demo``: every command on the bundled example."""

from __future__ import annotations

import shlex
from pathlib import Path

import click

from snn_deploy.cli.console import echo

__all__ = ["demo"]

DEMO_VERIFIED = 64  # sequences compared with the slow reference engine


@click.command(short_help="Run all of it on the bundled example.")
@click.option(
    "-o",
    "--output",
    default="snn-deploy-demo",
    show_default=True,
    metavar="DIR",
    help="Where the results go.",
)
def demo(output: str) -> int:
    """Convert, verify, simulate and report the bundled example, showing each command."""
    from snn_deploy import examples
    from snn_deploy.errors import OutputError

    folder = Path(output)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"cannot make {folder}: {error.strerror}; choose -o DIR") from error
    example = Path(examples.__file__).parent / "seqdigits_uni"
    checkpoint, train, test = (
        str(example / name) for name in ("seqdigits_uni.ckpt", "train.npz", "test.npz")
    )
    deployed = str(folder / "seqdigits_uni.safetensors")
    steps = (
        ["inspect", checkpoint],
        ["convert", checkpoint, "--target", "loihi2", "--calibration", train, "-o", deployed],
        [
            "verify",
            deployed,
            "--data",
            test,
            "--limit",
            str(DEMO_VERIFIED),
            "--against",
            checkpoint,
        ],
        ["simulate", deployed, "--data", test, "-o", str(folder / "answers.npz")],
        [
            "report",
            deployed,
            "--data",
            test,
            "--against",
            checkpoint,
            "--json",
            str(folder / "report.json"),
            "--html",
            str(folder / "report.html"),
        ],
    )
    for step in steps:
        code = _show(step)
        if code != 0:
            return code
    echo(f"\nThe results are in {folder}/.")
    return 0


def _show(words: list[str]) -> int:
    """Print a command as one would type it, and run it."""
    from snn_deploy.cli.main import commands

    echo()
    echo(f"$ snn-deploy {shlex.join(words)}", bold=True)
    return int(commands.main(words, prog_name="snn-deploy", standalone_mode=False) or 0)

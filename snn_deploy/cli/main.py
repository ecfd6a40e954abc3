"""The group of commands, and the one place where errors become messages and exit codes."""

from __future__ import annotations

import io
import logging
import os
import sys
import traceback
import warnings
from collections.abc import Sequence
from typing import Any

import click
from click.shell_completion import CompletionItem

from snn_deploy.cli.build import build
from snn_deploy.cli.check import check
from snn_deploy.cli.cite import cite
from snn_deploy.cli.compare import compare
from snn_deploy.cli.completion import completion
from snn_deploy.cli.console import after_a_second, echo, quiet, spell_out_unprintable
from snn_deploy.cli.convert import convert
from snn_deploy.cli.demo import demo
from snn_deploy.cli.doctor import doctor
from snn_deploy.cli.evaluate import evaluate
from snn_deploy.cli.export import export
from snn_deploy.cli.finetune import finetune
from snn_deploy.cli.inspect import inspect
from snn_deploy.cli.new_profile import new_profile
from snn_deploy.cli.report import report
from snn_deploy.cli.simulate import simulate
from snn_deploy.cli.targets import targets
from snn_deploy.cli.verify import verify
from snn_deploy.errors import SnnDeployError, SnnDeployWarning
from snn_deploy.printable import shortened
from snn_deploy.progress import watch_doing
from snn_deploy.version import __version__

__all__ = ["main"]

INTERNAL_ERROR = 70  # EX_SOFTWARE: a bug of ours, none of the documented outcomes
INTERRUPTED = 130  # what shells use for Ctrl-C

_NO_MEMORY = (
    "not enough memory for this network and this data: fewer sequences at once (--limit, "
    "--shard-size) or a stream (--chunk) take less, where the command has them"
)
EPILOG = (
    "Exit codes: 0 good, 1 a comparison failed, 2 wrong use or unusable input, 3 a backend is not "
    "available. With any command, --quiet prints no results, and --debug the traceback of an error."
)


class _ReaderGoneError(Exception):
    """Nobody reads standard output any more."""


class _UnexpectedEndError(Exception):
    """A file ended where nothing of ours was prepared for it."""


class _Commands(click.Group):
    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except BrokenPipeError as error:  # click would leave with 1: here, a failed comparison
            raise _ReaderGoneError from error
        except EOFError as error:  # click would take it for Ctrl-C
            raise _UnexpectedEndError(f"EOFError: {error}") from error


class _Name(click.ParamType):  # type: ignore[type-arg]  # generic in newer click only
    """What every option of plain text takes: some text."""

    name = "text"

    def convert(self, value: Any, param: Any, ctx: Any) -> Any:
        return value or self.fail("it is empty; leave the option out, or name something")

    def shell_complete(self, ctx: Any, param: Any, incomplete: str) -> list[CompletionItem]:
        return [CompletionItem(incomplete, type="file")]  # nearly all of them are files


@click.group(cls=_Commands, epilog=EPILOG, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="snn-deploy")
def commands() -> None:
    """Compile trained spiking state-space networks for neuromorphic chips, run them bit-exactly on
    a CPU, and report what they cost.
    """


for _command in (
    check,
    convert,
    inspect,
    simulate,
    verify,
    evaluate,
    report,
    compare,
    export,
    build,
    finetune,
    targets,
    new_profile,
    doctor,
    demo,
    cite,
    completion,
):
    for _parameter in _command.params:
        if _parameter.type is click.STRING:
            _parameter.type = _Name()
    commands.add_command(_command)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run a command and leave with its exit code."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    debug = "--debug" in words
    quiet("--quiet" in words)
    everywhere = ("--debug", "--quiet")
    sys.exit(_run([word for word in words if word not in everywhere], debug))


def _run(words: list[str], debug: bool) -> int:
    spell_out_unprintable()
    with warnings.catch_warnings():
        _show_warnings()
        _show_progress()
        try:
            return int(commands.main(words, prog_name="snn-deploy", standalone_mode=False) or 0)
        except click.ClickException as error:
            shown = io.StringIO()
            error.show(file=shown)
            echo(shortened(shown.getvalue()), err=True, nl=False)
            return error.exit_code
        except (click.Abort, KeyboardInterrupt):
            echo("interrupted; nothing half-written was left behind", err=True)
            return INTERRUPTED
        except _ReaderGoneError:
            # not worth a message; what is still buffered goes nowhere, or Python would complain
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return 0
        except SnnDeployError as error:
            return _fail(str(error), error.exit_code, debug)
        except MemoryError:
            return _fail(_NO_MEMORY, 2, debug)
        except Exception as error:  # noqa: BLE001 - a bug: its traceback is for us, not for users
            message = f"internal error: {type(error).__name__}: {shortened(str(error))}"
            told = f"{message}; run again with --debug and report what it prints"
            return _fail(told, INTERNAL_ERROR, debug)


def _fail(message: str, code: int, debug: bool) -> int:
    if debug:
        traceback.print_exc()
    echo(f"error: {message}", err=True)
    return code


def _show_warnings() -> None:
    """Print our warnings as one line each; other libraries' are for their developers."""
    warnings.simplefilter("ignore")
    warnings.simplefilter("always", SnnDeployWarning)

    shown = set[str]()

    def show(message: Warning | str, *_: Any, **__: Any) -> None:
        if str(message) not in shown:  # of many shards, each would say the same
            shown.add(str(message))
            echo(f"warning: {message}", err=True)

    warnings.showwarning = show


class _Lines(logging.Handler):
    """Prints what the package says about its progress."""

    def emit(self, record: logging.LogRecord) -> None:
        echo(record.getMessage(), err=True)


def _show_progress() -> None:
    logger = logging.getLogger("snn_deploy")
    logger.setLevel(logging.INFO)
    logger.propagate = False
    logger.handlers = [_Lines()]
    watch_doing(after_a_second)

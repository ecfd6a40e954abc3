"""What is printed to a person: lines, tables and progress bars.

Everything goes through here, because here text that came out of files is made safe to print.
"""

from __future__ import annotations

import codecs
import contextlib
import io
import os
import sys
import threading
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from snn_deploy.printable import printable

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

__all__ = [
    "after_a_second",
    "echo",
    "make_console",
    "percent",
    "progress_bar",
    "quiet",
    "spell_out_unprintable",
    "write_json",
    "write_text",
]

PATIENCE = 1.0  # seconds of silence
UNLIMITED = 1000  # columns; rich would take 80 for a file or a pipe, and break lines


_SPELT = {
    "…": "...",
    "·": "*",
    "–": "-",
    "±": "+/-",
    "×": "x",
    "²": "2",
    "µ": "u",
    "μ": "u",
    "≤": "<=",
    "≥": ">=",
    "→": "->",
    "√": "sqrt",
    "∞": "inf",
    "π": "pi",
    "Σ": "sum",
    "─": "-",
    "│": "|",
    "├": "|",
    "└": "|",
    "━": "-",
    "█": "#",
    "▌": "#",
}
"""What stands for a character that standard output has no code for; ``?`` for any other."""


def spell_out_unprintable() -> None:
    """Let no character stop a command: terminals and pipes that know none but ASCII, or few."""
    codecs.register_error(_SPELLING, _spell)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors=_SPELLING)


_SPELLING = "snn_deploy.spell"


def _spell(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    text = error.object[error.start : error.end]
    return "".join(_SPELT.get(character, "?") for character in text), error.end


class _Mode:
    quiet = False
    retitle: Callable[[str], None] | None = None  # the bar that is being shown, if one is


def quiet(wanted: bool) -> None:
    """Print no results and no progress from now on: warnings, errors and files alone."""
    _Mode.quiet = wanted


def echo(text: str = "", *, err: bool = False, nl: bool = True, bold: bool = False) -> None:
    """Print text to standard output, or with ``err`` to standard error."""
    import click

    if _Mode.quiet and not err:
        return
    click.secho(printable(text), err=err, nl=nl, bold=bold or None)  # noqa: TID251 - the one place


def make_console() -> Console:
    """Give a console for results on standard output; plain, wide text where that is no terminal."""
    from rich.console import Console

    class Results(Console):
        def on_broken_pipe(self) -> None:  # rich would leave with 1; main knows better
            raise BrokenPipeError

        def render_str(self, text: str, **options: Any) -> Text:
            return super().render_str(printable(text), **options)

    is_terminal = sys.stdout.isatty() or "COLUMNS" in os.environ
    width = None if is_terminal else UNLIMITED
    where = io.StringIO() if _Mode.quiet else None
    return Results(
        file=where, highlight=False, emoji=False, soft_wrap=not sys.stdout.isatty(), width=width
    )


def percent(part: float | None) -> str:
    """Write a share, e.g. ``98.06%``."""
    return "–" if part is None else f"{100 * part:.2f}%"


def write_json(path: str | None, document: Any) -> None:
    """Write plain data, where a path was asked for."""
    import json

    if path:
        write_text(path, json.dumps(document, indent=2))


def write_text(path: str, text: str) -> None:
    """Write a whole file or none, as UTF-8, and say so."""
    from snn_deploy.io.files import atomic_write

    with atomic_write(path) as file:
        file.write(printable(text).encode())
    echo(f"wrote {path}")


@contextlib.contextmanager
def after_a_second(what: str) -> Iterator[None]:
    """Say what is being done, if it takes longer than a second, to whoever sits at a terminal.

    A bar that is shown gets it as its title, and without one it is a line of its own.
    """
    if _Mode.quiet or not sys.stderr.isatty():
        yield
        return
    timer = threading.Timer(PATIENCE, _say, (what,))
    timer.daemon = True  # it never keeps a command from ending
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def _say(what: str) -> None:
    if _Mode.retitle is None:
        echo(f"{what} …", err=True)
    else:
        _Mode.retitle(printable(what))


def _rate(speed: float) -> str:
    return f"{speed:,.0f}" if speed >= 100 else f"{speed:.3g}"


@contextlib.contextmanager
def progress_bar(what: str, total: float) -> Iterator[Callable[[float], None]]:
    """Show a bar with a rate and the time left while the block runs; nothing off a terminal.

    A total of 1 is a share of work that has no unit: it is shown in percent, without a rate. Gives
    the function to call with how much was done since the last call.
    """
    if _Mode.quiet or not sys.stderr.isatty():
        yield lambda part: None
        return
    share = total == 1
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    with Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.percentage:.0f}%" if share else "{task.completed:.0f}/{task.total:.0f}"),
        TextColumn("{task.fields[rate]}"),
        TimeRemainingColumn(),
        console=Console(stderr=True),
        transient=True,
    ) as bar:
        task = bar.add_task(what, total=total, rate="")

        def advance(part: float) -> None:
            bar.advance(task, part)
            speed = bar.tasks[0].speed
            rate = f"{_rate(speed)}/s" if speed and not share else ""
            bar.update(task, rate=rate, description=what)

        _Mode.retitle = lambda title: bar.update(task, description=title)
        try:
            yield advance
        finally:
            _Mode.retitle = None

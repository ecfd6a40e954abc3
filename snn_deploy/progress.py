"""What is being done, and how far it is.

Progress bars for Python callers: in a terminal as commands have them, in notebooks as HTML. Work
without a measure of its own says what it is (:func:`doing`), to whoever watches.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

__all__ = ["doing", "progress_bar", "watch_doing"]

_EVERY = 0.1  # seconds between two drawings

Watcher = Callable[[str], AbstractContextManager[None]]


class _Watched:
    by: Watcher | None = None


def doing(what: str) -> AbstractContextManager[None]:
    """Say what is being done while the block runs, ``reading x.ckpt``; to nobody, by default."""
    return nullcontext() if _Watched.by is None else _Watched.by(what)


def watch_doing(watcher: Watcher | None) -> None:
    """Let ``watcher`` know from now on of all that :func:`doing` says; None: nobody any more."""
    _Watched.by = watcher


@contextmanager
def progress_bar(what: str, total: float) -> Iterator[Callable[[float], None]]:
    """Show a bar while the block runs; gives what every ``progress`` argument takes.

    >>> with snn_deploy.progress_bar("simulating", len(inputs)) as progress:  # doctest: +SKIP
    ...     deployment.simulate(inputs, progress=progress)

    Parameters
    ----------
    what
        What is being done, in a word.
    total
        How many sequences, or 1 for work that is told as a share, as :func:`snn_deploy.convert`.
    """
    if _in_notebook():
        bar = _Bar(what, total)
        yield bar.advance
        bar.close()
        return
    from snn_deploy.cli.console import progress_bar as on_terminal

    with on_terminal(what, total) as advance:
        yield advance


def _in_notebook() -> bool:
    shell: Any = getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)()
    return type(shell).__name__ == "ZMQInteractiveShell"


class _Bar:
    """A bar in a cell's output, drawn over itself."""

    def __init__(self, what: str, total: float) -> None:
        from IPython.display import display

        self.what, self.total, self.done, self.drawn = what, total, 0.0, 0.0
        self.handle = display(self, display_id=True)

    def _repr_html_(self) -> str:
        from markupsafe import escape

        share = min(1.0, self.done / self.total) if self.total else 1.0
        told = f"{share:.0%}" if self.total == 1 else f"{self.done:,.0f} of {self.total:,.0f}"
        return f'{escape(self.what)} <progress value="{share:.3f}"></progress> {told}'

    def __repr__(self) -> str:
        return f"{self.what}: {self.done:,.0f} of {self.total:,.0f}"

    def advance(self, part: float) -> None:
        self.done += part
        now = time.monotonic()
        if now - self.drawn >= _EVERY:
            self.drawn = now
            self.handle.update(self)

    def close(self) -> None:
        self.handle.update(self)

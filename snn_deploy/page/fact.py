"""One answer of a page's first screen."""

from __future__ import annotations

from dataclasses import dataclass

from markupsafe import Markup

__all__ = ["Fact"]


@dataclass(frozen=True)
class Fact:
    """One answer: a title, the figure, what the figure is of, and details, a line each."""

    title: str
    figure: str
    of: str
    details: tuple[str, ...] = ()
    drawing: Markup | None = None

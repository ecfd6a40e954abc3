"""A stranger's names in generated text."""

from __future__ import annotations

import re

__all__ = ["commented"]

_SAFE = re.compile(r"[^A-Za-z0-9_.:\- ]")


def commented(text: str) -> str:
    """Make a stranger's text fit to stand in a comment, whatever it holds."""
    return _SAFE.sub("_", text)[:80]

r"""Text from files, made safe to show to people.

A name or a summary that a stranger wrote can hold escape sequences that repaint a terminal, and
marks that turn the direction of what follows. Here they become visible escapes, such as ``\x1b``.
Everything that is printed passes here: see ``cli/console.py`` and ``errors.py``.
"""

from __future__ import annotations

import reprlib
import unicodedata
from collections.abc import Iterable
from typing import Any

__all__ = ["is_plain", "one_line", "printable", "shortened", "shown", "some_of"]

_KEPT = frozenset("\n\t")
# controls, invisible marks (those of direction are among them), halves of characters, private
# ones, and separators that break lines
_UNSAFE = frozenset({"Cc", "Cf", "Cs", "Co", "Zl", "Zp"})
_SHOWN = 4000  # characters of one message

_BRIEF = reprlib.Repr()
_BRIEF.maxstring = _BRIEF.maxother = _BRIEF.maxlong = 80


def printable(text: str) -> str:
    """Replace whatever a terminal might obey by visible escapes; newlines and tabs stay."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(
        _escaped(character) if _is_unsafe(character) else character for character in text
    )


def one_line(text: str) -> str:
    """Do as :func:`printable` does, to newlines and tabs as well."""
    return printable(text).replace("\n", "\\n").replace("\t", "\\t")


def some_of(words: Iterable[str], most: int = 8) -> str:
    """List the first words, and say how many more there are."""
    every = list(words)
    more = f" and {len(every) - most:,} more" if len(every) > most else ""
    return ", ".join(every[:most]) + more


def is_plain(text: str, most: int = 1000) -> bool:
    """Whether ``text`` is one line of at most ``most`` characters that :func:`printable` keeps."""
    return len(text) <= most and not any(c in _KEPT or _is_unsafe(c) for c in text)


def shortened(text: str, most: int = _SHOWN) -> str:
    """Leave out the middle of a text that is too long to read."""
    if len(text) <= most:
        return text
    return f"{text[: most // 2]} … {text[-most // 2 :]}"


def shown(value: Any) -> str:
    """Write a value of a file for a message, however large or deep it is."""
    return _BRIEF.repr(value)


def _is_unsafe(character: str) -> bool:
    return character not in _KEPT and unicodedata.category(character) in _UNSAFE


def _escaped(character: str) -> str:
    return character.encode("unicode_escape", "surrogatepass").decode("ascii")

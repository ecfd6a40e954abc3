"""Writing generated files."""

from __future__ import annotations

from pathlib import Path

from snn_deploy.io.files import atomic_write

__all__ = ["write_text"]


def write_text(path: Path, text: str) -> Path:
    """Write a file whole; give its path.

    Raises
    ------
    OutputError
        If it cannot be written.
    """
    with atomic_write(path) as file:
        file.write(text.encode())
    return path

"""Packages that add to snn-deploy by entry points, installed as pip does: files and a dist-info."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

__all__ = ["Install", "install"]

Install = Callable[..., Path]
"""Called with a package's name, its files by name, and its entry points by group."""


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Install]:
    """Install packages into folders of their own on ``sys.path``, for one test."""
    before = set(sys.modules)

    def make(
        package: str, files: Mapping[str, str], entry_points: Mapping[str, Mapping[str, str]]
    ) -> Path:
        folder = tmp_path / "site" / package
        for name, text in files.items():
            file = folder / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text, encoding="utf-8")
        about = folder / f"{package.replace('-', '_')}-1.0.dist-info"
        about.mkdir(parents=True)
        (about / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.0\n")
        lines = []
        for group, names in entry_points.items():
            lines += [f"[snn_deploy.{group}]", *(f"{name} = {to}" for name, to in names.items())]
        (about / "entry_points.txt").write_text("\n".join(lines) + "\n")
        monkeypatch.syspath_prepend(str(folder))
        return folder

    yield make
    for name in set(sys.modules) - before:
        if str(tmp_path) in str(getattr(sys.modules[name], "__file__", "")):
            del sys.modules[name]

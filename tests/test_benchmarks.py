"""The benchmarks run from end to end, on tiny sizes; no time is asserted."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

SECTIONS = ("engines", "torch", "floor", "scaling", "memory")


@pytest.fixture
def benchmarks(root: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """The benchmarks' script, as its own folder sees it."""
    monkeypatch.syspath_prepend(root / "benchmarks")
    before = set(sys.modules)
    import run

    yield run
    for name in set(sys.modules) - before:
        if Path(getattr(sys.modules[name], "__file__", None) or "/").parent.name == "benchmarks":
            del sys.modules[name]


@pytest.mark.slow
def test_every_section_gives_its_figures(benchmarks: Any, tmp_path: Path) -> None:
    from workloads import Shape

    shapes = (Shape(8, 4), Shape(12, 4, bidirectional=True))
    sizes = benchmarks.Sizes(3, 32, 1, shapes, batches=(2, 1), lava_sequences=0, lengths=(500,))
    figures, tables = tmp_path / "figures.json", tmp_path / "tables.md"
    tables.write_text("before\n{}old\n{}\nafter\n".format(*benchmarks.MARKS))
    benchmarks.main(["--only", *SECTIONS, "--json", str(figures), "--markdown", str(tables)], sizes)
    result = json.loads(figures.read_text())
    assert list(result["sections"]) == list(SECTIONS)
    for name in ("engines", "floor", "scaling", "memory"):
        assert result["sections"][name], name
    assert min(result["floor"]["ns_per_mode_and_step"].values()) > 0
    steps = [r["us_per_sample_step"] for r in result["sections"]["scaling"]]
    assert len(steps) > 10
    assert min(steps) > 0
    text = tables.read_text()
    assert "| dendrites, 8 channels × 4 modes, in doubles " in text
    assert text.startswith("before\n")
    assert text.endswith("\nafter\n")
    assert "old" not in text


def test_what_is_missing_is_said(
    benchmarks: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    monkeypatch.delitem(sys.modules, "torch_peers", raising=False)
    assert benchmarks.run_torch(benchmarks.QUICK, None) == []
    assert "torch: left out, it is not installed" in capsys.readouterr().out

"""docs/accuracy.md: complete, and as good as it says."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest
from zoo import CHECKPOINTS

SECTIONS = {"networks": 3, "widths": 12, "methods": 3, "rounding": 6, "sums": 20, "search": 1}


@pytest.fixture(scope="module")
def script(root: Path) -> ModuleType:
    """docs/make_accuracy.py as a module."""
    file = root / "docs" / "make_accuracy.py"
    spec = importlib.util.spec_from_file_location("make_accuracy", file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def section(root: Path, name: str) -> list[list[str]]:
    """Give a table's rows from the page."""
    page = (root / "docs" / "accuracy.md").read_text(encoding="utf-8")
    table = page.split(f"<!-- {name} -->\n")[1].split(f"<!-- end of {name} -->\n")[0]
    return [line.strip("| ").split(" | ") for line in table.splitlines()]


@pytest.mark.parametrize(("name", "rows"), SECTIONS.items())
def test_the_page_has_every_table(root: Path, name: str, rows: int) -> None:
    head, line, *body = section(root, name)
    assert len(body) == rows
    assert {len(head), len(line)} == {len(row) for row in body}


@pytest.mark.parametrize("name", ["seqdigits_uni", "seqdigits_bi"])
def test_default_formats_keep_accuracy_and_spikes(script: ModuleType, name: str) -> None:
    """Within one test sequence of the float network, and under 0.5% of any layer's spikes."""
    if name != "seqdigits_uni" and not CHECKPOINTS.is_dir():
        pytest.skip("needs the real checkpoints beside the repository")
    found = script._compare(name, {})
    lost = abs(found.integer_accuracy - found.exact_accuracy) * found.sequences
    assert lost <= 1.0 + 1e-9
    assert found.agreement >= 1 - 2 / found.sequences
    mismatches = [signal.mismatch for signal in found.signals if signal.mismatch is not None]
    assert max(mismatches) < 0.005


def test_the_page_says_what_default_formats_give(script: ModuleType, root: Path) -> None:
    row = section(root, "networks")[2]
    found = script._compare("seqdigits_uni", {})
    assert row[0] == "seqdigits_uni"
    assert row[4:6] == [script.percent(found.integer_accuracy), script.percent(found.agreement)]

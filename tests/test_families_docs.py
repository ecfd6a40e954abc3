"""docs/families.md: names every family, and says what its networks give."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest
from zoo import CHECKPOINTS

from snn_deploy.converters.registry import FAMILIES

ROWS = {"needs": 22, "digits": 8, "maxima": 2, "others": 14}


@pytest.fixture(scope="module")
def script(root: Path) -> ModuleType:
    """docs/make_families.py as a module."""
    file = root / "docs" / "make_families.py"
    spec = importlib.util.spec_from_file_location("make_families", file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # where its dataclasses look for their annotations
    spec.loader.exec_module(module)
    return module


def page(root: Path) -> str:
    return (root / "docs" / "families.md").read_text(encoding="utf-8")


def section(root: Path, name: str) -> str:
    return page(root).split(f"<!-- {name} -->\n")[1].split(f"<!-- end of {name} -->\n")[0]


def test_the_page_names_every_family(root: Path) -> None:
    for family in FAMILIES:
        assert f"`{family}`" in page(root)


@pytest.mark.parametrize(("name", "rows"), ROWS.items())
def test_the_page_has_every_table(root: Path, name: str, rows: int) -> None:
    head, line, *body = section(root, name).splitlines()
    assert len(body) == rows
    assert {head.count("|"), line.count("|")} == {row.count("|") for row in body}


def test_the_page_says_what_the_networks_give(script: ModuleType, root: Path) -> None:
    if not CHECKPOINTS.is_dir():
        pytest.skip("needs the real checkpoints beside the repository")
    assert script._needs((*script.DIGITS, *script.OTHERS)) == section(root, "needs")
    assert script._maxima() == section(root, "maxima")
    assert script._measured(script.DIGITS[2:], accuracy=True) in _without_spikingssm(root)


def _without_spikingssm(root: Path) -> str:
    lines = section(root, "digits").splitlines(keepends=True)
    return "".join(line for line in lines if "SpikingSSM" not in line)

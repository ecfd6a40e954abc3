"""docs/arithmetic.md: its tables of programs are those of the programs as they are."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

from snn_deploy.ir.program import OPERATIONS
from snn_deploy.nodes.registry import legal_kinds


@pytest.fixture(scope="module")
def script(root: Path) -> ModuleType:
    """docs/make_arithmetic.py as a module."""
    file = root / "docs" / "make_arithmetic.py"
    spec = importlib.util.spec_from_file_location("make_arithmetic", file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def text(root: Path) -> str:
    return (root / "docs" / "arithmetic.md").read_text(encoding="utf-8")


def test_the_tables_are_up_to_date(script: ModuleType, text: str) -> None:
    assert script.page(text) == text, "run docs/make_arithmetic.py"
    damaged = text.replace("| `LifSoma` | membrane | membrane |", "| `LifSoma` | – | – |")
    assert damaged != text
    assert script.page(damaged) == text


def test_every_operation_and_every_program_has_a_row(text: str) -> None:
    for operation in OPERATIONS:
        assert f"| `{operation}` | " in text
    for name, kind in legal_kinds("lowered").items():
        told = f"| `{name}` | " in text
        assert told is not hasattr(kind, "run"), name

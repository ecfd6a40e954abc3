"""docs/energy.md: its tables are what the model gives, and the model meets what is published."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest


@pytest.fixture(scope="module")
def script(root: Path) -> ModuleType:
    """docs/make_energy.py as a module."""
    spec = importlib.util.spec_from_file_location("make_energy", root / "docs" / "make_energy.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("section", ["measured", "wikitext", "placement", "sanafe"])
@pytest.mark.slow
def test_page_is_up_to_date(script: ModuleType, root: Path, section: str) -> None:
    if section == "sanafe":
        pytest.importorskip("sanafe", reason="needs SANA-FE (pip install 'snn-deploy[crosscheck]')")
    page = (root / "docs" / "energy.md").read_text(encoding="utf-8")
    table = script.SECTIONS[section]()
    marked = f"<!-- {section} -->\n{table}\n<!-- end of {section} -->\n"
    assert marked in page, f"run docs/make_energy.py: the table '{section}' is now\n{table}"


def test_a_page_without_marks_is_refused(script: ModuleType) -> None:
    with pytest.raises(ValueError, match="must hold the marks of 'measured' once"):
        script.fill("no marks here", "measured", "| table |")


def test_frady_on_loihi_1(script: ModuleType) -> None:
    told = script.frady()
    assert told.low <= script.FRADY_MEASURED_J <= told.high
    assert told.typical == pytest.approx(script.FRADY_MEASURED_J, rel=0.25)
    # Davies' constants, inactive neurons, both ends of the count: +9 to +20%
    for synops, off in zip(script.FRADY_SYNOPS, (1.09, 1.20), strict=True):
        joules = synops * 23.6e-12 + script.FRADY_UPDATES * 52e-12
        assert joules / script.FRADY_MEASURED_J == pytest.approx(off, abs=0.01)


def test_pilotnet_on_loihi_2(script: ModuleType) -> None:
    told = script.pilotnet()
    assert told.low <= script.PILOTNET_MEASURED_J <= told.high
    assert told.typical == pytest.approx(script.PILOTNET_MEASURED_J, rel=0.25)
    assert 1.07 <= told.typical / script.PILOTNET_MEASURED_J <= 1.23


def test_static_power_of_a_board_lies_in_the_range(script: ModuleType) -> None:
    told = script.vpx_static()
    assert told.low < script.VPX_STATIC_J <= told.high * 1.001


@pytest.mark.slow
def test_wikitext_as_the_paper_counts(script: ModuleType) -> None:
    found = script.wikitext()
    for key, value in script.WT103_PAPER.items():
        assert getattr(found, key) == pytest.approx(value, rel=0.005), key
    assert found.recurrence_macs == 192 * 1024 * 16 * 8192
    assert found.recurrence_j == pytest.approx(0.119, rel=0.005)
    assert found.everything_j > found.snn_j + found.recurrence_j

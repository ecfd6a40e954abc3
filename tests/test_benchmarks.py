"""The benchmarks run from end to end, on tiny sizes; no time is asserted."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

SECTIONS = ("engines", "torch", "family_torch", "floor", "scaling", "memory")
# one of each kind of node that the families have
PEERS = ("binary_s4d_bi", "gsu", "prf", "drf", "spike_ssm", "ref_SSC_SiLIF", "ref_SSC_RF")
PEERS += ("tok_lengths",)


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
    sizes = benchmarks.Sizes(3, 32, 1, shapes, (2, 1), (500,), names=("prf",))
    figures, tables = tmp_path / "figures.json", tmp_path / "tables.md"
    begin, end = benchmarks.MARKS
    kept = "### start\n\nOf a section that is not run.\n"
    tables.write_text(f"before\n{begin}old\n\n{kept}\n{end}\nafter\n")
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
    assert "| dendrites, 8 channels × 4 modes, in doubles, cores: 1 " in text
    assert text.startswith("before\n")
    assert text.endswith("\nafter\n")
    assert "old" not in text
    assert kept in text


def test_what_is_missing_is_said(
    benchmarks: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    monkeypatch.delitem(sys.modules, "torch_peers", raising=False)
    assert benchmarks.run_torch(benchmarks.QUICK, None) == []
    assert "torch: left out, it is not installed" in capsys.readouterr().out


def test_torch_runs_the_networks_that_it_is_timed_on(benchmarks: Any) -> None:
    """Its recurrences give what the float engine's convolutions do."""
    torch = pytest.importorskip("torch", reason="its peers need torch (make env)")
    import families
    from recurrences import Recurrence

    from snn_deploy.engines.floating import run_float

    cases = [c for c in (*families.DIGITS, *families.OTHERS) if c.name in PEERS]
    there = [case for case in cases if (families.SHARED / case.folder).is_dir()]
    if not there:
        pytest.skip("needs the real checkpoints beside the repository")
    for case in there:
        network, test = case.network(), case.arrays("test")
        inputs = test["inputs"][:2]
        lengths = test.get("lengths", np.full(2, inputs.shape[1]))[:2]
        expected = run_float(network, inputs, lengths).logits
        given = torch.as_tensor(inputs)
        given = given.long() if network.input.reads_tokens else given.double()
        found = Recurrence(network, torch.float64)(given, torch.as_tensor(lengths))
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e-12 * np.abs(expected).max())

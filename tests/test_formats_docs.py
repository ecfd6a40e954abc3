"""docs/formats.md lists every primitive of every format, each with a test that there is."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

HEADINGS = {
    "ONNX, written",
    "ONNX, read",
    "NIR, read",
    "NIR, written",
    "lava-dl's `.net`, read",
    "lava-dl's `.net`, written",
}
Row = tuple[str, str, str]


@pytest.fixture(scope="module")
def tables(root: Path) -> dict[str, list[Row]]:
    """Give the rows of each section: what, what becomes of it, the test."""
    found: dict[str, list[Row]] = {}
    heading = ""
    lines = (root / "docs" / "formats.md").read_text(encoding="utf-8").splitlines()
    for line, following in zip(lines, [*lines[1:], ""], strict=True):
        if line.startswith("## "):
            heading = line[3:]
        elif line.startswith("| ") and not following.startswith("|---"):
            what, becomes, test = (cell.strip() for cell in line.strip("|").split(" | "))
            found.setdefault(heading, []).append((what, becomes, test))
    return found


def quoted(cells: list[str]) -> set[str]:
    return {name for cell in cells for name in re.findall(r"`(\w+)`", cell)}


def test_every_format_both_ways(tables: dict[str, list[Row]]) -> None:
    assert set(tables) == HEADINGS
    kinds = ("exact", "near", "approximate", "refused")
    for heading in ("ONNX, written", "lava-dl's `.net`, written"):
        for what, becomes, _ in tables[heading]:
            assert becomes.startswith((*kinds, "the host's", "left out")), what


def test_every_primitive_of_nir_that_is_read(tables: dict[str, list[Row]]) -> None:
    from snn_deploy.readers.nir.primitives import PRIMITIVES

    said = quoted([what for what, _, _ in tables["NIR, read"]])
    assert said == {*PRIMITIVES, "Input", "Output", "Flatten", "Delay", "NIRGraph"}


def test_every_kind_of_node_that_nir_has(tables: dict[str, list[Row]]) -> None:
    from snn_deploy.formats.nir.graph import KINDS

    rows = tables["NIR, written"]
    said = quoted([what for what, becomes, _ in rows if not becomes.startswith("refused")])
    assert said == set(KINDS)


def test_every_operator_of_onnx_that_is_read(tables: dict[str, list[Row]]) -> None:
    pytest.importorskip("onnx")
    from snn_deploy.readers.onnx.folding import FOLDED
    from snn_deploy.readers.onnx.layers import LAYERS

    rows = tables["ONNX, read"]
    read = [what for what, becomes, _ in rows if not becomes.startswith("refused")]
    said = {word for what in read for word in re.findall(r"\b[A-Z]\w+", what)}
    assert set(LAYERS) - said == set()
    prose = {"Erf", "QONNX"}  # found in a pattern; a writer of models
    assert said - prose - set(LAYERS) - set(FOLDED) == set()


def test_every_layer_and_neuron_of_lava_dl_that_is_read(tables: dict[str, list[Row]]) -> None:
    pytest.importorskip("h5py")
    from snn_deploy.readers.lava_dl.network import LAYERS, NETX_HAS_NONE
    from snn_deploy.readers.lava_dl.neurons import KNOWN

    rows = tables["lava-dl's `.net`, read"]
    names = {*LAYERS, *KNOWN}
    fields = {"delay", "bias"}
    there = [what for what, becomes, _ in rows if not becomes.startswith("refused")]
    assert quoted(there) == names | fields
    refused = [what for what, becomes, _ in rows if becomes.startswith("refused")]
    assert {*NETX_HAS_NONE, "ADRF"} <= quoted(refused)


def test_every_test_is_there(tables: dict[str, list[Row]], root: Path) -> None:
    texts = {path.name: path.read_text(encoding="utf-8") for path in root.glob("tests/test_*.py")}
    defined = {
        name
        for text in texts.values()
        for name in re.findall(r"^def (test_\w+)", text, re.MULTILINE)
    }
    for heading, rows in tables.items():
        above = ""  # what "the same" and a case alone are of
        for what, _, cell in rows:
            named = re.findall(r"`([^`]+)`", cell)
            assert named or cell in ("the same", "all of these"), (heading, what)
            for entry in named:
                file, test, cases = re.fullmatch(
                    r"(test_\w+\.py)?(?:::)?(test_\w+)?(?:\[(.+)\])?", entry
                ).groups()  # type: ignore[union-attr]
                assert file is None or file in texts, entry
                assert test is None or test in defined, entry
                above = next((n for n, t in texts.items() if test and f"def {test}(" in t), above)
                for case in (cases or "").replace("…", "").split(", "):
                    assert not case or case in texts[above] or case in NODES_OF_TESTS, entry


NODES_OF_TESTS = {"SharedSynapses", "DrawnSoma", "QuantizedSsm"}
"""Cases that are named after kinds of nodes."""

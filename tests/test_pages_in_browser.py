"""Pages as a browser lays them out: nothing sticks out of a narrow screen, or of its box."""

from __future__ import annotations

import html
import json
import re
from pathlib import Path
from typing import Any

import lowered
import pytest
from click.testing import CliRunner
from pages import CHROMIUM, browse

from snn_deploy import examples, page
from snn_deploy.cli.main import commands
from snn_deploy.page.graph import draw_network
from snn_deploy.page.svg import render

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="needs chromium"),
]

EXAMPLE = Path(examples.__file__).parent / "seqdigits_uni"
STYLE = (Path(page.__file__).parent / "templates" / "report.css").read_text(encoding="utf-8")
NARROW = 400  # pixels, as a telephone held upright
MEASURE = """
addEventListener("load", () => {
  const told = [...document.querySelectorAll("iframe")].map((frame) => {
    const page = frame.contentDocument;
    const boxes = [...page.querySelectorAll(".graph .box")];
    const over = boxes.filter((box) => {
      const right = box.querySelector("rect").getBoundingClientRect().right;
      const texts = [...box.querySelectorAll("text")];
      return texts.some((text) => text.getBoundingClientRect().right > right);
    });
    return [page.scrollingElement.scrollWidth, boxes.length, over.length];
  });
  document.body.textContent = JSON.stringify(told);
});
"""


def laid_out(pages: list[str], folder: Path) -> list[Any]:
    """Each page's width on a narrow screen, its boxes, and those that their texts stick out of."""
    frames = "".join(
        f'<iframe style="width: {NARROW}px; border: 0" srcdoc="{html.escape(text)}"></iframe>'
        for text in pages
    )
    file = folder / "frames.html"
    file.write_text(f"<!doctype html><body>{frames}<script>{MEASURE}</script>", encoding="utf-8")
    done = browse(file, "--hide-scrollbars", "--virtual-time-budget=10000")
    found = re.search(r"<body>(\[.*\])</body>", done.stdout, re.DOTALL)
    assert found is not None, done.stdout[:500]
    return list(json.loads(found[1]))


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """The pages of report, verify and compare."""
    folder = tmp_path_factory.mktemp("pages")
    checkpoint, train, test = (
        str(EXAMPLE / name) for name in ("seqdigits_uni.ckpt", "train.npz", "test.npz")
    )
    deployments = [str(folder / f"{name}.safetensors") for name in ("default", "four")]
    data = ("--data", test, "--limit", "8")
    pages = [str(folder / f"{name}.html") for name in ("report", "verify", "compare")]
    for command in (
        ("convert", checkpoint, "--calibration", train, "-o", deployments[0]),
        (
            "convert",
            checkpoint,
            "--calibration",
            train,
            "--set",
            "weight_bits=4",
            "-o",
            deployments[1],
        ),
        ("report", deployments[0], *data, "--against", checkpoint, "--html", pages[0]),
        ("verify", deployments[0], *data, "--against", checkpoint, "--html", pages[1]),
        ("compare", *deployments, *data, "--html", pages[2]),
    ):
        done = CliRunner().invoke(commands, command)
        assert done.exit_code == 0, done.output
    return [Path(file).read_text(encoding="utf-8") for file in pages]


def test_nothing_sticks_out(written: list[str], tmp_path: Path) -> None:
    wide = f'<!doctype html><body style="margin: 0"><div style="width: {2 * NARROW}px">a</div>'
    named = lowered.renamed(lowered.network(layers=2), lambda name: f"{name}.of_some_synapses")
    graph = f"<!doctype html><style>{STYLE}</style>{render(draw_network(named))}"
    large = f"{graph}<style>.graph text {{ font-size: 40px !important }}</style>"
    *found, of_graph, of_wide, of_large = laid_out([*written, graph, wide, large], tmp_path)
    assert of_wide[0] == 2 * NARROW  # it measures
    assert of_large[2] > 0
    assert [width for width, _, _ in found] == [NARROW] * 3
    assert [over for _, _, over in (*found, of_graph)] == [0] * 4
    assert of_graph[1] > 0

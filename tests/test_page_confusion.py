"""The confusion matrix of the report page, and the page that puts deployments side by side."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from networks import float_inputs, float_network
from pages import HOSTILE, Reading, links

import snn_deploy
from snn_deploy.cli.main import commands
from snn_deploy.data.inputs import check_data
from snn_deploy.page.comparison_page import ComparisonPage, render_comparison_page
from snn_deploy.page.confusion import MOST_CLASSES, confusion_section, confusion_table
from snn_deploy.page.data import gather_page
from snn_deploy.page.html import render_page
from snn_deploy.reports.compare import Comparison, compare_deployments
from snn_deploy.reports.compare_table import comparison_rows
from snn_deploy.run.answers import Answers

NETWORK = float_network(classes=3)
DATA = check_data(NETWORK, float_inputs(NETWORK, 6, 12).astype(np.float32), [0, 1, 2, 0, -1, 1])


def answers(labels: list[int], predictions: list[int]) -> Answers:
    logits = np.eye(3)[predictions]
    return Answers(network=NETWORK, answers={NETWORK.output.name: logits}, labels=np.array(labels))


@pytest.fixture(scope="module")
def deployments() -> list[tuple[str, snn_deploy.Deployment]]:
    widths = {"wide": 8, "narrow": 4}
    return [
        (name, snn_deploy.convert(NETWORK, calibration=DATA, settings={"weight_bits": bits}))
        for name, bits in widths.items()
    ]


@pytest.fixture(scope="module")
def comparison(deployments: list[tuple[str, snn_deploy.Deployment]]) -> Comparison:
    return compare_deployments(deployments, DATA, against=NETWORK)


def test_pairs_are_counted() -> None:
    found = answers([0, 0, 1, 2, -1, 2], [0, 1, 1, 0, 0, 0]).confusion
    assert found == {(0, 0): 1, (0, 1): 1, (1, 1): 1, (2, 0): 2}


def test_the_matrix_has_every_pair() -> None:
    section = confusion_section({(0, 0): 7, (0, 2): 1, (2, 2): 12, (2, 0): 3})
    assert section is not None
    assert section.words == "Most often confused: 2 as 0 (3×), 0 as 2 (1×)."
    cells = [tag for tag, _ in Reading(str(section.matrix)).tags if tag == "rect"]
    assert len(cells) == 4  # classes 0 and 2 alone occur
    said = Reading(str(section.matrix)).said
    assert "label 0, predicted 2: 1, 12.5% of the label" in said
    assert "label 2, predicted 2: 12, 80.0% of the label" in said


def test_all_right_is_said() -> None:
    section = confusion_section({(0, 0): 7})
    assert section is not None
    assert section.words == "No sequence was answered wrongly."


def test_many_classes_are_in_the_table_alone() -> None:
    many = {(label, label): 1 for label in range(MOST_CLASSES + 1)}
    section = confusion_section(many)
    assert section is not None
    assert section.matrix is None
    table = confusion_table(many)
    assert table is not None
    assert len(table.rows) == MOST_CLASSES + 1
    fewer = confusion_section({(label, label): 1 for label in range(MOST_CLASSES)})
    assert fewer is not None
    assert fewer.matrix is not None


def test_without_labels_there_is_none() -> None:
    assert confusion_section({}) is None
    assert confusion_table({}) is None


def test_it_is_on_the_report(deployments: list[tuple[str, snn_deploy.Deployment]]) -> None:
    page = gather_page(deployments[0][1], DATA)
    text = render_page(page)
    assert page.labelled == 5  # -1 does not count
    assert "Right and wrong answers" in text
    total = [line.split(",") for line in links(text)["confusion.csv"].splitlines()[1:]]
    assert sum(int(row[2]) for row in total) == 5
    unlabelled = check_data(NETWORK, DATA.inputs)
    assert "Right and wrong answers" not in render_page(gather_page(deployments[0][1], unlabelled))


def test_deployments_side_by_side(comparison: Comparison) -> None:
    text = render_comparison_page(ComparisonPage(comparison, "data.npz"))
    said = Reading(text).said
    assert "wide beside narrow" in said
    for title, cells in comparison_rows(comparison):
        assert title in said
        assert all(cell in said for cell in cells)
    for candidate in comparison.candidates:
        for note in candidate.report.profile.notes:
            assert note in said
    document = json.loads(links(text)["compare.json"])
    assert [d["name"] for d in document["compare"]["deployments"]] == ["wide", "narrow"]
    assert Reading(text).open == []


@pytest.mark.parametrize("name", HOSTILE)
def test_names_are_text(name: str, comparison: Comparison) -> None:
    calm = render_comparison_page(ComparisonPage(comparison, "data.npz"))
    odd = render_comparison_page(ComparisonPage(comparison, name.replace("\ud800", "")))
    assert [tag for tag, _ in Reading(odd).tags] == [tag for tag, _ in Reading(calm).tags]


def test_the_command_writes_it(
    tmp_path: Path, deployments: list[tuple[str, snn_deploy.Deployment]]
) -> None:
    files = []
    for name, deployment in deployments:
        files.append(str(tmp_path / f"{name}.safetensors"))
        deployment.save(files[-1])
    np.savez(tmp_path / "data.npz", inputs=DATA.inputs, labels=DATA.labels)
    page = tmp_path / "c.html"
    words = ["compare", *files, "--data", str(tmp_path / "data.npz"), "--html", str(page)]
    done = CliRunner().invoke(commands, words, standalone_mode=False)
    assert done.exception is None, done.output
    assert "narrow" in Reading(page.read_text()).said
    words[-1] = files[0]
    refused = CliRunner().invoke(commands, words, standalone_mode=False)
    assert refused.exception is not None  # it would write over a deployment

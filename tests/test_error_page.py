"""Where error enters, as a page and as a table: everything is shown, and nothing is let in."""

from __future__ import annotations

import csv
import dataclasses
import io
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from pages import HOSTILE, Reading, links

from snn_deploy import examples
from snn_deploy.api import Verification, convert
from snn_deploy.cli.main import commands
from snn_deploy.compare.accuracy import AccuracyComparison
from snn_deploy.compare.signals import SignalError
from snn_deploy.compare.verification import Divergence, EngineComparison
from snn_deploy.errors import ConfigError, OutputError
from snn_deploy.page.error_page import ErrorPage, render_error_page
from snn_deploy.reports.error_table import error_table

EXAMPLE = Path(examples.__file__).parent / "seqdigits_uni"
CHECKPOINT = EXAMPLE / "seqdigits_uni.ckpt"

GRADED = SignalError(
    "layers.0.glu",
    signal_to_noise_db=30.0,
    local_signal_to_noise_db=45.5,
    worst_channels=(1, 0),
    worst_step=2,
    error_by_step=(0.0, 0.001, 0.003, 0.0),
    error_by_channel=(0.0005, 0.0015, 0.0),
    saturated=7,
)
SPIKES = SignalError(
    "layers.0.lif",
    mismatch=0.01,
    local_mismatch=0.0,
    surrogate_mismatch=0.04,
    spike_rate=0.2,
    worst_channels=(2,),
    worst_step=3,
    error_by_step=(0.0, 0.0, 0.0, 0.04),
    error_by_channel=(0.0, 0.0, 0.03),
    silent=2,
    died=1,
    always=1,
)
EXACT = SignalError("input", error_by_step=(0.0,) * 4, error_by_channel=(0.0,))
ENGINES = EngineComparison(("native", "reference"), 5, 4, 9, 1234)


def comparison(*signals: SignalError, **changes: Any) -> AccuracyComparison:
    compared = AccuracyComparison(
        sequences=5,
        steps=4,
        surrogate_accuracy=0.6,
        exact_accuracy=0.8,
        integer_accuracy=0.4,
        agreement=0.6,
        surrogate_agreement=0.2,
        largest_logit_error=0.123,
        advice="Widen weight_bits.",
        signals=list(signals),
        saturated={"layers.0.glu": 7, "layers.0.ssm.reverse": 3},
    )
    return dataclasses.replace(compared, **changes)


def page_of(
    compared: AccuracyComparison, engines: tuple[EngineComparison, ...] = (ENGINES,), **names: str
) -> str:
    told = {"target": "loihi2", "name": "n.safetensors", "data_name": "t.npz", **names}
    outcome = Verification(list(engines), compared)
    return render_error_page(ErrorPage(outcome, compared, **{"against_name": "a.ckpt", **told}))


@pytest.fixture(scope="module")
def text() -> str:
    return page_of(comparison(EXACT, SPIKES, GRADED))


def drawings(text: str) -> list[str]:
    """What is read out in place of each drawing."""
    return [
        attributes["aria-label"] or ""
        for tag, attributes in Reading(text).tags
        if tag == "svg" and attributes.get("role") == "img"
    ]


# --- page --------------------------------------------------------------------------------------


def test_the_page_is_whole_and_needs_nothing(text: str) -> None:
    reading = Reading(text)
    assert reading.open == []
    assert len(reading.ids) == len(set(reading.ids))
    targets = {a["href"] for t, a in reading.tags if t == "a" and (a["href"] or "").startswith("#")}
    assert {target[1:] for target in targets if target} <= set(reading.ids)
    assert sum(tag == "script" for tag, _ in reading.tags) == 1
    for tag, attributes in reading.tags:
        assert not [key for key in attributes if key.startswith("on") or key == "style"], tag
        for key in ("href", "src"):
            link = attributes.get(key)
            assert link is None or link.startswith(("#", "data:")), (tag, key, link)


def test_the_first_screen_answers(text: str) -> None:
    said = Reading(text).said
    for words in (
        "It predicts what exact-LIF float does in 60.00% of cases. Widen weight_bits.",
        "The same bits from all engines: native, reference.",
        "40.00% integer, as deployed",
        "float, exact LIF: 80.00%",
        "float, surrogate: 60.00%",
        "30.0 dB at layers.0.glu",
        "1.00% of neuron-steps at layers.0.lif",
        "1 of 3 neurons spike in float and never in integers",
        "10 values clipped",
    ):
        assert words in said


def test_every_signal_is_drawn(text: str) -> None:
    assert drawings(text) == [
        "input: exact",
        "layers.0.glu: 30.0 dB",
        "layers.0.lif: 1.00% of integer spikes differ; surrogate 4.00%",
        "layers.0.lif: 1.00% of spikes differ, 4.00% at most",
        "layers.0.glu: error most at step 2, signal to noise 25.2 dB",
        "layers.0.lif: 100.0% of the error in the worst channels, 2",
        "layers.0.glu: 100.0% of the error in the worst channels, 1, 0",
        "layers.0.lif, 3 neurons: 2 never, 1 died, 1 always",
    ]
    said = Reading(text).said
    assert "Without any error: input ." in said
    assert "Clipped values: 7 at layers.0.glu, 3 at layers.0.ssm.reverse." in said


def test_bars_share_a_scale() -> None:
    half = dataclasses.replace(GRADED, node="half", signal_to_noise_db=15.0)
    tags = Reading(page_of(comparison(GRADED, half))).tags
    bars = [a for t, a in tags if t == "rect" and a.get("class") == "usual" and a.get("x") == "0"]
    assert [bar["width"] for bar in bars if "%" in (bar["width"] or "")] == ["50%", "25%"]


def test_all_numbers_are_offered(text: str) -> None:
    files = links(text)
    document = json.loads(files["verify.json"])
    outcome = Verification([ENGINES], comparison(EXACT, SPIKES, GRADED))
    assert document["verify"] == json.loads(json.dumps(outcome.to_json()))
    rows = list(csv.DictReader(io.StringIO(files["errors.csv"])))
    assert [row["process"] for row in rows] == ["input", "layers.0.lif", "layers.0.glu"]
    assert float(rows[1]["of surrogate float"]) == 0.04
    assert rows[2]["clipped"] == "7"
    (engines,) = csv.DictReader(io.StringIO(files["engines.csv"]))
    assert (engines["values"], engines["result"]) == ("1234", "all equal")


def test_what_is_not_there_is_not_shown() -> None:
    spikes = dataclasses.replace(SPIKES, surrogate_mismatch=None)
    compared = comparison(spikes, integer_accuracy=None, surrogate_agreement=None, saturated={})
    reading = Reading(page_of(compared, engines=()))
    assert "surrogate float, which training used" not in reading.said
    assert "no labels in the data" in reading.said
    assert "No value was clipped." in reading.said
    assert not {"engines", "noise"} & set(reading.ids)


def test_networks_without_any_error() -> None:
    reading = Reading(page_of(comparison(EXACT)))
    assert "exact no signal has an error" in reading.said
    assert not {"spikes", "over-time", "channels", "neurons"} & set(reading.ids)


def test_engines_that_differ_are_named() -> None:
    found = Divergence("layers.0.glu", 1, 2, 3, (4, 5))
    said = Reading(
        page_of(comparison(GRADED), (dataclasses.replace(ENGINES, divergence=found),))
    ).said
    assert "native ≠ reference: first divergence at node layers.0.glu, neuron 3, step 2" in said
    assert "The same bits" not in said


def test_no_name_becomes_markup(text: str) -> None:
    signals = [
        dataclasses.replace((SPIKES, GRADED)[i % 2], node=name) for i, name in enumerate(HOSTILE)
    ]
    found = Divergence(HOSTILE[0], 0, 0, 0, (0, 1))
    compared = comparison(*signals, EXACT, advice=HOSTILE[1], saturated=dict.fromkeys(HOSTILE, 1))
    engines = (dataclasses.replace(ENGINES, divergence=found),)
    names = {"name": HOSTILE[0], "data_name": HOSTILE[1], "against_name": HOSTILE[3]}
    hostile = page_of(compared, engines, target=HOSTILE[2], **names)
    reading = Reading(hostile.encode("utf-8", "replace").decode())
    assert {tag for tag, _ in reading.tags} <= {tag for tag, _ in Reading(text).tags}
    assert reading.raw == Reading(text).raw
    assert reading.open == []
    for tag, attributes in reading.tags:
        assert not [key for key in attributes if key.startswith("on")], tag
        assert not {"src", "style"} & attributes.keys(), tag
    shown = "".join(reading.words)
    assert all(name in shown for name in HOSTILE[:6])


# --- table -------------------------------------------------------------------------------------


@pytest.mark.parametrize("width", [60, 80, 1000])
def test_the_table_keeps_to_the_terminal(width: int) -> None:
    lines = error_table(comparison(EXACT, SPIKES, GRADED), width).splitlines()
    assert max(len(line) for line in lines) <= width
    words = " ".join(" ".join(lines).split())
    notes = "2; 2 silent; 1 of them alive in float; 1 always firing"
    assert "layers.0.lif 1.00% 0.00% 4.00%" in words
    assert notes in words
    assert any("4.00%" in line and notes in line for line in lines) == (width > 100)
    assert "also clipped: 3 in layers.0.ssm.reverse" in words


def test_no_surrogate_no_column() -> None:
    spikes = dataclasses.replace(SPIKES, surrogate_mismatch=None)
    heading = next(
        line
        for line in error_table(comparison(spikes, GRADED), 80).splitlines()
        if line.startswith("  signal")
    )
    assert "surrogate" not in heading


# --- command line ------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, str]:
    folder = tmp_path_factory.mktemp("files")
    convert(CHECKPOINT, calibration=EXAMPLE / "train.npz").save(folder / "n.safetensors")
    with np.load(EXAMPLE / "test.npz") as archive:
        np.savez(folder / "t.npz", inputs=archive["inputs"][:6], labels=archive["labels"][:6])
    return {"n": str(folder / "n.safetensors"), "t": str(folder / "t.npz")}


def run(files: Mapping[str, str], *words: str) -> Any:
    words = ("verify", files["n"], "--data", files["t"], *words)
    return CliRunner().invoke(commands, words, standalone_mode=False)


def test_verify_writes_page_and_json(files: Mapping[str, str], tmp_path: Path) -> None:
    page, document = tmp_path / "out.html", tmp_path / "out.json"
    done = run(files, "--against", str(CHECKPOINT), "--html", str(page), "--json", str(document))
    assert done.exception is None
    assert f"wrote {page}" in done.output
    text = page.read_text(encoding="utf-8")
    assert "beside the float network of seqdigits_uni.ckpt" in Reading(text).said
    assert json.loads(links(text)["verify.json"])["verify"] == json.loads(document.read_text())
    somas = [
        line.split() for line in done.output.splitlines() if line.strip().startswith("layers.1.lif")
    ]
    found = json.loads(document.read_text())["accuracy"]["signals"]
    (soma,) = [signal for signal in found if signal["node"] == "layers.1.lif"]
    assert somas[0][3] == f"{100 * soma['surrogate_mismatch']:.2f}%"


def test_verify_refuses_before_it_runs(files: Mapping[str, str], tmp_path: Path) -> None:
    done = run(files, "--html", str(tmp_path / "out.html"))
    assert isinstance(done.exception, ConfigError)
    assert "--html needs --against CHECKPOINT" in str(done.exception)
    missing = str(tmp_path / "no" / "out.html")
    done = run(files, "--against", str(CHECKPOINT), "--html", missing)
    assert isinstance(done.exception, OutputError)
    done = run(files, "--against", str(CHECKPOINT), "--html", files["t"])
    assert "this command reads it" in str(done.exception)

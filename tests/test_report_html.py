"""The report page: one file that needs nothing, says what was counted, and lets nothing in."""

from __future__ import annotations

import base64
import csv
import dataclasses
import hashlib
import io
import json
import re
import struct
import zlib
from pathlib import Path
from typing import Any

import lowered
import networks
import numpy as np
import pytest
from click.testing import CliRunner
from pages import CHROMIUM, HOSTILE, Reading, browse, links

from snn_deploy.api import Deployment
from snn_deploy.cli.main import commands
from snn_deploy.data.inputs import Data, check_data
from snn_deploy.engines.native import NativeEngine
from snn_deploy.engines.reference import ReferenceEngine
from snn_deploy.engines.result import Run
from snn_deploy.engines.session import run_whole
from snn_deploy.errors import ConfigError, OutputError
from snn_deploy.io.deployment_file import Provenance
from snn_deploy.ir.network import Network
from snn_deploy.mapping.profile import is_bundled, load_profile
from snn_deploy.page import charts
from snn_deploy.page import data as page_data
from snn_deploy.page.data import PageData, gather_page, observe_signals
from snn_deploy.page.html import render_page
from snn_deploy.page.svg import element, png_data, render
from snn_deploy.page.table import Column, Table
from snn_deploy.page.tables import all_tables
from snn_deploy.passes.pipeline import compile_network
from snn_deploy.passes.quantize import Calibration
from snn_deploy.quantize.config import QuantizationConfig
from snn_deploy.run.simulation import encode_inputs

SEQUENCES, STEPS = 5, 24
MOST_BYTES = 6 * 10**6


def deployment_of(
    network: Network, target: str = "loihi2", checkpoint: str = "a.ckpt"
) -> Deployment:
    profile = load_profile(target)
    return Deployment(
        network,
        Provenance(
            profile=profile.name,
            profile_version="1.0.0",
            checkpoint=checkpoint,
            checkpoint_sha256="1" * 64,
            calibration={"source": "calibration", "sequences": 3, "steps": STEPS},
            settings={"weight_bits": 8},
            tool_version="0.0",
            profile_data={} if is_bundled(target) else profile.to_dict(),
        ),
    )


def data_for(network: Network, sequences: int = SEQUENCES, seed: int = 0) -> Data:
    random = np.random.default_rng(seed)
    inputs = random.normal(0, 40, (sequences, STEPS, network.input.width)).astype(np.float32)
    labels = random.integers(0, network.output.width, sequences)
    return check_data(network, inputs, labels)


def gather(network: Network | None = None, target: str = "loihi2", **options: Any) -> PageData:
    network = network or lowered.network(layers=2)
    return gather_page(deployment_of(network, target), data_for(network), **options)


@pytest.fixture(scope="module")
def page() -> PageData:
    return gather(name="digits.safetensors", data_name="test.npz")


@pytest.fixture(scope="module")
def text(page: PageData) -> str:
    return render_page(page)


def test_tags_are_balanced_and_ids_unique(text: str) -> None:
    reading = Reading(text)
    assert reading.open == []
    assert len(reading.ids) == len(set(reading.ids))
    targets = {a["href"] for t, a in reading.tags if t == "a" and (a["href"] or "").startswith("#")}
    assert {target[1:] for target in targets if target} <= set(reading.ids)


def test_the_page_needs_nothing_beside_it(text: str) -> None:
    for tag, attributes in Reading(text).tags:
        for key in ("href", "src", "srcset", "xlink:href", "action", "poster", "data"):
            link = attributes.get(key)
            assert link is None or link.startswith(("#", "data:")), (tag, key, link)
    assert not re.search(r"@import|@font-face|fetch\(|XMLHttpRequest|import\(", text)
    urls = re.findall(r"url\(([^)]*)\)", text)
    assert set(urls) <= {"#arrow"}


def test_the_policy_allows_this_style_and_this_script_only(text: str) -> None:
    reading = Reading(text)
    (policy,) = [
        a["content"]
        for t, a in reading.tags
        if t == "meta" and a.get("http-equiv") == "Content-Security-Policy"
    ]
    assert policy is not None
    assert policy.startswith("default-src 'none'")
    for kind in ("style", "script"):
        (content,) = reading.raw[kind]
        digest = base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()
        assert f"{kind}-src 'sha256-{digest}'" in policy
    assert sum(tag == "script" for tag, _ in reading.tags) == 1
    for tag, attributes in reading.tags:
        assert not [key for key in attributes if key.startswith("on") or key == "style"], tag


def test_size(text: str) -> None:
    assert len(text.encode()) < MOST_BYTES / 10


def test_every_drawing_is_told_in_words(text: str) -> None:
    for tag, attributes in Reading(text).tags:
        if tag == "svg" and attributes.get("role") == "img":
            assert attributes.get("aria-label")
        elif tag == "svg":  # a key or an axis beside a drawing that tells, or a plot inside one
            assert attributes.get("aria-hidden") == "true" or "preserveaspectratio" in attributes


def test_first_screen_says_what_was_counted(page: PageData, text: str) -> None:
    said = Reading(text).said
    placement = page.report.placement
    assert placement is not None
    assert f"Cores {len(placement.cores)} of 128 cores, 1 of 1 chip" in said
    assert f"it takes {len(placement.cores)} of the 128 cores of loihi2, spread for speed" in said
    assert f"spread for speed: {placement.least_cores} core" in said
    assert page.correct is not None
    assert f"{100 * page.correct / SEQUENCES:.2f}% integer, {page.correct} of 5 sequences" in said
    rate = page.report.total.spike_rate
    assert rate is not None
    assert f"{100 * (1 - rate):.2f}% of neuron steps without a spike" in said
    assert "No energy per operation has ever been published for Loihi 2" in said
    assert "float: not compared (report --against CHECKPOINT)" in said


def test_every_constant_has_its_source(page: PageData, text: str) -> None:
    said = Reading(text).said
    for key, number in page.report.profile.constants():
        assert key in said
        assert page.report.profile.sources[number.source] in said


def test_tables_are_offered_whole(page: PageData, text: str) -> None:
    files = links(text)
    rows = list(csv.DictReader(io.StringIO(files["layers.csv"])))
    assert [row["layer"] for row in rows] == [
        *(layer.name for layer in page.report.layers),
        "total",
    ]
    typical = page.report.total.dynamic_j.typical / SEQUENCES
    assert float(rows[-1]["energy (J)"]) == typical
    assert set(all_tables(page)) == {name[:-4] for name in files if name.endswith(".csv")}
    neurons = list(csv.DictReader(io.StringIO(files["neurons.csv"])))
    spikes = sum(int(row["spikes"]) for row in neurons)
    assert spikes == sum(int(page.report.activity.messages[name].sum()) for name in page.spikes)


def test_the_page_carries_the_json_report(page: PageData, text: str) -> None:
    document = json.loads(links(text)["report.json"])
    assert document["report"] == json.loads(json.dumps(page.report.to_json()))
    assert document["accuracy"]["correct"] == page.correct
    assert set(document["tables"]) == set(all_tables(page))


def test_infinity_is_no_json_number(page: PageData) -> None:
    signals = (dataclasses.replace(page.signals[0], worst=float("inf")), *page.signals[1:])
    document = json.loads(
        links(render_page(dataclasses.replace(page, signals=signals)))["report.json"]
    )
    assert document["tables"]["ranges"]["rows"][0][7] is None


# --- names that want to be more than names -----------------------------------------------------


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A page on which every text that comes from a file is hostile."""
    network = lowered.network(layers=2)
    assert len(network.names) >= len(HOSTILE)
    names = {
        name: f"layers.{HOSTILE[i % len(HOSTILE)]}.{i}.{HOSTILE[-1 - i % len(HOSTILE)]}"
        if i % 2
        else f"{HOSTILE[i // 2 % len(HOSTILE)]}.{i}"
        for i, name in enumerate(network.names)
    }
    network = lowered.renamed(network, names.__getitem__)
    visible = HOSTILE[1]
    profile = tmp_path_factory.mktemp("profile") / "hostile.toml"
    quoted = json.dumps("".join(HOSTILE[:6]))
    profile.write_text(
        f"schema_version = 1\nextends = 'loihi2'\nname = 'hostile'\nvendor = {quoted}\n"
        f"notes = [{quoted}]\n[sources]\nown = {quoted}\n[energy]\n"
        "ac_pj = { low = 1.0, typical = 2.0, high = 3.0, known = 'assumed', source = 'own', "
        f"note = {quoted} }}\n",
        encoding="utf-8",
    )
    deployment = deployment_of(network, str(profile), checkpoint=visible)
    gathered = gather_page(deployment, data_for(network), name=HOSTILE[0], data_name=HOSTILE[3])
    return render_page(gathered).encode("utf-8", "replace").decode()


def test_no_name_becomes_markup(hostile: str, text: str) -> None:
    reading = Reading(hostile)
    assert {tag for tag, _ in reading.tags} <= {tag for tag, _ in Reading(text).tags}
    assert sum(tag == "script" for tag, _ in reading.tags) == 1
    assert reading.raw == Reading(text).raw
    assert reading.open == []
    for tag, attributes in reading.tags:
        assert not [key for key in attributes if key.startswith("on")], tag
        assert not {"src", "style"} & attributes.keys(), tag


@pytest.mark.parametrize("name", HOSTILE[:6])
def test_hostile_names_are_shown_as_they_are(hostile: str, name: str) -> None:
    reading = Reading(hostile)
    told = [value or "" for _, attributes in reading.tags for value in attributes.values()]
    assert name in "".join(reading.words)
    assert any(name in words for words in told)


def test_hostile_names_survive_json_and_csv(hostile: str) -> None:
    files = links(hostile)
    document = json.loads(files["report.json"])
    layers = [layer["name"] for layer in document["report"]["layers"]]
    rows = list(csv.DictReader(io.StringIO(files["layers.csv"])))
    # JSON keeps what UTF-8 and CSV cannot hold
    assert [row["layer"] for row in rows[:-1]] == [
        ("'" if name.startswith(("=", "-")) else "")
        + name.replace("\ud800", "?").replace("\0", "\ufffd")
        for name in layers
    ]


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r"])
def test_a_spreadsheet_gets_no_formula(start: str) -> None:
    table = Table("t", "t", (Column("a", "name"), Column("b", "number")), ((f"{start}1+1", -1.5),))
    (_, row) = list(csv.reader(io.StringIO(table.csv, newline="")))
    assert row == [f"'{start}1+1", "-1.5"]


def test_svg_escapes_text_and_attributes() -> None:
    made = render(element("text", element("title", "<b>&"), "</text>", aria_label='"><b>'))
    assert made == (
        '<text aria-label="&quot;&gt;&lt;b&gt;">&lt;/text&gt;<title>&lt;b&gt;&amp;</title></text>'
    )


# --- what targets and networks can lack --------------------------------------------------------


def test_a_target_without_cores_or_costs() -> None:
    text = render_page(gather(target="cpu"))
    ids = Reading(text).ids
    assert "placement" not in ids
    assert "energy" not in ids
    assert "cpu has no times" in Reading(text).said


def test_a_target_with_energies_alone() -> None:
    reading = Reading(render_page(gather(target="algorithm_45nm")))
    assert "energy" in reading.ids
    assert "placement" not in reading.ids
    assert "state-space recurrence, left out of both" in reading.said


def test_a_system_of_several_chips_is_drawn_chip_by_chip(tmp_path: Path) -> None:
    profile = tmp_path / "small.toml"
    profile.write_text(
        "schema_version = 1\nextends = 'kapoho_point'\nname = 'small'\n[limits]\n"
        "cores_per_chip = { value = 4, known = 'assumed', source = 'intel2021' }\n"
    )
    gathered = gather(lowered.network(channels=256, modes=64, layers=2), target=str(profile))
    placement = gathered.report.placement
    assert placement is not None
    reading = Reading(render_page(gathered))
    maps = [a for t, a in reading.tags if t == "svg" and a.get("class") == "chart chip"]
    assert len(maps) == placement.chips > 1
    drawn = [
        a for t, a in reading.tags if t == "rect" and (a.get("class") or "").startswith("core q")
    ]
    assert len(drawn) == len(placement.cores)


def test_a_network_that_runs_backwards_says_so() -> None:
    said = Reading(render_page(gather(lowered.network(reverse=True)))).said
    assert "passes, as it runs backwards, too" in said
    assert "the network cannot stream" in said


def test_without_labels_there_is_no_accuracy() -> None:
    network = lowered.network()
    data = dataclasses.replace(data_for(network), labels=None)
    gathered = gather_page(deployment_of(network), data)
    assert gathered.correct is None
    assert "no labels in the data" in Reading(render_page(gathered)).said


def test_a_page_is_the_same_whichever_engine_runs() -> None:
    deployment = deployment_of(lowered.network(layers=2))
    data = data_for(deployment.network)
    pages = [render_page(gather_page(deployment, data, e)) for e in (None, ReferenceEngine())]
    assert pages[0] == pages[1]


def test_against_the_float_network() -> None:
    source = networks.float_network()
    inputs = networks.float_inputs(source).astype(np.float32)
    data = check_data(source, inputs, labels=np.zeros(len(inputs), int))
    network = compile_network(source, QuantizationConfig(), Calibration(inputs, data.lengths))
    seen: list[float] = []
    deployment = deployment_of(network)
    compared = deployment.verify(data, backends=["native"], against=source).accuracy
    gathered = gather_page(deployment, data, comparison=compared, progress=seen.append)
    assert sum(seen) == pytest.approx(len(data))
    assert compared is not None
    assert compared.integer_accuracy == gathered.correct / len(data)  # type: ignore[operator]
    said = Reading(render_page(gathered)).said
    assert f"same prediction: {100 * compared.agreement:.2f}%" in said
    assert compared.advice in said
    assert all(signal.node in said for signal in compared.signals)


# --- figures -----------------------------------------------------------------------------------


def test_membranes_are_those_that_spike() -> None:
    network = lowered.network()
    data = data_for(network)
    signals, spikes, sampled = observe_signals(network, data, ReferenceEngine())
    assert sampled == SEQUENCES
    run = Run(encode_inputs(network, data), data.lengths, network.names)
    trace = run_whole(NativeEngine(), network, run).trace
    assert np.array_equal(spikes["layers.0.lif"], trace["layers.0.lif"][0] != 0)
    found = {(signal.node, signal.quantity): signal for signal in signals}
    membrane = found["layers.0.lif", "membrane"]
    v = np.zeros(6, dtype=np.int64)
    largest = 0
    for sequence in trace["layers.0.ssm"]:
        v[:] = 0
        for drive in sequence:
            v = np.trunc(v * 512 / 4096).astype(np.int64) + 64 * drive
            largest = max(largest, int(np.abs(v).max()))
            v[v > 300 * 64] = 0
    assert membrane.largest == largest
    drive = np.abs(trace["layers.0.ssm"])
    assert found["layers.0.ssm", "output"].largest == drive.max()
    assert found["layers.0.ssm", "output"].usual == pytest.approx(np.percentile(drive, 99))
    assert found["layers.0.ssm", "state"].largest is None
    for signal in signals:
        if signal.largest is not None and signal.worst is not None:
            assert signal.largest <= signal.worst


def test_long_sequences_are_traced_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    network = lowered.network(layers=2)
    data = data_for(network).first(1)
    whole = observe_signals(network, data, ReferenceEngine())
    monkeypatch.setattr(page_data, "SAMPLE_BYTES", 8 * STEPS * 14)  # 14 channels at a time
    parts = observe_signals(network, data, ReferenceEngine())
    assert parts[0] == whole[0]
    assert parts[1].keys() == whole[1].keys()
    assert all(np.array_equal(parts[1][name], whole[1][name]) for name in whole[1])


def test_activity_by_step_is_over_all_sequences(page: PageData) -> None:
    network = page.network
    data = data_for(network)
    run = Run(encode_inputs(network, data), data.lengths, network.names)
    trace = run_whole(NativeEngine(), network, run).trace
    for name, shares in page.by_step.items():
        assert np.allclose(shares, (trace[name] != 0).mean(axis=(0, 2)))


@pytest.mark.parametrize(
    ("top", "expected"),
    [(0, [0]), (1, [0, 0.2, 0.4, 0.6, 0.8, 1]), (64, [0, 20, 40, 60]), (7, [0, 2, 4, 6])],
)
def test_ticks_are_round(top: float, expected: list[float]) -> None:
    assert charts.ticks(top) == pytest.approx(expected)


def test_bits_of_a_magnitude() -> None:
    assert [charts.bits_of(m) for m in (0, 1, 2**15 - 1, 2**23 - 1)] == [0, 1, 15, 23]


def test_histogram_counts_every_neuron() -> None:
    rates = np.array([0.0, 0.0, 0.01, 0.02, 0.5, 1.0])
    told = "".join(charts.histogram(rates, "rates").itertext())
    counts = [int(n) for n in re.findall(r"(\d+) neurons at", told)]
    assert sum(counts) == 4
    assert "2 never spike" in told


def decode_png(link: str) -> np.ndarray:
    """Read a palette picture of 4 bits a dot, as the page makes them; also check its sums."""
    content = base64.b64decode(link.partition("base64,")[2])
    assert content[:8] == b"\x89PNG\r\n\x1a\n"
    chunks, at = {}, 8
    while at < len(content):
        (size,) = struct.unpack(">I", content[at : at + 4])
        kind, body = content[at + 4 : at + 8], content[at + 8 : at + 8 + size]
        assert struct.unpack(">I", content[at + 8 + size : at + 12 + size])[0] == zlib.crc32(
            kind + body
        )
        chunks[kind], at = body, at + 12 + size
    width, height, depth, colour = struct.unpack(">IIBB", chunks[b"IHDR"][:10])
    assert (depth, colour) == (4, 3)
    lines = np.frombuffer(zlib.decompress(chunks[b"IDAT"]), np.uint8).reshape(height, -1)
    assert not lines[:, 0].any()
    dots = np.stack([lines[:, 1:] >> 4, lines[:, 1:] & 15], axis=2).reshape(height, -1)
    return dots[:, :width]


@pytest.mark.parametrize("shape", [(1, 1), (3, 5), (4, 8)])
def test_picture_of_spikes(shape: tuple[int, int]) -> None:
    spikes = np.random.default_rng(0).random(shape) < 0.4
    dots = decode_png(png_data(spikes.astype(float), (1, 2, 3)))
    assert np.array_equal(dots, 15 * spikes)
    assert decode_png(png_data(np.full(shape, 1e-9), (1, 2, 3))).min() == 1  # never quite clear


def test_raster_of_a_long_wide_signal_is_binned() -> None:
    spikes = np.zeros((5000, 600), dtype=bool)
    spikes[-1, -1] = True
    made = charts.raster(spikes, "spikes", pixels=64 * 100)
    (image,) = made.iter("image")
    dots = decode_png(image.attrib["href"])
    assert dots.size <= 64 * 100
    assert dots[-1, -1] > 0
    assert np.count_nonzero(dots) == 1


def test_columns_share_the_prefix_of_a_unit() -> None:
    columns = (Column("low", "quantity", "J"), Column("high", "quantity", "J"), Column("n"))
    table = Table("t", "t", columns, ((2.2e-4, 2.96e-3, 12000), (1e-9, None, 3)))
    assert table.headings == ["low, µJ", "high, µJ", "n"]
    assert table.shown == [["220.0", "2,960.0", "12,000"], ["<0.1", "–", "3"]]


# --- command line and browser ------------------------------------------------------------------


@pytest.fixture
def files(tmp_path: Path) -> tuple[str, str]:
    network = lowered.network()
    deployment, data = tmp_path / "n.safetensors", tmp_path / "test.npz"
    deployment_of(network).save(deployment)
    found = data_for(network)
    np.savez(data, inputs=found.inputs, labels=found.labels)
    return str(deployment), str(data)


def run(*words: str) -> Any:
    return CliRunner().invoke(commands, words, standalone_mode=False)


def test_report_command_writes_page_and_json(files: tuple[str, str], tmp_path: Path) -> None:
    page, document = tmp_path / "out.html", tmp_path / "out.json"
    done = run("report", files[0], "--data", files[1], "--html", str(page), "--json", str(document))
    assert done.exception is None
    assert f"wrote {page}" in done.output
    reading = Reading(page.read_text(encoding="utf-8"))
    assert "n.safetensors" in reading.said
    assert json.loads(document.read_text())["data"]["sequences"] == SEQUENCES


def test_report_command_refuses_before_it_runs(files: tuple[str, str], tmp_path: Path) -> None:
    done = run("report", files[0], "--data", files[1], "--against", "a.ckpt")
    assert isinstance(done.exception, ConfigError)
    assert "--against needs --html" in str(done.exception)
    done = run("report", files[0], "--data", files[1], "--html", str(tmp_path / "no" / "x.html"))
    assert isinstance(done.exception, OutputError)
    assert "does not exist" in str(done.exception)


@pytest.mark.slow
@pytest.mark.skipif(CHROMIUM is None, reason="needs chromium")
def test_browser_has_nothing_to_complain_of(hostile: str, tmp_path: Path) -> None:
    file = tmp_path / "page.html"
    file.write_text(hostile, encoding="utf-8")
    done = browse(file, "--enable-logging=stderr", "--v=0")
    assert "CONSOLE" not in done.stderr
    reading = Reading(re.sub("<!DOCTYPE[^>]*>", "", done.stdout, flags=re.IGNORECASE))
    assert "Theme: system" in reading.said  # the page's own script has run
    assert "<title>&lt;script&gt;" in done.stdout  # and no other

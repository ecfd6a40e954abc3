"""What notebooks and the interpreter show of results: tables, frames, charts, progress."""

from __future__ import annotations

import sys
import types
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from networks import float_inputs, float_network
from pages import HOSTILE, Reading

import snn_deploy
from snn_deploy.data.inputs import check_data
from snn_deploy.errors import BackendUnavailableError, ConfigError, DataError
from snn_deploy.frames import frame
from snn_deploy.page.notebook import framed, plain_table
from snn_deploy.page.table import Column, Table

NETWORK = float_network(classes=3)
X = float_inputs(NETWORK, 6, 12).astype(np.float32)
LABELS = np.array([0, 1, 2, 0, 1, 2])
DATA = check_data(NETWORK, X, LABELS)
NOTEBOOKS = sorted(Path(__file__).parent.parent.glob("examples/*.ipynb"))


@cache
def deployment(target: str = "loihi2") -> snn_deploy.Deployment:
    return snn_deploy.convert(NETWORK, target=target, calibration=X)


@cache
def report(target: str = "loihi2") -> snn_deploy.Report:
    return deployment(target).report(DATA)


@cache
def verification() -> snn_deploy.Verification:
    return deployment().verify(DATA, against=NETWORK, backends=["native"])


@cache
def simulation(*trace: str) -> snn_deploy.Simulation:
    return deployment().simulate(DATA, trace=trace)


@cache
def comparison() -> snn_deploy.Comparison:
    return snn_deploy.compare_deployments({"a": deployment(), "b": deployment()}, DATA)


# --- frames and tables of HTML


@pytest.mark.parametrize("text", HOSTILE)
def test_a_frame_holds_a_page_as_text(text: str) -> None:
    shown = Reading(framed(f"<p>{text}</p>"))
    ((tag, attributes),) = shown.tags
    assert tag == "iframe"
    assert attributes["srcdoc"] == f"<p>{text}</p>"
    assert attributes["sandbox"] == "allow-scripts allow-downloads"  # and so no same origin


@pytest.mark.parametrize("text", HOSTILE)
def test_a_table_holds_text(text: str) -> None:
    table = Table("t", "T", (Column(text, "text"),), ((text,),))
    assert {tag for tag, _ in Reading(plain_table(table)).tags} <= {
        *("table", "thead", "tbody", "tr", "th", "td")
    }


def test_reports_show_their_tables_and_charts() -> None:
    page = Reading(Reading(report()._repr_html_()).tags[0][1]["srcdoc"] or "")
    assert "layers.0" in page.said
    assert f"accuracy {report().answers.accuracy:.2%}" in page.said  # type: ignore[union-attr]
    labels = [attributes.get("aria-label") or "" for tag, attributes in page.tags if tag == "svg"]
    assert any(label.startswith("Energy of a sequence") for label in labels)
    assert any(label.startswith("Chip 0") for label in labels)
    assert page.open == []


def test_the_text_of_a_report_shows_nothing_by_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rich.console._is_jupyter", lambda: True)
    told = str(report())
    assert "layers.0" in told
    assert len(repr(report()).splitlines()) <= 12
    assert "\x1b" not in told


def test_targets_without_cores_show_what_they_have() -> None:
    page = Reading(Reading(report("cpu")._repr_html_()).tags[0][1]["srcdoc"] or "")
    assert "layers.0" in page.said
    assert "Placement" not in page.said


def test_verifications_show_every_signal() -> None:
    shown = Reading(verification()._repr_html_())
    assert "layers.1.lif" in shown.said
    assert "agree on" in shown.said
    without = deployment().verify(DATA)
    assert "values equal" in Reading(without._repr_html_()).said


def test_networks_show_their_nodes_and_simulations_their_spikes() -> None:
    shown = Reading(deployment()._repr_html_())
    assert all(word in shown.said for word in ("Deployment of", "layers.1.lif", "LifSoma"))
    for network in (NETWORK, deployment().network):
        shown = Reading(network._repr_html_())
        assert [tag for tag, _ in shown.tags].count("tr") == len(network) + 1
        assert all(node.name in shown.said for node in network)
    shown = Reading(simulation()._repr_html_())
    assert [tag for tag, _ in shown.tags].count("tr") == len(simulation().spike_counts) + 1
    mean = simulation().spike_counts["layers.1"].sum(axis=1).mean()
    assert f"{mean:.1f}" in shown.said


def test_comparisons_show_a_page_and_a_table() -> None:
    page = Reading(Reading(comparison()._repr_html_()).tags[0][1]["srcdoc"] or "")
    assert "a beside b" in page.said
    assert "same answer as first" in repr(comparison())


def test_pages_are_made_and_saved(tmp_path: Path) -> None:
    page = deployment().page(DATA, against=NETWORK)
    assert "Report page of" in repr(page)
    page.save(tmp_path / "r.html")
    assert (tmp_path / "r.html").read_text() == page.html()
    assert "Spikes that differ" in page.html()
    assert Reading(page._repr_html_()).tags[0][1]["srcdoc"] == page.html()


def test_evaluations_are_told_in_a_few_lines(tmp_path: Path) -> None:
    deployment().save(tmp_path / "d.safetensors")
    np.savez(tmp_path / "x.npz", inputs=X, labels=LABELS)
    found = snn_deploy.evaluate(tmp_path / "d.safetensors", tmp_path / "x.npz", tmp_path / "e.json")
    lines = repr(found).splitlines()
    assert lines[0] == "Evaluation of 6 sequences, 72 steps"
    assert lines[1] == f"  accuracy {found.accuracy:.2%}"
    assert len(lines) == 4


# --- pandas


def test_tables_name_what_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(BackendUnavailableError, match=r"pip install 'snn-deploy\[notebook\]'"):
        report().to_pandas()


def test_layers_are_rows() -> None:
    pytest.importorskip("pandas")
    table = report().to_pandas()
    assert list(table.index) == [*(layer.name for layer in report().layers), "total"]
    assert table.loc["total", "neurons"] == report().total.neurons
    assert table["energy_typical_j"].iloc[-1] == pytest.approx(report().dynamic_j.typical)


def test_sequences_are_rows() -> None:
    pytest.importorskip("pandas")
    table = simulation().to_pandas()
    assert (table["prediction"] == simulation().predictions).all()
    assert (table["label"] == LABELS).all()
    counts = simulation().spike_counts["layers.0"].sum(axis=1)
    assert (table["spikes layers.0"] == counts).all()


def test_numbers_of_a_regression_are_columns() -> None:
    pytest.importorskip("pandas")
    network = float_network(classes=1)
    found = snn_deploy.convert(network, calibration=X).simulate({"x": X, "y": LABELS / 7})
    table = found.to_pandas()
    assert (table["answer_0"] == found.logits[:, 0]).all()
    assert (table["target_0"] == LABELS / 7).all()
    assert "prediction" not in table


def test_answers_of_every_step_have_no_column() -> None:
    pytest.importorskip("pandas")
    network = float_network(readout="every")
    table = snn_deploy.convert(network, calibration=X).simulate(X).to_pandas()
    assert list(table) == ["spikes layers.0", "spikes layers.1"]
    assert len(table) == 6


def test_signals_and_deployments_are_rows() -> None:
    pytest.importorskip("pandas")
    signals = verification().to_pandas()
    assert list(signals.index) == [e.node for e in verification().accuracy.signals]  # type: ignore[union-attr]
    assert list(comparison().to_pandas().index) == ["a", "b"]
    assert list(frame([{"layer": "a", "n": 1}], "layer").loc["a"]) == [1]


def test_errors_need_a_float_network() -> None:
    alone = deployment().verify(DATA)
    with pytest.raises(ConfigError, match=r"verify\(…, against=checkpoint\)"):
        alone.to_pandas()
    with pytest.raises(ConfigError, match=r"verify\(…, against=checkpoint\)"):
        alone.plot_errors()


# --- charts


@pytest.fixture
def pyplot() -> Any:
    matplotlib = pytest.importorskip("matplotlib")
    matplotlib.use("agg")
    import matplotlib.pyplot as plt

    yield plt
    plt.close("all")


def test_charts_name_what_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    monkeypatch.setitem(sys.modules, "matplotlib.pyplot", None)
    with pytest.raises(BackendUnavailableError, match=r"pip install 'snn-deploy\[plot\]'"):
        report().plot_energy()


def test_every_spike_is_drawn(pyplot: Any) -> None:
    axes = simulation("layers.0.lif").plot_raster(sequence=2)
    spikes = simulation("layers.0.lif").trace["layers.0.lif"][2]
    assert len(axes.collections[0].get_segments()) == np.count_nonzero(spikes)
    assert axes.get_title() == "layers.0.lif, sequence 2"
    axes.figure.savefig("/dev/null", format="png")


def test_what_was_not_traced_is_not_drawn() -> None:
    with pytest.raises(ConfigError, match=r"simulate\(…, trace=\['layers.0.lif'\]\)"):
        simulation().plot_raster()
    with pytest.raises(ConfigError, match=r"no spikes of layers.1.lif were traced"):
        simulation("layers.0.lif").plot_raster("layers.1.lif")
    with pytest.raises(DataError, match="no sequence 6; there are 6"):
        simulation("layers.0.lif").plot_raster(sequence=6)


def test_energy_adds_up_to_each_layer(pyplot: Any) -> None:
    axes = report().plot_energy()
    drawn = sum(bar.get_width() for bars in axes.containers[:-1] for bar in bars.patches)
    assert drawn == pytest.approx(report().dynamic_j.typical * 1e6)
    with pytest.raises(ConfigError, match="target 'cpu' has no energies to draw"):
        report("cpu").plot_energy()


def test_cores_are_drawn_in_their_places(pyplot: Any) -> None:
    axes = report().plot_placement()
    placement = report().placement
    assert placement is not None
    free, used = (len(part.get_offsets()) for part in axes.collections[:2])
    assert (used, free + used) == (len(placement.cores), 128)
    with pytest.raises(ConfigError, match="nothing is placed on chip 7"):
        report().plot_placement(7)
    with pytest.raises(ConfigError, match="nothing is placed on chip 0 of target 'cpu'"):
        report("cpu").plot_placement()


def test_errors_and_ranges_are_bars(pyplot: Any) -> None:
    axes = verification().plot_errors()
    known = [e for e in verification().accuracy.signals if e.signal_to_noise_db is not None]  # type: ignore[union-attr]
    assert len(axes.patches) == len(known)
    page = deployment().page(DATA)
    drawn = page.plot_ranges(axes=pyplot.subplots()[1])
    assert len(drawn.patches) == 2 * sum(s.largest is not None for s in page.signals)


# --- progress


def test_progress_in_a_notebook(monkeypatch: pytest.MonkeyPatch) -> None:
    shown: list[str] = []

    class Handle:
        def update(self, bar: Any) -> None:
            shown.append(bar._repr_html_())

    class ZMQInteractiveShell:
        pass

    python, display = types.ModuleType("IPython"), types.ModuleType("IPython.display")
    python.get_ipython = ZMQInteractiveShell  # type: ignore[attr-defined]
    display.display = lambda bar, display_id: Handle()  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "IPython", python)
    monkeypatch.setitem(sys.modules, "IPython.display", display)
    with snn_deploy.progress_bar("a < b", 4) as progress:
        progress(1.0)
        progress(3.0)
    assert shown[0] == 'a &lt; b <progress value="0.250"></progress> 1 of 4'
    assert shown[-1] == 'a &lt; b <progress value="1.000"></progress> 4 of 4'
    with snn_deploy.progress_bar("converting", 1) as progress:
        progress(0.5)
    assert shown[-1] == 'converting <progress value="0.500"></progress> 50%'


def test_progress_elsewhere_counts_silently() -> None:
    with snn_deploy.progress_bar("simulating", 6) as progress:
        deployment().simulate(X, progress=progress)


# --- the examples


@pytest.mark.slow
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_examples_run(path: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    nbclient = pytest.importorskip("nbclient")
    for package in ("ipykernel", "matplotlib", "pandas"):
        pytest.importorskip(package)
    nbformat = pytest.importorskip("nbformat")
    monkeypatch.setenv("PYTHONPATH", str(path.parent.parent))
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path))
    notebook = nbformat.read(path, as_version=4)
    assert not any(cell.get("outputs") for cell in notebook.cells)  # they are made anew
    nbclient.NotebookClient(notebook, timeout=240, kernel_name="python3").execute()


def test_there_are_examples() -> None:
    assert NOTEBOOKS

"""Networks that answer with real numbers: their targets, and what every command says of them."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from networks import float_inputs, float_network

import snn_deploy
from snn_deploy.cli.main import commands
from snn_deploy.compare.regression import Regression
from snn_deploy.data.data_file import DataFile
from snn_deploy.data.inputs import Data, check_data, load_data
from snn_deploy.engines.floating import run_float
from snn_deploy.errors import DataError
from snn_deploy.ir.network import Network
from snn_deploy.reports.compare import compare_deployments
from snn_deploy.run.answers import Answers

ONCE = float_network(classes=1, width=6, seed=3)
EVERY = float_network(classes=2, width=6, readout="every", seed=4)
STEPS, COUNT = 24, 10


def inputs_of(network: Network) -> Any:
    return float_inputs(network, batch=COUNT, steps=STEPS).astype(np.float32)


def truth(network: Network, noise: float = 0.01, seed: int = 0) -> Any:
    """What the float network answers, and a little else: targets of a trained network."""
    inputs = inputs_of(network)
    logits = run_float(network, inputs, np.full(COUNT, STEPS)).logits
    return logits + noise * np.random.default_rng(seed).normal(size=logits.shape)


@cache
def deployed(network: Network) -> snn_deploy.Deployment:
    return snn_deploy.convert(network, calibration=inputs_of(network))


@pytest.fixture(scope="module")
def once(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A deployment and data, with one target a sequence."""
    return written(tmp_path_factory.mktemp("once"), ONCE, targets=truth(ONCE)[:, 0])


@pytest.fixture(scope="module")
def every(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The same with two targets a step."""
    return written(tmp_path_factory.mktemp("every"), EVERY, targets=truth(EVERY))


def written(folder: Path, network: Network, **arrays: Any) -> tuple[Path, Path]:
    file, data = folder / "net.safetensors", folder / "data.npz"
    deployed(network).save(file)
    np.savez(data, inputs=inputs_of(network), **arrays)
    return file, data


def run(*words: object) -> str:
    done = CliRunner().invoke(commands, [str(word) for word in words], standalone_mode=False)
    assert done.exception is None, done.output
    return str(done.output)


# --- the figures


def test_figures_of_four_numbers() -> None:
    found = Regression.of(np.array([[1.0], [2.0], [3.0], [5.0]]), np.array([[1.0], [2], [3], [4]]))
    assert found.values == 4
    assert found.mean_squared_error == 0.25
    assert found.r2 == pytest.approx(1 - 1 / 5)
    assert found.snr_db == pytest.approx(10 * np.log10(30 / 1))
    assert found.si_snr_db is None  # of one step
    assert str(found) == "mean squared error 0.25, R² 0.8, SNR 14.77 dB"


def test_channels_that_do_not_vary_have_no_r2() -> None:
    targets = np.array([[1.0, 7.0], [3.0, 7.0]])
    assert Regression.of(targets + 1, targets).r2 == pytest.approx(1 - 2 / 2)
    assert Regression.of(targets[:1] + 1, targets[:1]).r2 is None


def test_scale_does_not_count_for_si_snr() -> None:
    rng = np.random.default_rng(0)
    targets = rng.normal(size=(3, 50, 1))
    answers = targets + 0.1 * rng.normal(size=targets.shape)
    found, scaled = Regression.of(answers, targets), Regression.of(7 * answers + 2, targets)
    assert found.si_snr_count == 3
    assert found.si_snr_db == pytest.approx(scaled.si_snr_db)
    assert found.si_snr_db == pytest.approx(20, abs=1.5)  # noise of a tenth
    assert scaled.snr_db < 0 < found.snr_db  # type: ignore[operator]


def test_si_snr_has_bounds() -> None:
    targets = np.random.default_rng(0).normal(size=(1, 9, 1))
    assert Regression.of(3 * targets, targets).si_snr_db == pytest.approx(156.5, abs=0.1)
    assert Regression.of(0 * targets, targets).si_snr_db == pytest.approx(-156.5, abs=0.1)
    assert Regression.of(targets, 0 * targets + 1).si_snr_db is None


def test_parts_add_up_to_the_whole() -> None:
    rng = np.random.default_rng(1)
    targets, answers = rng.normal(5, 2, size=(2, 12, 7, 3))
    targets[rng.random(targets.shape) < 0.2] = np.nan
    parts = [Regression.of(answers[i : i + 3], targets[i : i + 3]) for i in range(0, 12, 3)]
    joined, whole = parts[0] + parts[1] + parts[2] + parts[3], Regression.of(answers, targets)
    for name, figure in whole.figures().items():
        assert joined.figures()[name] == pytest.approx(figure, rel=1e-12), name
    assert whole.values == np.count_nonzero(~np.isnan(targets))
    assert Regression.from_json(json.loads(json.dumps(whole.to_json()))) == whole


def test_nothing_known_gives_nothing() -> None:
    found = Regression.of(np.zeros((2, 3, 1)), np.full((2, 3, 1), np.nan))
    assert found.figures() == {
        "mean_squared_error": None,
        "r2": None,
        "snr_db": None,
        "si_snr_db": None,
        "values": 0,
    }
    assert str(found) == "mean squared error –, R² –"


# --- what is taken for targets


@pytest.mark.parametrize("name", ["targets", "y", "labels", "Target"])
@pytest.mark.parametrize("form", [lambda t: t, lambda t: t[:, 0], lambda t: t[:, :1].tolist()])
def test_one_number_a_sequence(tmp_path: Path, name: str, form: Any) -> None:
    wanted = truth(ONCE)
    np.savez(tmp_path / "d.npz", x=inputs_of(ONCE), **{name: form(wanted)})
    data = load_data(tmp_path / "d.npz", ONCE)
    assert data.labels is None
    np.testing.assert_array_equal(data.targets, wanted)


def test_numbers_of_every_step() -> None:
    wanted = truth(EVERY)
    data = check_data(EVERY, inputs_of(EVERY), wanted, lengths=np.full(COUNT, STEPS))
    np.testing.assert_array_equal(data.targets, wanted)
    one = float_network(classes=1, readout="every")
    data = check_data(one, inputs_of(one), truth(one)[..., 0])
    np.testing.assert_array_equal(data.targets, truth(one))


def test_steps_beyond_a_sequence_do_not_count() -> None:
    lengths = np.arange(COUNT) + 3
    data = check_data(EVERY, inputs_of(EVERY), truth(EVERY), lengths)
    assert data.targets is not None
    np.testing.assert_array_equal((~np.isnan(data.targets)).all(axis=2).sum(axis=1), lengths)


def test_the_last_steps_of_every_step() -> None:
    network = EVERY.answering(steps=5)
    wanted = truth(EVERY)
    data = check_data(network, inputs_of(EVERY), wanted)
    np.testing.assert_array_equal(data.targets, wanted[:, -5:])


def test_classes_stay_classes() -> None:
    classifier = float_network(classes=3)
    x = inputs_of(classifier)
    classes = np.arange(COUNT) % 3
    for form in (classes, np.eye(3)[classes], np.eye(3, dtype=int)[classes], classes[:, None]):
        data = check_data(classifier, x, form)
        np.testing.assert_array_equal(data.labels, classes)
        assert data.targets is None
    both = check_data(classifier, x, classes, targets=truth(classifier))
    assert both.targets is None
    alone = check_data(classifier, x, targets=truth(classifier))
    assert alone.labels is None
    np.testing.assert_array_equal(alone.targets, truth(classifier))


def test_a_regression_takes_targets_before_labels(tmp_path: Path) -> None:
    np.savez(
        tmp_path / "d.npz", inputs=inputs_of(ONCE), labels=np.arange(COUNT), targets=truth(ONCE)
    )
    np.testing.assert_array_equal(load_data(tmp_path / "d.npz", ONCE).targets, truth(ONCE))
    named = DataFile(str(tmp_path / "d.npz"), labels_key="labels")
    np.testing.assert_array_equal(load_data(named, ONCE).targets, np.arange(COUNT)[:, None])
    none = DataFile(str(tmp_path / "d.npz"), labels_key="")
    assert load_data(none, ONCE).targets is None


def test_targets_by_name(tmp_path: Path) -> None:
    classifier = float_network(classes=3)
    wanted = np.eye(3)[np.arange(COUNT) % 3]  # which would be classes
    np.savez(tmp_path / "d.npz", x=inputs_of(classifier), y=np.arange(COUNT) % 3, clean=wanted)
    data = load_data(DataFile(str(tmp_path / "d.npz"), targets_key="clean"), classifier)
    assert data.labels is None
    np.testing.assert_array_equal(data.targets, wanted)


@pytest.mark.parametrize(
    ("targets", "message"),
    [
        (np.zeros(COUNT - 1), "labels of shape (9,) for 10 sequences"),
        (np.zeros((COUNT, 2)), "targets of shape (10, 2), but this network answers with 10 × 1"),
        (np.zeros((COUNT, STEPS, 1)), "answers with 10 × 1 numbers: give one for each of them"),
        (np.full(COUNT, np.inf), "targets[0, 0] is infinite; clean the data, or say NaN"),
        (np.array(["a"] * COUNT), "targets of dtype <U1 are no real numbers"),
    ],
)
def test_targets_that_do_not_fit_are_refused(targets: Any, message: str) -> None:
    with pytest.raises(DataError) as refused:
        check_data(ONCE, inputs_of(ONCE), targets)
    assert message in str(refused.value)


# --- what is said of them


def test_simulation_knows_its_errors() -> None:
    found = deployed(ONCE).simulate({"inputs": inputs_of(ONCE), "targets": truth(ONCE)})
    assert found.regression == Regression.of(found.logits, truth(ONCE))
    assert found.accuracy is None
    assert f"  {found.regression}" in repr(found).splitlines()


def test_a_classifier_knows_its_accuracy() -> None:
    network = float_network(classes=3)
    found = deployed(network).simulate({"x": inputs_of(network), "y": np.arange(COUNT) % 3})
    assert found.accuracy == (found.predictions == np.arange(COUNT) % 3).mean()
    assert found.regression is None


def test_padding_does_not_count() -> None:
    deployment, lengths = deployed(EVERY), np.full(COUNT, 7)
    table = {"inputs": inputs_of(EVERY), "targets": truth(EVERY), "lengths": lengths}
    found = deployment.simulate(table)
    assert found.regression is not None
    wanted = Regression.of(found.logits[:, :7], truth(EVERY)[:, :7])
    assert found.regression.mean_squared_error == pytest.approx(wanted.mean_squared_error)
    assert found.regression.values == COUNT * 7 * 2


@pytest.mark.parametrize("kind", ["once", "every"])
def test_simulate_says_it(kind: str, request: pytest.FixtureRequest, tmp_path: Path) -> None:
    file, data = request.getfixturevalue(kind)
    out = tmp_path / "o.npz"
    shown = run("simulate", file, "--data", data, "-o", out)
    found = snn_deploy.load(file).simulate(data)
    assert str(found.regression) in shown
    assert "accuracy" not in shown
    assert "predictions" not in np.load(out)
    assert ("SI-SNR" in shown) == (kind == "every")


def test_streams_say_it_of_one_answer(once: tuple[Path, Path]) -> None:
    file, data = once
    shown = run("simulate", file, "--data", data, "--chunk", 7)
    assert str(snn_deploy.load(file).simulate(data).regression) in shown


def test_streams_say_what_they_leave_out(every: tuple[Path, Path]) -> None:
    shown = run("simulate", every[0], "--data", every[1], "--chunk", 7)
    assert "what is right at every step is compared without --chunk" in shown


@pytest.mark.parametrize("kind", ["once", "every"])
def test_evaluate_adds_shards_up(kind: str, request: pytest.FixtureRequest, tmp_path: Path) -> None:
    file, data = request.getfixturevalue(kind)
    out = tmp_path / "e.json"
    run("evaluate", file, "--data", data, "-o", out, "--shard-size", 3)
    found = json.loads(out.read_text())
    wanted = snn_deploy.load(file).simulate(data).regression
    assert wanted is not None
    for name, figure in wanted.figures().items():
        close = None if figure is None else pytest.approx(figure, rel=1e-12)
        assert found["regression"][name] == close, name
    assert found["accuracy"] is None
    assert found["predictions"] == {}


def test_evaluate_goes_on_after_a_kill(once: tuple[Path, Path], tmp_path: Path) -> None:
    from snn_deploy.evaluation import evaluate

    file, data = once
    whole = evaluate(file, data, tmp_path / "a.json", shard_size=4)

    def stop(done: float) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        evaluate(file, data, tmp_path / "b.json", shard_size=4, progress=_after(2, stop))
    assert (tmp_path / "b.json.journal").exists()
    assert evaluate(file, data, tmp_path / "b.json", shard_size=4) == whole


def _after(calls: int, stop: Any) -> Any:
    left = [calls]

    def progress(done: float) -> None:
        left[0] -= 1
        if not left[0]:
            stop(done)

    return progress


@pytest.mark.parametrize("name", ["labels", "targets"])
def test_folders_hold_them_too(name: str, tmp_path: Path) -> None:
    from snn_deploy.evaluation.dataset import open_dataset

    np.save(tmp_path / "inputs.npy", inputs_of(EVERY))
    np.save(tmp_path / f"{name}.npy", truth(EVERY))
    dataset = open_dataset(tmp_path, EVERY)
    np.testing.assert_array_equal(dataset.shard(EVERY, 2, 5).targets, truth(EVERY)[2:5])
    before = dataset.digest()
    np.save(tmp_path / f"{name}.npy", truth(EVERY) + 1)
    assert open_dataset(tmp_path, EVERY).digest() != before


def test_verify_compares_answers_and_not_classes(once: tuple[Path, Path]) -> None:
    file, data = once
    deployment = snn_deploy.load(file)
    outcome = deployment.verify(data, against=ONCE)
    assert outcome.accuracy is not None
    assert outcome.accuracy.agreement is None
    assert outcome.accuracy.answer_snr_db is not None
    assert set(outcome.accuracy.regression) == {"exact", "integer"}
    assert outcome.accuracy.regression["exact"].r2 > 0.9  # type: ignore[operator]
    assert outcome.accuracy.regression["integer"] == deployment.simulate(data).regression
    shown = repr(outcome)
    assert f"integer: {outcome.accuracy.regression['integer']}" in shown
    assert "agree on" not in shown
    figures = outcome.to_json()["accuracy"]["regression"]["integer"]
    assert figures == outcome.accuracy.regression["integer"].figures()


def test_verify_tells_it_in_a_table() -> None:
    from snn_deploy.reports.error_table import error_table

    data = check_data(ONCE, inputs_of(ONCE), truth(ONCE))
    compared = deployed(ONCE).verify(data, against=ONCE, backends=["native"]).accuracy
    assert compared is not None
    for width in (40, 100):
        shown = " ".join(error_table(compared, width).split())
        assert f"integer {compared.regression['integer']}" in shown
        assert f"integer against exact-LIF float: {compared.answer_snr_db:.1f} dB" in shown
        assert "accuracy" not in shown


def test_reports_and_pages_say_it(once: tuple[Path, Path]) -> None:
    from snn_deploy.page.data import gather_page
    from snn_deploy.page.html import render_page

    file, data = once
    deployment = snn_deploy.load(file)
    report = deployment.report(data)
    wanted = deployment.simulate(data).regression
    assert report.answers is not None
    assert report.answers.regression == wanted
    assert str(wanted) in repr(report)
    assert report.to_json()["answers"]["regression"] == wanted.figures()  # type: ignore[union-attr]
    known = load_data(data, deployment.network)
    compared = deployment.verify(known, against=ONCE, backends=["native"]).accuracy
    shown = render_page(gather_page(deployment, known, comparison=compared))
    assert "mean squared error of 10 values" in shown
    assert "dB above their difference to exact-LIF float" in shown
    assert "no labels in the data" not in shown


def test_comparisons_say_it(once: tuple[Path, Path]) -> None:
    from snn_deploy.reports.compare_table import comparison_rows

    file, data = once
    deployment = snn_deploy.load(file)
    narrow = snn_deploy.convert(ONCE, calibration=inputs_of(ONCE), settings={"weight_bits": 4})
    known = load_data(data, deployment.network)
    found = compare_deployments([("a", deployment), ("b", narrow)], known, against=ONCE)
    rows = dict(comparison_rows(found))
    errors = [deployment.simulate(known).regression, narrow.simulate(known).regression]
    assert rows["mean squared error"] == [f"{e.mean_squared_error:.4g}" for e in errors if e]
    assert "R² of float" in rows
    assert not any(row.startswith("same answer") for row in rows)


def test_a_search_keeps_a_regression_close() -> None:
    data = check_data(ONCE, inputs_of(ONCE), truth(ONCE))
    found = snn_deploy.search(ONCE, data, max_loss=0.01)
    assert found.score_name == "R²"
    assert found.float_score > 0.9
    assert found.score >= found.float_score - 0.01
    blind = snn_deploy.search(ONCE, Data(data.inputs, None, data.lengths), max_loss=0.01)
    assert (blind.score_name, blind.float_score) == ("R²", 1.0)
    lowered = snn_deploy.convert(ONCE, calibration=data, settings=blind.config.model_dump())
    answers = lowered.simulate(data).logits
    exact = Answers(
        network=ONCE, answers={ONCE.output.name: run_float(ONCE, data.inputs, data.lengths).logits}
    )
    assert Regression.of(answers, exact.logits).r2 == pytest.approx(blind.score)

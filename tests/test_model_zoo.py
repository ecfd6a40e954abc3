"""The zoo of trained networks: its data, its cards, and how one is made."""

from __future__ import annotations

import functools
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from snn_deploy.examples.zoo import __main__ as command
from snn_deploy.examples.zoo import measuring, pages
from snn_deploy.examples.zoo.entries import ENTRIES, FAMILIES, Entry
from snn_deploy.examples.zoo.measuring import smape
from snn_deploy.examples.zoo.tasks import denoising, mackey_glass
from snn_deploy.examples.zoo.tasks.registry import TASKS

CARDS = Path(__file__).parent.parent / "docs" / "zoo"
PACKAGES = {"mnist1d": "mnist1d", "vowels": "aeon"}
"""What a task's data come with, where that is not ours."""


# the table and the cards


def test_the_zoo_has_tasks_and_families_enough() -> None:
    names = [entry.name for entry in ENTRIES]
    assert len(names) == len(set(names))
    assert {entry.task for entry in ENTRIES} == set(TASKS)
    assert {entry.family for entry in ENTRIES} == set(FAMILIES)
    assert len(TASKS) >= 5
    assert len(FAMILIES) >= 4


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry.name)
def test_a_card_is_of_the_entry_as_it_is(entry: Entry) -> None:
    text = (CARDS / f"{entry.name}.md").read_text(encoding="utf-8")
    told = f"{entry.name} was trained otherwise: run make zoo"
    assert f"| settings | `{entry.digest}` |" in text, told
    assert text.startswith(f"# {entry.what.title}: {FAMILIES[entry.family]}\n")
    page = (CARDS.parent / "zoo.md").read_text(encoding="utf-8")
    assert f"[{entry.name}](zoo/{entry.name}.md)" in page


def test_there_is_no_card_of_anything_else() -> None:
    assert {path.stem for path in CARDS.glob("*.md")} == {entry.name for entry in ENTRIES}


def test_a_digest_names_all_that_decides_a_network(monkeypatch: pytest.MonkeyPatch) -> None:
    entry = ENTRIES[0]
    changes: tuple[dict[str, Any], ...] = ({"seed": 1}, {"epochs": 1}, {"channels": 8})
    digests = {entry.digest, *(replace(entry, **change).digest for change in changes)}
    monkeypatch.setitem(TASKS, entry.task, replace(entry.what, options={"train": 3}))
    digests.add(entry.digest)
    assert len(digests) == 5


# the data


@functools.cache
def data_of(name: str) -> tuple[Any, Any]:
    if name in PACKAGES:
        pytest.importorskip(PACKAGES[name])
    return TASKS[name].data()


@pytest.mark.parametrize("name", TASKS)
def test_data_are_what_the_task_says(name: str) -> None:
    task, (train, test) = TASKS[name], data_of(name)
    for part in (train, test):
        count, steps = part["inputs"].shape[:2]
        assert part["inputs"].ndim == 3
        assert part["inputs"].dtype == np.float32
        assert np.isfinite(part["inputs"]).all()
        if task.regression:
            assert part["targets"].shape == (count, steps, task.outputs)
            continue
        known = part["labels"] >= 0
        assert part["labels"].shape == ((count,) if task.output_steps == "one" else (count, steps))
        assert set(np.unique(part["labels"][known])) == set(range(task.outputs))
    if "train" in task.options:
        assert len(train["inputs"]) == task.options["train"]
        assert len(test["inputs"]) == task.options["test"]


@pytest.mark.parametrize("name", [name for name, task in TASKS.items() if task.options])
def test_generators_give_the_same_for_the_same_seed(name: str) -> None:
    few = {"train": 20, "test": 10}
    task = replace(TASKS[name], options={**TASKS[name].options, **few})
    first, same, other = (task.data(seed) for seed in (0, 0, 1))
    for ours, theirs in zip(first, same, strict=True):
        assert ours.keys() == theirs.keys()
        assert all(np.array_equal(ours[key], theirs[key], equal_nan=True) for key in ours)
    assert not np.array_equal(first[0]["inputs"], other[0]["inputs"])
    assert not np.array_equal(first[0]["inputs"][:9], first[1]["inputs"][:9])


def test_mackey_glass_follows_its_equation() -> None:
    """Against one trajectory, step by step, with the whole past kept."""
    series = mackey_glass.trajectories(np.random.default_rng(5), 2, 20, delay=17)
    past = [float(np.random.default_rng(5).uniform(0.5, 1.3, (1, 2))[0, 1])] * 171
    for _ in range(320 * 10):
        x, late = past[-1], past[-171]
        past.append(x + 0.1 * (0.2 * late / (1 + late**10) - 0.1 * x))
    expected = past[-191::10]
    assert np.allclose(series[1], expected[-20:], rtol=1e-6)
    assert 0.3 < series.min() < series.max() < 1.5


def test_what_comes_later_is_the_target() -> None:
    (train, _) = data_of("mackey_glass")
    x = train["inputs"] * 0.23 + 0.9
    known = train["targets"][:, 32:-10]
    assert np.allclose(x[:, 42:], known, atol=1e-5)
    assert np.isnan(train["targets"][:, :32]).all()


def test_noise_is_as_loud_as_the_signal() -> None:
    (train, _) = denoising.make(np.random.default_rng(0), 400, 1, 256, noise=1.0, unknown=0)
    clean = train["targets"]
    assert np.mean(clean**2) == pytest.approx(1.0, rel=0.05)
    assert np.mean((train["inputs"] - clean) ** 2) == pytest.approx(1.0, rel=0.05)


def test_what_is_recalled_was_shown() -> None:
    (train, _) = data_of("recall")
    count = TASKS["recall"].options["count"]
    shown = train["inputs"][:, :count, :-1].argmax(axis=-1)
    assert np.array_equal(train["labels"][:, -count:], shown)
    assert (train["labels"][:, :-count] == -1).all()
    assert np.array_equal(train["inputs"].sum(axis=(1, 2)), np.full(len(shown), 2.0 * count))


def test_percentage_errors_are_symmetric_and_of_known_targets() -> None:
    answers, targets = np.array([[1.0], [3.0], [5.0]]), np.array([[3.0], [1.0], [np.nan]])
    assert smape(answers, targets) == smape(targets[:2], answers[:2]) == 100.0


# the command


@pytest.fixture
def tiny(monkeypatch: pytest.MonkeyPatch) -> Entry:
    """A zoo of one small regression."""
    sizes = {"train": 8, "test": 4, "steps": 16}
    options = {**sizes, "horizon": 2, "unknown": 4, "delay": 17}
    task = replace(TASKS["mackey_glass"], options=options)
    monkeypatch.setitem(TASKS, "tiny", task)
    entry = Entry("tiny", "s4d", channels=4, layers=1, modes=2, epochs=1)
    for module in (command, pages):
        monkeypatch.setattr(module, "ENTRIES", (entry,))
    boards = [{"name": "b", "summary": "a board", "clock_mhz": 64, "refused": "too small"}]
    monkeypatch.setattr(measuring, "on_boards", lambda deployment, data: boards)
    fpga = {"name": "p", "device": "a part", "refused": "not written yet"}
    monkeypatch.setattr(measuring, "on_fpga", lambda deployment: fpga)
    return entry


@pytest.mark.slow
def test_one_is_trained_once(
    tiny: Entry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("torch", reason="training needs torch (make env)")
    folder, docs = tmp_path / "zoo", tmp_path / "docs"
    docs.mkdir()
    command.main(["--folder", str(folder), "--docs", str(docs)])
    told = capsys.readouterr().out
    assert "tiny-s4d: epoch 1/1, loss" in told
    assert f"wrote {docs / 'zoo.md'} and 1 cards" in told
    text = (docs / "zoo" / "tiny-s4d.md").read_text()
    assert f"| settings | `{tiny.digest}` |" in text
    assert "sMAPE" in text
    assert "| a board | refused | too small | – |" in text
    assert "| a part | refused | not written yet | – |" in text
    facts = json.loads((folder / "tiny-s4d" / "facts.json").read_text())
    assert facts["scores"]["float"]["r2"] is not None
    assert facts["data"] == {"train": 8, "test": 4, "steps": 16, "width": 1}

    def again(*_: Any) -> None:
        raise AssertionError("it is trained already")

    with monkeypatch.context() as patched:
        patched.setattr(command, "train_entry", again)
        command.main(["--folder", str(folder)])
        with pytest.raises(AssertionError, match="trained already"):
            command.main(["--folder", str(folder), "--fresh"])
        patched.setattr(command, "ENTRIES", (replace(tiny, epochs=2),))
        with pytest.raises(AssertionError, match="trained already"):
            command.main(["--folder", str(folder)])


def test_pages_stay_while_something_is_missing(
    tiny: Entry, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(command, "_named", lambda names: [])
    command.main(["--folder", str(tmp_path), "--docs", str(tmp_path)])
    assert "left as it is, since these are not there yet: tiny-s4d" in capsys.readouterr().out
    assert not (tmp_path / "zoo.md").exists()


def test_an_unknown_name_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as left:
        command.main(["digits-spikingsm"])
    assert left.value.code == 2
    error = capsys.readouterr().err
    assert "unknown entry 'digits-spikingsm'" in error
    assert "did you mean 'digits-spikingssm'?" in error


@pytest.mark.parametrize("name", PACKAGES)
def test_a_missing_package_is_named(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from snn_deploy.errors import BackendUnavailableError

    for module in (PACKAGES[name], f"{PACKAGES[name]}.data", f"{PACKAGES[name]}.datasets"):
        monkeypatch.setitem(__import__("sys").modules, module, None)
    with pytest.raises(BackendUnavailableError, match=r"pip install 'snn-deploy\[zoo\]'"):
        TASKS[name].data()

"""Long silent work says after a second what it is doing; other work, pipes and --quiet do not."""

from __future__ import annotations

import io
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from networks import float_inputs, float_network

import snn_deploy
from snn_deploy.cli import console
from snn_deploy.cli.main import main
from snn_deploy.progress import doing, watch_doing

NETWORK = float_network(classes=3)
X = float_inputs(NETWORK, 4, 12).astype(np.float32)


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def _as_it_was() -> Iterator[None]:
    yield
    watch_doing(None)
    console.quiet(False)


def at_a_terminal(monkeypatch: pytest.MonkeyPatch) -> Terminal:
    """Let the test sit at one; in the test itself, since pytest sets stderr anew before it."""
    shown = Terminal()
    monkeypatch.setattr(sys, "stderr", shown)
    watch_doing(console.after_a_second)
    return shown


def wait_for(shown: io.StringIO) -> None:
    until = time.monotonic() + 60
    while not shown.getvalue() and time.monotonic() < until:
        time.sleep(0.005)


def test_long_work_says_what_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = at_a_terminal(monkeypatch)
    monkeypatch.setattr(console, "PATIENCE", 0.0)
    with doing("reading \x1b[31mx.ckpt"):
        wait_for(terminal)
    assert "x.ckpt …" in terminal.getvalue()
    assert "\x1b[31m" not in terminal.getvalue()


def test_short_work_says_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = at_a_terminal(monkeypatch)
    monkeypatch.setattr(console, "PATIENCE", 600.0)
    with doing("reading"):
        (timer,) = (t for t in threading.enumerate() if isinstance(t, threading.Timer))
        assert timer.daemon
    timer.join(60)
    assert not timer.is_alive()
    with pytest.raises(ValueError, match="wrong"), doing("reading"):
        raise ValueError("wrong")
    assert not any(
        isinstance(t, threading.Timer) and not t.finished.is_set() for t in threading.enumerate()
    )
    assert terminal.getvalue() == ""


@pytest.mark.parametrize("why", ["quiet", "a pipe", "nobody watches"])
def test_where_nobody_wants_to_know(monkeypatch: pytest.MonkeyPatch, why: str) -> None:
    at_a_terminal(monkeypatch)
    if why == "quiet":
        console.quiet(True)
    elif why == "a pipe":
        monkeypatch.setattr(sys, "stderr", io.StringIO())
    else:
        watch_doing(None)
    before = threading.active_count()
    with doing("reading"):
        assert threading.active_count() == before


def test_a_bar_takes_it_for_a_title(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = at_a_terminal(monkeypatch)
    monkeypatch.setattr(console, "PATIENCE", 0.0)
    titled = threading.Event()
    with console.progress_bar("calibrating", 1.0) as advance:
        retitle = console._Mode.retitle
        assert retitle is not None
        monkeypatch.setattr(console._Mode, "retitle", lambda what: (retitle(what), titled.set()))
        with doing("pass quantize"):
            assert titled.wait(60)
        advance(1.0)
    assert "pass quantize …" not in terminal.getvalue()
    assert console._Mode.retitle is None


def test_commands_are_watched(monkeypatch: pytest.MonkeyPatch) -> None:
    watch_doing(None)
    with pytest.raises(SystemExit):
        main(["cite"])
    with doing("something") as nothing:
        assert nothing is None
    assert type(doing("something")).__name__ == "_GeneratorContextManager"


def test_the_stages_of_a_deployment_say_what_they_do(tmp_path: Path) -> None:
    said: list[str] = []

    @contextmanager
    def told(what: str) -> Iterator[None]:
        said.append(what)
        yield

    watch_doing(told)
    np.savez(tmp_path / "x.npz", inputs=X, labels=[0, 1, 2, 0])
    snn_deploy.convert(NETWORK, calibration=X).save(tmp_path / "d.safetensors")
    assert "pass quantize" in said
    assert any(what.startswith("placing ") and what.endswith(" on loihi2") for what in said)
    said.clear()
    deployment = snn_deploy.load(tmp_path / "d.safetensors")
    deployment.simulate(tmp_path / "x.npz")
    assert said == [f"reading {tmp_path / 'd.safetensors'}", f"reading {tmp_path / 'x.npz'}"]
    said.clear()
    snn_deploy.evaluate(tmp_path / "d.safetensors", tmp_path / "x.npz", tmp_path / "e.json")
    assert f"computing the digest of {tmp_path / 'x.npz'}" in said

"""The native engine's library: how it is built, found and chosen."""

from __future__ import annotations

import logging
import shutil
from pathlib import Path

import numpy as np
import pytest
from random_networks import random_network, random_run

from snn_deploy.engines.native import NativeEngine, build, engine, library
from snn_deploy.engines.reference import ReferenceEngine
from snn_deploy.engines.session import run_whole
from snn_deploy.errors import BackendUnavailableError, ConfigError, SnnDeployWarning


@pytest.fixture(autouse=True)
def _anew() -> None:
    library.find_targets.cache_clear()
    library.load_target.cache_clear()


def test_the_library_is_of_its_sources(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = build.library_path()
    copy = shutil.copytree(build.SOURCES, tmp_path / "src")
    monkeypatch.setattr(build, "SOURCES", copy)
    assert build.library_path() == before
    with (copy / "library.cpp").open("a", encoding="utf-8") as source:
        source.write("// changed\n")
    assert build.library_path().name != before.name


def test_every_machine_can_run_plain_integers() -> None:
    targets = library.find_targets()
    assert list(targets)[-1] == "portable"
    assert library.load_target().name == next(iter(targets)).encode()


def test_a_target_is_chosen_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(library.TARGET, "portable")
    assert library.load_target().name == b"portable"
    monkeypatch.setenv(library.TARGET, "abacus")
    library.load_target.cache_clear()
    with pytest.raises(ConfigError, match="SNN_DEPLOY_TARGET=abacus: this machine has"):
        library.load_target()


def test_a_library_that_is_none_is_refused_by_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for content in (b"no library", None):
        path = tmp_path / f"kernels-{content is None}.so"
        if content is not None:
            path.write_bytes(content)
        monkeypatch.setenv(library.KERNELS, str(path))
        with pytest.raises(BackendUnavailableError, match="install snn-deploy again"):
            library.find_targets()


def test_a_checkout_builds_what_is_missing_and_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "kernels-new.so"
    monkeypatch.setattr(library, "library_path", lambda: path)
    with caplog.at_level(logging.INFO, "snn_deploy"):
        assert library.find_targets()
    assert path.exists()
    assert "building the native engine's library" in caplog.text


def test_without_a_compiler_it_says_what_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(library, "library_path", lambda: tmp_path / "kernels-none.so")
    monkeypatch.setattr(build, "find_compiler", lambda: None)
    with pytest.raises(BackendUnavailableError, match="no C\\+\\+ compiler was found"):
        library.find_targets()


def test_what_the_compiler_refuses_is_quoted(tmp_path: Path) -> None:
    with pytest.raises(build.BuildError, match="no-such-option"):
        build.build(tmp_path / "kernels.so", options=["--no-such-option"])
    assert list(tmp_path.iterdir()) == []


def test_without_a_library_the_reference_engine_says_that_it_runs(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv(library.KERNELS, "nowhere.so")
    monkeypatch.setattr(engine, "_library_is_there", engine._library_is_there.__wrapped__)
    network = random_network(0)
    run = random_run(network, 0)
    with pytest.warns(SnnDeployWarning, match="the reference engine runs in its place"):
        given = run_whole(NativeEngine(), network, run)
    np.testing.assert_array_equal(given.output, run_whole(ReferenceEngine(), network, run).output)

"""A few changed files of each format; ``fuzz/run.py`` tries as many as one likes."""

from __future__ import annotations

import random
import signal
import warnings
from pathlib import Path

import pytest
from fuzz.formats import FORMATS
from fuzz.run import TooSlowError, changed_files, limits, try_file
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

COUNT = 150


@pytest.mark.parametrize("name", FORMATS)
def test_a_changed_file_is_read_or_refused_by_us(name: str, tmp_path: Path) -> None:
    """Whatever else escapes fails the test; so do files that are always, or never, refused."""
    target = FORMATS[name]
    path = tmp_path / f"file{target.suffix}"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        outcomes = [
            try_file(target, path, content) for content in changed_files(target, tmp_path, COUNT, 1)
        ]
    assert outcomes.count("read") > 0
    assert len(outcomes) - outcomes.count("read") > COUNT // 3


@pytest.mark.parametrize("name", FORMATS)
@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(content=st.binary(max_size=300), head=st.integers(0, 200), seed=st.integers(0, 2**32))
def test_any_bytes_are_read_or_refused_by_us(
    name: str, tmp_path: Path, content: bytes, head: int, seed: int
) -> None:
    """Bytes of no form at all, and those that follow the beginning of a good file."""
    target = FORMATS[name]
    (tmp_path / "seeds").mkdir(exist_ok=True)
    good = random.Random(seed).choice(_seeds(name, tmp_path / "seeds"))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for tried in (content, good[:head] + content):
            try_file(target, tmp_path / f"file{target.suffix}", tried)


_SEEDS: dict[str, list[bytes]] = {}


def _seeds(name: str, folder: Path) -> list[bytes]:
    if name not in _SEEDS:
        _SEEDS[name] = FORMATS[name].seeds(folder)
    return _SEEDS[name]


def test_the_limits_catch_what_they_are_for() -> None:
    with limits(), pytest.raises(MemoryError):
        bytearray(2 << 30)
    with limits(), pytest.raises(TooSlowError):
        signal.raise_signal(signal.SIGALRM)

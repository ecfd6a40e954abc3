"""Fixtures and options of the whole suite."""

from __future__ import annotations

import importlib.util
import os
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

ROOT = Path(__file__).resolve().parent.parent
SHARED = ROOT.parent / "shared"
BACKENDS = ("reference", "native", "lava")

# No test may depend on how fast the machine is; in CI the examples are the same every time.
settings.register_profile(
    "snn-deploy",
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
    derandomize=bool(os.environ.get("CI")),
)
settings.load_profile("snn-deploy")


def why_no_lava() -> str | None:
    """Say why Lava cannot run here, or None where it can."""
    if sys.version_info[:2] != (3, 10):
        return f"Lava runs on Python 3.10 only, this is {sys.version_info[0]}.{sys.version_info[1]}"
    # `lava` alone is also the namespace of lava-dl
    if importlib.util.find_spec("lava") is None or importlib.util.find_spec("lava.magma") is None:
        return "lava-nc is not installed (pip install 'snn-deploy[lava]')"
    return None


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--backend",
        action="append",
        choices=BACKENDS,
        help="run the tests of all engines on this one only (can be repeated; default: all)",
    )
    parser.addoption(
        "--update-goldens",
        action="store_true",
        help="write tests/goldens anew; read the difference before you commit it",
    )


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run each test that takes ``backend`` once for every engine."""
    if "backend" not in metafunc.fixturenames:
        return
    chosen = metafunc.config.getoption("--backend") or BACKENDS
    marks = {"lava": [pytest.mark.lava]}
    metafunc.parametrize(
        "backend", [pytest.param(name, marks=marks.get(name, [])) for name in chosen]
    )


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip what is marked ``lava`` where Lava cannot run, and say why."""
    reason = why_no_lava()
    if reason is None:
        return
    for item in items:
        if item.get_closest_marker("lava"):
            item.add_marker(pytest.mark.skip(reason=reason))


@pytest.fixture(scope="session")
def update_goldens(request: pytest.FixtureRequest) -> bool:
    """Whether goldens are written instead of compared."""
    return bool(request.config.getoption("--update-goldens"))


@pytest.fixture(scope="session")
def root() -> Path:
    """The repository's root."""
    return ROOT


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of real checkpoints beside the repository, which not every machine has."""
    if not SHARED.is_dir():
        pytest.skip("needs the folder ../shared with real checkpoints beside the repository")
    return SHARED

"""What gets installed: the explicit list of packages, the top-level folders, the wheel."""

from __future__ import annotations

import fcntl
import os
import runpy
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from snn_deploy.version import __version__

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

# folders at the top of the repository that are installed inside the package
TOP_LEVEL = ("converters", "examples", "hw_profiles")
OF_ITS_OWN = "snn_deploy/examples/plugin/"  # a package that shows how to add to this one
WHEELS = {"tree": ["--wheel"], "sdist": []}  # what each is built from, and build's options
LIBRARY = "snn_deploy/engines/native/lib/kernels-*"  # compiled, so not of the tree


@pytest.fixture(scope="module")
def listed(root: Path) -> list[str]:
    """Packages that pyproject.toml lists."""
    pyproject = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))
    return list(pyproject["tool"]["setuptools"]["packages"])


@pytest.fixture(scope="module")
def installable(root: Path) -> set[str]:
    """Every file of the tree that belongs into a wheel, by its path there."""
    found = _list_files(root / "snn_deploy", "snn_deploy")
    for folder in TOP_LEVEL:
        found |= _list_files(root / folder, f"snn_deploy/{folder}")
    return {file for file in found if not file.startswith(OF_ITS_OWN)}


def test_listed_packages_are_those_of_the_tree(listed: list[str], installable: set[str]) -> None:
    inits = {file for file in installable if file.endswith("/__init__.py")}
    assert sorted(listed) == sorted(str(Path(file).parent).replace("/", ".") for file in inits)


def test_every_folder_with_code_is_a_package(installable: set[str]) -> None:
    with_code = {Path(file).parent for file in installable if file.endswith(".py")}
    assert [f for f in sorted(with_code) if f"{f.as_posix()}/__init__.py" not in installable] == []


@pytest.mark.parametrize("folder", TOP_LEVEL)
def test_symlink_is_relative(root: Path, folder: str) -> None:
    link = root / "snn_deploy" / folder
    assert link.is_symlink()
    assert link.readlink() == Path("..", folder)


def test_importing_converters_from_the_root_is_refused(root: Path) -> None:
    done = _run_python("-c", "import converters", cwd=root)
    assert done.returncode == 1
    assert "ImportError: converters is a part of the package snn_deploy" in done.stderr
    assert "write `import snn_deploy.converters`" in done.stderr


@pytest.fixture(scope="module")
def wheels(root: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """One wheel built from the tree and one from the source distribution, without network.

    They are built once for all processes that run tests side by side.
    """
    pytest.importorskip("build", reason="needs build (pip install 'snn-deploy[dev]')")
    pytest.importorskip("setuptools", minversion="77.0.3", reason="needs setuptools 77.0.3")
    base = tmp_path_factory.getbasetemp()
    shared = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
    folder = shared / "wheels"
    with (shared / "wheels.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / "built").exists():
            shutil.rmtree(folder, ignore_errors=True)
            _build_wheels(root, folder)
            (folder / "built").touch()
    return {source: next((folder / source).glob("snn_deploy-*.whl")) for source in WHEELS}


def _build_wheels(root: Path, folder: Path) -> None:
    # a copy, because a build writes into the tree
    tree = folder / "copy" / "snn-deploy"
    skipped = (
        ".*",
        "build",
        "dist",
        "*.egg-info",
        "__pycache__",
        "benchmarks",
        "docs",
        "lib",
    )
    shutil.copytree(root, tree, symlinks=True, ignore=shutil.ignore_patterns(*skipped))
    for source, options in WHEELS.items():
        out = str(folder / source)
        done = _run_python(
            "-m", "build", "--no-isolation", *options, "--outdir", out, ".", cwd=tree
        )
        assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.slow
@pytest.mark.parametrize("source", ["tree", "sdist"])
def test_wheel_holds_the_tree_and_nothing_else(
    wheels: dict[str, Path], source: str, installable: set[str]
) -> None:
    with zipfile.ZipFile(wheels[source]) as wheel:
        names = {name for name in wheel.namelist() if ".dist-info/" not in name}
    libraries = {name for name in names if Path(name).match(LIBRARY)}
    assert names - libraries == installable
    assert len(libraries) == 1


@pytest.mark.slow
def test_one_wheel_serves_every_python_of_a_platform(wheels: dict[str, Path]) -> None:
    assert wheels["tree"].name.startswith(f"snn_deploy-{__version__}-py3-none-")
    assert "any" not in wheels["tree"].stem.split("-")


@pytest.mark.slow
def test_wheel_works_outside_the_repository(
    wheels: dict[str, Path], listed: list[str], tmp_path: Path
) -> None:
    site = tmp_path / "site"
    with zipfile.ZipFile(wheels["sdist"]) as wheel:
        wheel.extractall(site)
    code = f"import importlib\nfor name in {listed}: print(importlib.import_module(name).__file__)"
    done = _run_python("-c", code, cwd=tmp_path, PYTHONPATH=str(site))
    assert done.returncode == 0, done.stderr
    expected = [site.joinpath(*name.split("."), "__init__.py") for name in listed]
    assert [Path(line) for line in done.stdout.splitlines()] == expected


@pytest.mark.slow
def test_a_new_user_gets_a_report_page_from_the_wheel_alone(
    root: Path, wheels: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    release = runpy.run_path(str(root / "scripts" / "release.py"))
    assert len(release["FIRST_COMMANDS"]) <= 5
    with zipfile.ZipFile(wheels["tree"]) as wheel:
        wheel.extractall(tmp_path / "site")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "site"))
    release["start_out"]([sys.executable, "-m", "snn_deploy"], tmp_path / "empty")


def _list_files(folder: Path, inside: str) -> set[str]:
    found = set()
    for here, folders, files in os.walk(folder):
        folders[:] = [name for name in folders if name not in ("__pycache__", "lib")]
        place = Path(inside, Path(here).relative_to(folder))
        found |= {(place / name).as_posix() for name in files if not name.startswith(".")}
    return found


def _run_python(*arguments: str, cwd: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=cwd,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
    )

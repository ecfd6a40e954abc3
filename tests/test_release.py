"""What a release is checked for, before anything is installed or uploaded."""

from __future__ import annotations

import importlib.util
import io
import tarfile
import zipfile
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import yaml

import snn_deploy

METADATA = """\
Metadata-Version: 2.4
Name: {name}
Version: 0.1.0
Summary: it
License-Expression: Apache-2.0
Requires-Python: >=3.10
"""


@pytest.fixture(scope="module")
def release(root: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location("release", root / "scripts" / "release.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def files(folder: Path, *extra: str, name: str = "snn-deploy") -> tuple[Path, Path]:
    wheel, source = folder / "a.whl", folder / "a.tar.gz"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr("a.dist-info/METADATA", METADATA.format(name=name))
        for file in extra:
            archive.writestr(file, "")
    with tarfile.open(source, "w:gz") as sources:
        info = tarfile.TarInfo("a/pyproject.toml")
        sources.addfile(info, io.BytesIO())
    return wheel, source


def test_the_version_is_the_package_s(release: Any) -> None:
    assert release.told_version() == snn_deploy.__version__


def test_versions_must_be_told_alike(release: Any) -> None:
    told = release.check_sources("99.0.0")
    assert told == [
        "CHANGELOG.md has no section [99.0.0] - DATE: rename Unreleased",
        "CITATION.cff does not say version: 99.0.0",
    ]


def test_the_version_has_its_section_and_date(release: Any) -> None:
    assert release.check_sources(snn_deploy.__version__) == []


def test_files_must_be_whole(release: Any, tmp_path: Path) -> None:
    licences = ("a.dist-info/licenses/LICENSE", "a.dist-info/licenses/NOTICE")
    assert release.check_files(*files(tmp_path, *licences), "0.1.0") == []
    assert release.check_files(*files(tmp_path, *licences), "0.2.0") == [
        "a.whl: Version is 0.1.0, not 0.2.0"
    ]
    assert release.check_files(*files(tmp_path, name="other"), "0.1.0") == [
        "a.whl: Name is other, not snn-deploy",
        "a.whl: no LICENSE in it",
        "a.whl: no NOTICE in it",
    ]


def test_a_busy_machine_fails_no_release(
    release: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    took = iter([9.0, 4.0, 8.0, 7.0, 6.0])
    monkeypatch.setattr(release, "start_out", lambda program, folder: next(took))
    assert release.first_answer([], tmp_path) == 4.0
    with pytest.raises(SystemExit, match=r"took 8\.0, 7\.0, 6\.0 s .* never under 5\.0"):
        release.first_answer([], tmp_path)


def test_a_command_that_fails_is_shown(release: Any) -> None:
    release.run("sh", "-c", "echo seen")
    with pytest.raises(SystemExit, match=r"(?s)why.*failed: sh -c"):
        release.run("sh", "-c", "echo why >&2; exit 3")


def test_the_zoos_weights_are_packed_beside_the_wheel(
    release: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(release, "ZOO_CARDS", tmp_path)
    assert release.pack_zoo(tmp_path / "zoo", tmp_path / "zoo.zip") is None
    for name in ("b", "a", "old"):
        (tmp_path / "zoo" / name).mkdir(parents=True)
        (tmp_path / f"{name}.md").write_text(f"settings `{name}`")
        for file in release.ZOO_FILES:
            (tmp_path / "zoo" / name / file).write_text(f'{{"digest": "{name[0]}"}}')
    (tmp_path / "old.md").write_text("settings `new`")  # was trained otherwise
    (tmp_path / "zoo" / "half").mkdir()  # trained, but not measured: stays behind
    (tmp_path / "zoo" / "half" / "network.ckpt").write_text("")
    packed = release.pack_zoo(tmp_path / "zoo", tmp_path / "zoo.zip")
    with zipfile.ZipFile(packed) as archive:
        names = archive.namelist()
        assert archive.read("a/card.md") == b"settings `a`"
    files = ("card.md", "network.ckpt", "network.safetensors", "facts.json")
    assert names == [f"{name}/{file}" for name in "ab" for file in files]
    first = packed.read_bytes()
    assert release.pack_zoo(tmp_path / "zoo", tmp_path / "zoo.zip").read_bytes() == first


def test_workflows_run_what_we_run(root: Path) -> None:
    jobs = yaml.safe_load((root / ".github/workflows/ci.yml").read_text())["jobs"]
    commands = [step.get("run") for job in jobs.values() for step in job["steps"]]
    assert {".ci/run", "make docs"} <= set(commands)
    for template in (root / ".github/ISSUE_TEMPLATE").glob("*.yml"):
        assert yaml.safe_load(template.read_text())

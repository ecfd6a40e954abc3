"""The documentation: links lead somewhere, the site has every page, tutorials can be followed."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from packaging.version import Version

from snn_deploy.cli.main import main

ROOT = Path(__file__).parent.parent
PAGES = sorted([*ROOT.glob("docs/**/*.md"), *ROOT.glob("*.md"), *ROOT.glob("examples/**/*.md")])
LINK = re.compile(r"\[[^\]]*\]\((?!https?:|mailto:)([^)#\s]*)(?:#([^)\s]*))?\)")
FOLLOWED = sorted([*ROOT.glob("docs/tutorials/*.md"), ROOT / "docs" / "hardware.md"])
GENERATED = {
    "gallery.md",
    "reference/commands.md",
    "reference/python.md",
    "changelog.md",
    "security.md",
}


def prose(path: Path) -> str:
    """A page without its code blocks, in which brackets mean other things."""
    text = path.read_text(encoding="utf-8")
    text = re.sub(r"^```.*?^```", "", text, flags=re.DOTALL | re.MULTILINE)
    return re.sub(r"`[^`\n]*`", "", text)


def anchors(path: Path) -> set[str]:
    """The anchors of a page's headings, as GitHub and mkdocs make them."""
    titles = re.findall(r"^#+ +(.*)$", path.read_text(encoding="utf-8"), re.MULTILINE)
    plain = (re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", title).lower() for title in titles)
    return {re.sub(r"[^\w\- ]", "", title).strip().replace(" ", "-") for title in plain}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_links_lead_somewhere(page: Path) -> None:
    for target, anchor in LINK.findall(prose(page)):
        file = page.parent / target if target else page
        assert file.exists(), f"{page.name}: {target}"
        if anchor and file.suffix == ".md":
            assert anchor in anchors(file), f"{page.name}: {target}#{anchor}"


def in_nav(entry: object) -> Iterator[str]:
    if isinstance(entry, str):
        yield entry
    for part in entry if isinstance(entry, list) else ():
        yield from in_nav(part)
    for part in entry.values() if isinstance(entry, dict) else ():
        yield from in_nav(part)


def test_the_site_has_every_page() -> None:
    site = yaml.safe_load((ROOT / "mkdocs.yml").read_text(encoding="utf-8"))
    listed = list(in_nav(site["nav"]))
    assert len(listed) == len(set(listed))
    pages = {page.relative_to(ROOT / "docs").as_posix() for page in ROOT.glob("docs/**/*.md")}
    assert set(listed) == pages | GENERATED


def test_the_site_is_built_without_network(tmp_path: Path) -> None:
    pytest.importorskip("mkdocs")
    pytest.importorskip("material")
    made = subprocess.run(
        [sys.executable, "-W", "ignore", "-m", "mkdocs", "build", "--strict", "-d", str(tmp_path)],
        check=False,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT), "http_proxy": "http://127.0.0.1:9"},
        capture_output=True,
        text=True,
        timeout=240,
    )
    assert made.returncode == 0, made.stderr
    shown = re.findall(r'href="(gallery/[\w-]+\.html)"', (tmp_path / "gallery.html").read_text())
    assert len(shown) == 4
    assert all("<svg" in (tmp_path / page).read_text(encoding="utf-8") for page in shown)
    text = (tmp_path / "reference" / "commands.html").read_text(encoding="utf-8")
    assert "--calibration" in text
    assert "Compile a trained network for a chip" in (
        tmp_path / "reference" / "python.html"
    ).read_text(encoding="utf-8")
    for page in tmp_path.glob("**/*.html"):
        loaded = re.findall(
            r'<(?:script|link|img)[^>]*(?:src|href)="(https?:[^"]*)"', page.read_text()
        )
        assert not [address for address in loaded if "canonical" not in address], page


def test_every_kind_of_input_that_is_listed_has_its_test() -> None:
    page = (ROOT / "docs" / "inputs.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (.+) \| `(.+)` \|$", page, re.MULTILINE)
    assert len(rows) > 50
    assert len({kind for kind, _ in rows}) == len(rows)
    for _, test in [*rows, ("", re.search(r"`(test_\w+\.py::\w+)`", page)[1])]:  # type: ignore[index]
        file, _, name = test.partition("::")
        text = (ROOT / "tests" / file).read_text(encoding="utf-8")
        assert f"def {name}(" in text or not name, test


BLOCK = re.compile(r'^```(\w+)(?: title="([^"]+)")?\n(.*?)^```', re.DOTALL | re.MULTILINE)
"""A block of a tutorial: its language, the file that it is, its text."""


def needed_by(page: Path) -> list[str]:
    """What a tutorial says that it needs, modules and programs."""
    text = page.read_text(encoding="utf-8")
    front = text.split("---\n")[1] if text.startswith("---\n") else ""
    return list((yaml.safe_load(front) or {}).get("needs", []))


def run_command(command: str, folder: Path) -> None:
    program, *words = shlex.split(command)
    if program == "snn-deploy":  # in this process, which has imported all that it needs
        with pytest.raises(SystemExit) as ended:
            main(words)
        assert ended.value.code == 0, command
        return
    program = sys.executable if program == "python" else program
    if "/" not in program and shutil.which(program) is None:  # a tool that is not installed
        return
    done = subprocess.run(
        [program, *words],
        check=False,
        cwd=folder,
        env={
            **os.environ,
            "PYTHONPATH": os.pathsep.join([str(ROOT), *sys.path]),
            "OMP_NUM_THREADS": "1",  # other tests run beside this one
        },
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("page", FOLLOWED, ids=lambda p: p.stem)
def test_tutorials_can_be_followed(
    page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for need in needed_by(page):
        name, _, least = need.partition(">=")
        if importlib.util.find_spec(name) is None and shutil.which(name) is None:
            pytest.skip(f"needs {need}")
        if least and Version(importlib.metadata.version(name)) < Version(least):
            pytest.skip(f"needs {need}")
    monkeypatch.chdir(tmp_path)
    blocks = BLOCK.findall(page.read_text("utf-8"))
    assert blocks
    for language, title, text in blocks:
        if title:
            (tmp_path / title).write_text(text, encoding="utf-8")
            continue
        if language != "console":  # shown, not to be followed
            continue
        for line in text.splitlines():
            assert line.startswith("$ "), line
            run_command(line[2:], tmp_path)

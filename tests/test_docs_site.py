"""The documentation: links lead somewhere, the site has every page, tutorials can be followed."""

from __future__ import annotations

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

ROOT = Path(__file__).parent.parent
PAGES = sorted([*ROOT.glob("docs/**/*.md"), *ROOT.glob("*.md"), *ROOT.glob("examples/**/*.md")])
LINK = re.compile(r"\[[^\]]*\]\((?!https?:|mailto:)([^)#\s]*)(?:#([^)\s]*))?\)")
FOLLOWED = sorted([*ROOT.glob("docs/tutorials/*.md"), ROOT / "docs" / "hardware.md"])
OURS = {"snn-deploy": [sys.executable, "-m", "snn_deploy"], "python": [sys.executable]}
GENERATED = {"reference/commands.md", "reference/python.md", "changelog.md", "security.md"}


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


def commands_of(page: Path) -> list[str]:
    blocks = re.findall(
        r"^```console\n(.*?)^```", page.read_text("utf-8"), re.DOTALL | re.MULTILINE
    )
    return [line[2:] for block in blocks for line in block.splitlines() if line.startswith("$ ")]


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("page", FOLLOWED, ids=lambda p: p.stem)
def test_tutorials_can_be_followed(page: Path, tmp_path: Path) -> None:
    commands = commands_of(page)
    assert commands
    for command in commands:
        words = shlex.split(command)
        program = OURS.get(words[0]) or [shutil.which(words[0])]
        if program == [None]:  # a tool that is not installed
            continue
        done = subprocess.run(
            [*program, *words[1:]],
            check=False,
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
            timeout=240,
        )
        assert done.returncode == 0, f"{command}: {done.stderr}"

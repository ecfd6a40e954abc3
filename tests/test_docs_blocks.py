"""Blocks of code in the documentation: options exist, and commands and Python run as they stand.

Tutorials are followed in ``test_docs_site.py``; here are all other pages, each in a folder that
holds the example under the names that pages use. A block that cannot run says so on its page, to
its readers, and is counted here.
"""

from __future__ import annotations

import re
import shlex
import shutil
import textwrap
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest

import snn_deploy
from snn_deploy.cli.main import commands, main
from snn_deploy.errors import SnnDeployWarning

ROOT = Path(__file__).parent.parent
EXAMPLE = ROOT / "examples" / "seqdigits_uni"
PAGES = sorted([*ROOT.glob("docs/**/*.md"), *ROOT.glob("*.md"), *ROOT.glob("examples/**/*.md")])
FOLLOWED = {*ROOT.glob("docs/tutorials/*.md"), ROOT / "docs/hardware.md"}
BLOCK = re.compile(
    r"^(?P<fence>```)(?P<language>\w+)[^\n]*\n(?P<fenced>.*?)^```|"
    r"(?<=\n\n)(?P<indented>(?: {4,}[^\n]*\n|\n(?= {4}))+)",
    re.DOTALL | re.MULTILINE,
)
NOT_RUN = re.compile(r"\*The tests do not run this: [^*]+\.\*\n\s*\Z")
NOT_RUN_COUNT = 17
PROGRAMS = {
    "snn-deploy",
    "pip",
    "python",
    "make",
    "git",
    "dask",
    "cmake",
    "cd",
    "sensor",
    "PRODUCER",
}
PLACEHOLDER = re.compile(r"[\[\]|…]|\b(?!README)[A-Z]{2,}\b")
INLINE = re.compile(r"`(snn-deploy [a-z-]+ [^`]*)`")
ALWAYS = {"--help", "-h", "--debug", "--quiet"}
NEEDS = {"onnx.md": "onnxruntime", "nir.md": "nir"}


class Block(NamedTuple):
    """Its text without the margin, what kind of text that is, and whether the page says that it
    does not run.
    """

    text: str
    kind: str
    excused: bool

    @property
    def commands(self) -> Iterator[tuple[str, str]]:
        """Each command, in one line and without comments, and what is shown below it."""
        text = re.sub(r" *\\\n *|\n {8,}(?=[\[-])", " ", self.text)
        start = r"(?m)^(?=\$ )" if text.startswith("$ ") else r"\n"
        for line in re.split(start, text):
            command, _, shown = line.removeprefix("$ ").partition("\n")
            if command.strip() and not command.lstrip().startswith("#"):
                yield re.split(r" {2,}|\s# ", command.strip())[0], shown


def blocks(page: Path) -> list[Block]:
    text = page.read_text(encoding="utf-8")
    found = []
    for match in BLOCK.finditer(text):
        code = match["fenced"] or textwrap.dedent(match["indented"] or "").strip("\n")
        excused = NOT_RUN.search(text, 0, match.start()) is not None
        found.append(Block(code, match["language"] or kind_of(code), excused))
    return found


def kind_of(code: str) -> str:
    """What an indented block is: of the rest, equations and what programs print, nothing runs."""
    first = code.removeprefix("$ ").split()[0]
    if first in PROGRAMS:
        return "console"
    python = first in ("import", "from") or "snn_deploy." in code or "deployment." in code
    return "python" if python else "text"


def words_of(command: str) -> Iterator[list[str]]:
    """The words behind each ``snn-deploy`` of a line."""
    for part in re.split(r" [|] | && ", command):
        words = part.split()
        if words[0] == "snn-deploy" and len(words) > 1:
            yield words[1:]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_every_command_and_option_exists(page: Path) -> None:
    shown = [
        line for block in blocks(page) if block.kind == "console" for line, _ in block.commands
    ]
    for line in [*shown, *INLINE.findall(page.read_text(encoding="utf-8"))]:
        for name, *words in words_of(line):
            if name.startswith("-") or PLACEHOLDER.search(name):
                continue
            assert name in commands.commands, line
            known = {
                o for p in commands.commands[name].params for o in (*p.opts, *p.secondary_opts)
            }
            options = re.findall(r"(?<![\w-])--?[a-z][\w-]*", " ".join(words))
            assert set(options) <= known | ALWAYS, line


def test_blocks_that_do_not_run_are_few() -> None:
    assert sum(block.excused for page in PAGES for block in blocks(page)) == NOT_RUN_COUNT


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the example's files, few sequences of each, under all names."""
    folder = tmp_path_factory.mktemp("pages")
    example = folder / "examples" / "seqdigits_uni"
    example.mkdir(parents=True)
    for name, count in {"train": 32, "test": 16}.items():
        with np.load(EXAMPLE / f"{name}.npz") as data:
            few = {key: value[:count] for key, value in data.items()}
        for place in (example, folder):
            np.savez(place / f"{name}.npz", **few)
    for place in ("examples/seqdigits_uni/seqdigits_uni.ckpt", "model.ckpt", "digits.ckpt"):
        shutil.copy(EXAMPLE / "seqdigits_uni.ckpt", folder / place)
    deployment = snn_deploy.convert(folder / "model.ckpt", calibration=folder / "train.npz")
    deployment.save(folder / "digits.safetensors")
    trace = ["--data", str(folder / "test.npz"), "--trace", str(folder / "TRACE.npz")]
    with pytest.raises(SystemExit, match="0"):
        main(["simulate", str(folder / "digits.safetensors"), *trace])
    return folder


def given_names(folder: Path) -> dict[str, Any]:
    """What pages take for granted in Python."""
    inputs = np.load(folder / "test.npz")["inputs"]
    return {
        "snn_deploy": snn_deploy,
        "deployment": snn_deploy.load(folder / "digits.safetensors"),
        "inputs": inputs,
        "sequences": inputs,
        "microphone": np.array_split(inputs[:1], 4, axis=1),
        "B": inputs.shape[0],
        "L": inputs.shape[1],
    }


RUN = [
    page
    for page in PAGES
    if page not in FOLLOWED and {"python", "console"} & {block.kind for block in blocks(page)}
]


@pytest.mark.slow
@pytest.mark.parametrize("page", RUN, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_blocks_run(
    page: Path,
    files: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    if page.name in NEEDS:
        pytest.importorskip(NEEDS[page.name])
    shutil.copytree(files, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    names = given_names(tmp_path)
    for block in blocks(page):
        if block.excused:
            continue
        if block.kind == "console":
            for line, shown in block.commands:
                run_line(line, shown, capsys)
        if block.kind == "python":
            code = compile(block.text, page.name, "exec")  # annotations as here: unread
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", SnnDeployWarning)
                exec(code, names)


def run_line(line: str, shown: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Run a command of ours; of make's targets and pip's extras, see that they are there."""
    words = shlex.split(line)
    if words[0] == "make":
        text = (ROOT / "Makefile").read_text(encoding="utf-8")
        assert re.search(rf"^{words[1]}:", text, re.MULTILINE), line
    elif words[0] == "pip":
        extras = re.findall(r"\[(\w+)\]", line)
        text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
        assert all(re.search(rf"^{extra} = \[", text, re.MULTILINE) for extra in extras), line
    elif not PLACEHOLDER.search(line):
        assert words[0] == "snn-deploy", f"{line}: say on the page that it does not run, and why"
        with pytest.raises(SystemExit) as left:
            main(words[1:])
        told = capsys.readouterr()
        refused = shown.startswith("error:")
        assert bool(left.value.code) == refused, told.err
        if refused:
            assert shown.split() == told.err.split()

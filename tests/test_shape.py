"""The shape of the code: short files, and functions that take few things."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

from snn_deploy.nodes.registry import kind_names

MOST_PARAMETERS = 8
MOST_LINES = 400
ROOT = Path(__file__).resolve().parent.parent
FOLDERS = ("snn_deploy", "converters", "examples", "benchmarks", "docs", "scripts")
VOCABULARY = {"snn_deploy/ir/program.py"}
"""All operations that a neuron's program may use, told in one place."""

BY_KIND = {
    "snn_deploy/engines/native/",
    "snn_deploy/engines/lava/",
    "snn_deploy/training/operations.py",
    "snn_deploy/formats/lava_dl/layers.py",
    "snn_deploy/formats/onnx/host.py",
}
"""Where a table says what replaces a kind's own step: ours, Lava's, PyTorch's and ONNX's."""

Function = ast.FunctionDef | ast.AsyncFunctionDef


def sources() -> Iterator[tuple[str, str]]:
    """Every file, by its path in the repository, each once."""
    for folder in FOLDERS:
        for path in sorted((ROOT / folder).rglob("*.py")):
            name = path.relative_to(ROOT).as_posix()
            if path.resolve() == path:  # not through a link
                yield name, path.read_text(encoding="utf-8")


def parameters(function: Function) -> int:
    """How many things a caller may give; an object's own methods get it for nothing."""
    given = function.args
    positional = [*given.posonlyargs, *given.args]
    own = bool(positional) and positional[0].arg in ("self", "cls")
    starred = (given.vararg is not None) + (given.kwarg is not None)
    return len(positional) - own + len(given.kwonlyargs) + starred


def crowded(text: str) -> list[str]:
    """Name the functions that take too many."""
    functions = (node for node in ast.walk(ast.parse(text)) if isinstance(node, Function))
    return [f"{f.name}: {parameters(f)}" for f in functions if parameters(f) > MOST_PARAMETERS]


def test_no_function_takes_more_than_a_reader_can_hold() -> None:
    found = {name: crowded(text) for name, text in sources()}
    assert {name: functions for name, functions in found.items() if functions} == {}


def test_no_file_of_the_package_is_long() -> None:
    lines = {name: text.count("\n") for name, text in sources() if name.startswith("snn_deploy/")}
    assert len(lines) > 100
    assert {name for name, count in lines.items() if count > MOST_LINES} <= VOCABULARY


def told_apart(text: str, kinds: frozenset[str]) -> list[str]:
    """Name the kinds of node that a file does more with than make one, or say so in a signature."""
    tree = ast.parse(text)
    allowed: set[int] = set()
    for node in ast.walk(tree):
        made = [node.func] if isinstance(node, ast.Call) else []
        said = [getattr(node, name, None) for name in ("annotation", "returns")]
        for part in (*made, *(x for x in said if x is not None)):
            inner = ast.walk(part) if part in said else (part,)
            allowed |= {id(name) for name in inner}
    names = [node for node in ast.walk(tree) if isinstance(node, ast.Name)]
    return [name.id for name in names if name.id in kinds and id(name) not in allowed]


def test_a_node_is_asked_what_it_does_and_not_what_it_is() -> None:
    kinds = frozenset(kind_names())
    exempt = (*BY_KIND, "snn_deploy/nodes/")
    found = {
        name: told_apart(text, kinds)
        for name, text in sources()
        if name.startswith("snn_deploy/") and not name.startswith(exempt)
    }
    assert len(found) > 150
    assert {name: kinds for name, kinds in found.items() if kinds} == {}


def test_which_questions_would_be_found() -> None:
    kinds = frozenset(("Lif", "Gate"))
    asks = (
        "isinstance(node, Lif)",
        "isinstance(node, Lif | Sum)",
        "network.of_kind(Lif)",
        "type(node) is Lif",
        "SPIKING = (Lif, Sum)",
        "TABLE: dict[type, int] = {Lif: 1}",
        "match node:\n    case Lif():\n        pass",
        "def f(node=Lif): ...",
    )
    assert [told_apart(text, kinds) for text in asks] == [["Lif"]] * len(asks)
    fine = ("Lif(name='a')", "def f(x: Lif) -> Gate | None: ...", "x: list[Lif] = []", "Sum")
    assert [told_apart(text, kinds) for text in fine] == [[]] * len(fine)


def test_what_would_be_found() -> None:
    many = ", ".join("abcdefghi")
    assert crowded(f"def f({many}): ...") == ["f: 9"]
    assert crowded(f"class A:\n    async def f(self, {many[:-3]}, *, i=1): ...") == ["f: 9"]
    assert crowded("def f(self, a, b, c, d, e, f, g, *h): ...") == []
    assert crowded("def f(a, b, c, d, e, f, g, *h, **i): ...") == ["f: 9"]

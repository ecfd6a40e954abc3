"""Writes the tables of programs in docs/arithmetic.md: what each node's step is made of.

Run it from the repository's root after changing a node's program or the operations; it takes a few
seconds::

    .venv/bin/python docs/make_arithmetic.py

A node's operations can depend on its parameters, so several of each kind are looked at: those that
the tests make.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from snn_deploy.io.files import atomic_write
from snn_deploy.ir.network import Network
from snn_deploy.ir.program import OPERATIONS
from snn_deploy.nodes.registry import legal_kinds

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "arithmetic.md"
SAMPLES = 12
OPERATIONS_HEAD = """\
| operation | gives | on Loihi 2 |
|---|---|---|
"""
PROGRAMS_HEAD = """\
| node | words of state | clipped, and counted | operations | instructions |
|---|---|---|---|--:|
"""


def main() -> None:
    """Put both tables into the page."""
    with atomic_write(PAGE) as file:
        file.write(page(PAGE.read_text(encoding="utf-8")).encode())


def page(text: str) -> str:
    """Give the page with its tables as the programs are now."""
    text = _between(text, "operations", OPERATIONS_HEAD + "".join(_operations()))
    return _between(text, "programs", PROGRAMS_HEAD + "".join(_programs()))


def _between(text: str, name: str, table: str) -> str:
    start, end = f"<!-- {name} -->\n", f"<!-- end of {name} -->\n"
    before, rest = text.split(start)
    return before + start + table + end + rest.split(end)[1]


def _operations() -> Iterator[str]:
    for name, operation in OPERATIONS.items():
        becomes = ", ".join(operation.instructions) or "–"
        equation = operation.equation.replace("|", "\\|")
        yield f"| `{name}` | {equation} | {becomes} |\n"


def _programs() -> Iterator[str]:
    sys.path.insert(0, str(ROOT / "tests"))
    from networks import MAKERS, around

    for name, kind in legal_kinds("lowered").items():
        if kind in MAKERS and not hasattr(kind, "run"):
            yield _row(name, [around(kind, np.random.default_rng(n)) for n in range(SAMPLES)])


def _row(name: str, networks: list[Network]) -> str:
    nodes: list[Any] = [network.nodes[-1] for network in networks]
    programs = [node.program for node in nodes]
    values = [value for program in programs for value in program if not value.constant]
    words = dict.fromkeys(word for program in programs for word in program.words)
    clipped = dict.fromkeys(v.name for v in values if v.operation == "saturate")
    used = {value.operation for value in values}
    told = [name for name in OPERATIONS if name in used and OPERATIONS[name].instructions]
    counts = {n.cost(network).operations for n, network in zip(nodes, networks, strict=True)}
    by_modes = any(value.modes is not None for value in values)
    few = " … ".join(str(n) for n in sorted({min(counts), max(counts)}))
    cells = (_listed(words), _listed(clipped), ", ".join(f"`{n}`" for n in told) or "–")
    return f"| `{name}` | {' | '.join(cells)} | {'by modes' if by_modes else few} |\n"


def _listed(names: Any) -> str:
    return ", ".join(names) or "–"


if __name__ == "__main__":
    main()

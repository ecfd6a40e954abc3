"""Writes the steps of programs that the native engine compiles beforehand.

Run it from the repository's root after changing a node's program, or how steps are written; it
takes a few seconds::

    .venv/bin/python tests/make_compiled.py

A step's text hangs on which parameters a node has, not on their values; so several of each kind are
looked at: those that the tests make.
"""

from __future__ import annotations

from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from networks import MAKERS, around

from snn_deploy.engines.native.compiled import CompiledStep, write_step
from snn_deploy.engines.native.exactness import NotExactError
from snn_deploy.io.files import atomic_write
from snn_deploy.ir.bounds import input_intervals
from snn_deploy.ir.invariants import Interval
from snn_deploy.nodes.registry import legal_kinds

__all__ = ["HEADER", "steps", "written"]

HEADER = Path(__file__).parents[1] / "snn_deploy" / "engines" / "native" / "src"
HEADER /= "steps_of_programs.h"
SAMPLES = 40
HEAD = """\
// Made by tests/make_compiled.py: steps of neurons' programs, see compiled.h.
// clang-format off
"""


def main() -> None:
    """Write the header."""
    with atomic_write(HEADER) as file:
        file.write(written().encode())


def written() -> str:
    """Give the header's text."""
    made = steps()
    listed = " ".join(f'each({i}, "{name}")' for i, name in enumerate(made))
    bodies = [_body(i, kind, step) for i, (kind, step) in enumerate(made.values())]
    return HEAD + "".join(bodies) + f"#define SNN_STEPS(each) {listed}\n"


def _body(number: int, kind: str, step: CompiledStep) -> str:
    lines = "".join(f"  {line}\n" for line in step.text.splitlines())
    shape = ", ".join(map(str, step.shape))
    return f'SNN_STEP({number}, "{step.name}", {shape}) {{  // {kind}\n{lines}}}\n'


@cache
def steps() -> dict[str, tuple[str, CompiledStep]]:
    """Give the steps of all kinds, with the kind's name, by their own."""
    made: dict[str, tuple[str, CompiledStep]] = {}
    for cls in legal_kinds("lowered").values():
        if cls not in MAKERS or hasattr(cls, "run"):
            continue
        for seed in range(SAMPLES):
            network = around(cls, np.random.default_rng(seed))
            node: Any = network.nodes[-1]
            if not node.inputs:
                continue
            sources: list[Any] = list(network.sources(node))
            largest = [np.full(source.width, float(source.output.limit)) for source in sources]
            intervals = input_intervals(largest, [source.output for source in sources])
            _write(node, intervals, made)
    return made


def _write(node: Any, intervals: list[Interval], made: dict[str, tuple[str, CompiledStep]]) -> None:
    for wide in (False, True):
        with suppress(NotExactError):
            step = write_step(node.program, intervals, node.clock_bounds(), wide)
            made.setdefault(step.name, (node.kind, step))


if __name__ == "__main__":
    main()

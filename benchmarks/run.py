"""Benchmarks of the native engine: every ratio from one run.

    python benchmarks/run.py [--quick] [--only SECTION …] [--json FILE] [--markdown FILE]

``engines`` compares with Lava's simulator and the reference engine on the bundled example;
``torch`` with the float network in torch, on the same cores; ``family_lava`` and ``family_torch``
compare every family's trained networks with Lava's simulator and with torch's recurrence;
``floor`` compares with the least time that the dendrites' arithmetic, and each kind of node, can
take; ``scaling`` with itself at other sizes; ``memory`` runs long streams; ``start`` the first call
of a fresh process. What is not installed is left out, in a line that says so.

Works that are compared take turns, and of each the shortest time counts: on a machine that others
use too, compare ratios, not times.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import re
import subprocess
import sys
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import engines
import families
import floor
from engines import Row
from timing import take_turns
from workloads import CIFAR, MNIST, Shape, float_network, lowered, random_inputs

from snn_deploy.engines.native.library import lanes_of_doubles
from snn_deploy.engines.native.threads import thread_count
from snn_deploy.errors import BackendUnavailableError

HERE = Path(__file__).parent


@dataclass(frozen=True)
class Sizes:
    """How much is run.

    Parameters
    ----------
    batch, steps
        Of random networks.
    rounds
        Turns that each work gets.
    shapes
        Random networks compared with torch.
    batches
        Sequences at once, on the example.
    lengths
        Steps of long streams.
    names
        Trained networks of the families; without any all of them.
    """

    batch: int = 64
    steps: int = 1024
    rounds: int = 5
    shapes: tuple[Shape, ...] = (MNIST, CIFAR)
    batches: tuple[int, ...] = (360, 64, 1)
    lengths: tuple[int, ...] = (10_000, 1_000_000)
    names: tuple[str, ...] = ()


SHORT_ROUNDS = 20  # times as many, of works that take less than a millisecond
QUICK = Sizes(batch=16, steps=256, rounds=2, lengths=(10_000, 100_000))


def run_torch(sizes: Sizes, rates: floor.Rates) -> list[Row]:
    """One layer in torch's forms and in ours; ratios are of torch's time to ours."""
    try:
        from torch_peers import peers  # torch is optional
    except ImportError:
        print("torch: left out, it is not installed (pip install torch)")
        return []
    rows = []
    for shape in sizes.shapes:
        network = lowered(shape)
        works: dict[str, Callable[[], object]] = {
            "native": engines.native(network, random_inputs(network, sizes.batch, sizes.steps))
        }
        works |= peers(float_network(shape), sizes.batch, sizes.steps)
        times = take_turns(works, sizes.rounds)
        own = times["native"].best
        rows += [
            engines.row(
                f"{shape}: {name}",
                timing,
                sizes.batch * sizes.steps,
                native_is_faster=timing.best / own,
            )
            for name, timing in times.items()
        ]
    return rows


def run_engines(sizes: Sizes, rates: floor.Rates) -> list[Row]:
    """The bundled example on every engine."""
    rows = engines.against_engines(sizes.batches, sizes.rounds)
    slowest = rows[-1]["us_per_sample_step"]
    return [r | {"times_the_last": slowest / r["us_per_sample_step"]} for r in rows]


def run_family_lava(sizes: Sizes, rates: floor.Rates) -> list[Row]:
    """A step of a batch in the native engine, and one of a sequence in Lava, once started."""
    try:
        return families.against_lava(sizes.batch, sizes.rounds, sizes.names)
    except BackendUnavailableError as error:
        print(f"family_lava: left out, {error}")
        return []


def run_family_torch(sizes: Sizes, rates: floor.Rates) -> list[Row]:
    """A step of a batch's sequence, and of one alone, beside torch's in float32; one core each."""
    try:
        return families.against_torch(sizes.batch, sizes.rounds, sizes.names)
    except ImportError:
        print("family_torch: left out, torch is not installed (pip install torch)")
        return []


def run_floor(sizes: Sizes, rates: floor.Rates) -> list[Row]:
    """Dendrites on one core and on all, and every kind of node on one, beside their floors."""
    rows = [
        row
        for cores in sorted({1, thread_count()})
        for row in engines.against_floor(
            sizes.shapes, sizes.batch, sizes.steps, cores, sizes.rounds
        )
    ]
    one = floor.measure_rates(1)
    for shape in sizes.shapes:
        parts = engines.by_node(shape, 64, one, SHORT_ROUNDS * sizes.rounds)
        rows += [r | {"what": f"{shape}: {r['what']}"} for r in parts]
    return rows


def run_scaling(sizes: Sizes, rates: floor.Rates) -> list[Row]:
    """The first shape with one thing changed at a time."""
    return engines.scaling(sizes.shapes[0], sizes.batch, sizes.steps, sizes.rounds)


def run_memory(sizes: Sizes, rates: floor.Rates) -> list[Row]:
    """Long streams, each in a process of its own."""
    return [
        {"what": f"{steps:,} steps", **json.loads(_python("long_run.py", str(steps)))}
        for steps in sizes.lengths
    ]


IMPORT = "import snn_deploy, snn_deploy.engines.native"
FIRST_RUN = """
from workloads import example, example_inputs
from snn_deploy.engines.native import NativeEngine
from snn_deploy.engines.session import run_whole
network, run = example(), example_inputs(1)
import time
started = time.perf_counter()
run_whole(NativeEngine(), network, run)
print(time.perf_counter() - started)
"""


def run_start(sizes: Sizes, rates: floor.Rates) -> list[Row]:
    """What a fresh process pays before its first answer."""
    works = {
        "python alone": lambda: _python("-c", "pass"),
        "importing the engine": lambda: _python("-c", IMPORT),
    }
    times = take_turns(works, sizes.rounds)
    first = min(float(_python("-c", FIRST_RUN)) for _ in range(sizes.rounds))
    return [
        *({"what": name, "seconds": timing.best} for name, timing in times.items()),
        {"what": "the first run", "seconds": first},
    ]


def _python(*arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, *arguments], cwd=HERE, capture_output=True, text=True, check=True
    )
    return done.stdout


SECTIONS: dict[str, Callable[[Sizes, floor.Rates], list[Row]]] = {
    "engines": run_engines,
    "torch": run_torch,
    "family_lava": run_family_lava,
    "family_torch": run_family_torch,
    "floor": run_floor,
    "scaling": run_scaling,
    "memory": run_memory,
    "start": run_start,
}


def measure(sizes: Sizes, sections: Sequence[str]) -> dict[str, Any]:
    """Run sections, and give everything as plain data."""
    rates = floor.measure_rates(thread_count())
    result: dict[str, Any] = {
        "machine": f"{os.cpu_count()} cores, vectors of {lanes_of_doubles()} doubles",
        "python": platform.python_version(),
        "floor": {
            "threads": rates.threads,
            "ns_per_mode_and_step": {"doubles": rates.mode, "floats": rates.float_mode},
            "counted": floor.MODE,
        },
        "sections": {},
    }
    floors = f"{rates.mode:.3f} ns in doubles, {rates.float_mode:.3f} ns in floats"
    print(f"{result['machine']}; floor of a complex mode and step: {floors}")
    for name in sections:
        rows = SECTIONS[name](sizes, rates)
        result["sections"][name] = rows
        print(f"\n{name}: {_title(name)}")
        for line in table(rows):
            print(line)
    return result


def table(rows: list[Row]) -> list[str]:
    """Give rows as a Markdown table; a column for each key of any row."""
    columns = list(dict.fromkeys(key for r in rows for key in r))
    lines = [[c.replace("_", " ") for c in columns]]
    lines += [[_text(r.get(c)) for c in columns] for r in rows]
    widths = [max(len(line[i]) for line in lines) for i in range(len(columns))]
    texts = [
        "| "
        + " | ".join(
            cell.rjust(w) if i else cell.ljust(w)
            for i, (cell, w) in enumerate(zip(line, widths, strict=True))
        )
        + " |"
        for line in lines
    ]
    rule = "|" + "|".join("-" * (w + 1) + (":" if i else "-") for i, w in enumerate(widths)) + "|"
    return [texts[0], rule, *texts[1:]] if rows else []


def _text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, str | int):
        return f"{value:,}" if isinstance(value, int) else value
    return f"{value:,.0f}" if value >= 1000 else f"{value:.3g}"


def main(arguments: Sequence[str] | None = None, sizes: Sizes | None = None) -> None:
    """Parse, measure, print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="small sizes, few turns")
    parser.add_argument("--only", nargs="+", choices=SECTIONS, help="these sections")
    parser.add_argument("--json", metavar="FILE", help="write the figures too")
    parser.add_argument(
        "--markdown",
        metavar="FILE",
        help="write the tables too, or put them between the marks of a file that has them",
    )
    options = parser.parse_args(arguments)
    warnings.simplefilter("ignore")
    sizes = sizes or (QUICK if options.quick else Sizes())
    result = measure(sizes, options.only or list(SECTIONS))
    if options.json:
        Path(options.json).write_text(json.dumps(result, indent=2))
    if options.markdown:
        write_tables(Path(options.markdown), result)


MARKS = "<!-- begin: made by benchmarks/run.py -->\n", "<!-- end -->"


def write_tables(path: Path, result: dict[str, Any]) -> None:
    """Write the tables to a file, or between the marks of one that has them: there those of other
    sections stay, which another environment may have made.
    """
    parts = {
        name: f"### {name}\n\n{_title(name)}\n\n" + "\n".join(table(rows))
        for name, rows in result["sections"].items()
        if rows
    }
    begin, end = MARKS
    text = path.read_text() if path.exists() else ""
    before, after = "", ""
    if begin in text and end in text:
        before, _, rest = text.partition(begin)
        written, _, after = rest.partition(end)
        kept = re.split(r"^### ", written, flags=re.MULTILINE)[1:]
        parts = {part.split()[0]: f"### {part}".rstrip() for part in kept} | parts
        before, after = f"{before}{begin}\n", f"\n{end}{after}"
    tables = "\n\n".join(parts[name] for name in SECTIONS if name in parts)
    path.write_text(f"{before}{tables}\n{after}")


def _title(section: str) -> str:
    return (SECTIONS[section].__doc__ or "").splitlines()[0]


if __name__ == "__main__":
    main()

"""Exported C99: five networks' whole test sets here and on simulated boards, for docs/c.md.

    python benchmarks/microcontrollers.py [--only SECTION …] [--sequences N] [--write]

``equal`` compares every answer of whole test sets with the native engine's on this machine, and
those of the first N sequences on every board; ``instructions`` counts the bundled example's;
``speed`` times it beside the native engine. ``--write`` puts the tables into the page. Networks
whose checkpoints are not here, and boards whose tools are missing, are left out by name.
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import tempfile
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

import snn_deploy
from snn_deploy.engines.native import NativeEngine, NativeSession
from snn_deploy.engines.registry import get_engine
from snn_deploy.engines.result import Run
from snn_deploy.engines.session import Watch, run_whole
from snn_deploy.ir.formats import Edge
from snn_deploy.ir.network import Network
from snn_deploy.nodes.float_inputs import FloatInput
from snn_deploy.nodes.float_lif import Lif
from snn_deploy.nodes.linear import Linear
from snn_deploy.nodes.readout import Readout
from snn_deploy.nodes.residual import Residual
from snn_deploy.run.simulation import encode
from snn_deploy.targets.c.boards import BOARDS
from snn_deploy.targets.c.compiler import compile_program, find_compiler
from snn_deploy.targets.c.target import CTarget

EXAMPLE = Path(snn_deploy.__file__).parent / "examples" / "seqdigits_uni"
SHARED = Path(__file__).resolve().parent.parent.parent / "shared" / "checkpoints"
PAGE = Path(__file__).resolve().parent.parent / "docs" / "c.md"
CALIBRATION = 256  # sequences
NEURONS = 64  # of the recurrent network
LONG = 200  # sequences, one after the other as one, that are timed
ROUNDS = 7


@dataclass(frozen=True)
class Case:
    """A network and its test set; ``said`` is what the table says of it."""

    name: str
    said: str
    source: Callable[[], Any]
    calibration: Path = EXAMPLE / "train.npz"
    test: Path = EXAMPLE / "test.npz"

    def deploy(self) -> tuple[Network, Any]:
        """Give the integer network, and the mantissas of its test set, (B, L, d_input)."""
        with np.load(self.calibration) as train, np.load(self.test) as test:
            with warnings.catch_warnings():  # of what is known of these networks
                warnings.simplefilter("ignore")
                calibration = train["inputs"][:CALIBRATION]
                network = snn_deploy.convert(self.source(), calibration=calibration).network
            return network, encode(network, test["inputs"])[0]


def recurrent() -> Network:
    """A layer of LIF neurons that hears itself, its weights drawn, and a mean."""
    rng = np.random.default_rng(13)

    def linear(name: str, source: str, inputs: int, scale: float) -> Linear:
        weight = rng.normal(0.0, scale / np.sqrt(inputs), (NEURONS, inputs))
        return Linear(name=name, inputs=(Edge(source),), weight=weight, bias=np.full(NEURONS, 0.1))

    drive = (Edge("feed"), Edge("back", steps_back=1))
    nodes = (
        FloatInput(name="input", channels=1),
        linear("feed", "input", 1, 2.0),
        Residual(name="drive", inputs=drive, channels=NEURONS),
        Lif(name="lif", inputs=(Edge("drive"),), threshold=np.ones(NEURONS), decay=0.75),
        linear("back", "lif", NEURONS, 1.5),
        Readout(
            name="decoder",
            inputs=(Edge("lif"),),
            mode="mean",
            weight=rng.normal(0.0, 1.0 / np.sqrt(NEURONS), (10, NEURONS)),
            bias=np.zeros(10),
        ),
    )
    return Network("float", nodes)


def checkpoint(path: Path) -> Callable[[], Path]:
    """Give a source that is a file."""
    return lambda: path


BINARY, SILIF = SHARED / "stan_rhodes" / "binary_s4d", SHARED / "relatives/silif/ref_SSC_SiLIF"
NORM = SHARED / "zoo" / "uni_prenorm_ln"
CASES = (
    Case("seqdigits_uni", "SpikingSSM, trained", checkpoint(EXAMPLE / "seqdigits_uni.ckpt")),
    Case("binary_s4d", "Binary S4D, trained", checkpoint(BINARY / "binary_s4d.ckpt")),
    Case(
        "ref_SSC_SiLIF",
        "SiLIF, trained by its authors; all sequences that came with it",
        checkpoint(SILIF / "best_model.pth"),
        SILIF / "test.npz",
        SILIF / "test.npz",
    ),
    Case("uni_prenorm_ln", "layer norm, on the digits", checkpoint(NORM / "uni_prenorm_ln.ckpt")),
    Case("recurrent LIF", "weights drawn, on the digits", recurrent),
)


def equal(sequences: int) -> Iterator[str]:
    """Compare all answers here, and those of some sequences on the boards."""
    yield f"| network | test set | answers equal, C here | {' | '.join(BOARDS)} |"
    yield "|---|--:|--:|" + "--:|" * len(BOARDS)
    for case in CASES:
        try:
            network, inputs = case.deploy()
        except (OSError, snn_deploy.SnnDeployError) as error:
            print(f"{case.name}: left out: {error}")
            continue
        run = Run(inputs, np.full(len(inputs), inputs.shape[1]))
        native, c = (run_whole(get_engine(n), network, run).output for n in ("native", "c"))
        told = f"{int((native == c).sum()):,} of {native.size:,}"
        with tempfile.TemporaryDirectory() as made:
            CTarget().emit(network, Path(made), "0" * 64, inputs[:sequences])
            boards = " | ".join(on_boards(Path(made), sequences * network.output.width))
        shape = f"{len(inputs)} × {inputs.shape[1]} steps"
        yield f"| {case.name}: {case.said} | {shape} | {told} | {boards} |"


def on_boards(folder: Path, count: int) -> Iterator[str]:
    """Run what was exported on every board; say whether all ``count`` answers are equal."""
    for board in BOARDS.values():
        if board.missing():
            yield f"no {board.missing()}"
        else:
            yield f"all {count}" if board.run(folder).passed else "NOT ALL"


def instructions(sequences: int) -> Iterator[str]:
    """Give the example's sizes, and instructions of one of its sequences on each board."""
    network, inputs = CASES[0].deploy()
    modes = sum(node.width * (node.modes or 0) for node in network)
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        CTarget().emit(network, folder, "0" * 64, inputs[:1])
        for what, count in CTarget().sizes(network, folder).items():
            print(f"{count:>10,} bytes  {what}")
        yield "| core | instructions a step | a complex mode and step |"
        yield "|---|--:|--:|"
        for core, board in BOARDS.items():
            if board.missing():
                print(f"{core}: left out, {board.missing()} is not installed")
                continue
            each = board.run(folder).instructions / inputs.shape[1]
            yield f"| {core} | {each:,.0f} | {each / modes:.1f} |"


def speed(sequences: int) -> Iterator[str]:
    """Time one sequence on one core, C and native in turns: the least CPU time of each counts."""
    network, inputs = CASES[0].deploy()
    long = inputs[:LONG].reshape(1, -1, inputs.shape[2])
    steps = long.shape[1]
    run = Run(long, np.array([steps]))
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        works: dict[str, Callable[[], object]] = {}
        works["native, all steps in one call"] = lambda: run_whole(NativeEngine(), network, run)
        works["native, a call for each sequence"] = lambda: each(network, inputs[:LONG])
        works["native, a call for each step"] = lambda: stream(network, long)
        CTarget().emit(network, folder, "0" * 64, long)
        sources = [folder / n for n in ("snn.c", "snn_selftest.c", "snn_uart.c", "host/main.c")]
        for options in (("-O2",), ("-O3",), ("-O3", "-march=native")):
            program = folder / "".join(options)
            compile_program(find_compiler(), sources, program, (f"-I{folder}", *options))
            works[f"C, {' '.join(options)}"] = program_run(program)
        best = dict.fromkeys(works, np.inf)
        for _ in range(ROUNDS):
            for name, work in works.items():
                best[name] = min(best[name], cpu_seconds(work))
    yield "| one sequence at a time | µs of CPU a step | times native's |"
    yield "|---|--:|--:|"
    first = next(iter(best.values()))
    for name, seconds in best.items():
        yield f"| {name} | {seconds / steps * 1e6:.2f} | {seconds / first:.2f} |"


def each(network: Network, inputs: Any) -> None:
    """Run sequences one after the other."""
    for b in range(len(inputs)):
        run_whole(NativeEngine(), network, Run(inputs[b : b + 1], np.array([inputs.shape[1]])))


def stream(network: Network, inputs: Any) -> None:
    """Run a sequence step by step."""
    session = NativeSession(network, Watch(1))
    for t in range(inputs.shape[1]):
        session.step(inputs[:, t : t + 1])


def program_run(program: Path) -> Callable[[], object]:
    """Give a work that runs the self-test, which also compares the answer."""
    return lambda: subprocess.run([program], check=True)


def cpu_seconds(work: Callable[[], object]) -> float:
    """Give the CPU time that a work takes, here and in programs that it starts."""
    who = (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)

    def now() -> float:
        used = [resource.getrusage(each) for each in who]
        return sum(u.ru_utime + u.ru_stime for u in used)

    before = now()
    work()
    return now() - before


SECTIONS = {"equal": equal, "instructions": instructions, "speed": speed}


def main() -> None:
    """Parse, and print the sections' tables."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--only", nargs="+", choices=SECTIONS, default=list(SECTIONS))
    parser.add_argument("--sequences", type=int, default=16, help="on each simulated board")
    parser.add_argument("--write", action="store_true", help=f"put the tables into {PAGE.name}")
    options = parser.parse_args()
    for name in options.only:
        lines = []
        for line in SECTIONS[name](options.sequences):
            print(line, flush=True)
            lines.append(line)
        if options.write:
            write(name, "\n".join(lines) + "\n")


def write(name: str, table: str) -> None:
    """Put a section's table between its marks in the page."""
    start, end = f"<!-- {name} -->\n", f"<!-- end of {name} -->\n"
    before, rest = PAGE.read_text(encoding="utf-8").split(start)
    PAGE.write_text(before + start + table + end + rest.split(end)[1], encoding="utf-8")


if __name__ == "__main__":
    main()

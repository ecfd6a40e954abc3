"""C99: the same integers as the reference engine, clean under strict compilers and sanitizers."""

from __future__ import annotations

import dataclasses
import hashlib
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

import snn_deploy
from snn_deploy.cli.main import commands
from snn_deploy.engines.reference import ReferenceEngine
from snn_deploy.engines.result import Run
from snn_deploy.engines.session import run_whole
from snn_deploy.ir.bounds import bound_network
from snn_deploy.ir.program_bounds import Interval, bound_values
from snn_deploy.ir.program_step import ProgramStep
from snn_deploy.nodes.base import Place
from snn_deploy.run.simulation import encode
from snn_deploy.targets.c.compiler import STRICT
from snn_deploy.targets.c.target import CTarget
from snn_deploy.targets.names import commented

EXAMPLE = Path(snn_deploy.__file__).parent / "examples" / "seqdigits_uni"
COMPILERS = [name for name in ("gcc", "clang") if shutil.which(name)]
needs_a_compiler = pytest.mark.skipif(not COMPILERS, reason="needs gcc or clang")


@pytest.fixture(scope="module")
def digits() -> snn_deploy.Deployment:
    checkpoint, data = EXAMPLE / "seqdigits_uni.ckpt", EXAMPLE / "train.npz"
    return snn_deploy.convert(checkpoint, calibration=data)


@pytest.fixture(scope="module")
def sequences() -> np.ndarray:
    with np.load(EXAMPLE / "test.npz") as data:
        return np.asarray(data["inputs"])


@needs_a_compiler
def test_every_logit_of_the_example(digits: snn_deploy.Deployment, sequences: np.ndarray) -> None:
    native, c = (digits.simulate(sequences, backend=name) for name in ("native", "c"))
    assert c.answer.shape == (360, 10)
    np.testing.assert_array_equal(native.answer, c.answer)


@needs_a_compiler
def test_verify_compares_every_node(digits: snn_deploy.Deployment, sequences: np.ndarray) -> None:
    (compared,) = digits.verify(sequences[:2], backends=("reference", "c")).engines
    assert compared.passed, str(compared)
    assert compared.nodes == len(digits.network)


@pytest.mark.parametrize("compiler", COMPILERS)
def test_a_strict_compiler_has_nothing_to_say(
    digits: snn_deploy.Deployment, tmp_path: Path, compiler: str
) -> None:
    CTarget().emit(digits.network, tmp_path, "0" * 64)
    call = [compiler, *STRICT, "-ffreestanding", "-O2", "-c", "snn.c", "-o", "snn.o"]
    done = subprocess.run(call, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


class Line:
    """What a serial line says to commands, of the runner built for this machine."""

    def __init__(self, folder: Path) -> None:
        sources = ["host/main.c", "snn.c", "snn_uart.c", "snn_selftest.c"]
        call = [COMPILERS[0], *STRICT, "-O2", "-I.", *sources, "-o", "serve"]
        done = subprocess.run(call, cwd=folder, capture_output=True, text=True, check=False)
        assert (done.returncode, done.stderr) == (0, "")
        self.program = folder / "serve"

    def answers(self, *commands: str) -> list[str]:
        given = "".join(f"{command}%\n" for command in commands)
        call = [str(self.program), "serve"]
        done = subprocess.run(call, input=given, capture_output=True, text=True, check=True)
        return done.stdout.splitlines()


@needs_a_compiler
def test_a_serial_line_serves_the_network(
    digits: snn_deploy.Deployment, sequences: np.ndarray, tmp_path: Path
) -> None:
    CTarget().emit(digits.network, tmp_path, "ab" * 32)
    line = Line(tmp_path)
    assert subprocess.run([line.program], check=False).returncode == 0  # the self-test
    mantissas = encode(digits.network, sequences[:1])[0]
    content = mantissas.astype("<i4" if digits.network.input.output.bits > 16 else "<i2").tobytes()  # type: ignore[attr-defined]
    parts = [content[i : i + 32].hex() for i in range(0, len(content), 32)]
    told = line.answers(
        f"db load {len(content)}", *(f"db {part}" for part in parts), "infer 2 1", "results"
    )
    assert told[:3] == ["m-init-done", "m-ready", f"m-[Expecting {len(content)} bytes]"]
    for step in ("m-load-done", "m-warmup-start-1", "m-warmup-done", "m-infer-start-2"):
        assert told.count(step) == 1
    expected = digits.simulate(sequences[:1])
    integers = digits.network.output.output.encode(expected.answer)[0][0]  # type: ignore[attr-defined]
    results = f"m-results-[{','.join(map(str, integers))}]"
    assert told[-2:] == [results, "m-ready"]
    assert line.answers("profile")[3] == f"m-model-[{'ab' * 32}]"
    assert line.answers("name")[2] == "m-name-dut-[snn]"
    assert line.answers("timestamp")[2].startswith("m-lap-us-")


@needs_a_compiler
def test_a_serial_line_refuses_what_it_cannot_hold(
    digits: snn_deploy.Deployment, tmp_path: Path
) -> None:
    CTarget().emit(digits.network, tmp_path, "0" * 64)
    line = Line(tmp_path)
    for commands_given, told in (
        (("infer 1",), "e-[no inputs: db load N, then db HEX]"),
        (("db load 9999999",), "e-[the buffer holds 1 to 8192 bytes]"),
        (("db load 0",), "e-[the buffer holds 1 to 8192 bytes]"),
        (("db load 3",), "e-[a step has 2 bytes]"),
        (("db 00",), "e-[no bytes in hexadecimal, or too many; begin with db load]"),
        (("db load 2", "db 0z"), "e-[no bytes in hexadecimal, or too many; begin with db load]"),
        (("x" * 500,), "e-[a command has at most 127 letters]"),
        (("what",), "e-[unknown command; there are: name profile timestamp db infer results]"),
    ):
        answers = line.answers(*commands_given)
        assert told in answers, answers
        assert answers[-1] == "m-ready"


def test_an_export(digits: snn_deploy.Deployment, tmp_path: Path) -> None:
    file, folders = tmp_path / "d.safetensors", (tmp_path / "a", tmp_path / "b" / "c")
    digits.save(file)
    for folder in folders:
        words = ["export", str(file), "--format", "c", "-o", str(folder)]
        done = CliRunner().invoke(commands, words, standalone_mode=False)
        assert done.exception is None
        assert f"wrote {folder / 'snn.c'}" in done.output
        assert "bytes  weights (flash)" in done.output
    first, second = (
        {str(p.relative_to(f)): p.read_bytes() for p in f.rglob("*") if p.is_file()}
        for f in folders
    )
    assert first == second
    assert {"CMakeLists.txt", "zephyr/module.yml", "library.properties"} < set(first)
    assert hashlib.sha256(file.read_bytes()).hexdigest() in first["snn.h"].decode()


@needs_a_compiler
def test_sizes_are_those_of_the_structs(digits: snn_deploy.Deployment, tmp_path: Path) -> None:
    CTarget().emit(digits.network, tmp_path, "0" * 64)
    sizes = CTarget().sizes(digits.network, tmp_path)
    (tmp_path / "sizes.c").write_text(
        '#include <stdio.h>\n#include "snn.h"\nint main(void) {'
        ' printf("%d %d", (int)sizeof(snn_state), (int)sizeof(snn_work)); return 0; }\n'
    )
    subprocess.run([COMPILERS[0], "sizes.c", "-o", "sizes"], cwd=tmp_path, check=True)
    told = subprocess.run([tmp_path / "sizes"], capture_output=True, text=True, check=True).stdout
    assert told.split() == [str(sizes["state (RAM)"]), str(sizes["work (RAM)"])]
    assert sizes["weights (flash)"] > sum(
        node.weight.size for node in digits.network if hasattr(node, "weight")
    )


def test_hostile_names_stay_in_their_comments(
    digits: snn_deploy.Deployment, tmp_path: Path
) -> None:
    hostile = '*/ int evil; /* "\\\n#include </etc/passwd> ??/'
    network = digits.network
    names = {name: f"{hostile}{name}" for name in network.names}
    nodes = tuple(
        dataclasses.replace(
            node,
            name=names[node.name],
            inputs=tuple(dataclasses.replace(e, source=names[e.source]) for e in node.inputs),
        )
        for node in network
    )
    CTarget().emit(dataclasses.replace(network, nodes=nodes), tmp_path / ".", "0" * 64)
    text = (tmp_path / "snn.c").read_text() + (tmp_path / "snn.h").read_text()
    assert "evil" in text
    assert text.count("/*") == text.count("*/")
    assert all("evil" not in part.split("*/", 1)[-1] for part in text.split("/*"))
    assert not set(commented(hostile)) & set('*/"\\\n#<>?')


def test_every_value_is_within_its_interval(
    digits: snn_deploy.Deployment, sequences: np.ndarray
) -> None:
    """What C's types are chosen from: no value of any step may leave it."""
    network = digits.network
    inputs = network.input.output.encode(sequences[:3])[0]
    run = Run(inputs, np.full(3, inputs.shape[1]), network.names)
    signals = run_whole(ReferenceEngine(), network, run).trace
    bounds = bound_network(network)
    checked = 0
    for node in network.nodes[1:]:
        ports = []
        for source in network.sources(node):
            worst = bounds[source.name].output
            ports.append(Interval(-worst if source.output.signed else 0 * worst, worst))
        intervals = bound_values(node.program, ports, node.clock_bounds())
        step = ProgramStep(node.program, 3)
        clock = node.clock(Place(run.lengths, inputs.shape[1]), inputs.shape[1])
        for t in range(inputs.shape[1]):
            now = {name: word[:, t] for name, word in clock.items()}
            results: dict[int, np.ndarray] = {}
            arrived = [signals[edge.source][:, t] for edge in node.inputs]
            for value in node.program:
                found = step._evaluate(value, results, arrived, now)
                low, high = intervals[id(value)].low, intervals[id(value)].high
                assert np.all(found >= low), (node.name, value)
                assert np.all(found <= high), (node.name, value)
                checked += 1
            step(arrived, now)
    assert checked > 1000

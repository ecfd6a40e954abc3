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


def test_an_export(digits: snn_deploy.Deployment, tmp_path: Path) -> None:
    file, folders = tmp_path / "d.safetensors", (tmp_path / "a", tmp_path / "b" / "c")
    digits.save(file)
    for folder in folders:
        words = ["export", str(file), "--format", "c", "-o", str(folder)]
        done = CliRunner().invoke(commands, words, standalone_mode=False)
        assert done.exception is None
        assert f"wrote {folder / 'snn.c'}" in done.output
        assert "bytes  weights (flash)" in done.output
    first, second = ({p.name: p.read_bytes() for p in f.iterdir()} for f in folders)
    assert first == second
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

"""C99 of random networks and nodes under sanitizers, and of the example on simulated boards."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from networks import MAKERS, around, extreme_inputs
from random_networks import Limits, random_network, random_run
from same_results import assert_same_signals

import snn_deploy
from snn_deploy.engines.reference import ReferenceEngine
from snn_deploy.engines.result import Run
from snn_deploy.engines.session import run_whole
from snn_deploy.errors import BackendUnavailableError, TargetError
from snn_deploy.ir.formats import Edge
from snn_deploy.ir.network import Network
from snn_deploy.ir.node import Node
from snn_deploy.run.simulation import encode
from snn_deploy.targets.c.boards import BOARDS
from snn_deploy.targets.c.compiler import STRICT, find_compiler
from snn_deploy.targets.c.target import CTarget
from snn_deploy.targets.engine import CEngine

EXAMPLE = Path(snn_deploy.__file__).parent / "examples" / "seqdigits_uni"
CAUSAL = Limits(causal=True)
TWO_WAYS = (8, 9, 14, 31, 35, 46, 54)
BOTH_WAYS = ((TWO_WAYS[0], False), (93, True))  # a seed, and whether a host comes first
ON_NO_HOST = (  # a kind, a seed, and whether nothing looks ahead
    ("EmbeddingTable", 88, True),
    ("EmbeddingTable", 135, True),
    ("Positions", 92, True),
    ("Window", 45, True),
    ("Window", 53, False),
    ("Window", 80, False),
    ("Window", 93, False),
)
SANITIZED = ("-fsanitize=address,undefined", "-fno-sanitize-recover=all")
needs_a_compiler = pytest.mark.skipif(
    not any(shutil.which(name) for name in ("cc", "gcc", "clang")), reason="needs a C compiler"
)


@pytest.fixture(scope="module")
def digits() -> snn_deploy.Deployment:
    checkpoint, data = EXAMPLE / "seqdigits_uni.ckpt", EXAMPLE / "train.npz"
    return snn_deploy.convert(checkpoint, calibration=data)


def assert_same(network: Network, run: Run, folder: Path, level: str = "-O0") -> None:
    """Compare every signal, answer and count of messages with the reference engine's."""
    target = CTarget()
    target.emit(network, folder, "0" * 64)
    c = target.build(network, folder, (level, *SANITIZED)).run(run)
    reference = run_whole(ReferenceEngine(), network, run)
    assert reference.trace.keys() == set(network.names)
    assert_same_signals(c, reference)


@needs_a_compiler
@pytest.mark.slow
@pytest.mark.parametrize("seed", [2, 5, 7, 8, 31, 34, 38, 51, 56, 59])
def test_a_random_network(seed: int, tmp_path: Path) -> None:
    network = random_network(seed, CAUSAL)
    assert_same(network, random_run(network, seed), tmp_path)


@needs_a_compiler
@pytest.mark.slow
@pytest.mark.parametrize(("kind", "seed", "causal"), ON_NO_HOST)
def test_what_a_host_computes_for_a_chip(
    kind: str, seed: int, causal: bool, tmp_path: Path
) -> None:
    """Tables of tokens, positions, and windows, which may look ahead."""
    network = random_network(seed, Limits(causal=causal, host=True))
    assert kind in [node.kind for node in network.placed("host")]
    assert any(node.reach[1] for node in network) is not causal  # type: ignore[attr-defined]
    assert_same(network, random_run(network, seed), tmp_path)


@needs_a_compiler
@pytest.mark.slow
@pytest.mark.parametrize("seed", TWO_WAYS)
def test_a_random_network_that_runs_both_ways(seed: int, tmp_path: Path) -> None:
    network = random_network(seed, Limits())
    assert any(node.runs_backwards for node in network)
    assert_same(network, random_run(network, seed), tmp_path)


@needs_a_compiler
@pytest.mark.parametrize("compiler", [name for name in ("gcc", "clang") if shutil.which(name)])
@pytest.mark.parametrize(("seed", "host"), BOTH_WAYS)
def test_a_strict_compiler_takes_both_ways(
    compiler: str, seed: int, host: bool, tmp_path: Path
) -> None:
    network = random_network(seed, Limits(host=host))
    CTarget().emit(network, tmp_path, "0" * 64)
    assert "#define SNN_MOST_STEPS 1024" in (tmp_path / "snn.h").read_text()
    sizes = CTarget().sizes(network, tmp_path)
    (tmp_path / "sizes.c").write_text(
        '#include "snn.h"\n'
        f'_Static_assert(sizeof(snn_state) == {sizes["state (RAM)"]}, "state");\n'
        f'_Static_assert(sizeof(snn_work) == {sizes["work (RAM)"]}, "work");\n'
    )
    for name in ("snn", "snn_selftest"):
        call = [compiler, *STRICT, "-ffreestanding", "-O2", "-c", f"{name}.c"]
        done = subprocess.run(call, cwd=tmp_path, capture_output=True, text=True, check=False)
        assert (done.returncode, done.stderr) == (0, "")
    call = [compiler, "-std=c11", "-fsyntax-only", "sizes.c"]
    assert subprocess.run(call, cwd=tmp_path, check=False).returncode == 0


@needs_a_compiler
@pytest.mark.parametrize(("seed", "host"), BOTH_WAYS)
def test_the_self_test_of_both_ways(seed: int, host: bool, tmp_path: Path) -> None:
    CTarget().emit(random_network(seed, Limits(host=host)), tmp_path, "0" * 64)
    assert _self_test(tmp_path) == 0
    assert _self_test(tmp_path, "-DSNN_MOST_STEPS=3") == 1  # what has no room is left out


@needs_a_compiler
@pytest.mark.slow
@pytest.mark.parametrize("kind", MAKERS, ids=lambda kind: kind.__name__)
def test_a_node_of_each_kind(kind: type[Node], tmp_path: Path) -> None:
    rng = np.random.default_rng(5)
    network = around(kind, rng)
    inputs = extreme_inputs(network, rng)
    run = Run(inputs, rng.integers(1, inputs.shape[1] + 1, len(inputs)), network.names)
    in_two_directions = not kind.lowered and hasattr(kind, "run")
    if in_two_directions or any(node.runs_backwards for node in network):
        with pytest.raises(TargetError, match="which C99 is not written for yet; use the backend"):
            CTarget().emit(network, tmp_path, "0" * 64)
        return
    if any(node.reach[1] for node in network):  # type: ignore[attr-defined]
        network = replace(network, answers="one")  # what looks ahead answers at the end
    assert_same(network, run, tmp_path, "-O1")  # an optimiser sees what has no value yet


@needs_a_compiler
@pytest.mark.parametrize("steps_back", [1, 3])
def test_a_network_that_reads_its_past(steps_back: int, tmp_path: Path) -> None:
    """A soma that hears its own spikes, and the input of earlier steps."""
    rng = np.random.default_rng(steps_back)
    found = around(next(kind for kind in MAKERS if kind.__name__ == "Requantize"), rng)
    source, relay = found.nodes
    exponents = tuple(int(e) for e in source.output.exponents(source.width))
    looped = replace(
        relay,
        inputs=(Edge("input"), Edge("node", steps_back=steps_back), Edge("input", steps_back=2)),
        output=replace(source.output, exponent=exponents),
        rescale=None,
        align=None,
    )
    network = replace(found, nodes=(source, looped))
    inputs = extreme_inputs(network, rng, steps=12)
    run = Run(inputs, np.full(len(inputs), 12), network.names)
    assert_same(network, run, tmp_path)


@needs_a_compiler
def test_the_self_test_finds_a_wrong_table(digits: snn_deploy.Deployment, tmp_path: Path) -> None:
    CTarget().emit(digits.network, tmp_path, "0" * 64)
    assert _self_test(tmp_path) == 0
    source = (tmp_path / "snn.c").read_text()
    rounding = " + (int32_t)((uint32_t)product >> 31)"
    spoiled = source.replace(rounding, "")
    assert spoiled != source
    (tmp_path / "snn.c").write_text(spoiled)
    assert _self_test(tmp_path) == 1


def _self_test(folder: Path, *options: str) -> int:
    files = ["-I.", "snn.c", "snn_uart.c", "snn_selftest.c", "host/main.c"]
    call = [find_compiler(), *STRICT, "-O0", *SANITIZED, *options, *files, "-o", "selftest"]
    subprocess.run(call, cwd=folder, check=True)
    return subprocess.run([folder / "selftest"], check=False).returncode


@pytest.mark.slow
@pytest.mark.parametrize("core", BOARDS)
def test_the_example_on_a_simulated_board(
    core: str, digits: snn_deploy.Deployment, tmp_path: Path
) -> None:
    """Every logit of 16 sequences; no test asserts how fast."""
    missing = BOARDS[core].missing()
    if missing is not None:
        pytest.skip(f"needs {missing}")
    with np.load(EXAMPLE / "test.npz") as data:
        inputs = encode(digits.network, data["inputs"][:16])[0]
    CTarget().emit(digits.network, tmp_path, "0" * 64, inputs)
    assert BOARDS[core].run(tmp_path).passed
    outputs = (tmp_path / "snn_selftest.c").read_text()
    where = outputs.index("outputs[160]")
    spoiled = outputs[:where] + outputs[where:].replace("-", "", 1)
    (tmp_path / "snn_selftest.c").write_text(spoiled)
    assert not BOARDS[core].run(tmp_path).passed


def test_what_is_refused(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    kind = next(kind for kind in MAKERS if kind.__name__ == "Dendrite")
    network = around(kind, rng)
    node = replace(network.nodes[1], reversed_time=True)
    backwards = replace(network, nodes=(network.nodes[0], node))
    told = r"node 'node' \(Dendrite\) is the answer at every step, and others wait for a sequence's"
    with pytest.raises(TargetError, match=told):
        CTarget().emit(backwards, tmp_path, "0" * 64)
    assert not list(tmp_path.iterdir())


def test_without_a_compiler(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CC", "no-such-compiler")
    rng = np.random.default_rng(0)
    network = around(next(iter(MAKERS)), rng)
    inputs = extreme_inputs(network, rng)
    run = Run(inputs, np.full(len(inputs), inputs.shape[1]), network.names)
    with pytest.raises(BackendUnavailableError, match="no no-such-compiler; install one"):
        run_whole(CEngine(), network, run)

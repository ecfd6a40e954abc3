"""The library under what finds bad memory accesses and undefined behaviour, and on another CPU."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from functools import lru_cache
from pathlib import Path

import pytest

from snn_deploy.engines.native import build, library

TESTS = Path(__file__).parent
SECONDS = 900
TARGETS = sorted({*build.X86, *build.ARM})


def run_checks(target: str, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    if target not in library.find_targets():
        pytest.skip(f"this machine has no {target}")
    return subprocess.run(
        [sys.executable, "run_native_checks.py", *arguments],
        cwd=TESTS,
        env=os.environ | {library.TARGET: target} | variables,
        capture_output=True,
        text=True,
        check=False,
        timeout=SECONDS,
    )


@pytest.mark.slow
@pytest.mark.parametrize("where", ["end", "start"])
@pytest.mark.parametrize("target", TARGETS)
def test_nothing_beyond_an_array_is_touched(target: str, where: str) -> None:
    done = run_checks(target, "30", where)
    assert done.stdout.strip() == "equal", done.stderr


BEYOND = """
import ctypes, numpy as np
from dendrite_tasks import prepare
from edge_dendrites import edge_dendrite
from guarded_memory import guarded
from snn_deploy.engines.native.library import load_target
network = edge_dendrite(0)
prepared = prepare(network, np.ones((2, 64, network.input.width), np.int64), guarded)
prepared.task.y += 8
print("so far", flush=True)
load_target().run_dendrite(ctypes.byref(prepared.task), prepared.in_floats)
print("and on")
"""


@pytest.mark.skipif(not library.lanes_of_doubles(), reason="this CPU has no such vectors")
def test_what_touches_it_ends() -> None:
    """The test above can fail: a drive that is written a number too far is noticed."""
    done = subprocess.run(
        [sys.executable, "-c", BEYOND], cwd=TESTS, capture_output=True, text=True, check=False
    )
    assert done.stdout.strip() == "so far"
    assert done.returncode < 0  # by a signal


SANITIZERS = ("-fsanitize=address,undefined", "-fno-sanitize-recover=all", "-g", "-O1")
OF_THREADS = ("-fsanitize=thread", "-g", "-O1")


@lru_cache
def find_sanitizers(*names: str) -> str:
    """Name what must be loaded before Python; nothing where this machine has no sanitizers."""
    if shutil.which("g++") is None:
        return ""
    asked = [["g++", f"-print-file-name={name}"] for name in names]
    found = [subprocess.check_output(command, text=True).strip() for command in asked]
    return " ".join(found) if all(Path(name).is_absolute() for name in found) else ""


@pytest.fixture(scope="module")
def sanitized(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_with(tmp_path_factory.mktemp("sanitized"), SANITIZERS, "libasan.so", "libubsan.so")


def build_with(folder: Path, options: tuple[str, ...], *names: str) -> Path:
    if not find_sanitizers(*names):
        pytest.skip("g++ and its sanitizers are not installed")
    return build.build(folder / "kernels.so", compiler=["g++"], options=options)


@pytest.mark.slow
@pytest.mark.timeout(SECONDS)
@pytest.mark.parametrize("target", TARGETS)
def test_sanitizers_find_nothing(target: str, sanitized: Path) -> None:
    variables = {
        "ASAN_OPTIONS": "detect_leaks=0",  # of Python's own
        "LD_PRELOAD": find_sanitizers("libasan.so", "libubsan.so"),
        library.KERNELS: str(sanitized),
    }
    done = run_checks(target, "30", **variables)
    assert done.stdout.strip() == "equal", done.stderr


@pytest.mark.slow
@pytest.mark.timeout(SECONDS)
def test_threads_wait_for_each_other(tmp_path: Path) -> None:
    """No number is written by a thread while another one reads it, whichever comes first."""
    made = build_with(tmp_path, OF_THREADS, "libtsan.so")
    variables = {"LD_PRELOAD": find_sanitizers("libtsan.so"), library.KERNELS: str(made)}
    done = run_checks(next(iter(library.find_targets())), "20", "shared", **variables)
    if "unexpected memory mapping" in done.stderr:
        pytest.skip("this system loads programs where the sanitizer cannot be")
    assert done.stdout.strip() == "equal", done.stderr
    assert done.returncode == 0  # which is another one where it has found something


@pytest.mark.slow
@pytest.mark.timeout(SECONDS)
def test_another_cpu_gives_the_same_bits(tmp_path: Path) -> None:
    """Networks and dendrites on AArch64, whose vectors are half as wide as AVX2's."""
    for tool in ("qemu-aarch64", "clang", "aarch64-linux-gnu-gcc"):
        if shutil.which(tool) is None:
            pytest.skip(f"{tool} is not installed")
    # gcc's C++ for it is a package of its own
    compiler = ["clang", "--target=aarch64-linux-gnu", "-nostdinc++"]
    made = build.build(tmp_path / "kernels.so", compiler, "aarch64")
    runner, source = tmp_path / "run_sweeps", TESTS / "data" / "run_sweeps.cpp"
    options = ["-O1", "-std=c++17", f"-I{build.SOURCES}", "-ldl"]
    subprocess.run([*compiler, source, "-o", runner, *options], check=True)
    command = ["qemu-aarch64", "-L", "/usr/aarch64-linux-gnu", str(runner), str(made)]
    done = run_checks(library.load_target().name.decode(), "60", "elsewhere", "2", *command)
    assert done.stderr.strip() == "neon"
    assert done.stdout.strip() == "equal"

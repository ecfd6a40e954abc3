"""C99 of trained networks on simulated boards: every answer of 4 sequences equals the engine's."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from snn_deploy.targets.c.boards import BOARDS
from snn_deploy.targets.c.target import CTarget

SEQUENCES = 4
CORES = ("cortex-m3", "cortex-m4", "cortex-m7", "rv32imc")
NAMES = ("binary_s4d", "ref_SSC_SiLIF", "uni_prenorm_ln", "recurrent LIF")
"""The other one of the benchmark's five, the bundled example,
is in ``test_target_c_networks.py``."""


@pytest.fixture(scope="module")
def cases(root: Path) -> Iterator[dict[str, Any]]:
    sys.path.insert(0, str(root / "benchmarks"))
    import microcontrollers

    yield {case.name: case for case in microcontrollers.CASES}
    sys.path.remove(str(root / "benchmarks"))


@pytest.fixture(scope="module")
def exported(cases: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folders = {}
    for name in NAMES:
        if cases[name].test.exists() and _is_there(cases[name]):
            network, inputs = cases[name].deploy()
            folders[name] = tmp_path_factory.mktemp("exported")
            CTarget().emit(network, folders[name], "0" * 64, inputs[:SEQUENCES])
    return folders


def _is_there(case: Any) -> bool:
    source = case.source()
    return not isinstance(source, Path) or source.exists()


@pytest.mark.slow
@pytest.mark.parametrize("core", CORES)
@pytest.mark.parametrize("name", NAMES)
def test_a_trained_network_on_a_simulated_board(
    name: str, core: str, exported: dict[str, Path]
) -> None:
    missing = BOARDS[core].missing()
    if missing is not None:
        pytest.skip(f"needs {missing}")
    if name not in exported:
        pytest.skip("needs the shared checkpoints")
    assert BOARDS[core].run(exported[name]).passed

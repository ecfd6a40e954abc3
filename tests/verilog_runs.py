"""Cores in a simulator, compared with the reference engine."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from same_results import assert_same_signals

from snn_deploy.engines.reference import ReferenceEngine
from snn_deploy.engines.result import Run
from snn_deploy.engines.session import run_whole
from snn_deploy.ir.network import Network
from snn_deploy.targets.verilog.target import VerilogTarget

__all__ = ["assert_same", "needs_icarus"]

needs_icarus = pytest.mark.skipif(shutil.which("iverilog") is None, reason="needs iverilog")


def assert_same(
    network: Network,
    run: Run,
    folder: Path,
    simulator: str = "iverilog",
    target: VerilogTarget | None = None,
) -> None:
    """Compare every signal, answer and count of messages with the reference engine's."""
    target = target or VerilogTarget()
    target.emit(network, folder, "0" * 64)
    verilog = target.build(network, folder, simulator).run(run)
    reference = run_whole(ReferenceEngine(), network, run)
    assert reference.trace.keys() == set(network.names)
    assert_same_signals(verilog, reference)

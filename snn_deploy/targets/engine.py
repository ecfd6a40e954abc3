"""A target as an engine, so that ``verify`` compares it with the others."""

from __future__ import annotations

import shutil
import tempfile
import weakref
from pathlib import Path

from snn_deploy.engines.result import Result, Run
from snn_deploy.engines.session import WholeEngine
from snn_deploy.ir.network import Network
from snn_deploy.progress import doing
from snn_deploy.targets.registry import Built, get_target

__all__ = ["CEngine", "TargetEngine", "VerilogEngine"]


class TargetEngine(WholeEngine):
    """Writes a network, builds it, and runs it; what is built is kept for the same network."""

    def __init__(self) -> None:
        self._network: Network | None = None
        self._built: Built | None = None

    def compute(self, network: Network, run: Run) -> Result:
        """Run mantissas ``run.inputs`` (B, L, d_input) through the network.

        Raises
        ------
        TargetError
            If the target cannot express the network.
        BackendUnavailableError, BackendError
            If a tool is missing, or failed.
        """
        if self._built is None or self._network is not network:
            folder = Path(tempfile.mkdtemp(prefix="snn-deploy-"))
            weakref.finalize(self, shutil.rmtree, folder, ignore_errors=True)
            target = get_target(self.name)
            with doing(f"building the network for the engine {self.name}"):
                target.emit(network, folder, "0" * 64)
                self._network, self._built = network, target.build(network, folder)
        return self._built.run(run)


class CEngine(TargetEngine):
    """C99, compiled for this machine. It counts no clipped values."""

    name = "c"


class VerilogEngine(TargetEngine):
    """Verilog, in a simulator on this machine. It counts no clipped values."""

    name = "verilog"

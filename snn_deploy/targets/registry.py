"""The targets by name, imported on use, and what each of them must do."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from snn_deploy.errors import ConfigError
from snn_deploy.plugins import imported, unknown_name

if TYPE_CHECKING:
    from snn_deploy.engines.result import IntArray, Result, Run
    from snn_deploy.ir.network import Network

__all__ = ["TARGETS", "Built", "Target", "get_target"]

TARGETS: dict[str, str] = {
    "c": "snn_deploy.targets.c.target:CTarget",
    "verilog": "snn_deploy.targets.verilog.target:VerilogTarget",
}


class Built(Protocol):
    """A network, built for this machine or a simulator of another."""

    def run(self, run: Run) -> Result:
        """Run one batch, as an engine does, to the same integers.

        Raises
        ------
        BackendError
            If it crashed or hung.
        """


class Target(Protocol):
    """Turns a network into something to be built outside Python."""

    name: str

    def emit(
        self, network: Network, folder: Path, sha256: str, inputs: IntArray | None = None
    ) -> tuple[Path, ...]:
        """Write a network's sources into a folder that is there; the same network, the same bytes.

        ``sha256`` is that of the deployment's file, which they name. With them goes a test that
        compares the answers to ``inputs``, mantissas (B, L, d_input), or to drawn ones. Gives what
        was written.

        Raises
        ------
        TargetError
            If the target cannot express the network.
        OutputError
            If a file cannot be written.
        """

    def sizes(self, network: Network, folder: Path) -> Mapping[str, int]:
        """Give how many bytes what was written into a folder takes, by what they are for."""

    def build(self, network: Network, folder: Path) -> Built:
        """Build what :meth:`emit` wrote into a folder, there.

        Raises
        ------
        BackendUnavailableError
            If a tool is missing.
        BackendError
            If one failed.
        """


def get_target(name: str, **options: str) -> Target:
    """Import and make the target called ``name``, with options of its own.

    Raises
    ------
    ConfigError
        If there is none, or an option is none of its.
    """
    if name not in TARGETS:
        raise ConfigError(unknown_name("format", name, TARGETS))
    target: Target = imported(TARGETS[name])(**options)
    return target

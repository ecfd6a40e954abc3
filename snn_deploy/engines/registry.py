"""The engines by name, imported on use, and what each of them must do."""

from __future__ import annotations

import importlib
from typing import Protocol

from snn_deploy.engines.result import Result, Run
from snn_deploy.errors import ConfigError
from snn_deploy.ir.network import Network

__all__ = ["ENGINES", "Engine", "get_engine"]

ENGINES: dict[str, str] = {
    "native": "snn_deploy.engines.native:NativeEngine",
    "reference": "snn_deploy.engines.reference:ReferenceEngine",
    "lava": "snn_deploy.engines.lava.engine:LavaEngine",
}


class Engine(Protocol):
    """Runs a lowered network; every engine gives the same integers."""

    name: str

    def run(self, network: Network, run: Run) -> Result:
        """Run one batch.

        Raises
        ------
        BackendUnavailableError
            If what the engine stands on is not installed.
        BackendError
            If it crashed or hung; the message holds its log.
        """


def get_engine(name: str) -> Engine:
    """Import and make the engine called ``name``.

    Raises
    ------
    ConfigError
        If there is no engine of that name.
    """
    if name not in ENGINES:
        raise ConfigError(f"unknown backend '{name}'; there are: {', '.join(ENGINES)}")
    module, _, attribute = ENGINES[name].partition(":")
    engine: Engine = getattr(importlib.import_module(module), attribute)()
    return engine

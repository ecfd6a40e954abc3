"""Whether Lava can run here, found out without importing it."""

from __future__ import annotations

import importlib.util
import sys

from snn_deploy.engines.lava.job import Device
from snn_deploy.errors import BackendUnavailableError

__all__ = ["check_available"]

PYTHON = (3, 10)
SIMULATOR = "lava.magma"  # `lava` alone is also the namespace of lava-dl
EXTENSION = "lava.magma.core.model.nc"
LOW_LEVEL = "nxcore"


def check_available(device: Device = "cpu") -> None:
    """Refuse to go on where Lava, or for hardware Intel's extension of it, is missing.

    Raises
    ------
    BackendUnavailableError
        Naming what is missing and how to get it.
    """
    if sys.version_info[:2] != PYTHON:
        found = ".".join(str(part) for part in sys.version_info[:2])
        raise BackendUnavailableError(
            f"the lava backend runs on Python 3.10 only, and this is Python {found}: install "
            "snn-deploy[lava] in an environment of Python 3.10, or take another backend"
        )
    if not _is_installed(SIMULATOR):
        raise BackendUnavailableError(
            "the lava backend needs the package lava-nc, which is not installed: "
            "pip install 'snn-deploy[lava]'"
        )
    if device == "loihi2":
        _check_hardware()


def _check_hardware() -> None:
    missing = [name for name in (EXTENSION, LOW_LEVEL) if not _is_installed(name)]
    if missing:
        raise BackendUnavailableError(
            "device loihi2 needs Intel's extension of Lava for Loihi (lava-loihi), which is not "
            f"installed here: there is no module {' and no module '.join(missing)}. It is closed; "
            "members of Intel's Neuromorphic Research Community get it from Intel. "
            "The same network runs in simulation with --device cpu"
        )


def _is_installed(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is not None
    except ModuleNotFoundError:  # a package above it is missing
        return False

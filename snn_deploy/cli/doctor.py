"""``snn-deploy doctor``: what is installed, what is missing, how to get it."""

from __future__ import annotations

import platform
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass

import click

from snn_deploy.cli.console import echo, write_json
from snn_deploy.cli.options import json_option
from snn_deploy.version import __version__

__all__ = ["Finding", "doctor"]

CORE = ("numpy", "safetensors", "click", "rich", "pydantic", "PyYAML")
EXTRAS = (
    ("lava-nc", "lava", "the lava backend (Python 3.10 only)", "snn-deploy[lava]"),
    ("torch", "torch", "fine-tuning, and training the example", "snn-deploy[torch]"),
    ("lava-dl", "lava.lib.dl", "lava-dl files (Python 3.10 only)", "snn-deploy[netx]"),
    ("onnx", "onnx", "ONNX files", "snn-deploy[onnx]"),
    ("onnxruntime", "onnxruntime", "the onnx backend", "snn-deploy[onnx]"),
    ("nir", "nir", "NIR files", "snn-deploy[nir]"),
    ("h5py", "h5py", "HDF5 data", "snn-deploy[hdf5]"),
    ("matplotlib", "matplotlib", "charts in notebooks", "snn-deploy[plot]"),
    ("pandas", "pandas", "tables in notebooks", "snn-deploy[notebook]"),
    ("distributed", "distributed", "evaluation on a cluster", "snn-deploy[cluster]"),
)


@dataclass(frozen=True)
class Finding:
    """One thing that was looked for: ``status`` is ok, missing or broken."""

    section: str
    status: str
    told: str


@click.command(short_help="Show what is installed or missing.")
@json_option
def doctor(json_path: str | None) -> None:
    """Show what is installed, what is missing, and how to get it."""
    echo(f"snn-deploy {__version__} on Python {platform.python_version()}, {sys.platform}")
    found = []
    section = "core"
    for finding in _look():
        found.append(finding)
        if finding.section != section:
            section = finding.section
            echo(section)
        echo(f"  {finding.status:<8} {finding.told}")
    write_json(
        json_path,
        {
            "version": __version__,
            "python": platform.python_version(),
            "platform": sys.platform,
            "found": [asdict(finding) for finding in found],
        },
    )


def _look() -> Iterator[Finding]:
    for package in CORE:
        version = _version(package)
        told = f"{package} {version or 'MISSING: pip install snn-deploy'}"
        yield Finding("core", "ok" if version else "missing", told)
    for package, module, purpose, extra in EXTRAS:
        version = _version(package)
        if version is None:
            yield Finding("optional", "missing", f"{package}: {purpose}; pip install '{extra}'")
        else:
            broken = "" if _found(module) else "; installed, but cannot be imported"
            yield Finding("optional", "ok", f"{package} {version}: {purpose}{broken}")
    yield from _backends()
    yield from _plugins()


def _backends() -> Iterator[Finding]:
    from snn_deploy.engines.lava.availability import check_available
    from snn_deploy.errors import BackendUnavailableError
    from snn_deploy.targets.c.compiler import find_compiler
    from snn_deploy.targets.verilog.simulators import find_simulator

    yield Finding("backends", "ok", "native, reference: always there")
    try:
        check_available("cpu")
        yield Finding("backends", "ok", "lava on the CPU")
        check_available("loihi2")
        yield Finding("backends", "ok", "lava on Loihi 2")
    except BackendUnavailableError as error:
        yield Finding("backends", "missing", str(error))
    tools: dict[str, Callable[[], str]] = {"c": find_compiler, "verilog": find_simulator}
    yield from (_tool(backend, find) for backend, find in tools.items())


def _tool(backend: str, find: Callable[[], str]) -> Finding:
    from snn_deploy.errors import BackendUnavailableError

    try:
        return Finding("backends", "ok", f"{backend}: {find()}")
    except BackendUnavailableError as error:
        return Finding("backends", "missing", str(error))


def _plugins() -> Iterator[Finding]:
    """List what other packages add, with what is wrong with it: it breaks nothing else."""
    from snn_deploy.plugins import GROUPS, faults

    for plugin, fault in (told for group in GROUPS for told in faults(group)):
        yield Finding("plugins", "broken" if fault else "ok", fault or str(plugin))


def _version(package: str) -> str | None:
    import importlib.metadata

    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def _found(module: str) -> bool:
    import importlib.util

    try:
        return importlib.util.find_spec(module) is not None
    except (ImportError, ValueError):
        return False

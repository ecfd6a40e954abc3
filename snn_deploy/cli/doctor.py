"""``snn-deploy doctor``: what is installed, what is missing, how to get it."""

from __future__ import annotations

import platform
import sys
from collections.abc import Callable

import click

from snn_deploy.cli.console import echo
from snn_deploy.version import __version__

__all__ = ["doctor"]

CORE = ("numpy", "numba", "safetensors", "click", "rich", "pydantic", "PyYAML", "networkx")
EXTRAS = (
    ("lava-nc", "lava", "the lava backend (Python 3.10 only)", "snn-deploy[lava]"),
    ("torch", "torch", "fine-tuning, and training the example", "snn-deploy[torch]"),
    ("lava-dl", "lava.lib.dl", "lava-dl files (Python 3.10 only)", "snn-deploy[netx]"),
    ("onnx", "onnx", "ONNX files", "snn-deploy[onnx]"),
    ("nir", "nir", "NIR files", "snn-deploy[nir]"),
    ("distributed", "distributed", "evaluation on a cluster", "snn-deploy[cluster]"),
)


@click.command(short_help="Show what is installed or missing.")
def doctor() -> None:
    """Show what is installed, what is missing, and how to get it."""
    echo(f"snn-deploy {__version__} on Python {platform.python_version()}, {sys.platform}")
    for package in CORE:
        echo(f"  ok       {package} {_version(package) or 'MISSING: pip install snn-deploy'}")
    echo("optional")
    for package, module, purpose, extra in EXTRAS:
        version = _version(package)
        if version is None:
            echo(f"  missing  {package}: {purpose}; pip install '{extra}'")
        else:
            broken = "" if _found(module) else "; installed, but cannot be imported"
            echo(f"  ok       {package} {version}: {purpose}{broken}")
    _print_backends()
    _print_tools()
    _print_plugins()


def _print_plugins() -> None:
    """List what other packages add, with what is wrong with it: it breaks nothing else."""
    from snn_deploy.plugins import GROUPS, faults

    found = [told for group in GROUPS for told in faults(group)]
    if found:
        echo("plugins")
    for plugin, fault in found:
        echo(f"  broken   {fault}" if fault else f"  ok       {plugin}")


def _print_backends() -> None:
    from snn_deploy.errors import BackendUnavailableError

    echo("backends")
    echo("  ok       native, reference: always there")
    try:
        from snn_deploy.engines.lava.availability import check_available

        check_available("cpu")
        echo("  ok       lava on the CPU")
        check_available("loihi2")
        echo("  ok       lava on Loihi 2")
    except BackendUnavailableError as error:
        echo(f"  missing  {error}")


def _print_tools() -> None:
    from snn_deploy.targets.c.compiler import find_compiler
    from snn_deploy.targets.verilog.simulators import find_simulator

    _print_tool("c", find_compiler)
    _print_tool("verilog", find_simulator)


def _print_tool(backend: str, find: Callable[[], str]) -> None:
    from snn_deploy.errors import BackendUnavailableError

    try:
        echo(f"  ok       {backend}: {find()}")
    except BackendUnavailableError as error:
        echo(f"  missing  {error}")


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

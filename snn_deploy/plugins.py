"""What other installed packages add, by entry points: families, readers, profiles, engines, nodes.

Each group has names of ours, which map to import paths, and the names that packages add under
``snn_deploy.GROUP``, which are the same: ``name = "module:attribute"``. Nothing is imported before
it is used. A name that is there twice is refused; a plugin that cannot be imported is told by name
and leaves all others as they are.
"""

from __future__ import annotations

import contextlib
import functools
import importlib
import sys
import warnings
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from snn_deploy.errors import ConfigError, SnnDeployError, SnnDeployWarning

__all__ = [
    "GROUPS",
    "OURS",
    "Named",
    "blaming",
    "faults",
    "foreign",
    "imported",
    "named",
    "unknown_name",
    "usable",
]

GROUPS = {
    "families": "snn_deploy.converters.registry:family_names",
    "readers": "snn_deploy.readers.registry:reader_names",
    "profiles": "snn_deploy.mapping.profile:list_profiles",
    "engines": "snn_deploy.engines.registry:engine_names",
    "nodes": "snn_deploy.nodes.registry:kind_names",
}
"""Group -> the function that names all in it, which refuses a name that is there twice."""

OURS = "snn-deploy"


@dataclass(frozen=True)
class Named:
    """One name of a group: ``target`` is ``module:attribute``, ``package`` who brings it."""

    group: str
    name: str
    target: str
    package: str = OURS

    def load(self) -> Any:
        """Import what the name stands for: the attribute, or the module where none is named.

        Raises
        ------
        ConfigError
            If it is another package's and cannot be imported, naming the package and the reason.
        """
        with blaming(self, f"cannot be imported from {self.target}"):
            return imported(self.target)

    def __str__(self) -> str:
        return f"'{self.name}' of the package {self.package} (snn_deploy.{self.group})"


def imported(target: str) -> Any:
    """Import what ``module:attribute`` says, or the module where no attribute is named."""
    module, _, attribute = target.partition(":")
    found: Any = importlib.import_module(module)
    for part in filter(None, attribute.split(".")):
        found = getattr(found, part)
    return found


def named(group: str, builtin: Mapping[str, str]) -> dict[str, Named]:
    """Give everything in a group by name: ours first, in order, then what packages add.

    Raises
    ------
    ConfigError
        If two packages, or a package and we, use one name; the message names both.
    """
    found = {name: Named(group, name, target) for name, target in builtin.items()}
    for plugin in foreign(group):
        if plugin.name in found:
            raise ConfigError(
                f"{found[plugin.name]} and {plugin} have one name: rename one, or uninstall "
                f"{plugin.package}"
            )
        found[plugin.name] = plugin
    return found


def foreign(group: str) -> tuple[Named, ...]:
    """Give what other packages add to a group, by name; whoever shares a name is in it twice."""
    return _installed(group, tuple(sys.path))


@contextlib.contextmanager
def blaming(entry: Named, what: str) -> Iterator[None]:
    """Say whose code it was that failed: another package's bug is none of ours.

    Raises
    ------
    ConfigError
        Naming the plugin, ``what`` went wrong, and the error.
    """
    try:
        yield
    except SnnDeployError:
        raise
    except Exception as error:
        if entry.package == OURS:
            raise
        reason = f"{type(error).__name__}: {error}".partition("\n")[0]
        raise ConfigError(f"{entry} {what} ({reason}); mend or uninstall that package") from error


def usable(entries: Iterable[Named]) -> Iterator[tuple[str, Any]]:
    """Import one after another; a plugin that cannot be imported is warned of and left out."""
    for entry in entries:
        loaded, fault = _tried(entry)
        if fault:
            warnings.warn(f"left out: {fault}", SnnDeployWarning, stacklevel=3)
        else:
            yield entry.name, loaded


def faults(group: str) -> Iterator[tuple[Named | None, str]]:
    """Try all that packages add to a group: each with what is wrong, "" where nothing is.

    What is wrong with the group itself, a name that is there twice, comes first, with None.
    """
    try:
        Named("groups", group, GROUPS[group]).load()()
    except ConfigError as error:
        yield None, str(error)
    for plugin in foreign(group):
        yield plugin, _tried(plugin)[1]


def unknown_name(what: str, name: str, known: Iterable[str]) -> str:
    """Say that there is no such name, which ones there are, and which may have been meant."""
    import difflib

    names = list(known)
    told = f"unknown {what} '{name}'; there are: {', '.join(names)}"
    close = difflib.get_close_matches(name, names, n=1)
    return f"{told}; did you mean '{close[0]}'?" if close else told


def _tried(entry: Named) -> tuple[Any, str]:
    """Import, and give what is wrong where it cannot be."""
    try:
        return entry.load(), ""
    except ConfigError as error:
        return None, str(error)


@functools.lru_cache(maxsize=64)
def _installed(group: str, path: tuple[str, ...]) -> tuple[Named, ...]:
    """Look through the packages on ``path``, which is ``sys.path`` as it is now."""
    found = _entry_points(path).select(group=f"snn_deploy.{group}")
    plugins = [Named(group, each.name, each.value, _package(each)) for each in found]
    return tuple(sorted(plugins, key=lambda plugin: (plugin.name, plugin.package)))


@functools.lru_cache(maxsize=4)
def _entry_points(path: tuple[str, ...]) -> Any:
    """Read those of all groups at once: looking through every package takes a while."""
    import importlib.metadata

    return importlib.metadata.entry_points()


def _package(entry: Any) -> str:
    # a damaged installation may have no name
    return str((entry.dist and entry.dist.name) or "an unnamed package")

"""What is what in a checkpoint file: the state dict, the configuration, and the rest.

People save the same things under many names: a bare state dict; a Lightning checkpoint; a
dictionary with the weights under ``model``, ``net``, ``weights``, …; a whole module.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

import numpy as np

from snn_deploy.checkpoint.plain_data import Record
from snn_deploy.checkpoint.tensors import Array
from snn_deploy.errors import CheckpointError
from snn_deploy.printable import some_of

__all__ = ["ANY", "Choice", "Contents", "check_state_dict", "divide", "matches"]

Table = dict[str, Array]

_STATE_DICT = "state_dict"
_CONFIGURATIONS = (
    *("hyper_parameters", "config", "cfg", "conf", "configuration", "hparams", "_hparams", "args"),
    *("hyperparameters", "model_config", "opt", "params", "settings"),
)
"""Where people keep the configuration; Lightning's name first."""
_NO_CONFIGURATION = (_CONFIGURATIONS[0], None)
_DEPTH = 4  # levels in which a state dict is looked for


@dataclass(frozen=True, eq=False)
class Contents:
    """A state dict, the key that it was found under (empty: the file is one), and the rest."""

    tensors: Table
    config: dict[str, Any] | None
    extras: dict[str, Any]
    found_under: str = ""


@dataclass(frozen=True)
class Choice:
    """Which state dict of a file is meant.

    Parameters
    ----------
    key
        Where it is, its keys joined by dots, for files with several; None: found.
    ignored
        Patterns of names in it that are left out, ``*`` standing for any text.
    fits
        Tells whether keys are those of a network that can be converted: decides among several.
    """

    key: str | None = None
    ignored: tuple[str, ...] = ()
    fits: Callable[[Iterable[str]], bool] | None = None


ANY = Choice()


def divide(content: object, choice: Choice = ANY) -> Contents:
    """Tell tensors, configuration and the rest of a file's plain data apart.

    Raises
    ------
    CheckpointError
        If there is no state dict, or several and none is to be preferred.
    """
    if not isinstance(content, Mapping):
        kind = "array" if isinstance(content, np.ndarray) else type(content).__name__
        raise CheckpointError(f"it holds a single {kind}, not a state dict")
    candidates = dict(_state_dicts(content, (), _DEPTH))
    if choice.key is not None:
        if choice.key not in candidates:
            raise CheckpointError(
                f"it holds no state dict under '{choice.key[:100]}'{_listed(candidates)}"
            )
        chosen = choice.key
    elif _STATE_DICT in content:
        chosen = _STATE_DICT
        candidates.setdefault(chosen, content[chosen])
    elif "" in candidates or not candidates:
        chosen = ""
        candidates.setdefault(chosen, dict(content))
    else:
        chosen = _only(candidates, choice.fits)
    table = candidates[chosen]
    if choice.ignored and isinstance(table, Mapping):
        named = dict(_entries(table)) if _is_module(table) else table
        table = {name: value for name, value in named.items() if not matches(name, choice.ignored)}
    tensors = check_state_dict(table)
    if chosen == "":
        attributes = content if isinstance(content, Record) else {}
        return Contents(tensors, _configuration(attributes), {})
    extras = {name: value for name, value in content.items() if name != chosen}
    config = _configuration(extras)
    extras = {n: v for n, v in extras.items() if v is not config and (n, v) != _NO_CONFIGURATION}
    return Contents(tensors, config, extras, "" if chosen == _STATE_DICT else chosen)


def check_state_dict(table: object) -> Table:
    """Refuse what is no table of names and tensors, naming the first entry that is none."""
    if not isinstance(table, dict):
        raise CheckpointError("its state_dict is not a table of tensors")
    tensors = dict(_entries(table)) if _is_module(table) else table
    for key, value in tensors.items():
        if not isinstance(key, str) or not isinstance(value, np.ndarray):
            names = ", ".join(repr(str(name)[:40]) for name in list(tensors)[:8])
            what = f", but {value!r}" if isinstance(value, Record) else ""
            raise CheckpointError(
                f"it is not a state dict: its entry {str(key)[:100]!r} is no tensor{what} (it "
                f"holds {names}). Save a dictionary with the model's state_dict() under "
                "'state_dict', or the state_dict() itself"
            )
        if not key.isprintable():
            raise CheckpointError(f"its state dict has a key of no printable text, {key[:100]!r}")
    return tensors


def _state_dicts(content: Any, path: tuple[str, ...], depth: int) -> Iterator[tuple[str, Any]]:
    """Find tables of tensors, and whole modules, from the outside in; not within one another."""
    if not isinstance(content, Mapping):
        return
    if _is_module(content) or _is_table(content):
        yield ".".join(path), content
    elif depth:
        for name, value in content.items():
            if isinstance(name, str):
                yield from _state_dicts(value, (*path, name), depth - 1)


def _is_table(content: Mapping[Any, Any]) -> bool:
    return bool(content) and all(
        isinstance(key, str) and isinstance(value, np.ndarray) for key, value in content.items()
    )


def _is_module(content: Mapping[Any, Any]) -> bool:
    parts = ("_parameters", "_buffers", "_modules")
    return all(isinstance(content.get(part), dict) for part in parts)


def _entries(module: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Give what ``state_dict()`` of a pickled ``torch.nn.Module`` would."""
    passing = module.get("_non_persistent_buffers_set") or []
    for name, value in module["_parameters"].items():
        if value is not None:
            yield prefix + str(name), value
    for name, value in module["_buffers"].items():
        if value is not None and name not in passing:
            yield prefix + str(name), value
    for name, inner in module["_modules"].items():
        if isinstance(inner, Mapping) and _is_module(inner):
            yield from _entries(inner, f"{prefix}{name}.")
        elif inner is not None:
            yield prefix + str(name), inner


def _only(candidates: Mapping[str, Any], fits: Callable[[Iterable[str]], bool] | None) -> str:
    """Choose the one state dict whose keys fit a family of networks."""
    if len(candidates) == 1:
        return next(iter(candidates))
    fitting = [name for name, table in candidates.items() if fits and fits(_names(table))]
    if len(fitting) == 1:
        return fitting[0]
    raise CheckpointError(
        f"it holds {len(candidates)} state dicts, and which one is meant is not clear"
        f"{_listed(dict.fromkeys(fitting or candidates))}; choose with --state-dict-key KEY"
    )


def matches(name: object, patterns: tuple[str, ...]) -> bool:
    """Tell whether a key fits one of the patterns."""
    return any(fnmatchcase(str(name), pattern) for pattern in patterns)


def _names(table: Mapping[str, Any]) -> list[str]:
    return [name for name, _ in _entries(table)] if _is_module(table) else list(table)


def _listed(candidates: Mapping[str, Any]) -> str:
    told = some_of(f"'{name[:60]}'" for name in candidates)
    return f" (there are {told})" if candidates else " (there is none)"


def _configuration(extras: Mapping[str, Any]) -> dict[str, Any] | None:
    """Find the configuration: the first that describes a model, else Lightning's own."""
    for name in _CONFIGURATIONS:
        section = extras.get(name)
        if isinstance(section, dict) and isinstance(section.get("model"), dict):
            return section
    for name in _CONFIGURATIONS:
        section = extras.get(name)
        for inner in section.values() if isinstance(section, dict) else ():
            model = inner.get("model") if isinstance(inner, dict) else None
            if isinstance(model, dict) and "_name_" in model:
                return dict(inner)
    first = extras.get(_CONFIGURATIONS[0])
    if first is not None and not isinstance(first, dict):
        raise CheckpointError("its hyper_parameters are not a table of names and values")
    return first

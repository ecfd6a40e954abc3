"""Overriding options of a checkpoint's own configuration, e.g. ``layer.use_loop=true``."""

from __future__ import annotations

import copy
import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from snn_deploy.converters.registry import KEYS_SUFFICE, recognise
from snn_deploy.converters.s4_config import OVERRIDDEN
from snn_deploy.errors import ConfigError

if TYPE_CHECKING:
    from snn_deploy.checkpoint import Checkpoint

__all__ = ["Overridden", "override_model"]


@dataclass(frozen=True)
class Overridden:
    """A configuration, or the checkpoint's own where it is None, with ``options`` set over it."""

    config: str | os.PathLike[str] | Mapping[str, Any] | None
    options: Mapping[str, Any]


def override_model(
    checkpoint: Checkpoint, options: Mapping[str, Any], family: str | None = None
) -> Checkpoint:
    """Give the checkpoint with options of its configuration's ``model`` section set.

    Whether the family knows an option, and a value's type, its converter checks.

    Parameters
    ----------
    options
        By dotted name inside ``model``, e.g. ``layer.use_loop``. Text is read as a YAML scalar:
        ``"true"`` is a truth value, ``"4"`` a number.
    family
        The checkpoint's family, where the user says it.

    Raises
    ------
    ConfigError
        If there is no configuration and the family needs one; if a name leads through a value that
        is no section, or is ``_name_``, which says the family.
    """
    if not options:
        return checkpoint
    where = checkpoint.path.name
    if checkpoint.config is None and (family or recognise(checkpoint)) not in KEYS_SUFFICE:
        raise ConfigError(
            f"{where}: there is no configuration whose options could be set; give the training "
            "run's with --config FILE"
        )
    config = copy.deepcopy(checkpoint.config or {})
    model = config.setdefault("model", {})
    for name, value in options.items():
        *sections, option = name.split(".")
        if option == "_name_" or not all((*sections, option)):
            raise ConfigError(
                f"{where}: '{name}' cannot be set; give the name of an option of the "
                "configuration's model section, e.g. layer.use_loop, and a family by --family"
            )
        section = model
        for part in sections:
            if section.get(part) is None:
                section[part] = {}
            section = section[part]
            if not isinstance(section, dict):
                raise ConfigError(
                    f"{where}: '{name}' cannot be set: '{part}' is {section!r} in the "
                    "configuration, no section with options"
                )
        section[option] = _typed(value) if isinstance(value, str) else value
    config[OVERRIDDEN] = sorted({*config.get(OVERRIDDEN, ()), *options})
    return replace(checkpoint, config=config)


def _typed(text: str) -> Any:
    import yaml

    try:
        value = yaml.safe_load(text)
    except yaml.YAMLError:
        return text
    return value if isinstance(value, bool | int | float) or value is None else text

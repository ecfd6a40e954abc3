"""A training configuration of state-spaces/s4 and its forks: the sections that converters read."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from snn_deploy.errors import CheckpointError, UnsupportedNetworkError

__all__ = [
    "OVERRIDDEN",
    "TRAINING_ONLY",
    "KernelOptions",
    "S4Config",
    "StackConfig",
    "explained",
    "parse_options",
    "parse_s4_config",
]

OVERRIDDEN = "set_model"
"""Where a configuration says which options of ``model`` were set over its own."""

TRAINING_ONLY = frozenset(
    {
        "_name_",
        "lr",
        "wd",
        "dropout",
        "tie_dropout",
        "transposed",
        "dt_min",
        "dt_max",
        "init",
        "measure",
        "rank",
        "verbose",
        "deterministic",
        "initializer",
        "drop_kernel",
        "backend",
    }
)
"""Options of a layer that act on training, on initial values, or on how a kernel is computed."""


class StackConfig(BaseModel):
    """``model``: what every stack of layers has."""

    model_config = ConfigDict(extra="ignore", protected_namespaces=())

    d_model: int = Field(256, ge=1)
    n_layers: int = Field(4, ge=0)


class S4Config(BaseModel):
    """What converters read of a configuration."""

    model_config = ConfigDict(extra="ignore", protected_namespaces=())

    model: StackConfig
    encoder: Any = None
    decoder: Any = None
    task: dict[str, Any] = Field(default_factory=dict)
    train: dict[str, Any] = Field(default_factory=dict)


Transform = Literal["none", "exp", "relu", "sigmoid", "softplus"]


class KernelOptions(BaseModel):
    """What decides how a diagonal kernel's parameters make a state-space model."""

    d_state: int = Field(64, ge=0)
    bidirectional: bool = False
    channels: Literal[1] = 1
    disc: Literal["zoh", "bilinear", "dss"] = "zoh"
    dt_fast: bool = False
    dt_tie: bool = True
    dt_transform: Transform = "exp"
    real_transform: Transform = "exp"
    imag_transform: Transform = "none"
    n_ssm: int | None = Field(None, ge=1)
    is_real: bool = False
    bandlimit: float | None = None


_Config = TypeVar("_Config", bound=S4Config)
_Options = TypeVar("_Options", bound=BaseModel)


def parse_s4_config(kind: type[_Config], config: Mapping[str, Any] | None, where: str) -> _Config:
    """Read a training configuration as plain data.

    Parameters
    ----------
    kind
        The configuration of the family: its class says which options there are.
    config
        The resolved configuration: the checkpoint's own or one given beside it.
    where
        What the messages call the checkpoint.

    Raises
    ------
    CheckpointError
        If there is none, or a value has the wrong type.
    UnsupportedNetworkError
        If an option has a value that is not known.
    """
    if config is None:
        raise CheckpointError(
            f"{where}: the file holds weights but no configuration, and the weights alone do not "
            "say how they are used (pre-norm, discretisation, decoder); give the training run's "
            "configuration with --config FILE (its config.yaml)"
        )
    if not isinstance(config.get("model"), Mapping):
        raise CheckpointError(
            f"{where}: the configuration has no section 'model'; give the training run's complete "
            "configuration with --config FILE"
        )
    given = {section: value for section, value in config.items() if value is not None}
    model = dict(config["model"])
    model["layer"] = model.get("layer") or {}
    try:
        parsed = kind.model_validate({**given, "model": model})
    except ValidationError as error:
        raise explained(error, where) from None
    for option in config.get(OVERRIDDEN, ()):
        _refuse_unknown_override(parsed.model, option, where)
    return parsed


def parse_options(
    kind: type[_Options], given: Mapping[str, Any], where: str, section: str = "model.layer"
) -> _Options:
    """Read one section, whose options must all be known: those of ``kind``, or training alone's.

    Raises
    ------
    CheckpointError, UnsupportedNetworkError
        As :func:`parse_s4_config`; an unknown option is refused by name.
    """
    unknown = set(given) - set(kind.model_fields) - TRAINING_ONLY
    if unknown:
        raise UnsupportedNetworkError(
            f"{where}: unknown options in {section}: {', '.join(sorted(map(str, unknown)))}; they "
            "may change what it computes, so the network cannot be converted faithfully"
        )
    try:
        return kind.model_validate(given)
    except ValidationError as error:
        raise explained(error, where, section) from None


def _refuse_unknown_override(model: StackConfig, option: str, where: str) -> None:
    """Refuse to set what the code of this family would not read."""
    section: Any = model
    for part in option.split("."):
        if not isinstance(section, BaseModel):
            return  # a layer's options: who reads them refuses unknown ones
        if part not in type(section).model_fields:
            raise UnsupportedNetworkError(
                f"{where}: there is no option '{option}' in the model section of this family; "
                f"'{part}' is none of: {', '.join(type(section).model_fields)}"
            )
        section = getattr(section, part)


def explained(error: ValidationError, where: str, section: str = "") -> CheckpointError:
    """Give the error that names the first option which cannot be, with its value."""
    first = error.errors()[0]
    key = ".".join(str(part) for part in (*([section] if section else []), *first["loc"]))
    found = first["input"]
    message = f"{where}: configuration option '{key}' is {found!r}: {first['msg']}"
    if isinstance(found, str) and "${" in found:
        message += "; it is an unresolved interpolation: give a resolved configuration by --config"
    if first["type"] in ("literal_error", "value_error"):
        return UnsupportedNetworkError(message)
    return CheckpointError(message)

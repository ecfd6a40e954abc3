"""The part of a SpikingSSM training configuration that decides the mathematics.

Defaults are those of the authors' code: a configuration names only what its experiment overrides.
Options that act in training alone (dropout, learning rates, initialisation) are read over; options
that would change the mathematics and are not known here are refused by name.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from snn_deploy.errors import CheckpointError, UnsupportedNetworkError

__all__ = ["LayerConfig", "ModelConfig", "SpikingSsmConfig", "parse_config"]

Transform = Literal["none", "exp", "relu", "sigmoid", "softplus"]

# Act only on initial values, on training, or on how a kernel is computed.
_TRAINING_ONLY = frozenset(
    {"lr", "wd", "dt_min", "dt_max", "verbose", "deterministic", "rank", "backend", "l_max"}
)
# Options of the kernel with trainable B; the authors' other kernel does not know them.
_KERNEL_OPTIONS = frozenset(
    {
        "disc",
        "dt_fast",
        "dt_tie",
        "dt_transform",
        "real_transform",
        "imag_transform",
        "n_ssm",
        "is_real",
        "bandlimit",
    }
)


class LayerConfig(BaseModel):
    """``model.layer``: the state-space layer, its kernel and its neuron."""

    model_config = ConfigDict(extra="allow", protected_namespaces=())

    neuron: Literal["sdn", "bptt", "sltt"] = "sdn"
    learnable_vth: bool = True
    shared_vth: bool = False
    d_state: int = Field(64, ge=0)
    bidirectional: bool = False
    channels: Literal[1] = 1
    trainable_B: bool = False
    disc: Literal["zoh", "bilinear", "dss"] = "zoh"
    dt_fast: bool = False
    dt_tie: bool = True
    dt_transform: Transform = "exp"
    real_transform: Transform = "exp"
    imag_transform: Transform = "none"
    n_ssm: int | None = Field(None, ge=1)
    is_real: bool = False
    bandlimit: float | None = None


class ModelConfig(BaseModel):
    """``model``: the stack of layers. Options that the authors' code swallows are ignored."""

    model_config = ConfigDict(extra="ignore", protected_namespaces=())

    d_model: int = Field(256, ge=1)
    n_layers: int = Field(4, ge=0)
    prenorm: bool = False
    norm: str | None = "layer"
    layer: LayerConfig = Field(default_factory=LayerConfig)

    @property
    def runs_layers(self) -> bool:
        """Whether any layer runs: without norms the authors' loop over (layer, norm) is empty."""
        return self.norm in ("batch", "layer")


class SpikingSsmConfig(BaseModel):
    """What the converter reads of a configuration."""

    model_config = ConfigDict(extra="ignore", protected_namespaces=())

    model: ModelConfig
    encoder: Any = None
    decoder: Any = None
    task: dict[str, Any] = Field(default_factory=dict)
    train: dict[str, Any] = Field(default_factory=dict)


def parse_config(config: Mapping[str, Any] | None, where: str) -> SpikingSsmConfig:
    """Read a training configuration as plain data.

    Parameters
    ----------
    config
        The resolved configuration: the checkpoint's own or one given beside it.
    where
        What the messages call the checkpoint.

    Raises
    ------
    CheckpointError
        If there is none, or a value has the wrong type.
    UnsupportedNetworkError
        If an option asks for mathematics that is not known here.
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
        parsed = SpikingSsmConfig.model_validate({**given, "model": model})
    except ValidationError as error:
        raise _explained(error, where) from None
    _refuse_unknown_options(parsed.model, model["layer"], where)
    return parsed


def _explained(error: ValidationError, where: str) -> CheckpointError:
    first = error.errors()[0]
    key = ".".join(str(part) for part in first["loc"])
    found = first["input"]
    message = f"{where}: configuration option '{key}' is {found!r}: {first['msg']}"
    if isinstance(found, str) and "${" in found:
        message += "; it is an unresolved interpolation: give a resolved configuration by --config"
    if first["type"] == "literal_error":
        return UnsupportedNetworkError(message)
    return CheckpointError(message)


def _refuse_unknown_options(model: ModelConfig, given: Mapping[str, Any], where: str) -> None:
    unknown = set(model.layer.model_extra or {}) - _TRAINING_ONLY
    if unknown:
        raise UnsupportedNetworkError(
            f"{where}: unknown options in model.layer: {', '.join(sorted(unknown))}; they may "
            "change what the layer computes, so the network cannot be converted faithfully"
        )
    options = _KERNEL_OPTIONS & set(given)
    if options and not model.layer.trainable_B:
        raise UnsupportedNetworkError(
            f"{where}: model.layer has {', '.join(sorted(options))} with trainable_B false; "
            "the authors' kernel without trainable B has no such options, so this configuration "
            "cannot be the one that trained these weights"
        )
    _refuse_impossible(model, where)


def _refuse_impossible(model: ModelConfig, where: str) -> None:
    layer = model.layer
    if layer.n_ssm is not None and model.d_model % layer.n_ssm:
        raise CheckpointError(
            f"{where}: model.layer.n_ssm is {layer.n_ssm}, which does not divide model.d_model "
            f"{model.d_model}"
        )
    if layer.bandlimit is not None and layer.n_ssm not in (None, model.d_model):
        raise UnsupportedNetworkError(
            f"{where}: model.layer has bandlimit together with n_ssm {layer.n_ssm}; the authors' "
            "code cannot run this, so there is nothing to be faithful to"
        )

"""The part of a SpikingSSM training configuration that decides the mathematics.

Defaults are those of the authors' code: a configuration names only what its experiment overrides.
Options that act in training alone (dropout, learning rates, initialisation) are read over; options
that would change the mathematics and are not known here are refused by name.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from pydantic import ConfigDict, Field

from snn_deploy.converters.s4_config import (
    KernelOptions,
    S4Config,
    StackConfig,
    parse_s4_config,
)
from snn_deploy.errors import CheckpointError, UnsupportedNetworkError

__all__ = ["LayerConfig", "ModelConfig", "SpikingSsmConfig", "parse_config"]

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


class LayerConfig(KernelOptions):
    """``model.layer``: the state-space layer, its kernel and its neuron."""

    model_config = ConfigDict(extra="allow", protected_namespaces=())

    neuron: Literal["sdn", "bptt", "sltt"] = "sdn"
    learnable_vth: bool = True
    shared_vth: bool = False
    trainable_B: bool = False


class ModelConfig(StackConfig):
    """``model``: the stack of layers. Options that the authors' code swallows are ignored."""

    prenorm: bool = False
    norm: str | None = "layer"
    layer: LayerConfig = Field(default_factory=LayerConfig)

    @property
    def runs_layers(self) -> bool:
        """Whether any layer runs: without norms the authors' loop over (layer, norm) is empty."""
        return self.norm in ("batch", "layer")


class SpikingSsmConfig(S4Config):
    """What the converter reads of a configuration."""

    model: ModelConfig


def parse_config(
    config: Mapping[str, Any] | None, where: str, kind: type[SpikingSsmConfig] = SpikingSsmConfig
) -> SpikingSsmConfig:
    """Read a training configuration as plain data.

    Parameters
    ----------
    config
        The resolved configuration: the checkpoint's own or one given beside it.
    where
        What the messages call the checkpoint.
    kind
        The class that says which options there are.

    Raises
    ------
    CheckpointError
        If there is none, or a value has the wrong type.
    UnsupportedNetworkError
        If an option asks for mathematics that is not known here.
    """
    parsed = parse_s4_config(kind, config, where)
    _refuse_unknown_options(parsed.model, (config or {})["model"].get("layer") or {}, where)
    return parsed


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

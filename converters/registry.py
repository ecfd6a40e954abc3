"""Which families of checkpoints are known, and which one a checkpoint belongs to."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any, Literal

from snn_deploy.converters.weights import strip_wrappers
from snn_deploy.errors import UnsupportedNetworkError
from snn_deploy.ir.network import Network, OutputSteps

if TYPE_CHECKING:
    from snn_deploy.checkpoint import Checkpoint

__all__ = ["FAMILIES", "KEYS_SUFFICE", "KEY_MARKS", "recognise", "to_float_network"]

FAMILIES = {
    "spikingssm": "snn_deploy.converters.spikingssm:convert_spikingssm",
    "loongspikingssm": "snn_deploy.converters.longspike:convert_longspike",
    "s4d": "snn_deploy.converters.s4d:convert_s4d",
    "s4block": "snn_deploy.converters.s4d:convert_s4block",
    "s4d_gsu": "snn_deploy.converters.gsu:convert_gsu",
    "spikingblockgate": "snn_deploy.converters.prf:convert_prf",
    "spikingblock": "snn_deploy.converters.prf:convert_prf_block",
    "prf_neuron": "snn_deploy.converters.prf:convert_prf_neuron",
    "drf": "snn_deploy.converters.drf:convert_drf",
    "s4d_refractory": "snn_deploy.converters.refractory:convert_refractory",
    "pSpikeSSM": "snn_deploy.converters.pspikessm:convert_pspikessm",
    "spiking_s4d": "snn_deploy.converters.spiking_s4d:convert_spiking_s4d",
    "silif": "snn_deploy.converters.silif:convert_silif",
    "cadlif": "snn_deploy.converters.silif:convert_cadlif",
    "adlif": "snn_deploy.converters.silif:convert_adlif",
}
"""Family, as the configuration's ``model._name_`` calls it -> module:function that converts it.

Behind S4's own backbone, which is called ``model``, the layer's ``_name_`` is the family.
"""

KEY_MARKS = {
    "s4_layers.": "spikingssm",
    "loongspike_layers.": "loongspikingssm",
    "ternay1.log_w": "s4d_gsu",
    "neuron1.theta_log": "spikingblockgate",
    "theta_log": "prf_neuron",
    "body.layers.": "spiking_s4d",
    "snn.0.W.": "silif",
    ".inp_a": "pSpikeSSM",
    "layer.alpha_logit": "drf",
    "layer.tau_r_logit": "s4d_refractory",
}
"""What some key of the state dict contains -> family, where no configuration names one."""

KEYS_SUFFICE = frozenset({"silif", "cadlif", "adlif", "spiking_s4d", "prf_neuron"})
"""Families whose checkpoints need no configuration: their keys say nearly everything."""

_BACKBONE = "model"
"""S4's name for its own backbone, whose layer is what tells families apart."""


def to_float_network(
    checkpoint: Checkpoint,
    output_steps: OutputSteps = "one",
    weights: Literal["raw", "ema"] = "raw",
) -> Network:
    """Convert a checkpoint of any known family to a float network.

    Parameters
    ----------
    checkpoint
        As read, with the configuration from the file or given beside it.
    output_steps
        One vector a sequence, every step, or the last K: no checkpoint says which.
    weights
        The trained weights, or their moving averages where the checkpoint holds them.

    Raises
    ------
    UnsupportedNetworkError
        If the family is not known, or a feature of the network is not.
    CheckpointError
        If the weights cannot be trusted or do not fit the configuration.
    """
    module, function = FAMILIES[recognise(checkpoint)].split(":")
    convert = getattr(importlib.import_module(module), function)
    network: Network = convert(checkpoint, output_steps, weights)
    return network


def recognise(checkpoint: Checkpoint) -> str:
    """Give the family that a checkpoint belongs to: by its configuration, else by its keys.

    Raises
    ------
    UnsupportedNetworkError
        Naming what was found, and which families exist.
    """
    where = checkpoint.path.name
    option, named = _configured_name(checkpoint.config)
    if named in FAMILIES:
        return named
    if named is not None:
        raise UnsupportedNetworkError(
            f"{where}: the configuration's {option} is '{named}'; known families: "
            f"{', '.join(FAMILIES)}. docs/converters.md says how to add one"
        )
    keys = strip_wrappers(checkpoint.tensors)
    for mark, family in KEY_MARKS.items():
        if any(mark in key for key in keys):
            return family
    found = ", ".join(f"'{key}'" for key in list(keys)[:8])
    raise UnsupportedNetworkError(
        f"{where}: neither a configuration (model._name_) nor the keys tell a known family; "
        f"{len(keys)} tensors, first: {found}; known families: {', '.join(FAMILIES)}. If the run's "
        "configuration is at hand, give it with --config FILE"
    )


def _configured_name(config: dict[str, Any] | None) -> tuple[str, str | None]:
    """Give the option that names the family, and its value."""
    option, section = "model._name_", (config or {}).get("model")
    if isinstance(section, dict) and section.get("_name_") == _BACKBONE:
        option, section = "model.layer._name_", section.get("layer")
    name = section.get("_name_") if isinstance(section, dict) else None
    return option, name if isinstance(name, str) else None

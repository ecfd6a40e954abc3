"""Which families of checkpoints are known, and which one a checkpoint belongs to.

Other packages add families as entry points of the group ``snn_deploy.families``; see
``docs/converters.md``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from snn_deploy.converters.weights import strip_wrappers
from snn_deploy.errors import ConfigError, UnsupportedNetworkError
from snn_deploy.ir.network import Network, OutputSteps
from snn_deploy.plugins import OURS, Named, blaming, named, unknown_name, usable

if TYPE_CHECKING:
    from snn_deploy.checkpoint import Checkpoint

__all__ = [
    "FAMILIES",
    "KEYS_SUFFICE",
    "KEY_MARKS",
    "Family",
    "family_names",
    "is_known",
    "recognise",
    "to_float_network",
]

FAMILIES = {
    "spikingssm": "snn_deploy.converters.spikingssm:convert_spikingssm",
    "loongspikingssm": "snn_deploy.converters.longspike:convert_longspike",
    "s4d": "snn_deploy.converters.s4d:convert_s4d",
    "s4block": "snn_deploy.converters.s4d:convert_s4block",
    "s4d_gsu": "snn_deploy.converters.gsu:convert_gsu",
    "spikingblockgate": "snn_deploy.converters.prf:convert_prf",
    "spikingblock": "snn_deploy.converters.prf:convert_prf_block",
    "prf_neuron": "snn_deploy.converters.prf_neuron:convert_prf_neuron",
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

Convert = Callable[["Checkpoint", OutputSteps, Literal["raw", "ema"]], Network]


@dataclass(frozen=True)
class Family:
    """A family that another package adds.

    Parameters
    ----------
    convert
        As ``convert_spikingssm``: checkpoint, output steps and which weights, to a float network.
    key_marks
        What some key of such a state dict contains, and of no other's: tells the family where no
        configuration names one.
    """

    convert: Convert
    key_marks: tuple[str, ...] = ()


def to_float_network(
    checkpoint: Checkpoint,
    output_steps: OutputSteps = "one",
    weights: Literal["raw", "ema"] = "raw",
    family: str | None = None,
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
    family
        The family's name, whatever the checkpoint says; None: the one that it is recognised as.

    Raises
    ------
    UnsupportedNetworkError
        If the family is not known, or a feature of the network is not.
    CheckpointError
        If the weights cannot be trusted or do not fit the configuration.
    ConfigError
        If there is no family of the given name, or a package's cannot be imported.
    """
    families = _families()
    name = recognise(checkpoint) if family is None else family
    if name not in families:
        raise ConfigError(unknown_name("family", name, families))
    converter = _loaded(families[name].load())
    with blaming(families[name], f"failed on {checkpoint.path.name}"):
        return converter.convert(checkpoint, output_steps, weights)


def recognise(checkpoint: Checkpoint) -> str:
    """Give the family that a checkpoint belongs to: by its configuration, else by its keys.

    Raises
    ------
    UnsupportedNetworkError
        Naming what was found, and which families exist.
    """
    where, families = checkpoint.path.name, _families()
    option, named_so = _configured_name(checkpoint.config)
    if named_so in families:
        return named_so
    if named_so is not None:
        raise UnsupportedNetworkError(
            f"{where}: the configuration's {option} is '{named_so}'; known families: "
            f"{', '.join(families)}. docs/converters.md says how to add one, and --family NAME "
            "takes it for one of these"
        )
    keys = list(strip_wrappers(checkpoint.tensors))
    found = _by_keys(keys, families)
    if len(found) == 1:
        return found[0]
    if found:
        raise UnsupportedNetworkError(
            f"{where}: its keys fit the families {' and '.join(found)}; choose with --family NAME"
        )
    shown = ", ".join(f"'{key}'" for key in keys[:8])
    raise UnsupportedNetworkError(
        f"{where}: neither a configuration (model._name_) nor the keys tell a known family; "
        f"{len(keys)} tensors, first: {shown}; known families: {', '.join(families)}. If the run's "
        "configuration is at hand, give it with --config FILE, or name the family with --family"
    )


def is_known(keys: Iterable[str]) -> bool:
    """Tell whether the keys of a state dict have the mark of a known family."""
    return bool(_by_keys(list(keys), _families()))


def family_names() -> tuple[str, ...]:
    """Name all families: ours, then those that other packages add."""
    return tuple(_families())


def _families() -> dict[str, Named]:
    return named("families", FAMILIES)


def _by_keys(keys: list[str], families: dict[str, Named]) -> list[str]:
    """Give the first family of ours whose mark is in some key, else all of others'."""
    for mark, family in KEY_MARKS.items():
        if any(mark in key for key in keys):
            return [family]
    added = [entry for entry in families.values() if entry.package != OURS]
    marks = {name: _loaded(family).key_marks for name, family in usable(added)}
    return [name for name, own in marks.items() if any(m in key for m in own for key in keys)]


def _loaded(found: Any) -> Family:
    return found if isinstance(found, Family) else Family(found)


def _configured_name(config: dict[str, Any] | None) -> tuple[str, str | None]:
    """Give the option that names the family, and its value."""
    option, section = "model._name_", (config or {}).get("model")
    if isinstance(section, dict) and section.get("_name_") == _BACKBONE:
        option, section = "model.layer._name_", section.get("layer")
    name = section.get("_name_") if isinstance(section, dict) else None
    return option, name if isinstance(name, str) else None

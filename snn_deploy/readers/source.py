"""What readers give, what they may be told, and what each of them must do."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any, Literal, Protocol, TypedDict

from snn_deploy.checkpoint.config_file import read_config
from snn_deploy.converters.overrides import Overridden
from snn_deploy.errors import ConfigError
from snn_deploy.ir.network import Network, OutputSteps
from snn_deploy.plugins import unknown_name

__all__ = [
    "ReadOptions",
    "Reader",
    "Reading",
    "ReadingFurther",
    "ReadingStored",
    "Source",
    "SourceProvenance",
    "float_network",
]


@dataclass(frozen=True)
class SourceProvenance:
    """Where a float network came from.

    Parameters
    ----------
    name
        What messages call it: a file's name, without folders.
    sha256
        Of the file, or of the network itself where there is none; in hexadecimal.
    chosen
        What the reader decided, by name: itself (``reader``), the family, the container, ….
    notes
        What a user should know of how it was read.
    """

    name: str
    sha256: str
    chosen: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Give what was chosen, and the notes, as plain data."""
        return {**self.chosen, **({"notes": list(self.notes)} if self.notes else {})}


@dataclass(frozen=True, eq=False)
class Source:
    """A network and where it came from: what every conversion starts from.

    It is a float network, or an integer one, whose numbers were chosen by whoever trained it: then
    nothing is quantised, and every integer is kept.
    """

    network: Network
    provenance: SourceProvenance


def float_network(source: Source) -> Network:
    """Give a source's network where it must be a float one.

    Raises
    ------
    ConfigError
        If it is not.
    """
    if source.network.stage != "float":
        raise ConfigError(
            f"{source.provenance.name} holds integers, and no float network: convert it, and run "
            "what that gives"
        )
    return source.network


class ReadingFurther(TypedDict, total=False):
    """Options of :class:`ReadOptions`, as arguments of a function: those that only files have."""

    family: str | None
    state_dict_key: str | None
    prefix: str | None
    ignore_keys: tuple[str, ...]
    weights: Literal["raw", "ema"]


class ReadingStored(ReadingFurther, total=False):
    """Options of :class:`ReadOptions`, as arguments of a function: all but the example."""

    config: str | os.PathLike[str] | Mapping[str, Any] | Overridden | None
    output_steps: OutputSteps


class Reading(ReadingStored, total=False):
    """All options of :class:`ReadOptions`, as arguments of a function."""

    example_inputs: Any


@dataclass(frozen=True)
class ReadOptions:
    """What a user may tell a reader; each refuses what it has no use for.

    Parameters
    ----------
    config
        The path of a configuration, or a configuration, for what holds none; or such a one, or the
        thing's own, with options set over it.
    output_steps
        Which steps are the answer: ``"one"`` vector, ``"all"``, or the last K.
    family
        The family of checkpoints, whatever the thing itself says.
    state_dict_key
        Where a file's state dict is, its keys joined by dots, if there are several.
    prefix
        What stands before the keys of the network that is meant, if there are several.
    ignore_keys
        Patterns of keys in the state dict that are left out, ``*`` for any text.
    weights
        The trained weights, or the moving averages that the optimiser kept of them.
    example_inputs
        Inputs (B, L, …) of a live module, of which the shape of a step is taken.
    """

    config: str | os.PathLike[str] | Mapping[str, Any] | Overridden | None = None
    output_steps: OutputSteps = "one"
    family: str | None = None
    state_dict_key: str | None = None
    prefix: str | None = None
    ignore_keys: tuple[str, ...] = ()
    weights: Literal["raw", "ema"] = "raw"
    example_inputs: Any = None

    @classmethod
    def of(cls, **given: Any) -> ReadOptions:
        """Take options as a Python caller gives them, as further arguments of a function.

        Raises
        ------
        ConfigError
            If there is no such option; a setting of quantisation is told where it belongs.
        """
        from snn_deploy.quantize.config import QuantizationConfig

        known = [field.name for field in fields(cls)]
        for name in given.keys() - {*known}:
            if name in QuantizationConfig.model_fields:
                told = f"'{name}' is a setting: give it as settings={{'{name}': {given[name]!r}}}"
                raise ConfigError(told)
            raise ConfigError(unknown_name("option", name, known))
        return cls(**given)

    def refuse(self, what: str, *names: str) -> None:
        """Refuse options that ``what`` has no use for; without ``names``, any.

        Raises
        ------
        ConfigError
            Naming those that were given.
        """
        default = ReadOptions()
        names = names or tuple(field.name for field in fields(self))
        given = [name for name in names if _differ(getattr(self, name), getattr(default, name))]
        if given:
            raise ConfigError(f"{what} takes no {' and no '.join(given)}: leave it out")

    def settings(self) -> dict[str, Any]:
        """Give the configuration as one mapping, options that are set over it included."""
        if isinstance(self.config, Overridden):
            whole = replace(self, config=self.config.config)
            return {**whole.settings(), **self.config.options}
        if self.config is None or isinstance(self.config, Mapping):
            return dict(self.config or {})
        return dict(read_config(Path(self.config)))


def _differ(given: Any, default: Any) -> bool:
    """Tell whether an option was given; arrays, which compare number by number, always were."""
    return given is not default and (type(given) is not type(default) or given != default)


class Reader(Protocol):
    """Turns a path, bytes, a graph or a live module into a :class:`Source`."""

    def recognises(self, thing: object) -> bool:
        """Tell, cheaply, whether it is for this reader: by type, file ending, or first bytes."""

    def read(self, thing: Any, options: ReadOptions) -> Source:
        """Read it.

        Raises
        ------
        CheckpointError, UnsupportedNetworkError
            If it cannot be read or trusted, or holds what cannot be expressed.
        ConfigError
            If an option has no use here.
        """

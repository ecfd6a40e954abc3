"""Checkpoints of training code: a file, its bytes, or one that was read already."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from snn_deploy.checkpoint import Checkpoint, Choice, read_checkpoint, read_checkpoint_bytes
from snn_deploy.checkpoint.config_file import read_config
from snn_deploy.converters.averaged_weights import has_averages
from snn_deploy.converters.overrides import Overridden, override_model
from snn_deploy.converters.prefixes import take_prefix_off
from snn_deploy.converters.registry import is_known, recognise, to_float_network
from snn_deploy.errors import CheckpointError
from snn_deploy.readers.source import ReadOptions, Source, SourceProvenance

__all__ = ["CheckpointReader", "convert_checkpoint", "open_checkpoint", "prepare_checkpoint"]

Config = str | os.PathLike[str] | Mapping[str, Any] | None


class CheckpointReader:
    """Reads a checkpoint of any known family, without running anything that is in it."""

    def recognises(self, thing: object) -> bool:
        """Tell whether it can be one; any path can: what it is instead, ``read`` explains."""
        return isinstance(thing, str | os.PathLike | bytes | bytearray | memoryview | Checkpoint)

    def read(
        self, thing: str | os.PathLike[str] | bytes | Checkpoint, options: ReadOptions
    ) -> Source:
        """Read it, and convert it with its family's converter."""
        return convert_checkpoint(open_checkpoint(thing, options), options, "checkpoint")


def open_checkpoint(
    thing: str | os.PathLike[str] | bytes | Checkpoint, options: ReadOptions
) -> Checkpoint:
    """Read a checkpoint as it is stored: the state dict that is meant, and the configuration."""
    options.refuse("a checkpoint", "example_inputs")
    choice = Choice(options.state_dict_key, options.ignore_keys, is_known)
    if isinstance(thing, str | os.PathLike):
        given, _ = _divided(options.config)
        return read_checkpoint(thing, None if isinstance(given, Mapping) else given, choice)
    if isinstance(thing, Checkpoint):
        options.refuse("a Checkpoint, which was read already,", "state_dict_key", "ignore_keys")
        return thing
    return read_checkpoint_bytes(bytes(thing), choice)


def prepare_checkpoint(checkpoint: Checkpoint, options: ReadOptions) -> tuple[Checkpoint, str]:
    """Take the network's prefix off its keys, and set what the options say of its configuration.

    Returns
    -------
    checkpoint, prefix
        As converters take it; what stood before its keys.

    Raises
    ------
    CheckpointError
        If several networks are in it, and none is said.
    """
    given, set_over = _divided(options.config)
    try:
        tensors, prefix = take_prefix_off(checkpoint.tensors, options.prefix)
    except CheckpointError as error:
        raise CheckpointError(f"{checkpoint.path.name}: {error}") from None
    checkpoint = replace(checkpoint, tensors=tensors, config=_config(checkpoint, given))
    return override_model(checkpoint, set_over, options.family), prefix


def convert_checkpoint(checkpoint: Checkpoint, options: ReadOptions, reader: str) -> Source:
    """Convert what a reader found to a float network, and say what was chosen.

    The configuration among the options is used instead of what the checkpoint holds.
    """
    checkpoint, prefix = prepare_checkpoint(checkpoint, options)
    _, set_over = _divided(options.config)
    family = options.family or recognise(checkpoint)
    network = to_float_network(checkpoint, options.output_steps, options.weights, family)
    numbers = sum(tensor.size for tensor in checkpoint.tensors.values())
    chosen = {"reader": reader, "container": checkpoint.container, "family": family}
    if checkpoint.found_under:
        chosen["state dict"] = checkpoint.found_under
    if prefix:
        chosen["prefix"] = prefix
    if options.weights != "raw":
        chosen["weights"] = options.weights
    chosen |= {f"model.{name}": str(value) for name, value in set_over.items()}
    notes = [f"{len(checkpoint.tensors)} tensors, {numbers:,} numbers"]
    if options.weights == "raw" and has_averages(checkpoint):
        notes.append("the trained weights, not the averages that it also holds: --weights ema")
    return Source(
        network,
        SourceProvenance(
            name=checkpoint.path.name,
            sha256=checkpoint.sha256,
            chosen=chosen,
            notes=tuple(notes),
        ),
    )


def _divided(config: Config | Overridden) -> tuple[Config, Mapping[str, Any]]:
    """Give the configuration, and the options that are set over it."""
    return (config.config, config.options) if isinstance(config, Overridden) else (config, {})


def _config(checkpoint: Checkpoint, given: Config) -> dict[str, Any] | None:
    if given is None:
        return checkpoint.config
    return dict(given) if isinstance(given, Mapping) else read_config(Path(given))

"""The widths and margins that quantisation may use: what a user can set."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from snn_deploy.errors import ConfigError
from snn_deploy.io.toml import read_toml
from snn_deploy.plugins import unknown_name

__all__ = ["QuantizationConfig", "parse_settings", "read_formats"]


class QuantizationConfig(BaseModel):
    """Widths in bits, signed unless said otherwise; the defaults lose next to no accuracy.

    ``--set NAME=VALUE`` sets a field from the command line, ``--formats FILE.toml`` also those of
    single nodes. A profile may forbid a width.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    input_bits: int = Field(16, ge=4, le=24, description="mantissas of the network's input")
    residual_bits: int = Field(20, ge=4, le=24, description="the residual stream between layers")
    norm_bits: int = Field(20, ge=4, le=24, description="a normalised stream, before the dendrites")
    weight_bits: int = Field(8, ge=2, le=8, description="synapses, with one scale a row")
    weight_words: int = Field(
        3,
        ge=1,
        le=3,
        description="words of weight_bits that hold a weight, at most, where a family needs more",
    )
    decay_bits: int = Field(16, ge=4, le=24, description="decay coefficients of the dendrites")
    readout_bits: int = Field(
        16, ge=4, le=24, description="readout and skip coefficients of a dendrite"
    )
    state_bits: int = Field(24, ge=8, le=24, description="compartments of the dendrites")
    dendrite_rounding: Literal["auto", "odd", "nearest"] = Field(
        "auto",
        description="coefficients of dendrites: odd, which single precision simulates; or nearest",
    )
    dendrite_sums: Literal["each", "once"] = Field(
        "each",
        description="sums of a dendrite's products: each product is rounded; or once, the sum",
    )
    ternary_maxima: Literal["constant", "every_step"] = Field(
        "constant",
        description="maxima that ternary spikes follow: a constant chosen on calibration data, or "
        "that of every step, a reduction over the layer",
    )
    drive_bits: int = Field(18, ge=8, le=18, description="what a soma receives (Loihi's LIF: 18)")
    sum_bits: int = Field(24, ge=12, le=32, description="accumulators of synapses and dendrites")
    message_bits: int = Field(24, ge=8, le=24, description="graded messages, the widest")
    gain_bits: int = Field(16, ge=4, le=24, description="gains that follow synapses")
    gate_bits: int = Field(16, ge=4, le=24, description="the two halves of a gated linear unit")
    table_bits: int = Field(16, ge=4, le=24, description="values in the sigmoid's table")
    table_index_bits: int = Field(
        12, ge=4, le=14, description="2**this entries in the sigmoid's table"
    )
    table_span: float = Field(
        8.0, gt=0, le=64, description="the table covers arguments of ±this; a power of two"
    )
    headroom: float = Field(
        1.1, ge=1.0, le=64, description="formats hold this many times the calibrated maximum"
    )
    chip_outputs: int = Field(
        1024, ge=1, le=1 << 20, description="outputs a step, above which the host reads out"
    )
    calibration_method: Literal["max", "percentile", "mse"] = Field(
        "max", description="what of a calibrated signal its format must hold"
    )
    calibration_percentile: float = Field(
        99.99, gt=50, le=100, description="percent of magnitudes that formats hold, by percentile"
    )
    input_range: float = Field(
        1.0, gt=0, le=1e6, description="largest |input| assumed when there is no calibration data"
    )
    seed: int = Field(0, ge=0, lt=1 << 32, description="of random draws, where neurons make any")
    nodes: dict[str, dict[str, int | float | str]] = Field(
        default_factory=dict, description="settings of single nodes, by name or prefix"
    )

    def at(self, name: str) -> QuantizationConfig:
        """Give the settings that hold at a node.

        An entry of ``nodes`` applies to the node it names and to all below it (``layers.0`` to
        ``layers.0.ssm``); of several, the longest name decides.
        """
        chosen: dict[str, int | float | str] = {}
        for prefix in sorted(self.nodes, key=len):
            if name == prefix or name.startswith(f"{prefix}."):
                chosen.update(self.nodes[prefix])
        return self.model_copy(update=chosen) if chosen else self

    @property
    def counts_magnitudes(self) -> bool:
        """Whether calibration must know more of some signal than its maximum."""
        methods = [settings.get("calibration_method", "max") for settings in self.nodes.values()]
        return any(method != "max" for method in (self.calibration_method, *methods))

    @model_validator(mode="after")
    def _check_nodes(self) -> QuantizationConfig:
        for name, settings in self.nodes.items():
            whole = (
                "nodes",
                "headroom",
                "input_range",
                "chip_outputs",
                "seed",
                "ternary_maxima",
            )
            for setting in whole:
                if setting in settings:
                    raise ValueError(f"{setting} holds for the whole network, not for '{name}'")
            parse_settings(settings)
        return self

    @model_validator(mode="after")
    def _messages_hold_every_stream(self) -> QuantizationConfig:
        for name in ("input_bits", "residual_bits", "norm_bits"):
            if getattr(self, name) > self.message_bits:
                raise ValueError(
                    f"message_bits={self.message_bits} is narrower than {name}="
                    f"{getattr(self, name)}, which messages carry; set both"
                )
        return self


_RENAMED = {
    "lean_modes": "dendrite_rounding: auto (odd from 16 modes a channel on, as lean_modes=16 was), "
    "odd (as lean_modes=1 was) or nearest (as lean_modes=1000000 was)",
}
"""What became of settings that are no more."""


def parse_settings(settings: Mapping[str, Any]) -> QuantizationConfig:
    """Check settings by name and range.

    Raises
    ------
    ConfigError
        Naming each unknown setting, or each value out of range with its limits.
    """
    try:
        return QuantizationConfig(**settings)
    except ValidationError as error:
        raise ConfigError("; ".join(_explain(e) for e in error.errors())) from None


def read_formats(path: str | os.PathLike[str]) -> dict[str, Any]:
    """Read settings from a TOML file: at its top for all nodes, in ``[nodes."NAME"]`` for some.

    Raises
    ------
    ConfigError
        If it is not readable TOML.
    """
    try:
        return read_toml(path)
    except OSError as error:
        raise ConfigError(f"cannot read the formats {path}: {error.strerror}") from error
    except ValueError as error:
        raise ConfigError(f"formats {path}: not a readable TOML file ({error})") from error


def _explain(error: Any) -> str:
    name = ".".join(str(part) for part in error["loc"])
    if error["type"] == "extra_forbidden":
        if name in _RENAMED:
            return f"setting {name} is now {_RENAMED[name]}"
        return unknown_name("setting", name, QuantizationConfig.model_fields)
    if not name:  # a rule between settings
        return str(error["ctx"]["error"])
    return f"setting {name}={error['input']}: {error['msg'].lower()}"

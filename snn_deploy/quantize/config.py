"""The widths and margins that quantisation may use: what a user can set."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from snn_deploy.errors import ConfigError

__all__ = ["QuantizationConfig", "parse_settings"]


class QuantizationConfig(BaseModel):
    """Widths in bits, signed unless said otherwise; the defaults lose next to no accuracy.

    ``--set NAME=VALUE`` sets a field from the command line. A profile may forbid a width.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    input_bits: int = Field(16, ge=4, le=24, description="mantissas of the network's input")
    residual_bits: int = Field(16, ge=4, le=24, description="the residual stream between layers")
    norm_bits: int = Field(16, ge=4, le=24, description="a normalised stream, before the dendrites")
    weight_bits: int = Field(8, ge=2, le=8, description="synapses, with one scale a row")
    decay_bits: int = Field(16, ge=4, le=24, description="decay coefficients of the dendrites")
    readout_bits: int = Field(
        16, ge=4, le=24, description="readout and skip coefficients of a dendrite"
    )
    state_bits: int = Field(24, ge=8, le=24, description="compartments of the dendrites")
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
    input_range: float = Field(
        1.0, gt=0, le=1e6, description="largest |input| assumed when there is no calibration data"
    )


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


def _explain(error: Any) -> str:
    name = ".".join(str(part) for part in error["loc"])
    if error["type"] == "extra_forbidden":
        known = ", ".join(QuantizationConfig.model_fields)
        return f"unknown setting '{name}'; there are: {known}"
    return f"setting {name}={error['input']}: {error['msg'].lower()}"

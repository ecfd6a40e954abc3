"""Is data like that which a network was calibrated with? What clips is counted; what only lies
elsewhere in the range, as wrongly scaled data does, would go unseen.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import Any

import numpy as np

from snn_deploy.data.inputs import Data
from snn_deploy.errors import SnnDeployWarning

__all__ = ["calibration_facts", "warn_if_unfamiliar"]

_BELOW = 0.1  # of the calibration's span: how far below its least value data may reach
_FEW = 4  # sequences below which a mean says little
_LONGER = 1.5


def calibration_facts(data: Data) -> dict[str, float]:
    """Give what is kept of calibration data: least and largest value, and mean; of numbers only.

    Warns where all values are equal, from which no format can be chosen.
    """
    if data.inputs.dtype.kind != "f":
        return {}
    least, most = float(data.inputs.min()), float(data.inputs.max())
    if least == most:
        warnings.warn(
            f"all calibration inputs are {least:g}: the formats chosen from them say nothing about "
            "other data; give training sequences",
            SnnDeployWarning,
            stacklevel=4,
        )
    mean = float(data.inputs.mean(dtype=np.float64))
    return {"minimum": least, "maximum": most, "mean": mean}


def warn_if_unfamiliar(calibration: Mapping[str, Any], data: Data) -> None:
    """Warn where data lies elsewhere in the calibrated range, or its sequences are much longer.

    Parameters
    ----------
    calibration
        A deployment's ``origin.calibration``; older ones hold no facts, and nothing is compared.
    data
        That is to be run.
    """
    steps = calibration.get("steps")
    if isinstance(steps, int) and data.inputs.shape[1] > _LONGER * steps:
        _warn(
            f"calibration saw sequences of {steps} steps, and these are of {data.inputs.shape[1]}: "
            "what adds up over a sequence may go beyond its format, which is counted as "
            "saturation; convert again with sequences of this length"
        )
    facts = [calibration.get(name) for name in ("minimum", "maximum", "mean")]
    if data.inputs.dtype.kind != "f" or not data.inputs.size:
        return
    if not all(isinstance(fact, float) for fact in facts):
        return
    least, most, mean = np.array(facts, np.float64)
    span = most - least
    below = float(data.inputs.min()) < least - _BELOW * span
    apart = abs(float(data.inputs.mean(dtype=np.float64)) - mean)
    if below or (len(data) >= _FEW and apart > span / 4):
        _warn(
            f"these inputs are distributed otherwise than those of calibration, which lay in "
            f"{least:.4g} … {most:.4g} with a mean of {mean:.4g}: scale them as in training, or "
            "convert again with calibration data like them"
        )


def _warn(told: str) -> None:
    warnings.warn(told, SnnDeployWarning, stacklevel=5)

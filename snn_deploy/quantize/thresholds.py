"""Thresholds close to 0: raised before they make the format of a whole layer's drives coarse."""

from __future__ import annotations

import warnings
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from snn_deploy.errors import SnnDeployWarning
from snn_deploy.ir.network import Network
from snn_deploy.quantize.ranges import Ranges

__all__ = ["has_tiny_threshold", "raise_thresholds"]

OUTLIER = 100.0  # times the median drive, from which a threshold is nearly 0
NAMED = 5  # neurons in one warning


def has_tiny_threshold(reach: npt.NDArray[np.float64]) -> npt.NDArray[np.bool_]:
    """Tell of each neuron whether its threshold is nearly 0, by how many its drive reaches (H,)."""
    return np.asarray(reach > OUTLIER * np.median(np.maximum(reach, 1.0)))


def raise_thresholds(network: Network, ranges: Ranges) -> tuple[Network, Ranges]:
    """Give network and ranges in which no neuron's drive reaches far beyond all others' of a node.

    In trained networks the largest drive is a few times the median; it is thousands of times that
    where a threshold has come close to 0. All drives of a node have one format: steps as coarse as
    one neuron needs would be everyone's. So its drive is divided, and its threshold thereby raised,
    until it reaches what the others do. What cannot be divided is warned of all the same.
    """
    if ranges.source != "calibration":  # a bound is far from what a drive does
        return network, ranges
    replacements: dict[str, tuple[Any, ...]] = {}
    for soma in network:
        for drive in network.sources(soma) if getattr(soma, "driven", False) else ():
            each = np.maximum(ranges[drive.name], 1.0)
            loud = has_tiny_threshold(each)
            if not loud.any():
                continue
            enough = float(each[~loud].max())
            divisor = np.where(loud, each / enough, 1.0)
            divided = _divided(network, soma, drive, divisor)
            told = f"node '{drive.name}': the drive of {_named(np.flatnonzero(loud))} reaches "
            told += f"{each.max():,.0f} thresholds, where {np.median(each):,.1f} is usual: "
            told += "its threshold is nearly 0, and "
            if divided is None:
                told += f"all {len(each)} neurons get steps as coarse as it needs"
            else:
                told += f"is raised until it reaches {enough:,.1f}"
                replacements[drive.name] = (divided,)
                ranges = _divided_ranges(ranges, drive.name, divisor)
            warnings.warn(told, SnnDeployWarning, stacklevel=2)
    return network.rewrite(replacements) if replacements else network, ranges


def _divided(network: Network, soma: Any, drive: Any, divisor: npt.NDArray[np.float64]) -> Any:
    """Give a drive divided, where that scales thresholds of its only reader; else None."""
    alone = len(network.consumers(drive.name)) == 1
    return drive.divided(divisor) if alone and soma.foldable else None


def _divided_ranges(ranges: Ranges, name: str, divisor: npt.NDArray[np.float64]) -> Ranges:
    return replace(
        ranges,
        largest={**ranges.largest, name: ranges.largest[name] / divisor},
        mean={**ranges.mean, name: ranges.mean[name] / divisor},
        histograms={n: h for n, h in ranges.histograms.items() if n != name},
    )


def _named(neurons: npt.NDArray[np.int64]) -> str:
    more = f" and {len(neurons) - NAMED} more" if len(neurons) > NAMED else ""
    plural = "s" if len(neurons) > 1 else ""
    return f"neuron{plural} {', '.join(map(str, neurons[:NAMED]))}{more}"

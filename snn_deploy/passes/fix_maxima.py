"""Fix maxima: constants where ternary spikes follow the largest value of every step."""

from __future__ import annotations

import warnings
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal

from snn_deploy.errors import SnnDeployWarning
from snn_deploy.ir.network import Network
from snn_deploy.passes.base import Pass
from snn_deploy.passes.quantize import Calibration

__all__ = ["FixMaxima"]


@dataclass(frozen=True)
class FixMaxima(Pass):
    """Ternary nodes with a maximum of their own, chosen on calibration data; without data, or where
    ``maxima`` are those of every step, none.

    What a constant costs is told: the share of the node's messages that it changes.
    """

    name = "fix-maxima"
    takes = "float"
    gives = "float"

    calibration: Calibration | None = None
    maxima: Literal["constant", "every_step"] = "constant"

    def __call__(self, network: Network) -> Network:
        from snn_deploy.tune.ternary_maxima import fix_maxima

        data = self.calibration
        nodes: Iterable[Any] = network
        follows = any(node.follows_maximum for node in nodes)
        if data is None or not follows or self.maxima == "every_step":
            return network.rewrite({})
        fixed = fix_maxima(network, data.inputs, data.lengths)
        told = ", ".join(f"{name} {share:.1%}" for name, share in fixed.changed.items())
        warnings.warn(
            "a constant stands for the largest value of every step; on the calibration data it "
            f"changes these shares of ternary messages: {told}",
            SnnDeployWarning,
            stacklevel=2,
        )
        return fixed.network

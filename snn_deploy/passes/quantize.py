"""Quantise: choose every number format, and round every parameter to it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from snn_deploy.engines.result import Ports, no_progress
from snn_deploy.errors import UnsupportedNetworkError
from snn_deploy.ir.network import Network
from snn_deploy.ir.stability import unstable_nodes
from snn_deploy.nodes.lif_registers import LOIHI, LifRegisters
from snn_deploy.passes.base import Pass
from snn_deploy.quantize.config import QuantizationConfig
from snn_deploy.quantize.layers import check_quantizable, quantize_network
from snn_deploy.quantize.ranges import Ranges, bound_ranges, measure_ranges
from snn_deploy.quantize.thresholds import raise_thresholds

__all__ = ["Calibration", "Quantize"]


@dataclass(frozen=True)
class Calibration:
    """Representative inputs (B, L, d_input) or tokens (B, L), and their valid lengths (B,).

    Of a network with several inputs, ``inputs`` is a mapping from their names to arrays.
    ``progress`` is called with the share of them that has been run since the last call.
    """

    inputs: Ports
    lengths: npt.NDArray[np.int64] | None = None
    progress: Callable[[float], None] = no_progress

    @property
    def steps(self) -> int:
        """How long the sequences are, padding included."""
        several = isinstance(self.inputs, Mapping)
        return int((next(iter(self.inputs.values())) if several else self.inputs).shape[1])


@dataclass(frozen=True)
class Quantize(Pass):
    """Float to integer; ranges come from ``calibration``, or from analytic bounds without it.

    ``measured`` are ranges found earlier, to try several settings without measuring again; ``lif``
    are the registers of the chip's own LIF neuron.
    """

    name = "quantize"
    takes = "float"
    gives = "integer"

    config: QuantizationConfig = field(default_factory=QuantizationConfig)
    calibration: Calibration | None = None
    measured: Ranges | None = None
    lif: LifRegisters = LOIHI

    def __call__(self, network: Network) -> Network:
        check_quantizable(network)
        network, ranges = raise_thresholds(network, self.ranges(network))
        return quantize_network(network, ranges, self.config, self.lif)

    def ranges(self, network: Network) -> Ranges:
        """Give the signal ranges that the formats are chosen from.

        Raises
        ------
        UnsupportedNetworkError
            If some state grows: no range holds it.
        """
        _refuse_unstable(network)
        if self.measured is not None:
            return self.measured
        if self.calibration is None:
            return bound_ranges(network, self.config.input_range)
        data = self.calibration
        counted = self.config.counts_magnitudes
        return measure_ranges(network, data.inputs, data.lengths, data.progress, counted)


def _refuse_unstable(network: Network) -> None:
    for found in unstable_nodes(network):
        raise UnsupportedNetworkError(
            f"node '{found.node}' is unstable: |a| >= 1 in channel {found.channel}, mode "
            f"{found.mode} ({found.count} such modes, the largest {found.largest:.9g}); it must "
            "stay below 1, or the state grows without bound on a chip that runs forever. The float "
            "backends run it over sequences that end (simulate --backend float)"
        )

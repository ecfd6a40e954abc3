"""SharedSynapses: kernels that slide over a frame; and the convolution that becomes them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from snn_deploy.ir.cost import Memory, NodeCost, Runs
from snn_deploy.ir.network import Network
from snn_deploy.ir.program import Tracer, Value, convolution
from snn_deploy.ir.program_bounds import Interval, convolution_interval
from snn_deploy.ir.windows import Windows
from snn_deploy.nodes.base import Int8, IntArray
from snn_deploy.nodes.rules import require
from snn_deploy.nodes.weighted import RescaledSums, Sums, Weighted

__all__ = ["QuantizedConvolution", "SharedSynapses"]


@dataclass(frozen=True, kw_only=True, eq=False)
class _Shared(Weighted):
    """What has filters, kernel (filters, maps of a group, …), for every place of ``windows``."""

    windows: Windows
    kernel: Int8

    @property
    def width(self) -> int:
        return len(self.kernel) * self.windows.places

    @property
    def input_width(self) -> int:
        return self.windows.inputs

    @property
    def stored_weights(self) -> Int8:
        return self.kernel

    def check(self, network: Network) -> None:
        shape, groups = self.windows.filter_shape, self.windows.groups
        told = f"kernel has shape {self.kernel.shape}, whose filters are not {shape}"
        require(self.kernel.shape[1:] == shape, self, told)
        told = f"{len(self.kernel)} filters cannot be dealt out to {groups} groups"
        require(len(self.kernel) % groups == 0, self, told)
        super().check(network)

    def weigh(self, t: Tracer) -> Value:
        kernel = t.parameter("kernel", self.kernel, self.weight_bits)
        return convolution(kernel, t.input(), self.windows)

    def weighed(self, source: Interval) -> Interval:
        return convolution_interval(self.windows, self.kernel, source)


@dataclass(frozen=True, kw_only=True, eq=False)
class SharedSynapses(_Shared, Sums):
    """``y[f, p] = Σ_k kernel[f, k] · x[reads(p, k)]``: synapses whose weights all places share.

    x is a frame and y one, map after map: filter f at place p is channel ``f · places + p``; see
    ``Windows`` for what tap k reads at p. kernel (filters, maps of a group, …) of ``weight_bits``
    signed bits; the output counts synaptic units (exponent 0), and no sum can overflow, as in
    ``Synapses``. A core keeps each filter once of which it holds a place, and a message works only
    on the places that it reaches: at the border of a frame on fewer.
    """

    @property
    def wired_alike(self) -> bool:
        return False

    def fan_out(self, start: int, stop: int) -> IntArray:
        windows = self.windows
        held = np.zeros(self.width, np.int64)
        held[start:stop] = 1
        places = held.reshape(windows.groups, -1, windows.places).sum(axis=1)
        return windows.fan_out(np.ones((windows.groups, windows.taps), np.int64), places)

    def as_matrix(self) -> Int8:
        """Give the matrix (out, in) that its weights are, each where it stands."""
        windows, filters = self.windows, len(self.kernel) // self.windows.groups
        size = windows.group_inputs
        shape = (windows.groups, filters, windows.places, windows.groups, size + 1)
        matrix = np.zeros(shape, np.int8)
        flat = self.kernel.reshape(windows.groups, filters, 1, windows.taps)
        at = np.broadcast_to(windows.reads, (filters, *windows.reads.shape))
        for group in range(windows.groups):
            np.put_along_axis(matrix[group, :, :, group], at, flat[group], axis=-1)
        return matrix[..., :size].reshape(self.width, self.input_width)

    @property
    def nonzero_fan_out(self) -> IntArray:
        windows = self.windows
        filters = self.kernel.reshape(windows.groups, -1, windows.taps)
        return windows.fan_out(np.count_nonzero(filters, axis=1))

    def cost(self, network: Network) -> NodeCost:
        return NodeCost(
            channels=self.width,
            synapses=int(self.fan_out(0, self.width).sum()),
            nonzero_synapses=int(self.nonzero_fan_out.sum()),
            memory=Memory(accumulators=self.accumulator_bits),
            runs=Runs(Memory(weights=self.windows.taps * self.weight_bits), self.windows.places),
        )


@dataclass(frozen=True, kw_only=True, eq=False)
class QuantizedConvolution(_Shared, RescaledSums):
    """``y = sat(ms(sums, mantissa, shift) + bias)``: SharedSynapses and Requantize in one.

    rescale (filters · places,); the sums stay within ``sum_bits`` (the verifier proves it).
    """

    def synapses(self, **fields: Any) -> SharedSynapses:
        return SharedSynapses(**fields, windows=self.windows, kernel=self.kernel)

"""Diagonal state-space models, discretised."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar

import numpy as np
import numpy.typing as npt

from snn_deploy.nodes.float_node import FloatNode, Signal, Step

if TYPE_CHECKING:
    from snn_deploy.engines.float_ops import Context
    from snn_deploy.quantize.builder import Builder

__all__ = ["DiagonalSsm", "DssSsm"]

Real = npt.NDArray[np.float64]
Complex = npt.NDArray[np.complex128]

_DSS_EPSILON = 1e-7
"""Keeps DSS's reciprocal finite; a constant of S4's code, not stored in checkpoints."""


@dataclass(frozen=True, kw_only=True, eq=False)
class DiagonalSsm(FloatNode):
    """A diagonal state-space model per channel, discretised; N complex modes each.

    ``h[t] = a * h[t-1] + b * u[t]``, ``y[t] = 2 Re(Σ_n c_n h_n[t]) + d u[t]``, and with
    ``c_reverse`` also ``+ 2 Re(Σ_n c_reverse_n g_n[t])``, ``g[t] = a * g[t+1] + b * u[t+1]``:
    strictly the future. Shapes: a, b, c, c_reverse (H, N) complex; d (H,). To be deployed, |a| < 1.
    """

    stream: ClassVar[str | None] = None
    convolves: ClassVar[bool] = True
    governed_by: ClassVar[str] = "decay_bits, readout_bits or state_bits"
    narrowable: ClassVar[tuple[str, ...]] = ("decay_bits", "readout_bits", "state_bits")

    a: Complex
    b: Complex
    c: Complex
    d: Real
    c_reverse: Complex | None = None

    @property
    def width(self) -> int:
        return int(self.a.shape[0])

    @property
    def modes(self) -> int:
        """Complex modes a channel."""
        return int(self.a.shape[1])

    @property
    def moduli(self) -> Real:
        """How much of a mode is left after a step, (H, N)."""
        return np.abs(self.a)

    def divided(self, divisor: Signal) -> DiagonalSsm:
        reverse = None if self.c_reverse is None else self.c_reverse / divisor[:, None]
        return replace(self, c=self.c / divisor[:, None], d=self.d / divisor, c_reverse=reverse)

    def evaluate(self, sources: Sequence[Signal], context: Context) -> Signal:
        from snn_deploy.engines.float_dynamics import (
            convolve,
            convolve_growing,
            kernel_spectrum,
            ssm_responses,
        )
        from snn_deploy.ir.stability import grows

        (x,) = sources
        steps = x.shape[1]
        if grows(self, steps):
            with np.errstate(over="ignore", invalid="ignore"):
                responses = ssm_responses(self, steps)
            return convolve_growing(self.name, self.d, x, *responses)
        kept = {} if context.spectra is None else context.spectra
        if self.name not in kept:
            kept[self.name] = kernel_spectrum(self, steps)
        return convolve(self.d, x, kept[self.name])

    def start(self, batch: int, context: Context) -> Step:
        if self.c_reverse is not None:
            return super().start(batch, context)
        h = np.zeros((batch, *self.a.shape), dtype=np.complex128)

        def step(sources: Sequence[Signal]) -> Signal:
            nonlocal h
            h = self.a * h + self.b * sources[0][..., None]
            y: Signal = 2 * (self.c * h).sum(axis=-1).real + self.d * sources[0]
            return y

        return step

    def largest(self, sources: Sequence[Signal], spiking: Sequence[bool]) -> Signal:
        readout = np.abs(self.c) + (0 if self.c_reverse is None else np.abs(self.c_reverse))
        gain = (2 * readout * np.abs(self.b) / (1 - np.abs(self.a))).sum(axis=1) + np.abs(self.d)
        return np.asarray(gain * sources[0])

    def quantize(self, builder: Builder) -> None:
        from snn_deploy.quantize.dendrites import quantize_ssm
        from snn_deploy.quantize.formats import highest_level

        source, config = self.inputs[0].source, builder.config.at(self.name)
        largest = builder.ranges.reach(self.name, config, config.drive_bits, together=True)
        level = float(np.max(highest_level(builder.network, self.name)))
        builder.add(
            quantize_ssm(
                self,
                builder.format_of(source),
                builder.bounds[source],
                max(float(largest[0]), level, 1.0),
                config,
                builder.ranges.steps,
            )
        )


@dataclass(frozen=True, kw_only=True, eq=False)
class DssSsm(FloatNode):
    """A diagonal SSM in DSS's parameterisation: its output weights depend on the sequence length.

    For L steps it is the :class:`DiagonalSsm` with ``c_n(L) = c_n / 2 * conj(x) / (|x|² + 1e-7)``,
    ``x = pole_n (a_n**L - 1)``, and ``c_reverse`` likewise: no factor 2, and the reciprocal is
    regularised. a, b, c, d and c_reverse as there; pole (H, N), the continuous-time eigenvalues.
    (Gupta, Gu and Berant 2022, "Diagonal State Spaces", DSS-softmax, as coded in S4.)
    """

    convolves: ClassVar[bool] = True

    a: Complex
    b: Complex
    c: Complex
    d: Real
    pole: Complex
    c_reverse: Complex | None = None

    @property
    def width(self) -> int:
        return int(self.a.shape[0])

    @property
    def depends_on_length(self) -> bool:
        return True

    def at_length(self, steps: int) -> DiagonalSsm:
        """Give the DiagonalSsm that this is for sequences of ``steps`` steps (padding included)."""
        x = self.pole * (self.a**steps - 1)
        factor = np.conj(x) / (np.abs(x) ** 2 + _DSS_EPSILON) / 2
        return DiagonalSsm(
            name=self.name,
            inputs=self.inputs,
            a=self.a,
            b=self.b,
            c=self.c * factor,
            d=self.d,
            c_reverse=None if self.c_reverse is None else self.c_reverse * factor,
        )

    @property
    def moduli(self) -> Real:
        """How much of a mode is left after a step, (H, N)."""
        return np.abs(self.a)

    def evaluate(self, sources: Sequence[Signal], context: Context) -> Signal:
        return self.at_length(sources[0].shape[1]).evaluate(sources, context)

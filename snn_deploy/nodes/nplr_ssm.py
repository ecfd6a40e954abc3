"""A state-space model with a dense state matrix: S4's normal-plus-low-rank kernel."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, ClassVar

import numpy as np
import numpy.typing as npt

from snn_deploy.ir.stability import grows
from snn_deploy.nodes.float_node import FloatNode, Signal

if TYPE_CHECKING:
    from snn_deploy.engines.float_ops import Context
    from snn_deploy.nodes.ssm import DiagonalSsm

__all__ = ["NplrSsm"]

Complex = npt.NDArray[np.complex128]


@dataclass(frozen=True, kw_only=True, eq=False)
class NplrSsm(FloatNode):
    """``h[t] = a h[t-1] + b u[t]``, ``y[t] = Re(c · h[t]) + d u[t]``: a matrix a for each channel.

    Like :class:`~snn_deploy.nodes.ssm.DiagonalSsm` with ``c_reverse`` for the strict future,
    but a mixes the M states (conjugate pairs, so no factor 2). With ``taps`` only the newest (and
    the nearest future) that many steps count. a (H, M, M); b, c, c_reverse (H, M); d (H,).
    """

    convolves: ClassVar[bool] = True
    dense: ClassVar[bool] = True

    a: Complex
    b: Complex
    c: Complex
    d: Signal
    c_reverse: Complex | None = None
    taps: int | None = None

    @property
    def width(self) -> int:
        return int(self.a.shape[0])

    @cached_property
    def moduli(self) -> Signal:
        """How much of a mode is left after a step, (H, M)."""
        return np.asarray(np.abs(np.linalg.eigvals(self.a)))

    def as_modes(self, steps: int | None) -> DiagonalSsm:
        from snn_deploy.quantize.modes import diagonalise

        return diagonalise(self, steps)

    def evaluate(self, sources: Sequence[Signal], context: Context) -> Signal:
        from snn_deploy.engines.float_dynamics import (
            convolve,
            convolve_growing,
            response_spectrum,
        )

        (u,) = sources
        if grows(self, u.shape[1]):
            return convolve_growing(self.name, self.d, u, *self.responses(u.shape[1]))
        kept = {} if context.spectra is None else context.spectra
        if self.name not in kept:
            kept[self.name] = response_spectrum(*self.responses(u.shape[1]))
        return convolve(self.d, u, kept[self.name])

    def responses(self, steps: int) -> tuple[Signal, Signal | None]:
        """Give the impulse responses to the past, (steps, H), and to the future, (steps - 1, H)."""
        rows = self.c[None] if self.c_reverse is None else np.stack([self.c, self.c_reverse])
        response = np.zeros((len(rows), steps, self.width))
        state = self.b
        for step in range(min(steps, self.taps or steps)):
            response[:, step] = (rows * state).sum(axis=-1).real
            state = np.einsum("hmn,hn->hm", self.a, state)
        return response[0], None if self.c_reverse is None else response[1, :-1]

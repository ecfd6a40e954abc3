"""A resonator that fires and is pushed back: C-SiLIF, and RF by Euler steps."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np
import numpy.typing as npt

from snn_deploy.nodes.float_node import FloatNode, Signal

if TYPE_CHECKING:
    from snn_deploy.engines.float_ops import Context

__all__ = ["ResonateAndFire"]


@dataclass(frozen=True, kw_only=True, eq=False)
class ResonateAndFire(FloatNode):
    """``u[t] = pole u[t-1] + gain x[t] - reset y[t-1]``, ``y[t] = Re u[t] > 1``.

    One complex state, 0 before the sequence. pole and reset (H,) complex, gain (H,) real. |pole|
    may exceed 1 (Euler steps): then only resets and the sequence's end bound the state.
    """

    spikes: ClassVar[bool] = True

    pole: npt.NDArray[np.complex128]
    gain: Signal
    reset: npt.NDArray[np.complex128]

    @property
    def width(self) -> int:
        return int(self.gain.shape[0])

    @property
    def moduli(self) -> Signal:
        """How much of the state is left after a step, (H, 1)."""
        return np.abs(self.pole)[:, None]

    def evaluate(self, sources: Sequence[Signal], context: Context) -> Signal:
        from snn_deploy.engines.float_dynamics import refuse_overflow

        (x,) = sources
        y = np.empty_like(x)
        s = np.zeros_like(x[:, 0])
        u = np.zeros(s.shape, dtype=np.complex128)
        with np.errstate(over="ignore", invalid="ignore"):  # what is too large is refused below
            for t in range(x.shape[1]):
                u = self.pole * u + self.gain * x[:, t] - self.reset * s
                s = (u.real > 1).astype(float)
                y[:, t] = s
        refuse_overflow(self.name, u)
        return y

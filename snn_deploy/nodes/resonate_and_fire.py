"""A resonator that fires and is pushed back: C-SiLIF, and RF by Euler steps."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np
import numpy.typing as npt

from snn_deploy.nodes.float_node import Signal, SpikingNode, Step

if TYPE_CHECKING:
    from snn_deploy.engines.float_ops import Context
    from snn_deploy.quantize.builder import Builder

__all__ = ["ResonateAndFire"]


@dataclass(frozen=True, kw_only=True, eq=False)
class ResonateAndFire(SpikingNode):
    """``u[t] = pole u[t-1] + gain x[t] - reset y[t-1]``, ``y[t] = Re u[t] > 1``.

    One complex state, 0 before the sequence. pole and reset (H,) complex, gain (H,) real. |pole|
    may exceed 1 (Euler steps): then only resets and the sequence's end bound the state.
    """

    governed_by: ClassVar[str] = "decay_bits or state_bits"
    narrowable: ClassVar[tuple[str, ...]] = ("decay_bits", "state_bits")

    pole: npt.NDArray[np.complex128]
    gain: Signal
    reset: npt.NDArray[np.complex128]

    @property
    def width(self) -> int:
        return int(self.gain.shape[0])

    def start(self, batch: int, context: Context) -> Step:
        from snn_deploy.engines.float_dynamics import refuse_overflow

        s = np.zeros((batch, self.width))
        u = np.zeros((batch, self.width), dtype=np.complex128)

        def step(sources: Sequence[Signal]) -> Signal:
            nonlocal u, s
            with np.errstate(over="ignore", invalid="ignore"):  # what is too large is refused
                u = self.pole * u + self.gain * sources[0] - self.reset * s
            refuse_overflow(self.name, u)
            context.note_states(self.name, u.real, u.imag)
            s = np.asarray(u.real > 1, dtype=np.float64)
            return s

        return step

    def quantize(self, builder: Builder) -> None:
        from snn_deploy import fixedpoint as fp
        from snn_deploy.nodes.resonator_soma import ResonatorSoma
        from snn_deploy.nodes.rules import MAX_SHIFT
        from snn_deploy.quantize.states import pole_words, state_units

        config = builder.config.at(self.name)
        bits = config.decay_bits
        turn = np.array([[self.pole.real, -self.pole.imag], [self.pole.imag, self.pole.real]])
        driven = np.array([[self.gain, -self.reset.real], [0 * self.gain, -self.reset.imag]])
        units = state_units(self, builder, turn, driven)
        pole, pole_shift = pole_words(self.pole, bits)
        scaled = self.gain * 2.0 ** (units.state - units.drive)
        gain, gain_shift = fp.multiplier_of(scaled, bits, MAX_SHIFT)
        builder.add(
            ResonatorSoma(
                name=self.name,
                inputs=self.inputs,
                pole=pole,
                pole_shift=pole_shift,
                gain=gain,
                gain_shift=gain_shift,
                reset_real=units.level(self.reset.real),
                reset_imag=units.level(self.reset.imag),
                threshold=units.level(1.0),
                coefficient_bits=bits,
                state_bits=config.state_bits,
            )
        )

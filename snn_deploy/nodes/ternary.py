"""Ternary spikes whose threshold follows the largest value of the step, or a constant."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from snn_deploy import fixedpoint as fp
from snn_deploy.errors import UnsupportedNetworkError
from snn_deploy.ir.node import Channels
from snn_deploy.nodes.float_node import Signal, SpikingNode
from snn_deploy.nodes.rules import MAX_SHIFT

if TYPE_CHECKING:
    from snn_deploy.engines.float_ops import Context
    from snn_deploy.quantize.builder import Builder

__all__ = ["Ternary", "ternarise"]


def ternarise(x: Signal, level: Signal | float) -> Signal:
    """Give +1 where ``x >= level``, -1 where ``x <= -level``, 0 elsewhere and where both hold."""
    return (x >= level).astype(float) - (x <= -level)


@dataclass(frozen=True, kw_only=True, eq=False)
class Ternary(Channels, SpikingNode):
    """``y[t] = [x[t] >= θ[t]] - [x[t] <= -θ[t]]``, ``θ[t] = fraction · max_i |x_i[t]|``.

    The maximum is over the channels of one step. With ``maximum`` that constant stands for it.
    """

    signed: ClassVar[bool] = True
    pointwise: ClassVar[bool] = True
    driven: ClassVar[bool] = True

    fraction: float
    maximum: float | None = None

    @property
    def follows_maximum(self) -> bool:
        return self.maximum is None

    def evaluate(self, sources: Sequence[Signal], context: Context) -> Signal:
        return self.fire(sources[0])

    def fire(self, x: Signal) -> Signal:
        """Give the messages for x (…, width)."""
        if self.maximum is not None:
            return ternarise(x, self.fraction * self.maximum)
        return ternarise(x, self.fraction * np.abs(x).max(axis=-1, keepdims=True))

    @property
    def levels(self) -> Signal | None:
        if self.maximum is None:
            return None
        level = np.full(self.width, self.fraction * self.maximum)
        return np.asarray([level, -level])

    def quantize(self, builder: Builder) -> None:
        if self.maximum is None:
            self._follow_maximum(builder)
        else:
            self._compare(builder, self.fraction * self.maximum)

    def _compare(self, builder: Builder, level: float) -> None:
        from snn_deploy.nodes.sign_soma import SignSoma
        from snn_deploy.quantize.levels import level_of

        source = builder.format_of(self.inputs[0].source)
        levels = level_of(level * 2.0 ** source.exponents(self.width), source.bits)
        node = SignSoma(name=self.name, inputs=self.inputs, level=levels, level_bits=source.bits)
        builder.add(node)

    def _follow_maximum(self, builder: Builder) -> None:
        from snn_deploy.nodes.layer_sign import LayerSign

        if builder.config.ternary_maxima == "constant":
            raise UnsupportedNetworkError(
                f"node '{self.name}': its threshold follows the largest value of every step; give "
                "calibration data (--calibration DATA.npz), on which a constant is chosen to stand "
                "for it, or set ternary_maxima=every_step, which costs a reduction over the layer"
            )
        bits = builder.config.at(self.name).gain_bits
        mantissa, shift = fp.multiplier_of(np.array([self.fraction]), bits, MAX_SHIFT)
        builder.add(
            LayerSign(
                name=self.name,
                inputs=self.inputs,
                channels=self.width,
                fraction=int(mantissa[0]),
                fraction_bits=bits,
                shift=int(shift[0]),
            )
        )

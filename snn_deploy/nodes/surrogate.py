"""The surrogate of LIF neurons that SpikingSSM trains with."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

__all__ = ["SurrogateWeights"]

Real = npt.NDArray[np.float64]


@dataclass(frozen=True)
class SurrogateWeights:
    """The surrogate (the authors' SDN): three convolutions over time.

    ``c = relu(conv1(y))`` with 8 taps over y[t-8] … y[t-1], zero-padded; then
    ``net = conv3(relu(conv2(c) + c))`` predicts the decayed membrane. The same for every channel.
    Shapes: conv1 (8, 8) and (8,); conv2 (8, 8) and (8,); conv3 (8,) and scalar.
    """

    conv1_weight: Real
    conv1_bias: Real
    conv2_weight: Real
    conv2_bias: Real
    conv3_weight: Real
    conv3_bias: float

    def fire(self, drive: Real) -> Real:
        """Give the spikes, 0 or 1, for drive (B, L, H): where ``net(drive) + drive >= 1``."""
        taps = self.conv1_weight.shape[1]
        past = np.pad(drive[:, :-1], ((0, 0), (taps, 0), (0, 0)))
        windows = np.lib.stride_tricks.sliding_window_view(past, taps, axis=1)
        hidden = windows.reshape(-1, taps) @ self.conv1_weight.T + self.conv1_bias
        np.maximum(hidden, 0.0, out=hidden)
        hidden += hidden @ self.conv2_weight.T + self.conv2_bias
        np.maximum(hidden, 0.0, out=hidden)
        membrane = (hidden @ self.conv3_weight + self.conv3_bias).reshape(drive.shape)
        return (membrane + drive - 1.0 >= 0.0).astype(np.float64)

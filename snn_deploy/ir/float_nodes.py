"""Nodes of the float network: what a checkpoint describes, in the field's own words.

Signals are (batch, steps, width) arrays of real numbers. ``h`` is a hidden state, ``t`` a step,
``*`` works per channel. Every node's docstring is its equation.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np
import numpy.typing as npt

from snn_deploy.ir.node import Node

__all__ = [
    "Affine",
    "CountInput",
    "DiagonalSsm",
    "DssSsm",
    "Embedding",
    "FloatInput",
    "Glu",
    "LayerNorm",
    "Lif",
    "Linear",
    "Readout",
    "Residual",
    "SurrogateWeights",
    "TokenInput",
]

Real = npt.NDArray[np.float64]
Complex = npt.NDArray[np.complex128]

_DSS_EPSILON = 1e-7
"""Keeps DSS's reciprocal finite; a constant of S4's code, not stored in checkpoints."""


@dataclass(frozen=True, kw_only=True, eq=False)
class FloatInput(Node):
    """``y[t] = inputs[t]``, (width,) real numbers a step."""

    counts: ClassVar[bool] = False

    channels: int

    @property
    def width(self) -> int:
        return self.channels


@dataclass(frozen=True, kw_only=True, eq=False)
class CountInput(FloatInput):
    """``y[t] = inputs[t]``, (width,) counts of events: data may be integers."""

    counts: ClassVar[bool] = True


@dataclass(frozen=True, kw_only=True, eq=False)
class TokenInput(Node):
    """``y[t] = inputs[t]``, one token of 0 … vocabulary - 1 a step."""

    vocabulary: int

    @property
    def width(self) -> int:
        return 1


@dataclass(frozen=True, kw_only=True, eq=False)
class Linear(Node):
    """``y[t] = weight · x[t] + bias``; weight (out, in), bias (out,)."""

    weight: Real
    bias: Real

    @property
    def width(self) -> int:
        return int(self.weight.shape[0])


@dataclass(frozen=True, kw_only=True, eq=False)
class Embedding(Node):
    """``y[t] = table[token[t]]``; table (vocabulary, width)."""

    table: Real

    @property
    def width(self) -> int:
        return int(self.table.shape[1])


@dataclass(frozen=True, kw_only=True, eq=False)
class Affine(Node):
    """``y[t] = scale * x[t] + shift``: a folded batch-norm; scale and shift (width,)."""

    scale: Real
    shift: Real

    @property
    def width(self) -> int:
        return int(self.scale.shape[0])


@dataclass(frozen=True, kw_only=True, eq=False)
class LayerNorm(Node):
    """``y = (x - mean(x)) / sqrt(var(x) + epsilon) * weight + bias`` over channels, biased var."""

    weight: Real
    bias: Real
    epsilon: float

    @property
    def width(self) -> int:
        return int(self.weight.shape[0])


@dataclass(frozen=True, kw_only=True, eq=False)
class DiagonalSsm(Node):
    """A diagonal state-space model per channel, discretised; N complex modes each.

    ``h[t] = a * h[t-1] + b * u[t]``, ``y[t] = 2 Re(Σ_n c_n h_n[t]) + d u[t]``, and with
    ``c_reverse`` also ``+ 2 Re(Σ_n c_reverse_n g_n[t])``, ``g[t] = a * g[t+1] + b * u[t+1]``:
    strictly the future. Shapes: a, b, c, c_reverse (H, N) complex; d (H,). To be deployed, |a| < 1.
    """

    a: Complex
    b: Complex
    c: Complex
    d: Real
    c_reverse: Complex | None = None

    @property
    def width(self) -> int:
        return int(self.a.shape[0])

    @property
    def moduli(self) -> Real:
        """How much of a mode is left after a step, (H, N)."""
        return np.abs(self.a)

    @property
    def modes(self) -> int:
        """Complex modes a channel."""
        return int(self.a.shape[1])


@dataclass(frozen=True, kw_only=True, eq=False)
class DssSsm(Node):
    """A diagonal SSM in DSS's parameterisation: its output weights depend on the sequence length.

    For L steps it is the :class:`DiagonalSsm` with ``c_n(L) = c_n / 2 * conj(x) / (|x|² + 1e-7)``,
    ``x = pole_n (a_n**L - 1)``, and ``c_reverse`` likewise: no factor 2, and the reciprocal is
    regularised. a, b, c, d and c_reverse as there; pole (H, N), the continuous-time eigenvalues.
    (Gupta, Gu and Berant 2022, "Diagonal State Spaces", DSS-softmax, as coded in S4.)
    """

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
    def moduli(self) -> Real:
        """How much of a mode is left after a step, (H, N)."""
        return np.abs(self.a)

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


@dataclass(frozen=True)
class SurrogateWeights:
    """The surrogate of LIF that SpikingSSM trains with (its SDN): three convolutions over time.

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


@dataclass(frozen=True, kw_only=True, eq=False)
class Lif(Node):
    """``v = decay * v + x[t] / threshold``; ``y[t] = v >= 1``; ``v = 0`` on a spike.

    threshold (H,) is a current: the drive that fires a neuron at rest in one step.

    With ``surrogate`` weights the float-surrogate backend spikes where
    ``net(x / threshold)[t] + x[t] / threshold >= 1`` instead.
    """

    spikes: ClassVar[bool] = True

    threshold: Real
    decay: float = 0.125
    surrogate: SurrogateWeights | None = None

    @property
    def width(self) -> int:
        return int(self.threshold.shape[0])


@dataclass(frozen=True, kw_only=True, eq=False)
class Glu(Node):
    """``y = x[:H] * sigmoid(x[H:])``: a gated linear unit, value half first; input (2 H,)."""

    channels: int

    @property
    def width(self) -> int:
        return self.channels


@dataclass(frozen=True, kw_only=True, eq=False)
class Residual(Node):
    """``y = x_0 + x_1``: the residual stream and a layer's output."""

    channels: int

    @property
    def width(self) -> int:
        return self.channels


ReadoutMode = Literal["mean", "sum", "last", "first", "every"]


@dataclass(frozen=True, kw_only=True, eq=False)
class Readout(Node):
    """``y = weight · r + bias`` where r is, by ``mode``, the mean, the sum, the last or the first
    step of x over the valid steps of a sequence: one vector. ``every``: y[t] for every step.

    weight (classes, H), bias (classes,). With ``use_lengths`` only the first ``lengths`` steps of
    each sequence are valid, else all.
    """

    mode: ReadoutMode
    weight: Real
    bias: Real
    use_lengths: bool = False

    @property
    def width(self) -> int:
        return int(self.weight.shape[0])

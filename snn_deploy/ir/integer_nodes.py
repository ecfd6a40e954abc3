"""Nodes of the integer stages: the quantised network, and the processes it is lowered to.

Signals are (batch, steps, width) integers. ``rs(x, k)`` is a right shift that rounds half up,
``ms(x, m, k) = rs(x * m, k)`` a multiply-and-shift, ``sat`` clips to the output's format; all are
defined in ``fixedpoint.py``. The docstring of a node is its equation, so that an engine can be
written from this file alone.

=================  =======  =======  ===========================================================
node               integer  lowered  message
=================  =======  =======  ===========================================================
Input              yes      yes      graded: mantissas of the quantised input
QuantizedLinear    yes               graded; becomes Synapses and Requantize
QuantizedSsm       yes               graded; becomes Dendrite
QuantizedGlu       yes               graded; becomes Gate
Requantize              yes      yes      graded: sums, gains and offsets, residual paths
LifSoma            yes      yes      binary spike
Accumulator        yes      yes      graded, once a sequence
Normalize          yes      yes      graded
RunningSum         yes      yes      graded
Synapses                    yes      graded: what arrives in the next neuron's accumulators
Dendrite                    yes      graded: the soma's drive
Gate                        yes      graded
EmbeddingTable             yes      yes      graded; the host's, see ``host_nodes.py``
Positions          yes      yes      graded; the host's
Window             yes      yes      graded; the host's
=================  =======  =======  ===========================================================
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np
import numpy.typing as npt

from snn_deploy.ir.formats import SPIKE, Format
from snn_deploy.ir.node import Node

__all__ = [
    "Accumulator",
    "Dendrite",
    "Gate",
    "Input",
    "IntegerNode",
    "LifSoma",
    "ModeBank",
    "Normalize",
    "QuantizedGlu",
    "QuantizedLinear",
    "QuantizedSsm",
    "Requantize",
    "Rescale",
    "RunningSum",
    "SigmoidGate",
    "Synapses",
]

Int8 = npt.NDArray[np.int8]
Int32 = npt.NDArray[np.int32]


@dataclass(frozen=True, kw_only=True, eq=False)
class IntegerNode(Node):
    """A node whose output is integers in ``output`` format.

    ``crossing`` is how many steps it takes from the sources to the node's answer; in ``holding`` of
    them the value does not travel, but stays in the neuron.
    """

    crossing: ClassVar[int] = 0
    holding: ClassVar[int] = 0

    output: Format


@dataclass(frozen=True)
class Rescale:
    """Per channel ``sat(ms(x, mantissa, shift) + bias)``: a gain and an offset.

    mantissa (width,) signed ``bits`` wide, shift (width,) 0 … 47, bias (width,) in the output's
    mantissas. ``bits`` is what the chip's multiplier must hold.
    """

    mantissa: Int32
    shift: Int8
    bias: Int32
    bits: int


@dataclass(frozen=True, kw_only=True, eq=False)
class Input(IntegerNode):
    """``y[t] = sat(floor(inputs[t] * 2**exponent + 1/2))``, computed by the host as it encodes.

    Of tokens, which an EmbeddingTable reads, the format is unsigned and the exponent 0: they are
    themselves.
    """

    channels: int

    @property
    def width(self) -> int:
        return self.channels


@dataclass(frozen=True, kw_only=True, eq=False)
class Synapses(IntegerNode):
    """``y = weight · x``: dense synapses, weight (out, in) of ``weight_bits`` signed bits.

    The output counts synaptic units (exponent 0): the receiver's gain holds each row's scale. No
    sum can overflow: the verifier proves ``Σ|weight| * max|x|`` fits the output's width. Spikes
    and graded messages take one step to cross synapses.
    """

    crossing = 1

    weight: Int8
    weight_bits: int

    @property
    def width(self) -> int:
        return int(self.weight.shape[0])


@dataclass(frozen=True, kw_only=True, eq=False)
class Requantize(IntegerNode):
    """``y = sat(ms(Σ_i (x_i << align_i), mantissa, shift) + bias)``, without ``rescale``
    ``y = sat(Σ_i (x_i << align_i))``; negative ``align`` is a right shift, rounding half up.

    ``align`` (inputs, width), -47 … 24, or None for no shifts, brings inputs of different exponents
    to one. All inputs have one width.
    """

    channels: int
    rescale: Rescale | None = None
    align: Int8 | None = None

    @property
    def width(self) -> int:
        return self.channels


@dataclass(frozen=True, kw_only=True, eq=False)
class QuantizedLinear(IntegerNode):
    """``y = sat(ms(weight · x, mantissa, shift) + bias)``: Synapses and Requantize in one.

    The sum ``weight · x`` stays within ``sum_bits`` (the verifier proves it).
    """

    weight: Int8
    weight_bits: int
    sum_bits: int
    rescale: Rescale

    @property
    def width(self) -> int:
        return int(self.weight.shape[0])


@dataclass(frozen=True)
class ModeBank:
    """The integers of H channels with N complex modes each.

    A mode is two coupled leaky compartments u, v with the decay r + i s, |r + i s| < 1::

        u' = sat(ms(u, r, k) + ms(v, -s, k) + in),   v' = sat(ms(u, s, k) + ms(v, r, k))
        in = x << input_shift, or rs(x, -input_shift) where that is negative

    saturating at ``state_bits``; k is ``decay_shift``. Its contribution to the channel's drive is
    ``ms(u', readout_real, readout_shift) + ms(v', -readout_imag, readout_shift)``.

    decay_real, decay_imag, readout_real, readout_imag (H, N) of ``coefficient_bits`` signed bits;
    input_shift (H, N) -24 … 24; readout_shift (H, N) 0 … 47.
    """

    decay_real: Int32
    decay_imag: Int32
    decay_shift: int
    input_shift: Int8
    readout_real: Int32
    readout_imag: Int32
    readout_shift: Int8
    coefficient_bits: int
    state_bits: int

    @property
    def modes(self) -> int:
        """Complex modes a channel, N."""
        return int(self.decay_real.shape[1])

    @property
    def decay(self) -> npt.NDArray[np.complex128]:
        """What the decays' mantissas stand for, r + i s (H, N)."""
        mantissa: npt.NDArray[np.complex128] = self.decay_real + 1j * self.decay_imag
        return mantissa * 2.0**-self.decay_shift


@dataclass(frozen=True, kw_only=True, eq=False)
class QuantizedSsm(IntegerNode):
    """A quantised diagonal SSM: ``y = sat(rs(forward + skip [+ reverse], drive_shift))``.

    ``forward`` is the sum over its modes of their contributions, within ``sum_bits``; ``skip`` is
    ``ms(x, skip_mantissa, skip_shift)``, (H,) each; ``reverse`` sums a second bank that runs from
    the last step to the first and gives at step t what it had gathered from the steps after t.
    """

    forward: ModeBank
    reverse: ModeBank | None
    skip_mantissa: Int32
    skip_shift: Int8
    drive_shift: int
    sum_bits: int

    @property
    def width(self) -> int:
        return int(self.skip_mantissa.shape[0])


@dataclass(frozen=True, kw_only=True, eq=False)
class Dendrite(IntegerNode):
    """Compartments that feed one soma a channel: ``y = sat(rs(Σ_modes contribution + skip, k))``.

    k is ``drive_shift``; ``skip = ms(x, skip_mantissa, skip_shift)``; no partial sum can leave
    ``sum_bits`` (the verifier proves it). With ``reversed_time`` the sequence is buffered and run
    from its last step to its first, and step t sees only what comes after it: the compartments
    answer before they take in x[t].
    """

    bank: ModeBank
    skip_mantissa: Int32
    skip_shift: Int8
    drive_shift: int
    sum_bits: int
    reversed_time: bool = False

    @property
    def width(self) -> int:
        return int(self.skip_mantissa.shape[0])


@dataclass(frozen=True, kw_only=True, eq=False)
class LifSoma(IntegerNode):
    """Loihi's LIF: ``v = trunc(v * (4096 - decay) / 4096) + (x << 6)``, clipped to ±(2**23 - 1);
    ``y = v > threshold << 6``; ``v = 0`` on a spike.

    decay 3584 is the 1/8 of SpikingSSM; threshold 0 … 2**17 - 1 is the drive that stands for 1;
    x is 18 bits wide at the most.
    """

    channels: int
    threshold: int
    decay: int
    output: Format = SPIKE

    @property
    def width(self) -> int:
        return self.channels


@dataclass(frozen=True, kw_only=True, eq=False)
class Normalize(IntegerNode):
    """Layer norm: ``y = sat(ms(z, mantissa, shift) + bias)``, z being x normalised over channels.

    ::

        a = x << align, or rs(x, -align);   d = a - mean_over_channels(Σ a, H, reciprocal_bits)
        r, t = inverse_root(Σ rs(d², square_shift) + epsilon),  1 / root = r 2^-(14 + t)
        z = d r shifted left by 8 - square_shift / 2 - t, or right, rounding half up

    with ``fixedpoint``'s mean and root; z is ``d / sqrt(Σ d² + epsilon 2^square_shift)`` with
    ``fixedpoint.QUOTIENT_FRACTION`` fractional bits. align (H,) -47 … 24; square_shift even,
    0 … 46; epsilon at least 1. a and d fit ``state_bits``, and both sums twice as many (the
    verifier proves it).

    Sums over channels take messages, twice, for the mean and for the root: to an adder on the core,
    on to the one adder of all cores, and back. Meanwhile a channel's value stays in its neuron.
    """

    crossing = 6
    holding = 6

    align: Int8
    square_shift: int
    epsilon: int
    reciprocal_bits: int
    state_bits: int
    rescale: Rescale

    @property
    def width(self) -> int:
        return int(self.rescale.mantissa.shape[0])


@dataclass(frozen=True)
class SigmoidGate:
    """How a value is gated: ``sat(ms(value, table[i], out_shift))``,
    ``i = clip(rs(gate, index_shift) + size / 2)``.

    table (size,) holds the sigmoid with ``table_bits - 1`` fractional bits, at ``size`` equal steps
    around 0; out_shift (H,) 0 … 47.
    """

    table: Int32
    table_bits: int
    index_shift: int
    out_shift: Int8


@dataclass(frozen=True, kw_only=True, eq=False)
class QuantizedGlu(IntegerNode):
    """``y = sigmoid_gate(x[:H], x[H:])``: see :class:`SigmoidGate`; x (2 H,), value half first."""

    channels: int
    sigmoid: SigmoidGate

    @property
    def width(self) -> int:
        return self.channels


@dataclass(frozen=True, kw_only=True, eq=False)
class Gate(IntegerNode):
    """A gated neuron a channel: ``a = sat(ms(x, mantissa, shift) + bias)`` at ``value_bits``, then
    ``y = sigmoid_gate(a[:H], a[H:])``: see :class:`SigmoidGate`.

    x (2 H,) is what arrived at its synapses, value half first; rescale (2 H,).
    """

    channels: int
    rescale: Rescale
    value_bits: int
    sigmoid: SigmoidGate

    @property
    def width(self) -> int:
        return self.channels


MAX_POOLED_STEPS = 2**24
"""A sum over fewer steps than these fits the two words of an ``Accumulator``."""

PoolMode = Literal["mean", "sum", "last", "first"]


@dataclass(frozen=True, kw_only=True, eq=False)
class Accumulator(IntegerNode):
    """Pools a sequence into one vector, sent at its last valid step; silent (0) at all others.

    ``sum``: ``sat(signed_shift(Σ_t x[t], guard_bits))``. ``last``, ``first``: that step's x,
    likewise shifted. ``mean``: the sum divided by the number of valid steps through
    ``fixedpoint.reciprocal(steps, reciprocal_bits, headroom_bits, guard_bits)``. The running sum is
    held in two 24-bit words, 48 bits, which no sequence of fewer than ``MAX_POOLED_STEPS`` can
    fill. With ``use_lengths`` the valid steps are the first ``lengths`` of each sequence, else all.

    ``guard_bits`` is how many more fractional bits the output has than the input (or fewer).
    """

    channels: int
    mode: PoolMode
    use_lengths: bool
    guard_bits: int
    headroom_bits: int
    reciprocal_bits: int

    @property
    def width(self) -> int:
        return self.channels


@dataclass(frozen=True, kw_only=True, eq=False)
class RunningSum(IntegerNode):
    """``y[t] = sat(signed_shift(Σ_{j ≤ t} x[j], guard_bits))``: a sum that speaks at every step.

    The sum is held as an :class:`Accumulator`'s, in 48 bits, for fewer than 2**24 steps. It takes
    in every step, valid or not. ``guard_bits`` is how many more fractional bits the output has than
    the input (or fewer).
    """

    channels: int
    guard_bits: int

    @property
    def width(self) -> int:
        return self.channels

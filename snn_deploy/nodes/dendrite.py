"""Dendrite: complex modes as pairs of compartments."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from snn_deploy import fixedpoint as fp
from snn_deploy.ir.bounds import Bound, Magnitude, saturating, shifted
from snn_deploy.ir.cost import NodeCost
from snn_deploy.ir.network import Network
from snn_deploy.ir.node import Node
from snn_deploy.ir.program import (
    Tracer,
    Value,
    multiply_shift,
    per_mode,
    round_shift,
    saturate,
    signed_shift,
    sum_modes,
)
from snn_deploy.ir.program_bounds import Interval
from snn_deploy.nodes.base import SHIFT_BITS, Int8, Int32, IntegerNode
from snn_deploy.nodes.mode_bounds import contribution_bound, state_bound
from snn_deploy.nodes.rules import (
    MAX_FACTOR_BITS,
    MAX_SHIFT,
    fits,
    require,
    require_between,
    require_product,
    require_range,
    require_shape,
)

__all__ = ["ODD_STATE_BITS", "Dendrite", "Driven", "ModeBank"]

ODD_STATE_BITS = 22
"""Compartments of so many bits times odd coefficients are exact in single precision."""


@dataclass(frozen=True)
class ModeBank:
    """The integers of H channels with N complex modes each.

    A mode is two coupled leaky compartments u, v with the decay r + i s, |r + i s| < 1::

        u' = sat(ms(u, r, k) + ms(v, -s, k) + in),   v' = sat(ms(u, s, k) + ms(v, r, k))
        in = x << input_shift, or rs(x, -input_shift) where that is negative

    saturating at ``state_bits``; k is ``decay_shift``. Its contribution to the channel's drive is
    ``ms(u', readout_real, readout_shift) + ms(v', -readout_imag, readout_shift)``. Where it
    ``rounds_once``, each of these sums ``ms(a, m, k) + ms(b, n, k)`` is ``rs(a m + b n, k)``.

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
    rounds_once: bool = False

    @property
    def modes(self) -> int:
        """Complex modes a channel, N."""
        return int(self.decay_real.shape[1])

    @property
    def decay(self) -> npt.NDArray[np.complex128]:
        """What the decays' mantissas stand for, r + i s (H, N)."""
        mantissa: npt.NDArray[np.complex128] = self.decay_real + 1j * self.decay_imag
        return mantissa * 2.0**-self.decay_shift

    @property
    def is_odd(self) -> bool:
        """Whether single precision simulates it exactly, all coefficients being odd or 0."""
        parts = (self.decay_real, self.decay_imag, self.readout_real, self.readout_imag)
        numbers = np.stack(parts)
        one_shift = bool((self.readout_shift == self.decay_shift).all())
        odd = bool(((numbers % 2 == 1) | (numbers == 0)).all())
        narrow = self.state_bits <= ODD_STATE_BITS and not self.rounds_once
        return narrow and one_shift and odd

    def check(self, node: Node, source_bits: int) -> None:
        """Check shapes, widths, and that every mode decays."""
        require(self.decay_real.ndim == 2, node, "decay_real is no matrix, channels × modes")
        shape, bits = (node.width, self.modes), self.coefficient_bits
        require_range(node, "coefficient_bits", bits, 2, MAX_FACTOR_BITS)
        require_range(node, "state_bits", self.state_bits, 2, 48)
        require_range(node, "decay_shift", self.decay_shift, 0, MAX_SHIFT)
        wider = [1] if self.rounds_once else []  # a sum of two
        require_product(node, "compartments times coefficients", self.state_bits, bits, *wider)
        for name in ("decay_real", "decay_imag", "readout_real", "readout_imag"):
            value = getattr(self, name)
            require_shape(node, name, value, shape)
            require(fits(value, bits), node, f"{name} exceeds {bits} bits")
        require_between(node, "input_shift", self.input_shift, shape, -24, 24)
        require_product(node, "inputs shifted by up to 24", source_bits, 24)
        require_between(node, "readout_shift", self.readout_shift, shape)
        modulus = np.hypot(self.decay_real, self.decay_imag)
        decays = bool(np.all(modulus < 2.0**self.decay_shift))
        require(decays, node, "a decay is not inside the unit circle")

    def step(self, t: Tracer, x: Value, reversed_time: bool) -> Value:
        """Trace the compartments; give the sum of the contributions.

        In reversed time they answer before they take in x.
        """
        bits, modes, width = self.state_bits, self.modes, self.coefficient_bits
        u, v = (t.state(name, bits, modes, start=0) for name in ("u", "v"))
        k = t.parameter("decay_shift", self.decay_shift, SHIFT_BITS)
        r = t.parameter("decay_real", self.decay_real, width)
        s = t.parameter("decay_imag", self.decay_imag, width)
        by = t.parameter("input_shift", self.input_shift, SHIFT_BITS)
        entering = signed_shift(per_mode(x, modes), by)
        real = self._products((u, r), (v, -s), k) + entering
        imag = self._products((u, s), (v, r), k)
        next_u, next_v = saturate(real, bits, "state"), saturate(imag, bits, "state")
        t.next(u, next_u)
        t.next(v, next_v)
        return self._contribution(t, *((u, v) if reversed_time else (next_u, next_v)))

    def _contribution(self, t: Tracer, u: Value, v: Value) -> Value:
        width = self.coefficient_bits
        real = t.parameter("readout_real", self.readout_real, width)
        imag = t.parameter("readout_imag", self.readout_imag, width)
        by = t.parameter("readout_shift", self.readout_shift, SHIFT_BITS)
        return sum_modes(self._products((u, real), (v, -imag), by))

    def _products(self, a: tuple[Value, Value], b: tuple[Value, Value], by: Value) -> Value:
        """Trace the sum of two products, shifted and rounded."""
        if self.rounds_once:
            return round_shift(a[0] * a[1] + b[0] * b[1], by)
        return multiply_shift(*a, by) + multiply_shift(*b, by)


@dataclass(frozen=True, kw_only=True, eq=False)
class Driven(IntegerNode):
    """What gives a soma its drive: banks of modes and a path that skips them."""

    skip_mantissa: Int32
    skip_shift: Int8
    drive_shift: int
    sum_bits: int

    @property
    def width(self) -> int:
        return int(self.skip_mantissa.shape[0])

    @property
    @abstractmethod
    def banks(self) -> tuple[ModeBank, ...]:
        """The node's banks of modes."""

    def check(self, network: Network) -> None:
        (form,) = self.source_formats(network)
        require_between(self, "skip_shift", self.skip_shift, (self.width,))
        require_range(self, "drive_shift", self.drive_shift, 0, MAX_SHIFT)
        require_range(self, "sum_bits", self.sum_bits, 2, 48)
        for bank in self.banks:
            bank.check(self, form.bits)

    def bound(self, sources: Sequence[Interval]) -> Bound:
        """Bound turning modes by their geometric series, which no interval of parts shows."""
        x = sources[0].magnitude
        product: Magnitude = np.asarray(x * np.abs(self.skip_mantissa.astype(np.float64)))
        drive = shifted(product, self.skip_shift)
        states = []
        for bank in self.banks:
            states.append(state_bound(bank, x))
            drive = drive + contribution_bound(bank, x).sum(axis=1)
        return saturating(
            self.output.limit,
            np.floor(drive / 2.0**self.drive_shift + 0.5),
            product,
            state=(
                np.concatenate(states, axis=1),
                min(fp.limit_of(bank.state_bits) for bank in self.banks),
            ),
            sum=(drive, fp.limit_of(self.sum_bits)),
        )

    @property
    def needs(self) -> tuple[str, ...]:
        once = any(bank.rounds_once for bank in self.banks)
        return (*super().needs, *(["product_sums"] if once else []))

    def driven(self, t: Tracer, x: Value, total: Value) -> Value:
        """Trace what is sent: the sum of contributions, and the path that skips the modes."""
        if np.any(self.skip_mantissa):
            bits = self.banks[0].coefficient_bits
            mantissa = t.parameter("skip_mantissa", self.skip_mantissa, bits)
            by = t.parameter("skip_shift", self.skip_shift, SHIFT_BITS)
            total = total + multiply_shift(x, mantissa, by)
        k = t.parameter("drive_shift", self.drive_shift, SHIFT_BITS)
        return saturate(round_shift(total, k), self.output.bits, "output")


@dataclass(frozen=True, kw_only=True, eq=False)
class Dendrite(Driven):
    """Compartments that feed one soma a channel: ``y = sat(rs(Σ_modes contribution + skip, k))``.

    k is ``drive_shift``; ``skip = ms(x, skip_mantissa, skip_shift)``; no partial sum can leave
    ``sum_bits`` (the verifier proves it). With ``reversed_time`` the sequence is buffered and run
    from its last step to its first, and step t sees only what comes after it: the compartments
    answer before they take in x[t].
    """

    bank: ModeBank
    reversed_time: bool = False

    @property
    def modes(self) -> int:
        return self.bank.modes

    @property
    def odd_coefficients(self) -> bool:
        return self.bank.is_odd

    @property
    def runs_backwards(self) -> bool:
        return self.reversed_time

    @property
    def banks(self) -> tuple[ModeBank, ...]:
        return (self.bank,)

    def widths(self, network: Network) -> Iterator[tuple[str, str, int]]:
        yield "coefficient_bits", "decay_bits readout_bits", self.bank.coefficient_bits
        yield "state_bits", "state_bits", self.bank.state_bits
        yield "sum_bits", "sum_bits", self.sum_bits

    def step(self, t: Tracer) -> Value:
        x = t.input()
        return self.driven(t, x, self.bank.step(t, x, self.reversed_time))

    def cost(self, network: Network) -> NodeCost:
        """It lies within its soma's neuron."""
        cost = super().cost(network)
        return cost.within_a_neuron(compartments=2 * self.bank.modes)

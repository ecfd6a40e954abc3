"""Random dendrites at the edges of their formats: of floats, of doubles, and of 64-bit integers.

Coefficients are at their limits, odd or of every parity; inputs fill compartments up to a bit more
or less than they hold, and readouts fill sums up to a bit more or less than a float, or a double.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from snn_deploy import fixedpoint as fp
from snn_deploy.engines.result import Run
from snn_deploy.errors import NetworkError
from snn_deploy.ir.formats import Edge, Format
from snn_deploy.ir.network import Network
from snn_deploy.ir.verifier import verify_network
from snn_deploy.nodes.dendrite import Dendrite, ModeBank
from snn_deploy.nodes.inputs import Input
from snn_deploy.nodes.mode_bounds import contribution_bound, state_bound
from snn_deploy.nodes.rules import MAX_SHIFT

__all__ = ["edge_dendrite", "edge_run"]

SUM_BITS = 22, 40, 46  # of the largest sums: what floats hold, what doubles do, and the most
WIDTHS, MODES = (1, 2, 7, 8, 9, 16, 17, 33), (1, 2, 3, 4, 5, 8, 9)


def edge_dendrite(seed: int) -> Network | None:
    """Make an input and a dendrite; None where what was drawn is against the rules."""
    rng = np.random.default_rng(seed)
    width, lean = int(rng.choice(WIDTHS)), bool(rng.random() < 0.5)
    input_bits = int(rng.integers(2, 14 if lean else 25))
    entry = Input(name="input", output=Format(input_bits, 0), channels=width)
    limit = np.full(width, float(entry.output.limit))
    try:
        bank = _bank(rng, width, limit, lean)
        skip = _around(rng, int(rng.integers(2, 20)), width, lean)
        dendrite = Dendrite(
            name="dendrite",
            inputs=(Edge("input"),),
            output=Format(int(rng.integers(2, 25)), 0),
            bank=bank,
            skip_mantissa=skip * (rng.random(width) < 0.7).astype(np.int32),
            skip_shift=rng.integers(1, 20, width).astype(np.int8),
            drive_shift=int(rng.choice([0, 0, 1, 2, 5, 17])),
            sum_bits=48,
            reversed_time=bool(rng.random() < 0.4),
        )
        network = Network("lowered", (entry, dendrite), "all")
        verify_network(network)
    except NetworkError:
        return None
    return network


def edge_run(network: Network, seed: int) -> Run:
    """Draw inputs: all at their limits, or anything, with silences."""
    rng = np.random.default_rng([seed, 1])
    shape = int(rng.integers(1, 6)), int(rng.choice([1, 2, 63, 64, 65, 90])), network.input.width
    limit = network.input.output.limit  # type: ignore[attr-defined]  # lowered stage
    inputs = rng.integers(-limit, limit + 1, shape)
    if rng.random() < 0.6:
        inputs = np.where(rng.random(shape) < 0.9, rng.choice([-limit, limit], shape), 0)
    return Run(inputs, np.full(shape[0], shape[1]), network.names)


def _around(rng: Any, bits: int, shape: Any, odd: bool) -> npt.NDArray[np.int32]:
    """Draw mantissas of ``bits`` bits, their limits often."""
    most = fp.limit_of(bits)
    values = np.where(
        rng.random(shape) < 0.4, rng.choice([-most, most], shape), rng.integers(-most, most, shape)
    )
    return np.asarray(values | (values != 0) if odd else values).astype(np.int32)


def _bank(rng: Any, width: int, limit: npt.NDArray[np.float64], lean: bool) -> ModeBank:
    shape = width, int(rng.choice(MODES))
    bits = int(rng.integers(3, 20 if lean else 25))
    shift = int(rng.integers(2 if lean else 1, bits))
    decay = rng.choice([0.5, 0.9, 0.99, 0.999]) * np.exp(1j * rng.uniform(0, 6.3, shape))
    parts = np.trunc(np.stack([decay.real, decay.imag]) * 2.0**shift).astype(np.int64)
    parts[rng.random(parts.shape) < 0.1] = 0
    if lean:
        parts |= parts != 0
    read_shift = np.full(shape, shift) if lean else rng.integers(0, shift + 8, shape)
    readout = np.stack([_around(rng, bits, shape, lean) for _ in range(2)])
    bank = ModeBank(
        decay_real=parts[0].astype(np.int32),
        decay_imag=parts[1].astype(np.int32),
        decay_shift=shift,
        input_shift=np.zeros(shape, np.int8),
        readout_real=readout[0],
        readout_imag=readout[1],
        readout_shift=read_shift.astype(np.int8),
        coefficient_bits=bits,
        state_bits=int(rng.integers(8, 23 if lean else 40)),
        rounds_once=not lean and bool(rng.random() < 0.5),
    )
    if np.any(np.abs(bank.decay) >= 1.0):
        raise NetworkError
    return _filled(rng, bank, limit, lean)


def _filled(rng: Any, bank: ModeBank, limit: npt.NDArray[np.float64], lean: bool) -> ModeBank:
    """Shift inputs so that compartments are full, or up to twice too full; and then readouts, so
    that sums are.
    """
    most = fp.limit_of(bank.state_bits) * rng.choice([0.5, 1.0, 1.0, 2.0])
    room = np.log2(np.maximum(most / state_bound(bank, limit), 2.0**-24))
    bank = replace(bank, input_shift=np.clip(np.floor(room), -24, 24).astype(np.int8))
    if lean:
        return bank
    sums = contribution_bound(bank, limit).sum(axis=1).max()
    wanted = float(rng.choice(SUM_BITS)) + rng.integers(-1, 2)
    by = bank.readout_shift + int(np.ceil(np.log2(max(sums, 1.0)) - wanted))
    return replace(bank, readout_shift=np.clip(by, 0, MAX_SHIFT).astype(np.int8))

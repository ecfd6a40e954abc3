"""Worst cases: how large each integer can get, whatever the input.

Interval arithmetic over magnitudes, one function a node, each the node's equation read with every
term at its largest. What stays under its limit here cannot saturate: this is what "saturation
impossible" in a report means, and what lets the compiled engine leave out a clip.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from snn_deploy import fixedpoint as fp
from snn_deploy.ir import host_nodes
from snn_deploy.ir import integer_nodes as nodes
from snn_deploy.ir.formats import SPIKE
from snn_deploy.ir.network import Network

__all__ = [
    "Bound",
    "bound_network",
    "bound_node",
    "contribution_bound",
    "heard_bound",
    "quotient_bound",
    "state_bound",
]

Magnitude = npt.NDArray[np.float64]

WIDEST = 2**62 - 1  # what an engine can hold in 64 bits and still round
HARMONICS = 16  # terms of |cos|'s Fourier series that are told apart from the rest


@dataclass(frozen=True)
class Bound:
    """Worst cases of one node.

    Parameters
    ----------
    reached
        By the name of a clipped or width-limited quantity: its largest magnitude before clipping,
        per channel (width,) or finer.
    limits
        By the same names: the largest magnitude that fits.
    output
        The largest magnitude of the node's output, per channel (width,).
    """

    reached: Mapping[str, Magnitude]
    limits: Mapping[str, int]
    output: Magnitude

    def can_exceed(self, quantity: str) -> bool:
        """Whether some input could push ``quantity`` over its limit."""
        return bool(np.any(self.reached[quantity] > self.limits[quantity]))


def bound_network(network: Network) -> dict[str, Bound]:
    """Bound every node of an integer or lowered network, in order."""
    bounds: dict[str, Bound] = {}
    for node in network:
        sources = [bounds[edge.source].output for edge in node.inputs]
        spikes = any(getattr(source, "output", None) == SPIKE for source in network.sources(node))
        bounds[node.name] = bound_node(node, sources, spikes)
    return bounds


def bound_node(node: Any, sources: list[Magnitude], spikes: bool) -> Bound:
    """Bound one node from its sources' worst cases; ``spikes`` tells that they are 0 or 1."""
    return _BOUNDS[type(node)](node, sources, spikes)


def state_bound(bank: nodes.ModeBank, x: Magnitude) -> Magnitude:
    """Bound a bank's compartments, (H, N), for inputs of magnitude x (H,).

    ``|h| <= Σ_j |a|**j (|in| + e) = (|in| + e) / (1 - |a|)``, where e is the most that a step's
    roundings can add: half a unit for each of four products, as a complex number sqrt(2), and half
    a unit for an input that is shifted right.
    """
    modulus = np.abs(bank.decay)
    return np.asarray((_entering(bank, x) + _roundings(bank)) / (1.0 - modulus))


def contribution_bound(bank: nodes.ModeBank, x: Magnitude) -> Magnitude:
    """Bound what each of a bank's modes adds to its channel's drive, (H, N)."""
    readout = np.hypot(bank.readout_real, bank.readout_imag)
    gain = readout / 2.0 ** bank.readout_shift.astype(float)
    contribution: Magnitude = heard_bound(bank, x) * gain + (
        gain > 0
    )  # two roundings of half a unit
    return contribution


def heard_bound(bank: nodes.ModeBank, x: Magnitude) -> Magnitude:
    """Bound what a readout of modulus 1, whatever its phase, hears of a bank's modes, (H, N).

    It hears a turning mode only in part: ``Σ_j |a|**j |cos(j angle + phase)| |in|``, about 2/π of
    the state's bound. A state that may clip turns no more; it can fill both compartments.
    """
    modulus = np.abs(bank.decay)
    limit = fp.limit_of(bank.state_bits)
    heard = _entering(bank, x) * _swing(bank.decay) + _roundings(bank) / (1.0 - modulus)
    state = state_bound(bank, x)
    return np.minimum(state, np.where(state <= limit, heard, np.sqrt(2.0) * limit))


def _entering(bank: nodes.ModeBank, x: Magnitude) -> Magnitude:
    shift = bank.input_shift.astype(np.float64)
    return np.asarray(x[:, None] * 2.0**shift + np.where(shift < 0, 0.5, 0.0))


def _roundings(bank: nodes.ModeBank) -> Magnitude:
    return np.where(bank.decay != 0, np.sqrt(2.0), 0.0)


def _swing(decay: npt.NDArray[np.complex128]) -> Magnitude:
    """Bound ``Σ_j |a|**j |cos(j angle + phase)|`` for every phase.

    With ``|cos x| = 2/π + 4/π Σ_k ± cos(2 k x) / (4 k² - 1)`` each term is a geometric series,
    ``Σ_j |a|**j cos(2 k (j angle + phase)) <= 1 / |1 - |a| exp(2 i k angle)|``. The terms beyond
    ``HARMONICS`` add up to at most what is left of the series at x = 0, times ``1 / (1 - |a|)``.
    """
    modulus, angle = np.abs(decay), np.angle(decay)
    whole = 1.0 / (1.0 - modulus)
    bound = (2.0 / np.pi) * (1.0 + 1.0 / (2 * HARMONICS + 1)) * whole
    for k in range(1, HARMONICS + 1):
        turned = np.abs(1.0 - modulus * np.exp(2j * k * angle))
        bound = bound + (4.0 / np.pi) / (4 * k * k - 1) / turned
    return np.asarray(np.minimum(bound, whole))


def _clipped(value: Magnitude, limit: int) -> Magnitude:
    return np.minimum(value, float(limit))


def _input(node: nodes.Input, sources: list[Magnitude], spikes: bool) -> Bound:
    limit = node.output.limit
    worst = np.full(node.width, float(limit))
    return Bound({}, {}, worst)


def _weighted(weight: npt.NDArray[np.int8], x: Magnitude, spikes: bool) -> Magnitude:
    w = weight.astype(np.float64)
    if not spikes:
        return np.asarray(np.abs(w) @ x)
    excitation = np.maximum(w, 0.0).sum(axis=1)
    inhibition = np.maximum(-w, 0.0).sum(axis=1)
    return np.asarray(np.maximum(excitation, inhibition))


def _synapses(node: nodes.Synapses, sources: list[Magnitude], spikes: bool) -> Bound:
    worst = _weighted(node.weight, sources[0], spikes)
    limit = node.output.limit
    return Bound({"sum": worst}, {"sum": limit}, worst)


def _product(x: Magnitude, factor: npt.NDArray[np.int32]) -> Magnitude:
    return np.asarray(x * np.abs(factor.astype(np.float64)))


def _shifted(x: Magnitude, shift: npt.NDArray[np.int8]) -> Magnitude:
    return np.asarray(np.floor(x / 2.0 ** shift.astype(np.float64) + 0.5))


def _rescaled(product: Magnitude, rescale: nodes.Rescale) -> Magnitude:
    return np.asarray(_shifted(product, rescale.shift) + np.abs(rescale.bias.astype(np.float64)))


def _saturating(
    node: nodes.IntegerNode, output: Magnitude, product: Magnitude, **others: tuple[Magnitude, int]
) -> Bound:
    """Bound a node that clips ``output``; ``others`` gives what else it reaches, and the limits."""
    quantities = {"output": (output, node.output.limit), "product": (product, WIDEST), **others}
    return Bound(
        {name: reached for name, (reached, _) in quantities.items()},
        {name: limit for name, (_, limit) in quantities.items()},
        _clipped(output, node.output.limit),
    )


def _relay(node: nodes.Requantize, sources: list[Magnitude], spikes: bool) -> Bound:
    if node.align is not None:
        sources = [_shifted(x, -shift) for x, shift in zip(sources, node.align, strict=True)]
    total = np.sum(sources, axis=0)
    if node.rescale is None:
        return _saturating(node, total, total)
    product = _product(total, node.rescale.mantissa)
    return _saturating(node, _rescaled(product, node.rescale), product)


def _linear(node: nodes.QuantizedLinear, sources: list[Magnitude], spikes: bool) -> Bound:
    total = _weighted(node.weight, sources[0], spikes)
    product = _product(total, node.rescale.mantissa)
    output = _rescaled(product, node.rescale)
    return _saturating(node, output, product, sum=(total, fp.limit_of(node.sum_bits)))


def _driven(
    node: nodes.Dendrite | nodes.QuantizedSsm, banks: list[nodes.ModeBank], x: Magnitude
) -> Bound:
    product = _product(x, node.skip_mantissa)
    drive = _shifted(product, node.skip_shift)
    states = []
    for bank in banks:
        states.append(state_bound(bank, x))
        drive = drive + contribution_bound(bank, x).sum(axis=1)
    state = np.concatenate(states, axis=1) if states else np.zeros((node.width, 0))
    state_limit = min(fp.limit_of(bank.state_bits) for bank in banks)
    return _saturating(
        node,
        np.floor(drive / 2.0**node.drive_shift + 0.5),
        product,
        state=(state, state_limit),
        sum=(drive, fp.limit_of(node.sum_bits)),
    )


def _dendrite(node: nodes.Dendrite, sources: list[Magnitude], spikes: bool) -> Bound:
    return _driven(node, [node.bank], sources[0])


def _ssm(node: nodes.QuantizedSsm, sources: list[Magnitude], spikes: bool) -> Bound:
    banks = [node.forward] if node.reverse is None else [node.forward, node.reverse]
    return _driven(node, banks, sources[0])


def _lif(node: nodes.LifSoma, sources: list[Magnitude], spikes: bool) -> Bound:
    current = sources[0] * 2.0**fp.LIF_ALIGN_BITS
    lost = node.decay / 2.0**fp.DECAY_UNITY_BITS
    # a membrane that loses nothing gathers inhibition without end
    membrane = current / lost if lost > 0 else np.where(current > 0, np.inf, 0.0)
    limits = {"membrane": fp.limit_of(fp.MEMBRANE_BITS)}
    return Bound({"membrane": membrane}, limits, np.ones(node.width))


def _gated(node: nodes.Gate | nodes.QuantizedGlu, value: Magnitude) -> Magnitude:
    """Give the largest products of the value half with the table."""
    return value[: node.width] * float(np.abs(node.sigmoid.table).max(initial=0))


def _glu(node: nodes.QuantizedGlu, sources: list[Magnitude], spikes: bool) -> Bound:
    product = _gated(node, sources[0])
    return _saturating(node, _shifted(product, node.sigmoid.out_shift), product)


def _gate(node: nodes.Gate, sources: list[Magnitude], spikes: bool) -> Bound:
    entering = _product(sources[0], node.rescale.mantissa)
    value = _rescaled(entering, node.rescale)
    limit = fp.limit_of(node.value_bits)
    product = _gated(node, _clipped(value, limit))
    output = _shifted(product, node.sigmoid.out_shift)
    widest = np.maximum(entering.max(initial=0.0), product)
    return _saturating(node, output, widest, value=(value, limit))


def quotient_bound(node: nodes.Normalize) -> Magnitude:
    """Bound what a norm's gain multiplies, (H,): 1 and the root's error.

    ``epsilon >= 1`` makes each ``d² < 2**square_shift * (Σ rs(d², square_shift) + epsilon)``.
    """
    one = 2.0**fp.QUOTIENT_FRACTION
    return np.full(node.width, np.floor(one * (1.0 + 2.0**-14) + 0.5))


def _normalize(node: nodes.Normalize, sources: list[Magnitude], spikes: bool) -> Bound:
    aligned, count = _shifted(sources[0], -node.align), node.width
    # |a_i - S / H|, and how far the mean may be from S / H (docs/arithmetic.md)
    lost = 2.0 ** (2 - node.reciprocal_bits)
    inexact = 0.5 + lost * (lost * aligned.mean() + 2.5)
    centred = np.floor(aligned * (1 - 2 / count) + aligned.mean() + inexact)
    squares = np.floor(centred**2 / 2.0**node.square_shift + 0.5)
    product = _product(quotient_bound(node), node.rescale.mantissa)
    widest = np.maximum(centred * max(2.0 ** (fp.ROOT_BITS - 1), centred.max()), product)
    sums = np.array([aligned.sum(), squares.sum() + node.epsilon])
    state, total = node.state_bits, fp.limit_of(2 * node.state_bits)
    return _saturating(
        node,
        _rescaled(product, node.rescale),
        widest,
        aligned=(aligned, fp.limit_of(state)),
        centred=(centred, fp.limit_of(state)),
        total=(sums, total),
    )


def _accumulator(node: nodes.Accumulator, sources: list[Magnitude], spikes: bool) -> Bound:
    if node.mode == "sum":
        reached = np.full(node.width, np.inf)  # grows with the sequence, whatever its values
    else:
        # the reciprocal's own rounding, and that of the sum when it is shifted before
        gain = 2.0**node.guard_bits * (1.0 + 2.0 ** (1 - node.reciprocal_bits))
        reached = np.floor((sources[0] + 2.0**-node.headroom_bits) * gain + 0.5)
    return _saturating(node, reached, sources[0])


def _largest(table: npt.NDArray[Any]) -> Magnitude:
    """Give the largest magnitude of each column, without a copy of a large table."""
    high, low = table.max(axis=0), table.min(axis=0)
    return np.asarray(np.maximum(high.astype(np.float64), -low.astype(np.float64)))


def _lookup(node: host_nodes.EmbeddingTable, sources: list[Magnitude], spikes: bool) -> Bound:
    output, product = np.zeros((2, node.width))
    for cluster in node.clusters:
        row = entering = _largest(cluster.table)
        if cluster.projection is not None:
            rescale = cluster.projection.rescale
            total = np.abs(cluster.projection.weight.astype(np.float64)) @ row
            entering = _product(total, rescale.mantissa)
            row = _rescaled(entering, rescale)
        output, product = np.maximum(output, row), np.maximum(product, entering)
    return _saturating(node, output, product)


def _positions(node: host_nodes.Positions, sources: list[Magnitude], spikes: bool) -> Bound:
    x = sources[0] if node.align is None else _shifted(sources[0], -node.align)
    return _saturating(node, x + _largest(node.table), x)


def _window(node: host_nodes.Window, sources: list[Magnitude], spikes: bool) -> Bound:
    return Bound({}, {}, np.tile(sources[0], node.steps))


def _running_sum(node: nodes.RunningSum, sources: list[Magnitude], spikes: bool) -> Bound:
    longest = sources[0] * nodes.MAX_POOLED_STEPS  # it grows with the sequence
    reached = np.floor(longest * 2.0**node.guard_bits + 0.5)
    return _saturating(node, reached, longest)


_BOUNDS: dict[type, Callable[[Any, list[Magnitude], bool], Bound]] = {
    nodes.Input: _input,
    host_nodes.EmbeddingTable: _lookup,
    host_nodes.Positions: _positions,
    host_nodes.Window: _window,
    nodes.Synapses: _synapses,
    nodes.Requantize: _relay,
    nodes.QuantizedLinear: _linear,
    nodes.QuantizedSsm: _ssm,
    nodes.Dendrite: _dendrite,
    nodes.LifSoma: _lif,
    nodes.QuantizedGlu: _glu,
    nodes.Gate: _gate,
    nodes.Accumulator: _accumulator,
    nodes.Normalize: _normalize,
    nodes.RunningSum: _running_sum,
}

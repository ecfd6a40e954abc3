"""Random lowered networks and inputs for them, that visit the corners of every number format.

Everything follows from a seed. Parameters and inputs are drawn so that their extremes (0, ±1, the
limits, powers of two and their neighbours) come often, formats are too narrow as often as not, and
the shapes are those that break loops: width 1, one step, widths that are no multiple of anything.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt
from host_makers import highest_mantissa, random_cluster, random_table, token_input

from snn_deploy import fixedpoint as fp
from snn_deploy.engines.result import Run
from snn_deploy.ir.bounds import bound_network, bound_node
from snn_deploy.ir.formats import Edge, Format
from snn_deploy.ir.host import chip_part
from snn_deploy.ir.network import Network
from snn_deploy.ir.verifier import verify_network
from snn_deploy.nodes.base import Rescale
from snn_deploy.nodes.dendrite import Dendrite, ModeBank
from snn_deploy.nodes.embedding_table import EmbeddingTable
from snn_deploy.nodes.gate import Gate, SigmoidGate
from snn_deploy.nodes.inputs import Input
from snn_deploy.nodes.lif import LifSoma
from snn_deploy.nodes.normalize import Normalize
from snn_deploy.nodes.pooling import Accumulator, RunningSum
from snn_deploy.nodes.positions import Positions
from snn_deploy.nodes.requantize import Requantize
from snn_deploy.nodes.synapses import Synapses
from snn_deploy.nodes.window import Window
from snn_deploy.passes.balance_delays import BalanceDelays

__all__ = ["Limits", "random_network", "random_norm", "random_run"]

WIDTHS = (1, 1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 31, 33)
MODES = (1, 1, 2, 3, 4, 5, 8, 9)
MOST_STEPS = 2000  # of a sequence: as many as there are positions


@dataclass(frozen=True)
class Limits:
    """How far a random network may go.

    Parameters
    ----------
    bits
        The widest signal.
    state_bits
        The widest compartment.
    causal
        Without dendrites that read time backwards or windows that look ahead.
    blocks
        The most blocks (a layer, an adder, a projection) between input and answer.
    host
        With nodes that the host computes: tokens and their tables, windows, positions.
    """

    bits: int = 24
    state_bits: int = 24
    coefficient_bits: int = 24
    causal: bool = False
    blocks: int = 4
    host: bool = False


@dataclass
class _Builder:
    rng: np.random.Generator
    limits: Limits
    nodes: list[Any] = field(default_factory=list)

    # --- numbers

    def choice(self, options: Any) -> Any:
        return options[int(self.rng.integers(len(options)))]

    def chance(self, probability: float) -> bool:
        return bool(self.rng.random() < probability)

    def between(self, low: int, high: int) -> int:
        return int(self.rng.integers(low, high + 1))

    def signed(self, bits: int, shape: Any) -> npt.NDArray[np.int32]:
        """Draw mantissas of ``bits`` bits, their corners often."""
        limit = fp.limit_of(bits)
        return _corners(self.rng, limit, shape).astype(np.int32)

    def shifts(self, low: int, high: int, shape: Any) -> npt.NDArray[np.int8]:
        first = self.between(low, high)
        spread = self.between(0, min(6, high - first))
        return self.rng.integers(first, first + spread + 1, shape).astype(np.int8)

    def format(self, width: int, bits: int) -> Format:
        """Draw a signed format with one exponent, or one a channel."""
        if self.chance(0.5):
            return Format(bits, self.between(-3, 12))
        return Format(bits, tuple(int(e) for e in self.rng.integers(-3, 13, width)))

    def bits(self, low: int = 2, high: int = 99) -> int:
        return self.between(low, min(high, self.limits.bits))

    # --- the network so far

    def add(self, node: Any) -> Any:
        self.nodes.append(node)
        return node

    def name(self, kind: str) -> str:
        return f"{kind}.{len(self.nodes)}"

    def bound(self, node: Any) -> Any:
        """Bound a node that reads what is there."""
        network = Network("integer", (*self.nodes, node))
        return bound_network(network)[node.name]


def random_network(seed: int, limits: Limits | None = None) -> Network:
    """Make a verified lowered network."""
    b = _Builder(np.random.default_rng(seed), limits or Limits())
    entrance = b.choice((_plain_input, _tokens, _window)) if b.limits.host else _plain_input
    entrance(b)
    if b.limits.host and b.chance(0.4):
        if b.chance(0.5):  # what leads to positions is the host's, too
            _projection(b)
        _positions(b)
    for _ in range(b.between(0, b.limits.blocks)):
        blocks = (_layer, _layer, _projection, _relay, _adder, _soma, _norm, _running_sum)
        block = b.choice(blocks)
        block(b)
    output_steps: Any = b.choice(("one", "one", "all", b.between(1, 9)))
    if b.chance(0.6):
        _readout(b)
    network = BalanceDelays()(Network("integer", tuple(b.nodes), output_steps))
    if isinstance(output_steps, int) and b.chance(0.5):
        network = network.answering(valid=True)
    verify_network(network)
    return network


def random_run(
    network: Network, seed: int, batch: int | None = None, steps: int | None = None
) -> Run:
    """Make a batch for a network: extremes, silence, or both in turns; everything is traced."""
    rng = np.random.default_rng([seed, 1])
    batch = batch or int(rng.choice([1, 1, 2, 3, 4, 5, 7]))
    steps = steps or int(rng.choice([1, 2, 3, 7, 16, 33, 64, 65, 90]))
    steps = max(steps, _fewest_steps(network))
    node: Any = network.input
    shape = (batch, steps, node.width)
    limit = highest_mantissa(network)
    inputs = _corners(rng, limit, shape)
    kind = rng.integers(4)
    if not node.output.signed:
        inputs = np.abs(inputs)
    elif kind == 0:  # as far as the format goes, for long enough to saturate whatever can
        inputs = limit * rng.choice([-1, 1], (batch, 1, node.width)).repeat(steps, 1)
    elif kind == 1:
        inputs = inputs * (rng.random(shape) < 0.1)
    lengths = rng.integers(_fewest_steps(network), steps + 1, batch)
    return Run(inputs.astype(np.int64), lengths.astype(np.int64), trace=network.names)


def _fewest_steps(network: Network) -> int:
    """Valid steps that every sequence must have."""
    return network.answer.length if network.answer.valid else 1  # type: ignore[return-value]


def _corners(rng: np.random.Generator, limit: int, shape: Any) -> npt.NDArray[np.int64]:
    """Draw integers in ±limit: anything, small ones, powers of two and neighbours, and limits."""
    anything = rng.integers(-limit, limit + 1, shape)
    small = rng.integers(-2, 3, shape)
    power = (1 << rng.integers(0, max(limit.bit_length(), 1), shape)) * rng.choice([-1, 1], shape)
    edge = rng.choice([-limit, limit, 0], shape)
    value = rng.choice(4, shape, p=[0.5, 0.15, 0.2, 0.15])
    drawn = np.choose(value, [anything, small, power + rng.integers(-1, 2, shape), edge])
    return np.asarray(np.clip(drawn, -limit, limit), dtype=np.int64)


# --- what comes in: the host's part


def _plain_input(b: _Builder) -> None:
    width = b.choice(WIDTHS)
    b.add(Input(name="input", output=b.format(width, b.bits()), channels=width))


def _tokens(b: _Builder) -> None:
    """Tables of tokens, with and without projections."""
    width = b.choice(WIDTHS)
    output = b.format(width, b.bits(4))
    clusters = tuple(
        random_cluster(b.rng, output, width, b.chance(0.4)) for _ in range(b.between(1, 3))
    )
    lookup = EmbeddingTable(
        name="lookup", inputs=(Edge("input"),), output=output, channels=width, clusters=clusters
    )
    b.add(token_input(lookup.vocabulary))
    b.add(lookup)


def _window(b: _Builder) -> None:
    width = b.choice((1, 2, 5))
    form = b.add(Input(name="input", output=b.format(width, b.bits()), channels=width)).output
    before, after = b.between(0, 3), 0 if b.limits.causal else b.between(0, 3)
    exponents = np.tile(form.exponents(width), before + 1 + after)
    b.add(
        Window(
            name="window",
            inputs=(Edge("input"),),
            output=Format(form.bits, tuple(int(e) for e in exponents)),
            channels=width,
            before=before,
            after=after,
        )
    )
    if b.chance(0.7):
        _projection(b)


def _positions(b: _Builder) -> None:
    source = b.nodes[-1]
    output = b.format(source.width, b.bits())
    shift = output.exponents(source.width) - source.output.exponents(source.width)
    if np.any(shift > 24) or np.any(shift < -47) or source.output.bits > 32:
        return
    b.add(
        Positions(
            name=b.name("positions"),
            inputs=(Edge(source.name),),
            output=output,
            channels=source.width,
            table=random_table(b.rng, output.bits, (MOST_STEPS, source.width)),
            align=shift.astype(np.int8),
        )
    )


# --- blocks: each reads the last node


def _projection(b: _Builder, width: int | None = None) -> None:
    """Synapses, and the relay that they arrive at."""
    _synapses(b, width or b.choice(WIDTHS))
    _relay(b)


def _synapses(b: _Builder, width: int) -> None:
    source = b.nodes[-1]
    bits = b.between(2, 8)
    weight = b.signed(bits, (width, source.width)).astype(np.int8)
    if b.chance(0.3):
        weight[b.rng.random(weight.shape) < 0.7] = 0
    node = Synapses(
        name=b.name("synapses"),
        inputs=(Edge(source.name),),
        output=Format(48, 0),
        weight=weight,
        weight_bits=bits,
    )
    worst = int(b.bound(node).reached["sum"].max())
    b.add(replace(node, output=Format(min(max(worst.bit_length() + 1, 2), 48), 0)))


def _rescale(b: _Builder, width: int, worst: int, bits: int) -> Rescale:
    """Draw a gain that brings ``worst`` to about ``bits`` bits, or a little beyond."""
    gain_bits = b.between(2, min(24, max(62 - worst.bit_length(), 2)))
    excess = worst.bit_length() + gain_bits - 1 - bits
    shift = b.shifts(max(0, min(excess - 2, 47)), max(0, min(excess + 6, 47)), width)
    return Rescale(b.signed(gain_bits, width), shift, b.signed(bits, width), gain_bits)


def _relay(b: _Builder) -> None:
    source = b.nodes[-1]
    output = b.format(source.width, b.bits())
    worst = int(b.bound(source).output.max()) if len(b.nodes) > 1 else source.output.limit
    b.add(
        Requantize(
            name=b.name("relay"),
            inputs=(Edge(source.name),),
            output=output,
            channels=source.width,
            rescale=_rescale(b, source.width, worst, output.bits),
        )
    )


def _adder(b: _Builder) -> None:
    """A relay of two or three signals of one width, with or without shifts and a gain."""
    width = b.nodes[-1].width
    inside = chip_part(Network("integer", tuple(b.nodes))).names
    there = [node for node in b.nodes if node.name in inside]
    partners = [n for n in there if n.width == width and n.output.bits <= 32]
    chosen = [b.choice(partners) for _ in range(b.between(1, 3))] if partners else []
    if b.nodes[-1] not in chosen:
        chosen.append(b.nodes[-1])
    output = b.format(width, b.bits())
    exponents = [node.output.exponents(width) for node in chosen]
    shift = np.stack([output.exponents(width) - e for e in exponents])
    if np.any(shift > 24) or np.any(shift < -47):
        return
    node = Requantize(
        name=b.name("adder"),
        inputs=tuple(Edge(n.name) for n in chosen),
        output=output,
        channels=width,
        align=shift.astype(np.int8),
    )
    if b.chance(0.4):
        # far wider than any format, so that nothing is clipped before the gain
        worst = int(b.bound(replace(node, output=Format(48, 0))).reached["output"].max())
        if worst.bit_length() < 48:
            node = replace(node, rescale=_rescale(b, width, worst, output.bits))
    b.add(node)


def _bank(b: _Builder, width: int) -> ModeBank:
    shape = (width, b.choice(MODES))
    bits = b.between(4, b.limits.coefficient_bits)
    k = b.between(1, bits - 1)
    radius = 2.0**k * b.choice((0.3, 0.9, 0.99, 0.999))
    radius = radius * b.rng.choice([1.0, 1.0, 0.5, 0.0], shape)
    angle = b.rng.uniform(0, 2 * np.pi, shape)
    if b.chance(0.3):
        angle = np.round(angle / (np.pi / 2)) * (np.pi / 2)
    return ModeBank(
        decay_real=np.trunc(radius * np.cos(angle)).astype(np.int32),
        decay_imag=np.trunc(radius * np.sin(angle)).astype(np.int32),
        decay_shift=k,
        input_shift=b.shifts(-24, 24, shape) if b.chance(0.3) else b.shifts(-4, 6, shape),
        readout_real=b.signed(bits, shape),
        readout_imag=b.signed(bits, shape),
        readout_shift=b.shifts(0, 47, shape) if b.chance(0.3) else b.shifts(bits - 3, bits, shape),
        coefficient_bits=bits,
        state_bits=b.between(8, b.limits.state_bits),
        rounds_once=bits % 3 == 0,  # no draw of its own: what a seed gives has names in tests
    )


def _lean(b: _Builder, node: Dendrite, largest: int) -> Dendrite:
    """Make a dendrite's coefficients odd, all of one shift, and scale its compartments so that none
    saturates: what the native engine runs in single precision, if sums have room.
    """
    bank, k = node.bank, node.bank.decay_shift
    mantissas = (bank.decay_real, bank.decay_imag, bank.readout_real, bank.readout_imag)
    real, imag, read, read_imag = ((m | (m != 0)).astype(np.int32) for m in mantissas)
    state_bits = min(bank.state_bits, 22)
    left = 1.0 - np.hypot(real, imag) / 2.0**k
    if np.any(left * fp.limit_of(state_bits) < 8.0):
        return node
    room = (fp.limit_of(state_bits) - 3.0 / left) * left / max(largest, 1)
    bank = replace(
        bank,
        decay_real=real,
        decay_imag=imag,
        input_shift=np.clip(np.floor(np.log2(room)), -24, 24).astype(np.int8),
        readout_real=read,
        readout_imag=read_imag,
        readout_shift=np.full_like(bank.readout_shift, k),
        state_bits=state_bits,
        rounds_once=False,
    )
    return replace(node, bank=bank, skip_mantissa=node.skip_mantissa | (node.skip_mantissa != 0))


def _dendrite(b: _Builder, source: Any, output: Format, reversed_time: bool) -> Dendrite:
    width = source.width
    node = Dendrite(
        name=b.name("dendrite"),
        inputs=(Edge(source.name),),
        output=output,
        bank=_bank(b, width),
        skip_mantissa=b.signed(min(16, b.limits.coefficient_bits), width),
        skip_shift=b.shifts(8, 16, width),
        drive_shift=b.choice((0, 0, 1, 3, 8)),
        sum_bits=48,
        reversed_time=reversed_time,
    )
    if b.chance(0.5):
        node = _lean(b, node, source.output.limit)
    worst = int(np.ceil(b.bound(node).reached["sum"].max()))
    return b.add(replace(node, sum_bits=min(max(worst.bit_length() + 1, 2), 48)))


def _drive(b: _Builder) -> None:
    """One dendrite, or two of both directions that meet in a relay; a drive of 18 bits at most."""
    source = b.nodes[-1]
    bits = b.between(2, min(18, b.limits.bits))
    if b.limits.causal or b.chance(0.6):
        backwards = not b.limits.causal and b.chance(0.2)
        _dendrite(b, source, b.format(source.width, bits), backwards)
        return
    partial = b.format(source.width, b.bits(8))
    pair = [_dendrite(b, source, partial, reversed_time) for reversed_time in (False, True)]
    b.add(
        Requantize(
            name=b.name("drive"),
            inputs=tuple(Edge(node.name) for node in pair),
            output=b.format(source.width, bits),
            channels=source.width,
            rescale=_rescale(b, source.width, 2 * partial.limit, bits),
        )
    )


def _soma(b: _Builder) -> None:
    if b.nodes[-1].output.bits > 18:
        _drive(b)
    source = b.nodes[-1]
    b.add(
        LifSoma(
            name=b.name("lif"),
            inputs=(Edge(source.name),),
            channels=source.width,
            threshold=b.choice((0, 1, source.output.limit // 4, (1 << 17) - 1, b.between(0, 99))),
            decay=b.choice((0, 1, 3584, 4095, b.between(0, 4095))),
        )
    )


def _layer(b: _Builder) -> None:
    """Dendrites, somas, synapses, gate, and the residual path around them."""
    entry = b.nodes[-1]
    _drive(b)
    _soma(b)
    width = entry.width if b.chance(0.7) else b.choice(WIDTHS)
    _synapses(b, 2 * width)
    _gate(b, width)
    if width == entry.width:
        _adder(b)


def _gate(b: _Builder, width: int) -> None:
    source = b.nodes[-1]
    bits, table_bits = b.between(2, 24), b.between(4, 24)
    worst = int(b.bound(source).output.max())
    index_bits = b.between(1, 10)
    table = fp.sigmoid_table(index_bits, table_bits, 8.0)
    if b.chance(0.2):
        table = b.signed(table_bits, 1 << index_bits)
    output = b.format(width, b.bits())
    excess = max(0, bits + table_bits - 2 - output.bits)
    sigmoid = SigmoidGate(
        table=table,
        table_bits=table_bits,
        index_shift=b.between(0, 20),
        out_shift=b.shifts(max(0, excess - 2), min(47, excess + 5), width),
    )
    b.add(
        Gate(
            name=b.name("gate"),
            inputs=(Edge(source.name),),
            output=output,
            channels=width,
            rescale=_rescale(b, 2 * width, worst, bits),
            value_bits=bits,
            sigmoid=sigmoid,
        )
    )


def _norm(b: _Builder) -> None:
    source = b.nodes[-1]
    output = b.format(source.width, b.bits())
    node = random_norm(b.rng, source, b.bound(source).output, output)
    if node is not None:
        one = 1 << fp.QUOTIENT_FRACTION
        rescale = _rescale(b, node.width, one + (one >> 12), output.bits)
        b.add(replace(node, name=b.name("norm"), rescale=rescale))


def random_norm(
    rng: np.random.Generator, source: Any, largest: Any, output: Format
) -> Normalize | None:
    """Make a norm without gains whose sums and squares fit for inputs up to ``largest``."""
    exponents = source.output.exponents(source.width)
    for exponent in range(int(exponents.min()) + int(rng.integers(-12, 25)), -40, -1):
        align = exponent - exponents
        square_shift = 2 * int(rng.integers(0, 24))
        node = Normalize(
            name="norm",
            inputs=(Edge(source.name),),
            output=output,
            align=np.clip(align, -47, 24).astype(np.int8),
            square_shift=square_shift,
            epsilon=int(rng.choice([1, 1, 2, 1000, 2**40])),
            reciprocal_bits=int(rng.integers(2, 25)),
            state_bits=int(rng.integers(4, 25)),
            rescale=_no_gain(source.width),
        )
        bound = bound_node(node, [largest], [Format(24, 0)])
        unclipped = ("aligned", "centred", "total")
        if (align >= -47).all() and not any(bound.can_exceed(what) for what in unclipped):
            return node
    return None


def _no_gain(width: int) -> Rescale:
    nothing = np.zeros(width, np.int32)
    return Rescale(nothing, nothing.astype(np.int8), nothing, 2)


def _pool(b: _Builder) -> None:
    source = b.nodes[-1]
    reciprocal_bits = b.between(8, 20)
    b.add(
        Accumulator(
            name=b.name("pool"),
            inputs=(Edge(source.name),),
            output=b.format(source.width, b.bits()),
            channels=source.width,
            mode=b.choice(("mean", "mean", "sum", "last", "first")),
            use_lengths=b.chance(0.5),
            guard_bits=b.between(-8, min(7, reciprocal_bits - 2)),
            headroom_bits=b.between(0, 8),
            reciprocal_bits=reciprocal_bits,
        )
    )


def _running_sum(b: _Builder) -> None:
    source = b.nodes[-1]
    if source.output.bits > 24:
        _relay(b)
        return
    b.add(
        RunningSum(
            name=b.name("running"),
            inputs=(Edge(source.name),),
            output=b.format(source.width, b.bits()),
            channels=source.width,
            guard_bits=b.between(-10, 3),
        )
    )


def _readout(b: _Builder) -> None:
    """A pool, and now and then what follows one; rarely something that it should not end with."""
    _pool(b)
    following: tuple[Callable[[_Builder], None], ...] = (_projection, _relay, _adder, _norm)
    for _ in range(b.between(0, 2)):
        b.choice(following)(b)
    if b.chance(0.15):
        b.choice((_soma, _layer, _pool))(b)

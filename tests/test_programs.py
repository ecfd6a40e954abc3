"""A neuron's program: what follows from it is what was written by hand before."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pytest

from snn_deploy import fixedpoint as fp
from snn_deploy.engines.reference import ReferenceEngine
from snn_deploy.engines.result import Run
from snn_deploy.engines.session import run_whole
from snn_deploy.errors import NetworkError
from snn_deploy.ir.bounds import bound_network
from snn_deploy.ir.cost import program_cost
from snn_deploy.ir.formats import SPIKE, Edge, Format
from snn_deploy.ir.network import Network
from snn_deploy.ir.program import (
    Program,
    Tracer,
    Value,
    decay_towards_zero,
    listing,
    per_mode,
    pseudo_random,
    saturate,
    select,
    send_when,
    sum_channels,
    sum_modes,
)
from snn_deploy.ir.program_bounds import Interval, ProgramBounds, bound_program
from snn_deploy.ir.program_step import ProgramStep, run_program
from snn_deploy.ir.storage import network_from_document, network_to_document
from snn_deploy.ir.verifier import verify_network
from snn_deploy.mapping.cost import LIF_OPERATIONS, cost_network
from snn_deploy.nodes.base import IntegerNode
from snn_deploy.nodes.inputs import Input
from snn_deploy.nodes.lif import LifSoma
from snn_deploy.nodes.registry import with_kind

BITS = 24
PRIMES = (3, 5, 7, 13, 17, 241)  # of 2**24 - 1


def soma() -> LifSoma:
    return LifSoma(name="lif", channels=5, threshold=3000, decay=3584)


def test_the_programmed_lif_is_loihis() -> None:
    drive = np.random.default_rng(0).integers(-(2**17) + 1, 2**17, (4, 60, 5))
    spikes, clipped = run_program(soma().program, [drive], {})
    v, expected, count = np.zeros((4, 5), np.int64), np.empty_like(drive), 0
    for t in range(drive.shape[1]):
        expected[:, t], v, saturated = fp.lif_step(v, drive[:, t], 3000, 3584)
        count += saturated
    np.testing.assert_array_equal(spikes, expected)
    assert clipped == count
    assert 0.1 < expected.mean() < 0.9


def test_the_lif_counts_as_many_instructions_as_published_constants_are_for() -> None:
    assert program_cost(soma().program).operations == LIF_OPERATIONS


def test_a_program_can_be_read() -> None:
    assert listing(soma().program).splitlines() == [
        "t0 = decay(membrane, kept, 12)",
        "t1 = shift_left(x0, 6)",
        "t2 = add(t0, t1)",
        "membrane3 = saturate(t2, s24)",
        "t4 = greater(membrane3, threshold)",
        "t5 = select(t4, 0, membrane3)",
        "membrane' = t5  (24 bits)",
        "send t4",
    ]


def speaking(width: int, condition: Callable[[Tracer], Value]) -> Program:
    """Send the input, clipped to four bits, where the condition says so."""
    tracer = Tracer(width)
    clipped = saturate(tracer.input(), 4, "output")
    return tracer.program(send_when(condition(tracer), clipped))


def test_what_is_not_sent_is_not_counted_as_clipped() -> None:
    """Of each sequence on its own, however many others speak in the same step."""
    x = np.array([[[9, 9, 0]], [[9, 0, 0]], [[-9, -9, -9]]])
    program = speaking(3, lambda t: t.clock("last"))
    clock = {"last": np.array([[[1]], [[0]], [[1]]])}
    sent, clipped = run_program(program, [x], clock)
    np.testing.assert_array_equal(sent[:, 0], [[7, 7, 0], [0, 0, 0], [-7, -7, -7]])
    alone = [run_program(program, [x[[b]]], {"last": clock["last"][[b]]})[1] for b in range(3)]
    assert clipped == sum(alone) == 5


def test_a_neuron_that_is_silent_counts_nothing_as_clipped() -> None:
    x = np.array([[[9, -9, 3, 5, -9]]])
    sent, clipped = run_program(speaking(5, lambda t: t.input() > 4), [x], {})
    np.testing.assert_array_equal(sent, [[[7, 0, 0, 5, 0]]])
    assert clipped == 1


def test_modes_of_a_silent_neuron_count_nothing_as_clipped() -> None:
    """And a sum over the layer counts where any of its neurons speaks."""
    tracer = Tracer(2)
    x = tracer.input()
    modes = saturate(per_mode(x, 3), 4, "state")
    layer = saturate(sum_channels(x), 4, "sum")
    program = tracer.program(send_when(x > 4, sum_modes(modes) + layer))
    sent, clipped = run_program(program, [np.array([[[9, -9]], [[-9, -9]], [[9, 9]]])], {})
    np.testing.assert_array_equal(sent[:, 0], [[21, 0], [0, 0], [28, 28]])
    assert clipped == 3 + 0 + (3 + 3 + 1)


def stepped(words: np.ndarray) -> np.ndarray:
    """Give the words after ``words`` (n,) of the pseudo-random generator."""
    tracer = Tracer(len(words))
    word = tracer.state("noise", BITS, start=words)
    following = pseudo_random(word)
    tracer.next(word, following)
    step = ProgramStep(tracer.program(following), 1)
    return step([np.zeros((1, len(words)), np.int64)], {})[0]


def test_pseudo_random_words_have_their_full_period() -> None:
    """A step is a matrix over bits; its order is 2**24 - 1, so every word but 0 comes once."""
    columns = stepped(1 << np.arange(BITS))
    matrix = (columns[None, :] >> np.arange(BITS)[:, None]) & 1

    def power(exponent: int) -> np.ndarray:
        result, square = np.eye(BITS, dtype=np.int64), matrix
        while exponent:
            result = result @ square % 2 if exponent & 1 else result
            square, exponent = square @ square % 2, exponent >> 1
        return result

    period = 2**BITS - 1
    assert np.array_equal(power(period), np.eye(BITS))
    assert not any(np.array_equal(power(period // p), np.eye(BITS)) for p in PRIMES)
    words = np.random.default_rng(1).integers(1, 2**BITS, 1000)
    assert (stepped(words) < 2**BITS).all()


def test_pseudo_random_words_are_bounded_by_their_bits() -> None:
    tracer = Tracer(3)
    word = tracer.state("noise", BITS, start=1)
    following = pseudo_random(word)
    tracer.next(word, following)
    silence = Interval(np.zeros(3), np.zeros(3))
    output = bound_program(tracer.program(following), [silence], {}).output
    np.testing.assert_array_equal(output.low, np.zeros(3))
    np.testing.assert_array_equal(output.high, np.full(3, 2.0**BITS - 1.0))


def bounds_of(trace: Callable[[Tracer], Value], *sources: tuple[int, int]) -> ProgramBounds:
    tracer = Tracer(2)
    ports = [Interval(np.full(2, float(low)), np.full(2, float(high))) for low, high in sources]
    return bound_program(tracer.program(trace(tracer)), ports, {})


def test_a_counter_that_nothing_stops_leaves_its_word() -> None:
    def step(t: Tracer) -> Value:
        count = t.state("count", 24)
        t.next(count, count + 1)
        return count

    assert bounds_of(step, (0, 0)).leaving == ("count",)


def test_a_word_that_settles_beyond_its_width_leaves_it() -> None:
    def step(t: Tracer) -> Value:
        held = t.state("held", 8)
        t.next(held, t.input())
        return held

    assert bounds_of(step, (-127, 127)).leaving == ()
    assert bounds_of(step, (0, 255)).leaving == ()  # unsigned
    assert bounds_of(step, (0, 256)).leaving == bounds_of(step, (-1, 128)).leaving == ("held",)


def test_a_word_that_starts_beyond_its_width_is_named() -> None:
    def step(t: Tracer) -> Value:
        held = t.state("held", 8, start=300)
        t.next(held, t.input())
        return held

    assert bounds_of(step, (0, 255)).leaving == ("held",)


def test_a_word_fills_its_width_and_no_less() -> None:
    """An unsigned word of 24 bits goes up to 2**24 - 1, as words of pseudo-random bits do."""

    def step(t: Tracer) -> Value:
        noise = t.state("noise", BITS, start=1)
        mixed = pseudo_random(noise)
        t.next(noise, mixed)
        held = t.state("held", BITS)
        t.next(held, saturate(held + t.input(), BITS, "held"))  # grows by steps, without end
        return mixed

    bounds = bounds_of(step, (-3, 3))
    assert bounds.leaving == ()
    assert bounds.output.high.max() == 2.0**BITS - 1.0
    assert bounds.output.low.min() == 0.0
    assert bounds.reached["held"].max() == 2.0 ** (BITS - 1) - 1.0 + 3.0


def test_an_unsigned_word_that_grows_slowly_fills_its_width() -> None:
    def step(t: Tracer) -> Value:
        held = t.state("held", 20)
        t.next(held, saturate(held + t.input(), 20, "held", signed=False))
        return held

    bounds = bounds_of(step, (0, 3))
    assert bounds.leaving == ()
    assert bounds.output.high.max() == 2.0**20 - 1.0


def test_a_network_whose_word_may_leave_is_refused() -> None:
    source = Input(name="input", output=Format(16, 0), channels=3)
    node = Counter(name="soma", inputs=(Edge("input"),), output=Format(24, 0), channels=3)
    with with_kind(Counter), pytest.raises(NetworkError, match=r"'soma' .*'count' out of 24 bits"):
        verify_network(Network("lowered", (source, node), "all"))


@dataclass(frozen=True, kw_only=True, eq=False)
class Counter(IntegerNode):
    """``y = sat(Σ x)``, the sum in a word that nothing clips."""

    channels: int

    @property
    def width(self) -> int:
        return self.channels

    def step(self, t: Tracer) -> Value:
        count = t.state("count", 24)
        t.next(count, count + t.input())
        return saturate(count, self.output.bits, "output")


@dataclass(frozen=True, kw_only=True, eq=False)
class AdaptiveSoma(IntegerNode):
    """``a = trunc(a · 3900 / 4096) + jump y``; ``y = x > a``: a level that its spikes raise."""

    spikes = True

    channels: int
    jump: int
    output: Format = SPIKE

    @property
    def width(self) -> int:
        return self.channels

    def check_output(self) -> None:
        assert self.output == SPIKE

    def step(self, t: Tracer) -> Value:
        level = t.state("level", BITS)
        spike = t.input() > level
        jump = t.parameter("jump", self.jump, BITS)
        raised = decay_towards_zero(level, 3900, 12) + select(spike, jump, 0)
        t.next(level, saturate(raised, BITS, "level"))
        return spike


def test_a_new_kind_is_one_class() -> None:
    """Legal, bounded, costed, run by the reference engine and stored, with nothing else touched."""
    source = Input(name="input", output=Format(16, 0), channels=3)
    node = AdaptiveSoma(name="soma", inputs=(Edge("input"),), channels=3, jump=4000)
    network = Network("lowered", (source, node), "all")
    with pytest.raises(NetworkError, match="not legal in stage 'lowered'"):
        verify_network(network)
    x = np.random.default_rng(2).integers(-(2**15) + 1, 2**15, (2, 40, 3))
    with with_kind(AdaptiveSoma):
        verify_network(network)
        result = run_whole(ReferenceEngine(), network, Run(x, np.array([40, 40]), ("soma",)))
        document, tensors = network_to_document(network)
        again = network_from_document(document, tensors)
        cost = cost_network(network)["soma"]
        bound = bound_network(network)["soma"]
    assert again["soma"].kind == "AdaptiveSoma"
    assert cost.operations == 6
    assert cost.memory.state == BITS
    assert not bound.can_exceed("level")
    level, expected = np.zeros((2, 3), np.int64), np.empty_like(x)
    for t in range(x.shape[1]):
        expected[:, t] = x[:, t] > level
        level = level * 3900 // 4096 + 4000 * expected[:, t]
    np.testing.assert_array_equal(result.trace["soma"], expected)
    assert result.messages["soma"].sum() == expected.sum()
    assert 0.1 < expected.mean() < 0.9

"""A neuron's program: what follows from it is what was written by hand before."""

from __future__ import annotations

import numpy as np

from snn_deploy import fixedpoint as fp
from snn_deploy.ir.cost import program_cost
from snn_deploy.ir.program import Tracer, listing, pseudo_random
from snn_deploy.ir.program_step import ProgramStep, run_program
from snn_deploy.mapping.cost import LIF_OPERATIONS
from snn_deploy.nodes.lif import LifSoma

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

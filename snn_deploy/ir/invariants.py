"""What a neuron's words of state cannot leave, whatever the input: found by guessing, and proved.

Words are stepped from the start until they stay where they are. Where they grow geometrically, as a
leaking membrane's do, the limit is guessed and then *proved* by one more step. Where there is none,
a word may fill its width, if a step that starts there stays there; a word that even then may leave
its width is named, and proves nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from snn_deploy import fixedpoint as fp
from snn_deploy.ir.program import Program

__all__ = ["Interval", "Values", "Words", "full_word", "invariant_values", "leaving_words"]

Real = npt.NDArray[np.float64]

_STEPS = 64  # of iteration, before a limit is guessed, and between two guesses
_GUESSES = 4
_HALVINGS = 16  # of what a guess is too large by


@dataclass(frozen=True)
class Interval:
    """Low and high, (channels,) or (channels, modes) each, as numbers that no value passes."""

    low: Real
    high: Real

    @property
    def magnitude(self) -> Real:
        """The largest magnitude."""
        return np.maximum(np.abs(self.low), np.abs(self.high))

    def hull(self, other: Interval) -> Interval:
        return Interval(np.minimum(self.low, other.low), np.maximum(self.high, other.high))

    def within(self, other: Interval) -> bool:
        return bool(np.all(self.low >= other.low) and np.all(self.high <= other.high))


Words = dict[str, Interval]
Values = Mapping[int, Interval]


def invariant_values(program: Program, evaluate: Callable[[Words], Values], start: Words) -> Values:
    """Find intervals of the words that no step leaves; give all values' intervals.

    Parameters
    ----------
    program, start
        The program, and its words at the first step.
    evaluate
        Gives the intervals of all values, by ``id``, from those of the words.
    """

    def follow(words: Words) -> Words:
        values = evaluate(words)
        return {n: words[n].hull(values[id(word.following)]) for n, word in program.words.items()}

    before = words = start
    for _ in range(_GUESSES):
        for _ in range(_STEPS):
            after = follow(words)
            if _all_within(after, words):
                return evaluate(words)
            before, words = words, after
        after = follow(words)
        guess = {name: _limit(before[name], words[name], after[name]) for name in words}
        if _all_within(follow(guess), guess):
            tight = _tightened(follow, words, guess)
            held = {n: _held(x, program.words[n].bits) for n, x in tight.items()}
            return evaluate(held if _all_within(follow(held), held) else tight)
    return evaluate(_filled(program, follow, start, words))


def _all_within(words: Words, others: Words) -> bool:
    return all(interval.within(others[name]) for name, interval in words.items())


def _filled(
    program: Program, follow: Callable[[Words], Words], start: Words, words: Words
) -> Words:
    """Let words that still grow fill their width, until no step leaves it, or one leaves that."""
    full: set[str] = set()
    while True:
        after = follow(words)
        grown = {name for name in words if not after[name].within(words[name])}
        # a word that was never negative is an unsigned one, until another's growth makes it signed
        turned = {name for name in grown if words[name].low.min() >= 0.0 > after[name].low.min()}
        if not grown or grown & full - turned:
            return words
        full |= grown
        words = words | {
            name: full_word(program.words[name].bits, after[name]).hull(start[name])
            for name in grown
        }


def leaving_words(program: Program, start: Words, values: Values) -> tuple[str, ...]:
    """Name the words that start outside of their width, or that a step may take there."""
    reached = {
        name: start[name].hull(values[id(word.following)]) for name, word in program.words.items()
    }
    bits = {name: word.bits for name, word in program.words.items()}
    return tuple(name for name, x in reached.items() if not x.within(full_word(bits[name], x)))


def _tightened(
    follow: Callable[[Words], Words],
    inside: Words,
    outside: Words,
) -> Words:
    """Halve the room between words that are reached and an invariant, as long as one is left."""
    for _ in range(_HALVINGS):
        middle = {
            name: Interval(
                (inside[name].low + outside[name].low) / 2.0,
                (inside[name].high + outside[name].high) / 2.0,
            )
            for name in inside
        }
        if _all_within(follow(middle), middle):
            outside = middle
        else:
            inside = middle
    return outside


def _limit(first: Interval, second: Interval, third: Interval) -> Interval:
    """Guess where three steps of a geometric series lead, a little beyond."""
    return Interval(
        -_sum_of_series(-first.low, -second.low, -third.low),
        _sum_of_series(first.high, second.high, third.high),
    )


def _sum_of_series(first: Real, second: Real, third: Real) -> Real:
    step, following = second - first, third - second
    ratio = np.divide(following, step, out=np.zeros_like(step), where=step > 0)
    ratio = np.minimum(ratio, 1.0 - 1e-9)
    rest = following * ratio / (1.0 - ratio)
    grows = following > 0
    return np.asarray(np.where(grows, np.ceil((third + rest) * (1.0 + 1e-9)) + 1.0, third))


def full_word(bits: int, interval: Interval, signed: bool | None = None) -> Interval:
    """Give all that a word holds: of either sign, if ``interval`` is; or as ``signed`` says."""
    signed = bool(interval.low.min() < 0.0) if signed is None else signed
    limit = float(fp.limit_of(bits, signed))
    low = np.full_like(interval.low, -limit if signed else 0.0)
    return Interval(low, np.full_like(interval.high, limit))


def _held(interval: Interval, bits: int) -> Interval:
    """Give what of an interval a word holds."""
    full = full_word(bits, interval)
    return Interval(np.maximum(interval.low, full.low), np.minimum(interval.high, full.high))

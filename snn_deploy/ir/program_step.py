"""Runs a neuron's program on numpy arrays: what the reference engine and Lava's processes compute.

One function an operation; each is its equation, in ``fixedpoint``'s words. Channels are the last
axis, modes one more after it; all axes before are free: a batch, or a batch and its steps where the
program has no state.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from snn_deploy import fixedpoint as fp
from snn_deploy.ir.program import Program, Value
from snn_deploy.ir.windows import Windows

__all__ = ["Clock", "ProgramStep", "first_words", "run_program"]

IntArray = npt.NDArray[np.int64]
Clock = Mapping[str, Any]


def first_words(program: Program, batch: int) -> dict[str, IntArray]:
    """Give the words of state before the first step: (batch, width), or (batch, width, modes)."""
    words: dict[str, IntArray] = {}
    for word in program.words.values():
        shape = (batch, program.width, *_axis(word.value))
        words[word.name] = np.broadcast_to(np.int64(word.start), shape).copy()
    return words


class ProgramStep:
    """A program, ready to run; ``clipped`` counts what was saturated so far.

    What is only computed to be sent (``send_when``) counts for the neurons that send it.
    ``constants`` holds, by the ``id`` of a value, what is known before the first step.

    Parameters
    ----------
    program
        The neuron's.
    batch
        Sequences side by side; their words of state are (batch, width), or (batch, width, modes).
    observe
        Called with each quantity that is clipped: its name, and its values after that.
    """

    def __init__(
        self, program: Program, batch: int, observe: Callable[[str, IntArray], None] | None = None
    ) -> None:
        self.program = program
        self._observe = observe
        self._needed = program.every_step
        self.constants: dict[int, IntArray] = {}
        self.clipped = 0
        for value in program:
            if value.constant:
                self._evaluate(value, self.constants, (), {})
        self.clipped = 0  # so far constants alone
        self._values = tuple(value for value in program if id(value) not in self.constants)
        self.words = first_words(program, batch)

    def anew(self) -> ProgramStep:
        """Give a step that knows what this one knew beforehand, of a program without state."""
        step = ProgramStep.__new__(ProgramStep)
        step.__dict__ = {**self.__dict__, "clipped": 0}
        return step

    def __call__(self, ports: Sequence[IntArray], clock: Clock) -> IntArray:
        """Take one step: what arrived at each port, (…, channels), gives what is sent."""
        results = dict(self.constants)
        sends = self.program.output.operation == "send_when"
        silent = sends and not np.any(
            self._evaluate(self.program.output.arguments[0], results, ports, clock)
        )
        for value in self._values:
            if silent and id(value) not in self._needed:
                continue
            self._evaluate(value, results, ports, clock)
        shape = (*ports[0].shape[:-1], self.program.width)
        for word in self.program.words.values():
            following = results[id(word.following)]
            if following.shape != self.words[word.name].shape:
                following = np.broadcast_to(following, self.words[word.name].shape)
            self.words[word.name] = following
        sent = np.empty(shape, dtype=np.int64)
        sent[...] = 0 if silent else results[id(self.program.output)]
        return sent

    def _evaluate(
        self, value: Value, results: dict[int, IntArray], ports: Sequence[IntArray], clock: Clock
    ) -> IntArray:
        if id(value) in results:
            return results[id(value)]
        arguments = [self._evaluate(a, results, ports, clock) for a in value.arguments]
        if value.operation == "input":
            port, part = value.content
            result = np.asarray(ports[port][..., slice(*(part or (None,)))])
        elif value.operation == "state":
            result = self.words[value.name]
        elif value.operation == "clock":
            result = np.asarray(clock[value.name], dtype=np.int64)
        elif value.operation == "saturate":
            result, count = fp.saturate(arguments[0], *value.content)
            if count and not value.constant and id(value) not in self._needed:
                speaks = results[id(self.program.output.arguments[0])]
                count = _count(result != arguments[0], speaks, value.modes is not None)
            self.clipped += count
            if self._observe is not None:
                self._observe(value.name, result)
        elif value.arguments:
            result = _FUNCTIONS[value.operation](*_aligned(value, arguments), *_extra(value))
        else:
            result = _constant(value)
        results[id(value)] = result
        return result


def _count(clipped: Any, speaks: IntArray, per_mode: bool) -> int:
    """Count what was clipped in neurons that speak.

    ``clipped`` is (…, channels), with an axis of modes after it if ``per_mode``; ``speaks`` is
    (…, channels) or (…, 1). What is not of one neuron alone counts where any speaks.
    """
    channels = clipped.shape[-2 if per_mode else -1]
    sending = np.atleast_1d(speaks) != 0
    if sending.shape[-1] != channels:
        sending = sending.any(axis=-1, keepdims=True)
    return int(np.count_nonzero(clipped & (sending[..., None] if per_mode else sending)))


def _axis(value: Value) -> tuple[int, ...]:
    return () if value.modes is None else (value.modes,)


def _constant(value: Value) -> Any:
    return value.content[0] if value.operation == "parameter" else np.int64(value.content)


def _extra(value: Value) -> tuple[Any, ...]:
    if value.operation == "per_mode":
        return (value.modes,)
    if value.operation == "convolution":
        return (value.content,)
    return value.content if value.operation == "clip" else ()


def _aligned(value: Value, arguments: list[Any]) -> list[Any]:
    """Give values of a channel an axis of modes where they meet values of modes."""
    if value.modes is None or value.operation == "per_mode":
        return arguments
    pairs = zip(value.arguments, arguments, strict=True)
    return [a if v.modes is not None or np.ndim(a) == 0 else a[..., None] for v, a in pairs]


def _convolution(kernel: IntArray, x: IntArray, windows: Windows) -> IntArray:
    return windows.weigh(kernel, x, fp.dot)


def _weighted_sum(weight: IntArray, x: IntArray) -> IntArray:
    return fp.dot(x, weight.T)


def _bit_length(x: IntArray) -> IntArray:
    return np.asarray(np.frexp(np.asarray(x, np.float64))[1].astype(np.int64))


def _flag(compared: Any) -> IntArray:
    return np.asarray(compared, dtype=np.int64)


_FUNCTIONS: dict[str, Callable[..., IntArray]] = {
    "add": lambda a, b: a + b,
    "subtract": lambda a, b: a - b,
    "negate": lambda a: -a,
    "multiply": lambda a, b: a * b,
    "shift_left": np.left_shift,
    "round_shift": fp.round_shift,
    "signed_shift": fp.signed_shift,
    "multiply_shift": fp.multiply_shift,
    "decay": fp.multiply_shift_towards_zero,
    "clip": np.clip,
    "minimum": np.minimum,
    "greater": lambda a, b: _flag(a > b),
    "equal": lambda a, b: _flag(a == b),
    "select": lambda c, a, b: np.where(c != 0, a, b),
    "send_when": lambda c, a: np.where(c != 0, a, 0),
    "and": np.bitwise_and,
    "or": np.bitwise_or,
    "xor": np.bitwise_xor,
    "lookup": lambda table, index: table[index],
    "bit_length": _bit_length,
    "per_mode": lambda x, modes: np.broadcast_to(x[..., None], (*x.shape, modes)),
    "sum_modes": lambda x: np.asarray(x.sum(axis=-1)),
    "largest_channel": lambda x: np.asarray(x.max(axis=-1, keepdims=True)),
    "sum_channels": lambda x: np.asarray(x.sum(axis=-1, keepdims=True)),
    "weighted_sum": _weighted_sum,
    "convolution": _convolution,
}


def run_program(
    program: Program,
    sources: Sequence[IntArray],
    clock: Clock,
    backwards: bool = False,
    step: ProgramStep | None = None,
) -> tuple[IntArray, int]:
    """Run whole signals (B, L, channels), ``backwards`` from the last step to the first.

    Gives the signal and how many values were clipped. ``clock`` words are (B, L, 1). With ``step``
    it goes on from that step's words of state, and leaves them there.
    """
    batch, steps = sources[0].shape[:2]
    step = step or ProgramStep(program, batch)
    before = step.clipped
    if not program.words:
        return step(sources, clock), step.clipped - before
    sent = np.empty((batch, steps, program.width), dtype=np.int64)
    for t in range(steps)[:: -1 if backwards else 1]:
        now = {name: word[:, t] for name, word in clock.items()}
        sent[:, t] = step([x[:, t] for x in sources], now)
    return sent, step.clipped - before

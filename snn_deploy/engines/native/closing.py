"""The end of a classifier: pools, and what only listens to them, computed once a sequence.

A pool is silent at every step but one, and so what follows it gives the same silent answer at
every step but one. Computing both answers once is what makes the readout cost nothing.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import numpy as np

from snn_deploy import fixedpoint as fp
from snn_deploy.engines.native.plan import REMEMBERED
from snn_deploy.engines.result import IntArray
from snn_deploy.ir.node import Node
from snn_deploy.ir.program import Program
from snn_deploy.ir.program_step import ProgramStep, run_program
from snn_deploy.nodes.pooling import Accumulator

__all__ = ["Closing", "Spoken", "close"]


@dataclass(frozen=True)
class Spoken:
    """A node's two answers: at the silent steps (width,), and at the one that counts (B, width)."""

    silent: IntArray
    answer: IntArray


@dataclass(frozen=True)
class Closing:
    """What the closing nodes gave.

    Parameters
    ----------
    spoken
        By node name.
    saturated
        By node name: values clipped, over all sequences and steps.
    speaks
        The step (B,) at which each sequence gets its answer.
    """

    spoken: dict[str, Spoken]
    speaks: IntArray
    steps: int
    saturated: dict[str, int] = field(default_factory=dict)

    def signal(self, name: str, start: int = 0, stop: int | None = None) -> IntArray:
        """Write a node's output out over the steps ``start`` … ``stop - 1``, (B, steps, width)."""
        spoken, stop = self.spoken[name], self.steps if stop is None else stop
        samples, width = spoken.answer.shape
        signal = np.broadcast_to(spoken.silent, (samples, stop - start, width)).copy()
        (answered,) = np.nonzero((start <= self.speaks) & (self.speaks < stop))
        signal[answered, self.speaks[answered] - start] = spoken.answer[answered]
        return signal

    def messages(self, name: str) -> IntArray:
        """Count a node's non-zero messages, (B, width)."""
        spoken = self.spoken[name]
        quiet = (spoken.silent != 0) * np.int64(self.steps - 1)
        return np.asarray(quiet + (spoken.answer != 0), dtype=np.int64)


def close(
    nodes: tuple[Node, ...], held: dict[str, IntArray], speaks: IntArray, steps: int
) -> Closing:
    """Compute the closing nodes.

    Parameters
    ----------
    nodes
        The plan's closing nodes.
    held
        By pool: what it gathered over each sequence's valid steps, (B, width)
    speaks, steps
        The step (B,) at which the pools speak, and how many steps there were.
    """
    closing = Closing({}, speaks, steps)
    for node in nodes:
        if isinstance(node, Accumulator):
            pooled = _pool(node, held[node.name], speaks + 1)
            answer, clipped = fp.saturate(pooled, node.output.bits)
            spoken = Spoken(_silence(nodes)[node.name][0], answer)
        else:
            sources = [closing.spoken[edge.source].answer[:, None] for edge in node.inputs]
            answers, clipped = _run(node, sources)
            silence, muted = _silence(nodes)[node.name]
            spoken = Spoken(silence, answers[:, 0])
            clipped += muted * len(speaks) * (steps - 1)
        closing.spoken[node.name] = spoken
        if node.clips:  # type: ignore[attr-defined]  # lowered stage
            closing.saturated[node.name] = clipped
    return closing


def _run(node: Any, sources: list[IntArray]) -> tuple[IntArray, int]:
    """Run a node that has no state on (B, 1, width) each; once a sequence, numpy will do."""
    return run_program(node.program, sources, {}, step=_step(node.program).anew())


@lru_cache(maxsize=8 * REMEMBERED)
def _step(program: Program) -> ProgramStep:
    """Compute what a program without state knows beforehand."""
    return ProgramStep(program, 1)


def _pool(node: Accumulator, held: IntArray, steps: IntArray) -> IntArray:
    """Give what an accumulator says after ``steps`` (B,) valid steps, before saturation.

    ``held`` (B, width) is the sum over them, or the first or last, as the node's mode says.
    """
    if node.mode == "mean":
        divisors = np.array([node.divisor(count) for count in steps.tolist()])
        return fp.mean_from_sum(held, divisors.T[..., None])
    return fp.signed_shift(held, node.guard_bits)


@lru_cache(maxsize=REMEMBERED)
def _silence(nodes: tuple[Node, ...]) -> dict[str, tuple[IntArray, int]]:
    """Give what each closing node says while pools are silent, and how many values that clips."""
    said: dict[str, tuple[IntArray, int]] = {}
    for node in nodes:
        if isinstance(node, Accumulator):
            said[node.name] = np.zeros(node.width, dtype=np.int64), 0
        else:
            sources = [said[edge.source][0][None, None] for edge in node.inputs]
            silence, muted = _run(node, sources)
            said[node.name] = silence[0, 0], muted
    return said

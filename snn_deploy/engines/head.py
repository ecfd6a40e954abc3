"""A network's head: what the host computes on the chip's decoded answer, in float64."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from snn_deploy.engines.float_ops import Context
from snn_deploy.ir.answer import Answer

__all__ = ["Real", "add_steps", "apply_head", "head_batches", "predict"]

Real = npt.NDArray[np.float64]

BATCH_BYTES = 64 * 2**20  # of one signal; a large vocabulary's scores are many times the chip's


def apply_head(answer: Answer, taken: Real) -> Real:
    """Compute an answer's head on the chip's steps of it: (B, width), or (B, steps, width).

    Pairs of sequences, first ones first, give one row each. Without a head this is ``taken``.
    """
    if not answer.head:
        return taken
    parts = [part for _, part in head_batches(answer, taken)]
    whole = np.concatenate(parts)
    return whole.reshape(answer.shape(taken.shape))


def add_steps(answer: Answer, total: Real | None, taken: Real) -> Real:
    """Give what a head that sums steps makes of more of them, (B, T, width), after a ``total``."""
    *before, last = answer.head
    context = Context(np.ones(len(taken), dtype=np.int64), "exact")
    for node in before:
        taken = np.asarray(node.evaluate([taken], context))  # type: ignore[attr-defined]
    if total is None:
        total = np.zeros((len(taken), last.width))
    return np.asarray(last.add(total, taken))  # type: ignore[attr-defined]  # it sums steps


def predict(answer: Answer, taken: Real) -> npt.NDArray[np.int64]:
    """Give the class with the largest logit, the first one where several tie: (B,), (B, steps)."""
    parts = [part.argmax(axis=-1) for _, part in head_batches(answer, taken)]
    whole: npt.NDArray[np.int64] = np.concatenate(parts)
    return whole.reshape(answer.shape(taken.shape)[:-1])


def head_batches(answer: Answer, taken: Real) -> Iterator[tuple[slice, Real]]:
    """Give the head's output, (n, classes), batch by batch of its rows.

    A row is a step of a sequence, or a sequence where there is one vector each: the rows of
    ``apply_head(…).reshape(-1, classes)``, which may be too large to be held at once.
    """
    if not all(node.pointwise for node in answer.head):  # type: ignore[attr-defined]  # float
        whole = _evaluate(answer, taken)
        yield slice(0, whole[..., 0].size), whole.reshape(-1, whole.shape[-1])
        return
    rows = taken.reshape(-1, taken.shape[-1])
    widest = max(node.width for node in (answer.source, *answer.head))
    size = max(1, BATCH_BYTES // (8 * widest))
    for start in range(0, len(rows), size):
        part = slice(start, min(start + size, len(rows)))
        yield part, _evaluate(answer, rows[part])


def _evaluate(answer: Answer, taken: Real) -> Real:
    context = Context(np.ones(len(taken), dtype=np.int64), "exact")
    for node in answer.head:
        taken = np.asarray(node.evaluate([taken], context))  # type: ignore[attr-defined]
    return taken

"""A network's head: what the host computes on the chip's decoded answer, in float64."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from snn_deploy.engines.float_ops import Context
from snn_deploy.ir.network import Network

__all__ = ["Real", "answer_shape", "apply_head", "head_batches", "predict"]

Real = npt.NDArray[np.float64]

BATCH_BYTES = 64 * 2**20  # of one signal; a large vocabulary's scores are many times the chip's


def answer_shape(network: Network, answer: tuple[int, ...]) -> tuple[int, ...]:
    """Give the shape of what a network's head makes of a chip's answer of shape ``answer``."""
    rows, *steps, _ = answer
    if network.answers_once:
        steps = []
    if any(node.compares_pairs for node in network.head):
        rows //= 2
    if steps and network.first_steps is not None:
        steps = [network.first_steps]
    return (rows, *steps, (network.head or network.nodes)[-1].width)


def apply_head(network: Network, answer: Real) -> Real:
    """Compute a network's head on the chip's answer: (B, width), or (B, steps, width).

    Pairs of sequences, first ones first, give one row each. Without a head this is ``answer``.
    """
    if not network.head:
        return answer
    parts = [part for _, part in head_batches(network, answer)]
    whole = np.concatenate(parts)
    return whole.reshape(answer_shape(network, answer.shape))


def predict(network: Network, answer: Real) -> npt.NDArray[np.int64]:
    """Give the class with the largest logit, the first one where several tie: (B,), (B, steps)."""
    parts = [part.argmax(axis=-1) for _, part in head_batches(network, answer)]
    whole: npt.NDArray[np.int64] = np.concatenate(parts)
    return whole.reshape(answer_shape(network, answer.shape)[:-1])


def head_batches(network: Network, answer: Real) -> Iterator[tuple[slice, Real]]:
    """Give the head's output, (n, classes), batch by batch of its rows.

    A row is a step of a sequence, or a sequence where there is one vector each: the rows of
    ``apply_head(…).reshape(-1, classes)``, which may be too large to be held at once.
    """
    if not all(node.pointwise for node in network.head):  # type: ignore[attr-defined]  # float
        whole = _evaluate(network, answer)
        yield slice(0, whole[..., 0].size), whole.reshape(-1, whole.shape[-1])
        return
    rows = answer.reshape(-1, answer.shape[-1])
    widest = max(node.width for node in (network.output, *network.head))
    size = max(1, BATCH_BYTES // (8 * widest))
    for start in range(0, len(rows), size):
        part = slice(start, min(start + size, len(rows)))
        yield part, _evaluate(network, rows[part])


def _evaluate(network: Network, answer: Real) -> Real:
    context = Context(np.ones(len(answer), dtype=np.int64), "exact")
    for node in network.head:
        answer = np.asarray(node.evaluate([answer], context))  # type: ignore[attr-defined]
    return answer

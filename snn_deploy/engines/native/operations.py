"""The fast program's instructions, and the one compiled function that carries them out.

A whole sweep over a chunk of time is one call, without a word of Python in between: a list of
operations, each a node, with offsets into a few flat arrays.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from snn_deploy.engines.native import (
    byte_vectors,
    compilation,
    dendrite_kernel,
    normalize_kernel,
    vectors,
)
from snn_deploy.engines.native import fast_kernels as kernels
from snn_deploy.engines.native.compilation import compiled, fingerprint
from snn_deploy.engines.native.dendrite_kernel import run_dendrite
from snn_deploy.engines.native.normalize_kernel import normalize
from snn_deploy.engines.native.vectors import LANES

__all__ = [
    "ADD_GRADED",
    "ADD_SPIKES",
    "CLIPPING",
    "COUNT",
    "DENDRITE",
    "GATE",
    "KEEP",
    "NORMALIZE",
    "OPERATION",
    "POOL",
    "RECALL",
    "RELAY",
    "RUNNING_SUM",
    "SOMA",
    "TAKE_IN",
    "run_operations",
]

ADD_SPIKES, ADD_GRADED, RELAY, DENDRITE, SOMA, GATE, POOL, COUNT, KEEP, RECALL = range(10)
NORMALIZE, RUNNING_SUM, TAKE_IN = 10, 11, 12
CLIPPING = (RELAY, DENDRITE, SOMA, GATE, NORMALIZE, RUNNING_SUM)

OPERATION = np.dtype(
    [
        ("kind", np.int64),
        # signals, in doubles a row from the start of all signals; a row is a step of a sample
        ("x", np.int64),
        ("x_pitch", np.int64),
        ("y", np.int64),
        ("y_pitch", np.int64),
        # in doubles a sample from the start of all states
        ("state", np.int64),
        # where parameters start
        ("first", np.int64),
        ("second", np.int64),
        ("third", np.int64),
        ("fourth", np.int64),
        # a number of inputs, sources, modes or table rows; a half's width
        ("size", np.int64),
        ("half", np.int64),
        ("flag", np.int64),
        ("scale", np.float64),
        ("limit", np.float64),
        ("inner_limit", np.float64),
    ],
    align=True,
)

Array = Any  # numba knows the types


def _build(version: int) -> Callable[..., None]:  # noqa: C901
    @compiled
    def run_operations(  # noqa: C901, PLR0912 - a branch a kind
        operations: Array,
        params: Array,
        weights: Array,
        tables: Array,
        state: Array,
        work: Array,
        signals: Array,
        kept: Array,
        incoming: Array,
        ends: Array,
        samples: int,
        start: int,
        whole: int,
        begin: int,
        end: int,
        block: int,
        backwards: bool,
        length: int,
        capacity: int,
        clipped: Array,
    ) -> None:
        """Carry out operations on steps ``begin`` to ``end`` of a chunk of ``whole`` steps, which
        starts at ``start``, a block after another.

        Parameters
        ----------
        operations
            An ``OPERATION`` each.
        params, weights, tables
            Doubles, int8 and int64: parameters.
        state, work, signals
            Doubles: what lives on, scratch, and a block's signals, which have room for
            ``capacity`` rows.
        kept
            int32: signals that are kept, or were, as whole sequences of ``length`` steps.
        incoming
            Doubles (samples, whole, pitch): the network's input.
        ends
            (kinds, samples): the step at which each kind of pool stops taking in.
        block
            Steps that are done at a time, by all operations, before the next ones.
        backwards
            Blocks are taken from the last to the first.
        clipped
            One a operation: incremented by how many values it clipped.
        """
        blocks = (end - begin + block - 1) // block if version > 0 else 0
        for b in range(blocks):
            first = begin + (blocks - 1 - b if backwards else b) * block
            steps = min(block, end - first)
            rows, position = samples * steps, start + first
            for i in range(len(operations)):
                op = operations[i]
                x, y, held = op.x * capacity, op.y * capacity, op.state * samples
                if op.kind == DENDRITE:
                    clipped[i] += run_dendrite(
                        params,
                        op.first,
                        tables,
                        op.second,
                        op.third,
                        state,
                        held,
                        work,
                        signals,
                        x,
                        y,
                        samples,
                        steps,
                        op.y_pitch // LANES,
                        op.size,
                        op.flag != 0,
                        op.scale,
                        op.limit,
                        op.inner_limit,
                    )
                elif op.kind == SOMA:
                    clipped[i] += kernels.drive_soma(
                        state,
                        held,
                        signals,
                        x,
                        y,
                        op.y_pitch,
                        samples,
                        steps,
                        op.scale,
                        op.inner_limit,
                        op.limit,
                    )
                elif op.kind == ADD_SPIKES:
                    kernels.add_spikes(
                        weights, op.first, signals, x, op.x_pitch, y, op.y_pitch, rows
                    )
                elif op.kind == ADD_GRADED:
                    kernels.add_graded(
                        params, op.first, op.size, signals, x, op.x_pitch, y, op.y_pitch, rows
                    )
                elif op.kind == RELAY:
                    clipped[i] += kernels.relay(
                        tables,
                        op.first,
                        op.size,
                        capacity,
                        params,
                        op.second,
                        op.third,
                        signals,
                        y,
                        op.y_pitch,
                        rows,
                        op.limit,
                    )
                elif op.kind == GATE:
                    clipped[i] += kernels.gate(
                        params,
                        op.first,
                        op.second,
                        op.third,
                        op.fourth,
                        op.size,
                        signals,
                        x,
                        op.x_pitch,
                        op.half,
                        y,
                        op.y_pitch,
                        rows,
                        op.inner_limit,
                        op.scale,
                        op.limit,
                    )
                elif op.kind == NORMALIZE:
                    clipped[i] += normalize(
                        params,
                        op.first,
                        op.second,
                        tables,
                        op.third,
                        op.fourth,
                        op.size,
                        signals,
                        x,
                        y,
                        op.y_pitch,
                        rows,
                        op.limit,
                    )
                elif op.kind == POOL:
                    kernels.pool(
                        state,
                        held,
                        ends[op.first],
                        position,
                        op.flag != 0,
                        signals,
                        x,
                        op.x_pitch,
                        samples,
                        steps,
                    )
                elif op.kind == RUNNING_SUM:
                    clipped[i] += kernels.running_sum(
                        state,
                        held,
                        signals,
                        x,
                        y,
                        op.y_pitch,
                        samples,
                        steps,
                        op.scale,
                        op.inner_limit,
                        op.limit,
                    )
                elif op.kind == COUNT:
                    kernels.count_messages(state, held, signals, x, op.x_pitch, samples, steps)
                elif op.kind == TAKE_IN:
                    kernels.take_in(incoming, whole, first, signals, y, op.y_pitch, samples, steps)
                else:
                    kernels.copy_sequence(
                        op.kind == KEEP,
                        signals,
                        x if op.kind == KEEP else y,
                        op.x_pitch if op.kind == KEEP else op.y_pitch,
                        kept,
                        op.first * samples * length,
                        samples,
                        steps,
                        position,
                        length,
                    )

    return run_operations


# in the closure so that machine code cached for other vectors, or made of other sources, is never
# taken for this
run_operations = _build(
    LANES
    + fingerprint(byte_vectors, compilation, dendrite_kernel, kernels, normalize_kernel, vectors)
)

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
    dendrite_modes,
    normalize_kernel,
    program_kernel,
    vectors,
)
from snn_deploy.engines.native import fast_kernels as kernels
from snn_deploy.engines.native.compilation import compiled, fingerprint
from snn_deploy.engines.native.dendrite_kernel import run_dendrite
from snn_deploy.engines.native.fast_kernels import find_rows
from snn_deploy.engines.native.normalize_kernel import normalize
from snn_deploy.engines.native.program_kernel import run_program
from snn_deploy.engines.native.vectors import HAS_FLOATS, LANES

__all__ = [
    "ADD_GRADED",
    "ADD_SPIKES",
    "CLIPPING",
    "COUNT",
    "DENDRITE",
    "DENDRITES",
    "FLOAT_DENDRITE",
    "GATE",
    "KEEP",
    "KEEP_PAST",
    "NORMALIZE",
    "OPERATION",
    "POOL",
    "PROGRAM",
    "READ_PAST",
    "RECALL",
    "RELAY",
    "RUNNING_SUM",
    "SOMA",
    "TAKE_IN",
    "run_operations",
]

ADD_SPIKES, ADD_GRADED, RELAY, DENDRITE, SOMA, GATE, POOL, COUNT, KEEP, RECALL = range(10)
NORMALIZE, RUNNING_SUM, TAKE_IN, FLOAT_DENDRITE, PROGRAM, READ_PAST, KEEP_PAST = range(10, 17)
DENDRITES = DENDRITE, FLOAT_DENDRITE
CLIPPING = (*DENDRITES, RELAY, SOMA, GATE, NORMALIZE, RUNNING_SUM, PROGRAM)

OPERATION = np.dtype(
    [
        ("kind", np.int64),
        # signals, in doubles a row from the start of all signals; a row is a step of a sample.
        # ``~place`` is one of a tile's
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
        # a number of inputs, outputs, sources, modes, table rows, instructions or steps back; a
        # half's width, or how many numbers a sample's state has
        ("size", np.int64),
        ("half", np.int64),
        ("flag", np.int64),
        # whether the synapses' sums, which it writes or reads, are int32
        ("narrow", np.int64),
        # of which loop it is: those of one take turns, step by step; 0 if of none
        ("loop", np.int64),
        ("scale", np.float64),
        ("limit", np.float64),
        ("inner_limit", np.float64),
    ],
    align=True,
)

Array = Any  # numba knows the types


def _build(version: int) -> Callable[..., None]:  # noqa: C901, PLR0915
    @compiled
    def run_operations(  # noqa: C901, PLR0912, PLR0915 - a branch a kind
        operations: Array,
        params: Array,
        floats: Array,
        weights: Array,
        tables: Array,
        state: Array,
        float_state: Array,
        word_state: Array,
        work: Array,
        float_work: Array,
        values: Array,
        events: Array,
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
        tile: int,
        backwards: bool,
        length: int,
        capacity: int,
        passing: int,
        clipped: Array,
    ) -> None:
        """Carry out operations on steps ``begin`` to ``end`` of a chunk of ``whole`` steps, which
        starts at ``start``, a block after another.

        Parameters
        ----------
        operations
            An ``OPERATION`` each.
        params, floats, weights, tables
            Doubles, floats, int8 and int64: parameters.
        state, work, signals
            Doubles: what lives on, scratch, and signals: a block's, which have room for
            ``capacity`` rows, and from ``passing`` on a tile's.
        float_state, float_work
            Floats: ``state``, seen as these, and scratch. Scratch that no dendrite needs is None.
        word_state, values
            int64: ``state``, seen as these, and programs' scratch, with their constants in it.
        events
            int32: scratch for the lists of a tile's spikes.
        kept
            int32: signals that are kept, or were, as whole sequences of ``length`` steps.
        incoming
            Doubles (samples, whole, pitch): the network's input.
        ends
            (kinds, samples): the step at which each kind of pool stops taking in.
        block
            Steps that are done at a time, by all operations, before the next ones.
        tile
            Steps of one sample that are done at a time, by all operations but dendrites and those
            of loops.
        backwards
            Blocks, and tiles, are taken from the last to the first.
        clipped
            One a operation: incremented by how many values it clipped.
        """
        blocks = (end - begin + block - 1) // block if version > 0 else 0
        for b in range(blocks):
            first = begin + (blocks - 1 - b if backwards else b) * block
            steps, position, i = min(block, end - first), start + first, 0
            while i < len(operations):
                # those that need no whole block go on in tiles, which stay in the cache
                alone, stop = operations[i].kind in DENDRITES, i + 1
                loop = operations[i].loop
                while (
                    not alone
                    and stop < len(operations)
                    and operations[stop].kind not in DENDRITES
                    and operations[stop].loop == loop
                ):
                    stop += 1
                batch, size = (samples, steps) if alone else (1, tile if loop == 0 else 1)
                for s in range(0, samples, batch):
                    for u in range(0, steps, size):
                        t = (steps - 1) // size * size - u if backwards else u
                        count, row = min(size, steps - t), s * steps + t
                        for k in range(i, stop):
                            op = operations[k]
                            x = find_rows(op.x, capacity, row, op.x_pitch, passing, tile)
                            y = find_rows(op.y, capacity, row, op.y_pitch, passing, tile)
                            held = op.state * samples + s * op.x_pitch
                            if op.kind in DENDRITES:
                                clipped[k] += run_dendrite(
                                    op.kind == FLOAT_DENDRITE,
                                    params,
                                    op.first,
                                    floats,
                                    op.fourth,
                                    tables,
                                    op.second,
                                    op.third,
                                    state,
                                    float_state,
                                    held,
                                    work,
                                    float_work,
                                    signals,
                                    x,
                                    y,
                                    batch,
                                    count,
                                    op.y_pitch,
                                    op.size,
                                    op.flag != 0,
                                    op.scale,
                                    op.limit,
                                    op.inner_limit,
                                )
                            elif op.kind == SOMA:
                                clipped[k] += kernels.drive_soma(
                                    state,
                                    held,
                                    signals,
                                    x,
                                    y,
                                    op.y_pitch,
                                    count,
                                    op.scale,
                                    op.inner_limit,
                                    op.limit,
                                )
                            elif op.kind == ADD_SPIKES:
                                kernels.add_spikes(
                                    weights,
                                    op.first,
                                    op.size,
                                    op.third,
                                    op.second,
                                    op.narrow != 0,
                                    events,
                                    signals,
                                    x,
                                    op.x_pitch,
                                    y,
                                    op.y_pitch,
                                    count,
                                )
                            elif op.kind == ADD_GRADED:
                                kernels.add_graded(
                                    params,
                                    op.first,
                                    op.size,
                                    signals,
                                    x,
                                    op.x_pitch,
                                    y,
                                    op.y_pitch,
                                    count,
                                )
                            elif op.kind == RELAY:
                                clipped[k] += kernels.relay(
                                    tables,
                                    op.first,
                                    op.size,
                                    capacity,
                                    row,
                                    passing,
                                    tile,
                                    params,
                                    op.second,
                                    signals,
                                    y,
                                    op.y_pitch,
                                    count,
                                    op.limit,
                                )
                            elif op.kind == GATE:
                                clipped[k] += kernels.gate(
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
                                    count,
                                    op.narrow != 0,
                                    op.flag != 0,
                                    op.inner_limit,
                                    op.scale,
                                    op.limit,
                                )
                            elif op.kind == NORMALIZE:
                                clipped[k] += normalize(
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
                                    count,
                                    op.limit,
                                )
                            elif op.kind == POOL:
                                kernels.pool(
                                    state,
                                    held,
                                    op.flag != 0,
                                    signals,
                                    x,
                                    op.x_pitch,
                                    min(count, ends[op.first, s] - position - t),
                                )
                            elif op.kind == RUNNING_SUM:
                                clipped[k] += kernels.running_sum(
                                    state,
                                    held,
                                    signals,
                                    x,
                                    y,
                                    op.y_pitch,
                                    count,
                                    op.scale,
                                    op.inner_limit,
                                    op.limit,
                                )
                            elif op.kind == PROGRAM:
                                clipped[k] += run_program(
                                    tables,
                                    op.first,
                                    op.size,
                                    values,
                                    op.second,
                                    op.third,
                                    word_state,
                                    op.state * samples + s * op.half,
                                    signals,
                                    capacity,
                                    row,
                                    passing,
                                    tile,
                                    y,
                                    op.y_pitch,
                                    count,
                                    op.flag != 0,
                                )
                            elif op.kind == READ_PAST:
                                kernels.read_past(
                                    state,
                                    op.state * samples + s * op.half,
                                    op.first,
                                    op.size,
                                    signals,
                                    x,
                                    y,
                                    op.x_pitch,
                                    count,
                                )
                            elif op.kind == KEEP_PAST:
                                kernels.keep_past(
                                    state,
                                    op.state * samples + s * op.half,
                                    op.first,
                                    signals,
                                    x,
                                    op.x_pitch,
                                    count,
                                )
                            elif op.kind == COUNT:
                                kernels.count_messages(state, held, signals, x, op.x_pitch, count)
                            elif op.kind == TAKE_IN:
                                kernels.take_in(
                                    incoming,
                                    s * whole + first + t,
                                    signals,
                                    y,
                                    op.y_pitch,
                                    count,
                                )
                            else:
                                kernels.copy_sequence(
                                    op.kind == KEEP,
                                    signals,
                                    x,
                                    op.x_pitch,
                                    kept,
                                    (op.first * samples + s * op.x_pitch) * length,
                                    position + t,
                                    count,
                                    op.size,
                                )
                i = stop

    return run_operations


# in the closure so that machine code cached for other vectors, or made of other sources, is never
# taken for this
run_operations = _build(
    LANES
    + HAS_FLOATS
    + fingerprint(
        byte_vectors,
        compilation,
        dendrite_kernel,
        dendrite_modes,
        kernels,
        normalize_kernel,
        program_kernel,
        vectors,
    )
)

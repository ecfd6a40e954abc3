"""What is done for each node: on a kernel or a compiled step in doubles, or in 64-bit integers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from snn_deploy import fixedpoint as fp
from snn_deploy.engines.native.abi import KINDS
from snn_deploy.engines.native.carried import Compartments, Rows, Words
from snn_deploy.engines.native.compiled import CompiledStep
from snn_deploy.engines.native.dendrite_layout import lay_out
from snn_deploy.engines.native.exactness import (
    INTEGER_ROOM,
    MAGIC,
    NotExactError,
    factor_and_nudge,
    require_room,
    shift_and_nudge,
)
from snn_deploy.engines.native.library import lanes_of_doubles
from snn_deploy.engines.native.packing import SLACK, fill_up, pitch_of
from snn_deploy.engines.native.parts import Parts
from snn_deploy.engines.native.program_code import Port, clocks_of, encode_program, words_size
from snn_deploy.engines.native.synapse_layout import (
    COLUMNS_IN_A_SUM,
    LARGEST_SUM,
    in_pairs,
    pair,
    reads_spikes,
    tiled,
)
from snn_deploy.ir.bounds import Magnitude
from snn_deploy.nodes.base import Rescale
from snn_deploy.nodes.dendrite import Dendrite
from snn_deploy.nodes.gate import Gate
from snn_deploy.nodes.normalize import Normalize, quotient_bound
from snn_deploy.nodes.pooling import MAX_POOLED_STEPS, Accumulator
from snn_deploy.nodes.requantize import Requantize
from snn_deploy.nodes.rules import MAX_SHIFT
from snn_deploy.nodes.shared_synapses import SharedSynapses
from snn_deploy.nodes.synapses import Synapses

__all__ = ["KERNELS", "Fields", "emit"]

MOST_UNROLLED = 2**23
"""Weights of a matrix that shared ones are laid out as."""

Fields = dict[str, Any]
"""Fields of an ``OPERATION``."""

POOL_ROWS = {"by length": 0, "all": 1, "first": 2}
"""Which steps a pool takes in: the row of a task's ``last``, or ``FIRST_ALONE`` of ``steps.h``."""

# as in src/normalize.h and src/neurons.h
LARGEST_LEFT_SHIFT = fp.QUOTIENT_FRACTION - (fp.ROOT_BITS - 2) - 1  # of a product with a root
ROOT_NUDGE = 2.0 ** -(fp.ROOT_BITS + LARGEST_LEFT_SHIFT)  # times the root, under half a quotient
MOST_SOURCES = 64  # of a relay
TILE_OF_MODES = 4  # modes, as in src/integer_dendrite.h


def _synapses(parts: Parts, node: Synapses, sources: list[int]) -> Fields:
    return _weighted_sums(parts, node, node.weight)


def _shared_synapses(parts: Parts, node: SharedSynapses, sources: list[int]) -> Fields:
    """Shared weights, each laid out where it stands: for layers whose matrix is not too large."""
    if node.width * node.input_width > MOST_UNROLLED:
        raise NotExactError
    return _weighted_sums(parts, node, node.as_matrix())


def _weighted_sums(
    parts: Parts, node: Synapses | SharedSynapses, weight: npt.NDArray[Any]
) -> Fields:
    (largest,) = parts.largest_inputs(node)
    columns = fill_up(weight.T)
    sums = np.abs(weight.astype(np.float64)) @ largest
    require_room(sums)
    is_word, spikes = weight.itemsize == 1, reads_spikes(parts.network, node)
    in_32_bits = sums.max(initial=0.0) < INTEGER_ROOM
    if spikes and in_32_bits and not is_word:
        laid = tiled(columns.astype(np.int32), 2 * lanes_of_doubles()).view(np.int8)
        first = parts.weights.add(laid)
        return {"kind": KINDS["add wide spikes"], "first": first, "size": len(columns)}
    if spikes and is_word:
        outputs, inputs = columns.shape[1], pitch_of(len(columns))
        largest_sum = parts.bounds[node.name].reached["sum"].max()
        require_room(largest_sum, room=INTEGER_ROOM)
        columns = np.pad(columns, [(0, inputs - len(columns)), (0, 0)])
        return {
            "kind": KINDS["add spikes"],
            "first": parts.weights.add(pair(columns)),
            "second": inputs if largest_sum <= LARGEST_SUM else COLUMNS_IN_A_SUM,
            "size": outputs,
            "narrow": node.name in parts.narrow,
        }
    if is_word and in_32_bits and largest.max(initial=0.0) <= LARGEST_SUM:
        first = parts.weights.add(in_pairs(columns))
        return {"kind": KINDS["add pairs"], "first": first, "size": -(-len(columns) // 2)}
    first = parts.params.add(tiled(columns, lanes_of_doubles()))
    return {"kind": KINDS["add graded"], "first": first, "size": len(columns)}


def _rescale(parts: Parts, rescale: Rescale, largest: Magnitude, part: slice) -> int:
    """Lay a gain and offset out: factor, nudge, and bias + MAGIC."""
    factor, nudge = factor_and_nudge(rescale.mantissa, rescale.shift, largest)
    bias = rescale.bias.astype(np.float64)
    require_room(largest * np.abs(factor) + np.abs(bias))
    rows = [fill_up(factor[part]), fill_up(nudge[part]), fill_up(bias[part]) + MAGIC]
    return parts.params.add(*rows)


def _changes_nothing(rescale: Rescale) -> bool:
    return bool(
        np.all(rescale.mantissa == 1) and not rescale.shift.any() and not rescale.bias.any()
    )


def _relay(parts: Parts, node: Requantize, sources: list[int]) -> Fields:
    if len(sources) > MOST_SOURCES:
        raise NotExactError
    largest = parts.largest_inputs(node)
    rescale, aligns = -1, [-1] * len(sources)
    if node.align is not None:
        for i in np.flatnonzero(node.align.any(axis=1)):
            factor, nudge = shift_and_nudge(node.align[i], largest[i])
            largest[i] = largest[i] * factor + 1.0
            aligns[i] = parts.params.add(fill_up(factor), fill_up(nudge))
    total: Magnitude = np.sum(largest, axis=0)
    require_room(total)
    if node.rescale is not None and not _changes_nothing(node.rescale):
        rescale = _rescale(parts, node.rescale, total, slice(None))
    return {
        "kind": KINDS["relay"],
        "first": parts.tables.add(sources, aligns),
        "size": len(sources),
        "second": rescale,
        "limit": fp.limit_of(node.output.bits),
    }


def _normalize(parts: Parts, node: Normalize, sources: list[int]) -> Fields:
    (largest,) = parts.largest_inputs(node)
    bound = parts.bounds[node.name]
    align = shift_and_nudge(node.align, largest)
    centred = bound.reached["centred"]
    require_room(bound.reached["total"])
    shift_and_nudge(-node.square_shift, centred**2)
    require_room(centred / ROOT_NUDGE / 4.0, centred * 2.0 ** (fp.ROOT_BITS + LARGEST_LEFT_SHIFT))
    channels = fill_up(np.ones(node.width))
    pre_shift, mantissa, _ = fp.reciprocal(node.width, node.reciprocal_bits, 0, 0)
    table = fp.inverse_root_table()
    return {
        "kind": KINDS["normalize"],
        "first": parts.params.add(*(fill_up(row) for row in align), channels),
        "second": _rescale(parts, node.rescale, quotient_bound(node), slice(None)),
        "third": parts.tables.add(
            [
                node.width,
                mantissa,
                node.reciprocal_bits,
                pre_shift,
                node.epsilon,
                node.square_shift,
            ]
        ),
        "fourth": parts.tables.add(table),
        "size": len(table),
        "limit": node.output.limit,
    }


def _dendrite(parts: Parts, node: Dendrite, sources: list[int]) -> Fields:
    bound = parts.bounds[node.name]
    (largest,) = parts.largest_inputs(node)
    layout = lay_out(node, largest, bound)
    floats, modes = layout.numbers.dtype == np.float32, layout.order.shape[1]
    parts.work_size = max(parts.work_size, layout.work_size)
    return {
        "kind": KINDS["float dendrite" if floats else "dendrite"],
        "first": (parts.floats if floats else parts.params).add(layout.numbers),
        "second": parts.tables.add(layout.table),
        "third": layout.extent,
        "fourth": layout.sums,
        "state": parts.carry(node.name, Compartments(layout, node.width, node.bank.modes)),
        "size": modes,
        "flag": node.reversed_time,
        "once": node.bank.rounds_once,
        "scale": 2.0**-node.drive_shift,
        "limit": node.output.limit,
        "inner_limit": fp.limit_of(node.bank.state_bits),
    }


def _gate(parts: Parts, node: Gate, sources: list[int]) -> Fields:
    (largest,) = parts.largest_inputs(node)
    sigmoid, value_limit = node.sigmoid, fp.limit_of(node.value_bits)
    value = _rescale(parts, node.rescale, largest, slice(0, node.width))
    argument = _rescale(parts, node.rescale, largest, slice(node.width, None))
    product = value_limit * float(np.abs(sigmoid.table.astype(np.float64)).max())
    # a row keeps its fraction until it is known
    require_room(len(sigmoid.table) * 2.0**sigmoid.index_shift + value_limit)
    ones = np.ones(node.width)
    out, nudge = factor_and_nudge(ones, sigmoid.out_shift, product)
    return {
        "kind": KINDS["gate"],
        "first": value,
        "second": argument,
        "third": parts.params.add(fill_up(out), np.full(SLACK, nudge.max())),
        "fourth": parts.params.add(sigmoid.table),
        "size": len(sigmoid.table),
        "half": node.width,
        "flag": parts.bounds[node.name].can_exceed("value"),
        "narrow": node.inputs[0].source in parts.narrow,
        "scale": 2.0**-sigmoid.index_shift,
        "inner_limit": value_limit,
        "limit": node.output.limit,
    }


def _pool(parts: Parts, node: Accumulator, sources: list[int]) -> Fields:
    if not parts.integers:
        (largest,) = parts.largest_inputs(node)
        require_room(largest * MAX_POOLED_STEPS)
    rows = "first" if node.mode == "first" else "by length" if node.use_lengths else "all"
    return {
        "kind": KINDS["pool"],
        "state": parts.carry(node.name, Rows(node.width, tuple(node.program.words))),
        "first": POOL_ROWS[rows],
        "flag": node.mode in ("first", "last"),
    }


def _port_widths(parts: Parts, node: Any) -> list[int]:
    """Give how wide what arrives is, and then the words of the sequence."""
    widths = [source.width for source in parts.network.sources(node)]
    return widths + [1] * len(clocks_of(node.program))


def _compiled(
    parts: Parts, node: Any, sources: list[int], number: int, step: CompiledStep
) -> Fields:
    vectors = pitch_of(node.width) // lanes_of_doubles()
    form = Rows(node.width, tuple(node.program.words))
    missing = pitch_of(node.width) - node.width
    fills = np.repeat(step.fills[:, None], missing, axis=1)
    numbers = np.hstack([step.numbers, fills]).reshape(len(step.fills), vectors, -1)
    pitches = map(pitch_of, _port_widths(parts, node))
    ports = zip(sources, pitches, step.ports, strict=True)
    tables = [parts.params.add(table) for table in step.tables]
    return {
        "kind": KINDS["compiled"],
        "first": parts.tables.add(*ports, tables),
        "second": parts.params.add(numbers.swapaxes(0, 1)),
        "third": number,
        "fourth": node.width,
        "size": len(step.fills),
        "state": parts.carry(node.name, form, begins=node.program),
        "half": form.size,
        "flag": node.runs_backwards,
    }


def _program(parts: Parts, node: Any, sources: list[int]) -> Fields:
    if not parts.integers:
        require_room(parts.bounds[node.name].output, *parts.largest_inputs(node))
    widths = _port_widths(parts, node)
    ports = [Port(x, pitch_of(w), w) for x, w in zip(sources, widths, strict=True)]
    code = encode_program(node.program, ports, parts.values.add)
    form = Words(node.program)
    return {
        "kind": KINDS["program"],
        "first": parts.tables.add(code.instructions),
        "size": len(code.instructions),
        "second": code.words_at,
        "third": words_size(node.program),
        "state": parts.carry(node.name, form, begins=node.program),
        "half": form.size,
        "flag": node.runs_backwards,
    }


def _integer_dendrite(parts: Parts, node: Dendrite, sources: list[int]) -> Fields:
    if not parts.integers:
        require_room(parts.bounds[node.name].output, *parts.largest_inputs(node))
    bank, form = node.bank, Words(node.program)
    mantissas = [bank.decay_real, bank.decay_imag, bank.readout_real, bank.readout_imag]
    rows = np.stack([*mantissas, bank.input_shift, bank.readout_shift], axis=1, dtype=np.int64)
    rows = np.pad(rows, [(0, 0), (0, 0), (0, -bank.modes % TILE_OF_MODES)])
    rows[:, 4, bank.modes :] = -MAX_SHIFT  # so that nothing enters what is filled up
    tiles = rows.reshape(*rows.shape[:2], -1, TILE_OF_MODES).swapaxes(1, 2)
    skip = np.stack([node.skip_mantissa, node.skip_shift], axis=1, dtype=np.int64)
    return {
        "kind": KINDS["integer dendrite"],
        "first": parts.tables.add(np.concatenate([skip, tiles.reshape(node.width, -1)], axis=1)),
        "second": bank.decay_shift,
        "third": node.drive_shift,
        "fourth": node.width,
        "size": bank.modes,
        "state": parts.carry(node.name, form),
        "half": form.size,
        "flag": node.reversed_time,
        "once": bank.rounds_once,
        "limit": node.output.limit,
        "inner_limit": fp.limit_of(bank.state_bits),
    }


def emit(parts: Parts, node: Any, sources: list[int], in_turns: bool) -> Fields:
    """Say what is done for a node, whose sources, and then its clocks, are at some places.

    Where its kernel is not exact, or there is none, its compiled step runs; if that is not exact,
    either, or it takes turns with others step by step, which dendrites of floats and doubles do
    not, it runs in 64-bit integers: on a kernel, or its program.

    Raises
    ------
    NotExactError
        If doubles do not hold its signals.
    """
    if node.name in parts.closing and type(node) is Accumulator:
        return _pool(parts, node, sources)
    kernel, in_integers = KERNELS.get(type(node)), INTEGER_KERNELS.get(type(node), _program)
    if parts.integers or (type(node) is Dendrite and in_turns):
        return in_integers(parts, node, sources)
    try:
        if kernel is not None:
            return kernel(parts, node, sources)
    except NotExactError:
        if parts.narrow & {node.name, *(edge.source for edge in node.inputs)}:
            raise  # their rows are laid out for kernels
    step = parts.compiled(node)
    if step is not None:
        return _compiled(parts, node, sources, *step)
    return in_integers(parts, node, sources)


KERNELS: dict[type, Callable[[Parts, Any, list[int]], Fields]] = {
    Synapses: _synapses,
    SharedSynapses: _shared_synapses,
    Requantize: _relay,
    Dendrite: _dendrite,
    Gate: _gate,
    Normalize: _normalize,
}
INTEGER_KERNELS: dict[type, Callable[[Parts, Any, list[int]], Fields]] = {
    Dendrite: _integer_dendrite,
}

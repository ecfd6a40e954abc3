"""What is carried from chunk to chunk, as integers in the nodes' own order.

The packed form depends on how wide this machine's vectors are, on how modes were sorted, and on
whether doubles hold the network's numbers; what is written here does not, so that any machine can
go on.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from snn_deploy.engines.native.dendrite_layout import DendriteLayout
from snn_deploy.engines.native.library import lanes_of_doubles
from snn_deploy.engines.native.packing import fill_up, pitch_of
from snn_deploy.engines.native.program_code import word_shapes, words_size
from snn_deploy.engines.result import IntArray
from snn_deploy.nodes.dendrite import Dendrite

__all__ = ["packed_size", "read_past", "read_rows", "read_state", "write_past", "write_rows"]
__all__ += ["write_state"]

Numbers = npt.NDArray[Any]  # the packed state, doubles or int64, from where the node's begins


def read_state(
    node: Any, packed: Numbers, samples: int, in_rows: bool, layout: DendriteLayout | None
) -> dict[str, IntArray]:
    """Give a node's state by the names of its program's words, (samples, …) each.

    ``packed`` holds the words of vectors of channels, as numbers, if ``in_rows``, or compartments
    as the layout has them, or int64 as the program does.
    """
    if layout is not None:
        arrays: Iterable[IntArray] = _read_compartments(node, packed, samples, layout)
    elif in_rows:
        rows = (word.reshape(samples, -1) for word in _vectors(node, packed, samples))
        arrays = [row[:, : node.width].astype(np.int64) for row in rows]
    else:
        return {name: word.copy() for name, word in _words(node, packed, samples).items()}
    return dict(zip(node.program.words, arrays, strict=True))


def write_state(
    node: Any,
    packed: Numbers,
    samples: int,
    state: Mapping[str, IntArray],
    in_rows: bool,
    layout: DendriteLayout | None,
) -> None:
    """Write what :func:`read_state` gave."""
    if layout is not None:
        _write_compartments(node, packed, samples, state, layout)
    elif in_rows:
        for name, word in zip(node.program.words, _vectors(node, packed, samples), strict=True):
            word[...] = fill_up(state[name]).reshape(word.shape)
    else:
        for name, word in _words(node, packed, samples).items():
            word[...] = state[name]


def packed_size(node: Any, in_rows: bool) -> int:
    """Count the numbers of a sample's state, of a node without a layout."""
    if in_rows:
        return len(node.program.words) * pitch_of(node.width)
    return pitch_of(words_size(node.program))


def _vectors(node: Any, packed: Numbers, samples: int) -> Numbers:
    """Give a view of the words of vectors of channels, (words, samples, vectors, lanes)."""
    lanes, words = max(lanes_of_doubles(), 1), len(node.program.words)
    shape = samples, pitch_of(node.width) // lanes, words, lanes
    return packed[: int(np.prod(shape))].reshape(shape).transpose(2, 0, 1, 3)


def _words(node: Any, packed: Numbers, samples: int) -> dict[str, IntArray]:
    """Give views of a program's words, (samples, …) each."""
    size, start, words = pitch_of(words_size(node.program)), 0, {}
    rows = packed[: samples * size].view(np.int64).reshape(samples, size)
    for name, shape in word_shapes(node.program).items():
        stop = start + int(np.prod(shape))
        words[name] = rows[:, start:stop].reshape(samples, *shape)
        start = stop
    return words


def read_past(width: int, reach: int, packed: Numbers, samples: int) -> IntArray:
    """Give the last ``reach`` steps of a signal, (samples, reach, width), the oldest first."""
    return _past(width, reach, packed, samples)[:, :, :width].astype(np.int64)


def write_past(packed: Numbers, past: IntArray) -> None:
    """Write what :func:`read_past` gave."""
    samples, reach, width = past.shape
    _past(width, reach, packed, samples)[:, :, :width] = past


def _past(width: int, reach: int, packed: Numbers, samples: int) -> Numbers:
    pitch = pitch_of(width)
    return packed[: samples * reach * pitch].reshape(samples, reach, pitch)


def read_rows(width: int, packed: Numbers, samples: int) -> IntArray:
    """Give one number a channel, (samples, width)."""
    rows = packed[: samples * pitch_of(width)].reshape(samples, -1)
    return rows[:, :width].astype(np.int64)


def write_rows(packed: Numbers, samples: int, rows: IntArray) -> None:
    """Write one number a channel, (samples, width)."""
    filled = fill_up(rows)
    packed[: filled.size] = filled.ravel()


def _compartments(
    layout: DendriteLayout, packed: Numbers, samples: int
) -> npt.NDArray[np.floating[Any]]:
    """Give a view of the packed compartments, (groups, samples, modes, u and v, lanes)."""
    groups, modes = len(layout.numbers), layout.order.shape[1]
    shape = (groups, samples, modes, 2, layout.lanes)
    return packed.view(layout.numbers.dtype)[: int(np.prod(shape))].reshape(shape)


def _read_compartments(
    node: Dendrite, packed: Numbers, samples: int, layout: DendriteLayout
) -> IntArray:
    """Give u and v, (2, samples, width, modes), modes in the bank's order."""
    lanes = _compartments(layout, packed, samples).transpose(3, 1, 0, 4, 2)
    order = layout.order
    recorded = lanes.reshape(2, samples, -1, order.shape[1])[:, :, : node.width]
    values = np.empty(recorded.shape, dtype=np.int64)
    np.put_along_axis(values, np.broadcast_to(order, values.shape), recorded.astype(np.int64), 3)
    return values[..., : node.bank.modes]


def _write_compartments(
    node: Dendrite,
    packed: Numbers,
    samples: int,
    state: Mapping[str, IntArray],
    layout: DendriteLayout,
) -> None:
    missing = layout.order.shape[1] - node.bank.modes
    values = np.pad(np.stack([state["u"], state["v"]]), [(0, 0)] * 3 + [(0, missing)])
    order = np.broadcast_to(layout.order, values.shape)
    recorded = fill_up(np.take_along_axis(values, order, axis=3).swapaxes(2, 3))
    lanes = recorded.reshape(2, samples, order.shape[3], -1, layout.lanes)
    _compartments(layout, packed, samples)[...] = lanes.transpose(3, 1, 2, 0, 4)

"""What the ``fast`` program carries from chunk to chunk, as integers in the nodes' own order.

The packed form depends on how wide this machine's vectors are and on how modes were sorted; what is
written here and in ``ExactFlow.state`` does not, so that either program, on any machine, can go on.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from snn_deploy.engines.native.dendrite_layout import DendriteLayout
from snn_deploy.engines.native.packing import fill_up, pitch_of
from snn_deploy.engines.native.program_code import word_shapes, words_size
from snn_deploy.engines.result import IntArray
from snn_deploy.nodes.dendrite import Dendrite
from snn_deploy.nodes.lif import LifSoma
from snn_deploy.nodes.pooling import Accumulator, RunningSum

__all__ = ["read_past", "read_rows", "read_state", "state_names", "write_past", "write_rows"]
__all__ += ["write_state"]

Reals = npt.NDArray[np.float64]  # the program's packed state, from where the node's begins


STATES: Mapping[type, tuple[str, ...]] = {
    Dendrite: ("u", "v"),
    LifSoma: ("membrane",),
    Accumulator: ("gathered",),
    RunningSum: ("gathered",),
}
"""Kinds with a kernel that carry something, and its names, as ``exact_steps.prepare`` has them."""


def state_names(node: Any) -> tuple[str, ...]:
    """Name what a node carries."""
    return STATES.get(type(node)) or tuple(node.program.words)


def read_state(
    node: Any, packed: Reals, samples: int, layout: DendriteLayout | None
) -> dict[str, IntArray]:
    """Give a node's state by its names, (samples, …) each; if a dendrite, it has a layout."""
    if type(node) not in STATES:
        return {name: word.copy() for name, word in _words(node, packed, samples).items()}
    if layout is not None:
        arrays = _read_compartments(node, packed, samples, layout)
    else:
        arrays = read_rows(node.width, packed, samples)[None]
    return dict(zip(STATES[type(node)], arrays, strict=True))


def write_state(
    node: Any,
    packed: Reals,
    samples: int,
    state: Mapping[str, IntArray],
    layout: DendriteLayout | None,
) -> None:
    """Write what :func:`read_state` gave."""
    if type(node) not in STATES:
        for name, word in _words(node, packed, samples).items():
            word[...] = state[name]
    elif layout is not None:
        _write_compartments(node, packed, samples, state, layout)
    else:
        (rows,) = state.values()
        write_rows(packed, samples, rows)


def _words(node: Any, packed: Reals, samples: int) -> dict[str, IntArray]:
    """Give views of a program's words, (samples, …) each."""
    size, start, words = pitch_of(words_size(node.program)), 0, {}
    rows = packed[: samples * size].view(np.int64).reshape(samples, size)
    for name, shape in word_shapes(node.program).items():
        stop = start + int(np.prod(shape))
        words[name] = rows[:, start:stop].reshape(samples, *shape)
        start = stop
    return words


def read_past(width: int, reach: int, packed: Reals, samples: int) -> IntArray:
    """Give the last ``reach`` steps of a signal, (samples, reach, width), the oldest first."""
    return _past(width, reach, packed, samples)[:, :, :width].astype(np.int64)


def write_past(packed: Reals, past: IntArray) -> None:
    """Write what :func:`read_past` gave."""
    samples, reach, width = past.shape
    _past(width, reach, packed, samples)[:, :, :width] = past


def _past(width: int, reach: int, packed: Reals, samples: int) -> Reals:
    pitch = pitch_of(width)
    return packed[: samples * reach * pitch].reshape(samples, reach, pitch)


def read_rows(width: int, packed: Reals, samples: int) -> IntArray:
    """Give one number a channel, (samples, width)."""
    rows = packed[: samples * pitch_of(width)].reshape(samples, -1)
    return rows[:, :width].astype(np.int64)


def write_rows(packed: Reals, samples: int, rows: IntArray) -> None:
    """Write one number a channel, (samples, width)."""
    filled = fill_up(rows)
    packed[: filled.size] = filled.ravel()


def _compartments(
    layout: DendriteLayout, packed: Reals, samples: int
) -> npt.NDArray[np.floating[Any]]:
    """Give a view of the packed compartments, (groups, samples, modes, u and v, lanes)."""
    groups, modes = len(layout.modes), layout.order.shape[1]
    shape = (groups, samples, modes, 2, layout.lanes)
    return packed.view(layout.modes.dtype)[: int(np.prod(shape))].reshape(shape)


def _read_compartments(
    node: Dendrite, packed: Reals, samples: int, layout: DendriteLayout
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
    packed: Reals,
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

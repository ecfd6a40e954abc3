"""Dendrites as the library's kernel takes them, without an engine around it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from snn_deploy.engines.native.abi import DendriteTask, address
from snn_deploy.engines.native.dendrite_layout import lay_out
from snn_deploy.engines.native.packing import aligned_zeros, pitch_of
from snn_deploy.ir.bounds import bound_network
from snn_deploy.ir.network import Network
from snn_deploy.nodes.dendrite import Dendrite

__all__ = ["Prepared", "prepare"]

Room = Callable[[int, Any], npt.NDArray[Any]]


@dataclass(frozen=True)
class Prepared:
    """A dendrite's task, and the arrays that it points to, by its own names for them."""

    task: DendriteTask
    in_floats: bool
    arrays: dict[str, npt.NDArray[Any]]
    width: int

    @property
    def drive(self) -> npt.NDArray[np.int64]:
        """What the kernel wrote, (samples, steps, width)."""
        rows = self.arrays["y"].reshape(self.task.samples, self.task.steps, self.task.width)
        return rows[:, :, : self.width].astype(np.int64)


def prepare(network: Network, inputs: npt.NDArray[Any], room: Room = aligned_zeros) -> Prepared:
    """Lay out the node called dendrite, for inputs (samples, steps, width).

    Arrays are as long as the kernel needs them, and of what ``room`` gives; the state begins at 0.

    Raises
    ------
    NotExactError
        If doubles do not hold it.
    """
    node: Any = network["dendrite"]
    assert isinstance(node, Dendrite)
    bounds = bound_network(network)
    layout = lay_out(node, bounds["input"].output, bounds["dendrite"])
    samples, steps, _ = inputs.shape
    number, width, count = layout.numbers.dtype, pitch_of(node.width), layout.order.shape[1]
    arrays = {
        "numbers": room(layout.numbers.size, number),
        "table": room(layout.table.size, np.int64),
        "state": room(width * samples * (2 * count + 1), number),
        "work": room(layout.work_size, np.float64),
        "x": room(samples * steps * width, np.float64),
        "y": room(samples * steps * width, np.float64),
    }
    arrays["numbers"][...] = layout.numbers.ravel()
    arrays["table"][...] = layout.table.ravel()
    arrays["state"][...] = arrays["x"][...] = 0
    arrays["x"].reshape(samples, steps, width)[:, :, : node.width] = inputs
    sizes = layout.extent, layout.sums, count, samples, steps, width
    flags = int(node.reversed_time), int(node.bank.rounds_once)
    scale, limit = 2.0**-node.drive_shift, float(node.output.limit)
    state_limit = float((1 << (node.bank.state_bits - 1)) - 1)
    places = [address(array) for array in arrays.values()]
    task = DendriteTask(*places, *sizes, *flags, scale, limit, state_limit)
    return Prepared(task, number == np.float32, arrays, node.width)

"""One process that listens to all others, so that recording does not double their number."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from lava.magma.core.decorator import implements, requires
from lava.magma.core.model.py.model import PyLoihiProcessModel
from lava.magma.core.resources import CPU
from lava.magma.core.sync.protocols.loihi_protocol import LoihiProtocol

from snn_deploy.engines.lava.clock import Clock
from snn_deploy.engines.lava.job import Pulse
from snn_deploy.engines.lava.processes import RecorderProcess
from snn_deploy.engines.result import IntArray

__all__ = ["RecorderModel", "Tape"]


@dataclass(frozen=True, eq=False)
class Tape:
    """Where one node's messages go: ``signal`` (B, L, width), a file mapped into memory.

    Steps are written where they belong in true time, without the pipeline's delay; those of a node
    of reversed time from the last to the first.
    """

    signal: npt.NDArray[np.int32]
    clock: Clock
    reversed_time: bool

    def write(self, time_step: int, message: IntArray) -> None:
        """Write what arrived at Lava's ``time_step``; nothing while the node sleeps."""
        place = self.clock.place(time_step)
        if place is not None:
            sequence, step = place
            self.signal[sequence, -1 - step if self.reversed_time else step] = message


@implements(proc=RecorderProcess, protocol=LoihiProtocol)
@requires(CPU)
class RecorderModel(PyLoihiProcessModel):
    """Writes what arrives at port ``in_i`` to the i-th tape."""

    def __init__(self, proc_params: Mapping[str, Any]) -> None:
        super().__init__(proc_params)
        self.tapes: Sequence[Tape] = proc_params["tapes"]
        self.pulse: Pulse = proc_params["pulse"]

    def run_spk(self) -> None:
        """Do one step; the whole network has done it when the last message is here."""
        for number, tape in enumerate(self.tapes):
            tape.write(self.time_step, getattr(self, f"in_{number}").recv())
        self.pulse.beat()

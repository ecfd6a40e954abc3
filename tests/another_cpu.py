"""The native engine's library on a CPU that this machine only emulates.

All but the library's own work is done here, laid out for vectors as wide as that CPU's.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Sequence
from typing import IO, Any

import numpy as np

from snn_deploy.engines.native import session, threads
from snn_deploy.engines.native.abi import KINDS, Port, SweepTask
from snn_deploy.engines.native.flow import Flow, Workspace

__all__ = ["kinds_that_ran", "run_elsewhere"]

kinds_that_ran: set[str] = set()
"""Of operations, there."""


def run_elsewhere(command: Sequence[str], lanes: int) -> None:
    """Let ``command``, of ``data/run_sweeps.cpp``, do the library's work in this process from now
    on; its vectors hold so many doubles.
    """
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    there: Any = process.stdin
    back: Any = process.stdout
    threads.use_threads(1)
    for name, module in list(sys.modules.items()):
        if name.startswith("snn_deploy.") and hasattr(module, "lanes_of_doubles"):
            module.lanes_of_doubles = lambda: lanes

    def works(runner: Any, number: int, team: int) -> list[Callable[[], None]]:
        (workspace,) = runner._workspaces.take(team)

        def work() -> None:
            for flow in runner._flows:
                _run(there, back, flow, number, workspace)

        return [work]

    session.SweepRunner._works = works  # type: ignore[method-assign]


def _run(there: IO[bytes], back: IO[bytes], flow: Flow, number: int, workspace: Workspace) -> None:
    program, task = flow.program, SweepTask.from_buffer_copy(flow.tasks[number])
    sweep, task.scratch = program.sweeps[number], workspace.scratch._obj
    names = list(KINDS)
    kinds_that_ran.update(names[kind] for kind in sweep.operations["kind"])
    signals = [np.array(signal, order="C") for signal in flow._signals]
    ports = (Port * len(signals))()
    for port, signal in zip(ports, signals, strict=True):
        port.sample, port.step, _ = signal.strides
        port.width = signal.shape[2]
    read = [sweep.operations, program.params, program.floats, program.weights, program.tables]
    read += [flow._last, workspace.work, workspace.values, workspace.events, workspace.signals]
    changed = [flow._state, flow._kept, flow.clipped[number]]
    arrays = [*read, *changed, *signals]
    sizes = np.array([array.nbytes for array in arrays], np.int64)
    head = np.int64(len(signals)).tobytes(), bytes(task), bytes(ports), sizes.tobytes()
    there.write(b"".join([*head, *(array.tobytes() for array in arrays)]))
    there.flush()
    for array in [*changed, *signals]:
        array[...] = np.frombuffer(back.read(array.nbytes), array.dtype).reshape(array.shape)
    leaving = slice(len(sweep.entering), None)
    for signal, given in zip(flow._signals[leaving], signals[leaving], strict=True):
        signal[...] = given

"""The target itself: writing C99, compiling it for this machine, and running that."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from snn_deploy.engines.result import IntArray
from snn_deploy.errors import BackendError
from snn_deploy.ir.network import Network
from snn_deploy.targets.c.compiler import compile_program, find_compiler
from snn_deploy.targets.c.files import header_text, source_text
from snn_deploy.targets.c.kit import write_kit
from snn_deploy.targets.c.runner import runner_text
from snn_deploy.targets.c.selftest import selftest_text
from snn_deploy.targets.c.sizes import memory_sizes
from snn_deploy.targets.c.source import Source
from snn_deploy.targets.files import write_text
from snn_deploy.targets.program import TargetProgram
from snn_deploy.targets.vectors import drawn_inputs
from snn_deploy.version import __version__

__all__ = ["CProgram", "CTarget"]


_ROOM = "-DSNN_MOST_STEPS=65536"
"""On this machine, for networks that keep sequences; pages that nothing touches cost nothing."""


class CTarget:
    """C99 for microcontrollers: ``snn.h`` and ``snn.c``."""

    name = "c"

    def emit(
        self, network: Network, folder: Path, sha256: str, inputs: IntArray | None = None
    ) -> tuple[Path, ...]:
        """Write header, source, a self-test with its answers to ``inputs``, and what makes it a
        project of CMake, a module of Zephyr, a library of Arduino, and a runner on a serial line.

        Raises
        ------
        TargetError
            If C99 is not written for such a network.
        OutputError
            If a file cannot be written.
        """
        source = Source(network)
        inputs = drawn_inputs(network) if inputs is None else inputs
        return (
            write_text(folder / "snn.h", header_text(source, sha256, __version__)),
            write_text(folder / "snn.c", source_text(source, __version__)),
            write_text(folder / "snn_selftest.c", selftest_text(source, inputs, __version__)),
            *write_kit(folder),
        )

    def sizes(self, network: Network, folder: Path) -> Mapping[str, int]:
        """Give bytes of flash and RAM; of code where a compiler for a Cortex-M4 is installed."""
        return memory_sizes(Source(network), folder)

    def build(self, network: Network, folder: Path, options: Sequence[str] = ()) -> CProgram:
        """Compile what was written, with a runner, for this machine.

        Raises
        ------
        BackendUnavailableError, BackendError
            If there is no C compiler, or it failed.
        """
        source = Source(network)
        runner = write_text(folder / "run.c", runner_text(source))
        program = folder / "run"
        compile_program(find_compiler(), [runner], program, [*options, _ROOM])
        return CProgram(network, source, program)


class CProgram(TargetProgram):
    """A network's compiled program."""

    def __init__(self, network: Network, source: Source, program: Path) -> None:
        super().__init__(network, source.layout)
        self.program = program

    def compute(
        self, entering: IntArray, lengths: IntArray, last: IntArray, watched: Sequence[Any]
    ) -> dict[str, IntArray]:
        """Start the program once for the whole batch."""
        batch, steps, _ = entering.shape
        flags = [node in watched for node in self.layout.network]
        head = np.array([batch, steps, *flags], dtype=np.int64)
        rows = np.column_stack([last, lengths, entering.reshape(batch, -1)])
        done = subprocess.run(
            [str(self.program)],
            input=head.tobytes() + np.ascontiguousarray(rows, np.int64).tobytes(),
            capture_output=True,
            check=False,
        )
        if done.returncode:
            told = done.stderr.decode(errors="replace")[-1000:]
            raise BackendError(f"the compiled program ended with {done.returncode}: {told}")
        return self._taken_apart(np.frombuffer(done.stdout, np.int64), watched, last, steps)

    def _taken_apart(
        self, written: IntArray, watched: Sequence[Any], last: IntArray, steps: int
    ) -> dict[str, IntArray]:
        """Give what the program wrote, by node, (B, L, width)."""
        closing = [node for node in watched if node in self.layout.closing]
        rows = written.reshape(len(last), -1)
        signals = {}
        for number, sweep in enumerate(self.layout.sweeps):
            running = [
                node
                for node in watched
                if node not in closing and self.layout.turns[node.name] == number
            ]
            each = sum(node.width for node in running) * steps
            spoken = rows[:, :each].reshape(len(last), steps, -1)
            spoken, rows = spoken[:, :: -1 if sweep.backwards else 1], rows[:, each:]
            place = 0
            for node in running:
                signals[node.name] = spoken[:, :, place : place + node.width]
                place += node.width
        silent, said = np.split(rows, 2, axis=1)
        place = 0
        for node in closing:
            part = slice(place, place + node.width)
            signal = np.repeat(silent[:, None, part], steps, axis=1)
            signal[np.arange(len(last)), last] = said[:, part]
            signals[node.name] = signal
            place += node.width
        return signals

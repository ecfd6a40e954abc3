"""The target itself: writing C99, compiling it for this machine, and running that."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from snn_deploy.engines.host import Host, check_mantissas
from snn_deploy.engines.result import IntArray, Result, Run, senders
from snn_deploy.errors import BackendError
from snn_deploy.io.files import atomic_write
from snn_deploy.ir.network import Network
from snn_deploy.targets.c.compiler import compile_program, find_compiler
from snn_deploy.targets.c.files import header_text, source_text
from snn_deploy.targets.c.runner import runner_text
from snn_deploy.targets.c.selftest import CMAKE, MAIN, drawn_inputs, selftest_text
from snn_deploy.targets.c.sizes import memory_sizes
from snn_deploy.targets.c.source import Source
from snn_deploy.version import __version__

__all__ = ["CProgram", "CTarget"]


class CTarget:
    """C99 for microcontrollers: ``snn.h`` and ``snn.c``."""

    name = "c"

    def emit(
        self, network: Network, folder: Path, sha256: str, inputs: IntArray | None = None
    ) -> tuple[Path, ...]:
        """Write header, source, and a self-test with its answers to ``inputs``.

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
            _write(folder / "snn.h", header_text(source, sha256, __version__)),
            _write(folder / "snn.c", source_text(source, __version__)),
            _write(folder / "snn_selftest.c", selftest_text(source, inputs, __version__)),
            _write(folder / "main.c", MAIN),
            _write(folder / "CMakeLists.txt", CMAKE),
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
        runner = _write(folder / "run.c", runner_text(source))
        program = folder / "run"
        compile_program(find_compiler(), [runner], program, options)
        return CProgram(network, source, program)


def _write(path: Path, text: str) -> Path:
    with atomic_write(path) as file:
        file.write(text.encode())
    return path


class CProgram:
    """A network's compiled program."""

    def __init__(self, network: Network, source: Source, program: Path) -> None:
        self.network, self.source, self.program = network, source, program
        self.host = Host(network)

    def run(self, run: Run) -> Result:
        """Run one batch.

        Raises
        ------
        BackendError
            If the program failed.
        """
        check_mantissas(self.network, run.inputs, len(run.inputs))
        at_host = self.host.compute(run.inputs)
        wanted = {*run.trace, *senders(self.network), self.network.output.name}
        signals = {name: at_host.signals[name] for name in wanted & at_host.signals.keys()}
        watched = [
            node for node in self.source.layout.network if node.name in wanted - signals.keys()
        ]
        signals |= self._run(run, at_host.entering, watched)
        run.progress(1.0)
        return Result.collect(self.network, run, signals, at_host.saturated)

    def _run(self, run: Run, entering: IntArray, watched: list[Any]) -> dict[str, IntArray]:
        batch, steps, _ = entering.shape
        last = self._last_steps(run, steps)
        flags = [node in watched for node in self.source.layout.network]
        head = np.array([batch, steps, *flags], dtype=np.int64)
        rows = np.column_stack([last, run.lengths, entering.reshape(batch, -1)])
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

    def _last_steps(self, run: Run, steps: int) -> IntArray:
        pools = [node for node in self.source.layout.closing if node.once]
        valid = bool(pools) and pools[0].use_lengths
        return run.lengths - 1 if valid else np.full(len(run.lengths), steps - 1)

    def _taken_apart(
        self, written: IntArray, watched: list[Any], last: IntArray, steps: int
    ) -> dict[str, IntArray]:
        """Give what the program wrote, by node, (B, L, width)."""
        closing = [node for node in watched if node in self.source.layout.closing]
        running = [node for node in watched if node not in closing]
        each = sum(node.width for node in running) * steps
        rows = written.reshape(len(last), -1)
        signals = {}
        place = 0
        spoken = rows[:, :each].reshape(len(last), steps, -1)
        for node in running:
            signals[node.name] = spoken[:, :, place : place + node.width]
            place += node.width
        silent, said = np.split(rows[:, each:], 2, axis=1)
        place = 0
        for node in closing:
            part = slice(place, place + node.width)
            signal = np.repeat(silent[:, None, part], steps, axis=1)
            signal[np.arange(len(last)), last] = said[:, part]
            signals[node.name] = signal
            place += node.width
        return signals

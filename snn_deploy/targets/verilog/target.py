"""The target itself: writing Verilog, simulating it on this machine."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from snn_deploy.engines.result import IntArray
from snn_deploy.errors import BackendError
from snn_deploy.ir.network import Network
from snn_deploy.ir.program_step import ProgramStep
from snn_deploy.targets.files import write_text
from snn_deploy.targets.program import TargetProgram
from snn_deploy.targets.vectors import answers, drawn_inputs
from snn_deploy.targets.verilog.bench import bench_files, runner_text
from snn_deploy.targets.verilog.core import core_text
from snn_deploy.targets.verilog.design import Design
from snn_deploy.targets.verilog.estimate import FILE, estimate, fitting
from snn_deploy.targets.verilog.parts import USUAL, find_part
from snn_deploy.targets.verilog.simulators import compile_bench, find_simulator, run_tool
from snn_deploy.version import __version__

__all__ = ["VerilogProgram", "VerilogTarget"]


class VerilogTarget:
    """Verilog for FPGAs: ``snn.v``, what its memories hold, and a test bench.

    ``part`` is the FPGA that it is made as wide for as that has room.

    Raises
    ------
    ConfigError
        If there is no such part.
    """

    name = "verilog"

    def __init__(self, part: str = USUAL) -> None:
        self.part = find_part(part)

    def _design(self, network: Network) -> Design:
        return fitting(network, self.part.resources)

    def emit(
        self, network: Network, folder: Path, sha256: str, inputs: IntArray | None = None
    ) -> tuple[Path, ...]:
        """Write the core, its memories, and a test bench with the answers to ``inputs``.

        Raises
        ------
        TargetError
            If Verilog is not written for such a network.
        OutputError
            If a file cannot be written.
        """
        design = self._design(network)
        inputs = drawn_inputs(network) if inputs is None else inputs
        entering, wanted = answers(network, inputs)
        files = {"snn.v": core_text(design, sha256, __version__)}
        files |= bench_files(design, entering, wanted, __version__)
        files[FILE] = estimate(design, sha256, self.part.name, inputs).text
        files |= dict(memory.file for memory in design.memories.all if memory.numbers is not None)
        return tuple(write_text(folder / name, text) for name, text in files.items())

    def sizes(self, network: Network, folder: Path) -> Mapping[str, int]:
        """Give bytes of memory."""
        design = self._design(network)
        read = [m for m in design.memories.all if m.numbers is not None]
        written = [m for m in design.memories.all if m.numbers is None]
        return {
            "constants": sum(-(-m.width * m.depth // 8) for m in read),
            "state": sum(-(-m.width * m.depth // 8) for m in written),
            "signals": -(-design.signal_bits * design.signals.size * design.ports // 8),
        }

    def build(self, network: Network, folder: Path, simulator: str | None = None) -> VerilogProgram:
        """Compile what was written, with a runner, for a simulator on this machine.

        Raises
        ------
        BackendUnavailableError, BackendError
            If there is no simulator, or it failed.
        """
        simulator = find_simulator(simulator)
        design = self._design(network)
        write_text(folder / "run.v", runner_text(design))
        text = '`define SNN_VALID run.valid\n`include "snn.v"\n'
        write_text(folder / "watched.v", text)
        call = compile_bench(simulator, "run", ["run.v", "watched.v"], folder)
        return VerilogProgram(network, design, folder, call)


class VerilogProgram(TargetProgram):
    """A network's simulated core."""

    def __init__(self, network: Network, design: Design, folder: Path, call: Sequence[str]) -> None:
        super().__init__(network, design.layout)
        self.design, self.folder, self.call = design, folder, call
        self.cycles = 0
        """How many cycles all steps of the last batch took."""

    def compute(
        self, entering: IntArray, lengths: IntArray, last: IntArray, watched: Sequence[Any]
    ) -> dict[str, IntArray]:
        """Start the simulator once for the whole batch."""
        batch, steps, _ = entering.shape
        output = self.layout.network.output
        every = output not in self.layout.closing
        rows = np.column_stack([last, lengths, entering.reshape(batch, -1)])
        text = f"{batch} {steps} {int(every)}\n"
        write_text(
            self.folder / "input.txt",
            text + "\n".join(" ".join(map(str, row)) for row in rows.tolist()) + "\n",
        )
        self._write_watched(watched)
        done = run_tool(self.call, self.folder)
        written = np.array((self.folder / "output.txt").read_text().split(), dtype=np.int64)
        if done.returncode or len(written) % 2 or written[-2:-1] != -3:
            raise BackendError(
                f"the simulation ended with {done.returncode}: {done.stdout[-1000:]}"
            )
        self.cycles = int(written[-1])
        return self._taken_apart(written.reshape(-1, 2), watched, last, (batch, steps))

    def _write_watched(self, watched: Sequence[Any]) -> None:
        flags = np.zeros(1 << max(self.design.signals.size - 1, 1).bit_length(), np.int64)
        for node in watched:
            region = self.design.signals.regions[node.name]
            flags[region.base : region.base + region.size] = node is not self.layout.network.output
        write_text(self.folder / "watched.txt", "\n".join(map(str, flags.tolist())) + "\n")

    def _taken_apart(
        self, written: IntArray, watched: Sequence[Any], last: IntArray, shape: tuple[int, int]
    ) -> dict[str, IntArray]:
        """Give what was written, by node, (B, L, width); the output came out of the port."""
        places, numbers = written.T
        step = np.cumsum(places == -1) - 1
        signals = {}
        for node in watched:
            signal = np.zeros((*shape, node.width), np.int64)
            if node in self.layout.closing:
                signal += self._silent(node)
            if node is self.layout.network.output:
                at = places == -2
                asked = np.unique(step[at])
                signal.reshape(-1, node.width)[asked] = numbers[at].reshape(-1, node.width)
            else:
                region = self.design.signals.regions[node.name]
                at = (places >= region.base) & (places < region.base + region.size)
                channel = (places[at] - region.base) % node.width
                signal.reshape(-1, node.width)[step[at], channel] = numbers[at]
            signals[node.name] = signal
        return signals

    def _silent(self, node: Any) -> IntArray:
        """Give what a node that speaks at the end is at other steps, which no hardware computes."""
        if node.once:
            return np.zeros(node.width, np.int64)
        ports = [self._silent(self.layout.network[edge.source]) for edge in node.inputs]
        sent: IntArray = ProgramStep(node.program, 1)([port[None] for port in ports], {})[0]
        return sent

"""The example as Verilog: simulated on its test set, placed and routed, for docs/verilog.md.

    python benchmarks/fpga.py [SEQUENCES] [PART]

Every answer is compared with the native engine's; cycles are those of the simulation.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import numpy as np

import snn_deploy
from snn_deploy.engines.registry import get_engine
from snn_deploy.engines.result import Run
from snn_deploy.engines.session import run_whole
from snn_deploy.run.simulation import encode
from snn_deploy.targets.verilog.estimate import Estimate
from snn_deploy.targets.verilog.parts import find_part
from snn_deploy.targets.verilog.synthesis import place
from snn_deploy.targets.verilog.target import VerilogTarget

EXAMPLE = Path(snn_deploy.__file__).parent / "examples" / "seqdigits_uni"


def main(sequences: int, part_name: str) -> None:
    part = find_part(part_name)
    deployment = snn_deploy.convert(
        EXAMPLE / "seqdigits_uni.ckpt", calibration=EXAMPLE / "train.npz"
    )
    network = deployment.network
    with np.load(EXAMPLE / "test.npz") as data:
        inputs = encode(network, data["inputs"][:sequences])[0]
    run = Run(inputs, np.full(len(inputs), inputs.shape[1]))
    native = run_whole(get_engine("native"), network, run).output
    with tempfile.TemporaryDirectory() as made:
        folder, target = Path(made), VerilogTarget()
        target.emit(network, folder, "0" * 64)
        program = target.build(network, folder)
        same = np.array_equal(native, program.run(run).output)
        cycles = program.cycles / (inputs.shape[0] * inputs.shape[1])
        print(
            f"{native.size:,} answers {'equal' if same else 'DIFFER'}; {cycles:,.0f} cycles a step"
        )
        expected, placed = Estimate.read(folder), place(folder, part)
    for what, count in placed.used.items():
        print(f"{count:>10,} {what}")
    print(f"{expected.block_rams(part):>10,} block RAMs estimated")
    print(f"{expected.multipliers(part):>10,} multipliers estimated")
    print(f"{placed.megahertz:>10.1f} MHz: {placed.megahertz * 1e6 / cycles:,.0f} steps a second")


if __name__ == "__main__":
    main(
        int(sys.argv[1]) if len(sys.argv) > 1 else 360,
        sys.argv[2] if len(sys.argv) > 2 else "ecp5-25k",
    )

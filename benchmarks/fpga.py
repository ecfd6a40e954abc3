"""Networks as Verilog: simulated, placed and routed, for docs/verilog.md.

    python benchmarks/fpga.py [--network example|recurrent] [--part PART] [--sequences N]

The example runs its test set, the recurrent network random sequences of 64 steps. Every answer is
compared with the native engine's; cycles are those of the simulation. What is estimated of cycles
is for the first 16 sequences.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import numpy as np
from workloads import example, example_inputs, random_inputs, recurrent

from snn_deploy.engines.registry import get_engine
from snn_deploy.engines.session import run_whole
from snn_deploy.targets.verilog.estimate import Estimate
from snn_deploy.targets.verilog.parts import PARTS, USUAL
from snn_deploy.targets.verilog.synthesis import place
from snn_deploy.targets.verilog.target import VerilogTarget

NEURONS, STEPS, VECTORS = 32, 64, 16


def main(name: str, sequences: int, part_name: str) -> None:
    network = example() if name == "example" else recurrent(NEURONS)
    run = example_inputs(sequences)
    if name != "example":
        run = random_inputs(network, sequences, STEPS)
    part, target = PARTS[part_name], VerilogTarget(part_name)
    native = run_whole(get_engine("native"), network, run).output
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        target.emit(network, folder, "0" * 64, run.inputs[:VECTORS])
        program = target.build(network, folder)
        same = np.array_equal(native, program.run(run).output)
        cycles = program.cycles / (run.inputs.shape[0] * run.inputs.shape[1])
        expected = Estimate.read(folder)
        print(f"{native.size:,} answers of {sequences} {'equal' if same else 'DIFFER'}")
        print(f"{cycles:>10,.0f} cycles a step, {expected.usual_cycles:,} estimated")
        print(f"{expected.most_cycles:>10,} cycles where all speak", flush=True)
        placed = place(folder, part)
    print(f"{placed.top} on {part.name}")
    for what, count in placed.used.items():
        print(f"{count:>10,} {what}")
    print(f"{expected.block_rams(part.resources):>10,} block RAMs estimated")
    print(f"{expected.multipliers(part.resources):>10,} multipliers estimated")
    print(f"{placed.megahertz:>10.1f} MHz")
    for told, count in (("so", cycles), ("where all speak", expected.most_cycles)):
        print(f"{placed.megahertz * 1e6 / count:>10,.0f} steps a second {told}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--network", choices=("example", "recurrent"), default="example")
    parser.add_argument("--part", choices=list(PARTS), default=USUAL)
    parser.add_argument("--sequences", type=int, default=360)
    asked = parser.parse_args()
    main(asked.network, asked.sequences, asked.part)

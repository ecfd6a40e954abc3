"""Instructions and memory of the bundled example on simulated microcontrollers, for docs/c.md.

    python benchmarks/microcontrollers.py [SEQUENCES]

Every answer is compared; a board whose tools are missing is left out by name.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import numpy as np

import snn_deploy
from snn_deploy.run.simulation import encode
from snn_deploy.targets.c.boards import BOARDS
from snn_deploy.targets.c.target import CTarget

EXAMPLE = Path(snn_deploy.__file__).parent / "examples" / "seqdigits_uni"


def main(sequences: int) -> None:
    deployment = snn_deploy.convert(
        EXAMPLE / "seqdigits_uni.ckpt", calibration=EXAMPLE / "train.npz"
    )
    network = deployment.network
    with np.load(EXAMPLE / "test.npz") as data:
        inputs = encode(network, data["inputs"][:sequences])[0]
    modes = sum(node.width * (node.modes or 0) for node in network)
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        CTarget().emit(network, folder, "0" * 64, inputs)
        for what, count in CTarget().sizes(network, folder).items():
            print(f"{count:>10,} bytes  {what}")
        print("| core | logits equal | instructions a step | a complex mode and step |")
        print("|---|---|--:|--:|")
        for core, board in BOARDS.items():
            if board.missing():
                print(f"| {core} | not run: {board.missing()} is not installed | | |")
                continue
            CTarget().emit(network, folder, "0" * 64, inputs)
            passed = board.run(folder).passed
            CTarget().emit(network, folder, "0" * 64, inputs[:1])
            each = board.run(folder).instructions / inputs.shape[1]
            equal = f"all {inputs.shape[0] * network.output.width}" if passed else "NO"
            print(f"| {core} | {equal} | {each:,.0f} | {each / modes:.1f} |")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 16)

"""Benchmarks of the engines: one table, every ratio from one run.

    python benchmarks/run.py [--quick] [--json FILE]

Prints the sample steps per second (sequences × steps / wall time, the best of several runs) of
every engine on the bundled example, their ratios to the native engine, and for the native engine
the time per complex mode and step beside a floor: the arithmetic of the dendrites alone at the
rate that this CPU reaches on fused multiply-adds in the same run. Machines are noisy; compare
ratios.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numba
import numpy as np

import snn_deploy
from snn_deploy import examples
from snn_deploy.data import Data
from snn_deploy.engines.registry import get_engine
from snn_deploy.engines.result import Run
from snn_deploy.errors import BackendUnavailableError
from snn_deploy.ir.integer_nodes import Dendrite
from snn_deploy.simulation import encode_inputs

EXAMPLE = Path(examples.__file__).parent / "seqdigits_uni"
# a mode and step: 4 products for the state, 2 for the readout, and 5 additions to join them
OPERATIONS_PER_MODE = 11
CASES: tuple[tuple[str, int, int], ...] = (
    # engine, sequences, runs of which the best counts
    ("native", 360, 7),
    ("native", 64, 7),
    ("native", 1, 15),
    ("reference", 64, 3),
    ("lava", 4, 1),
)


def best_seconds(work: Callable[[], Any], runs: int) -> float:
    """Run ``work`` once to warm up (unless only one run is wanted), then give its shortest time."""
    if runs > 1:
        work()
    seconds = []
    for _ in range(runs):
        started = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - started)
    return min(seconds)


CHAIN = 16  # multiply-adds on a value between its load and its store


@numba.njit(fastmath={"contract"}, parallel=True)
def _multiply_add(lanes: np.ndarray, rounds: int) -> None:  # type: ignore[type-arg]
    """Keep every core's multiply-add units busy, with values in registers."""
    for core in numba.prange(lanes.shape[0]):
        row = lanes[core]
        for _ in range(rounds):
            for i in range(row.shape[0]):
                x = row[i]
                for _ in range(CHAIN):
                    x = x * 0.999 + 0.5
                row[i] = x


def operations_per_second() -> float:
    """Measure double-precision multiply-adds a second, on all cores together."""
    lanes = np.ones((numba.get_num_threads(), 1024))
    rounds = 5_000
    return lanes.size * rounds * CHAIN / best_seconds(lambda: _multiply_add(lanes, rounds), 7)


def measure(quick: bool) -> dict[str, Any]:
    """Run every case; engines that are not installed are named and left out."""
    deployment = snn_deploy.convert(
        EXAMPLE / "seqdigits_uni.ckpt", calibration=EXAMPLE / "train.npz"
    )
    network = deployment.network
    with np.load(EXAMPLE / "test.npz") as archive:
        inputs = archive["inputs"]
    steps = inputs.shape[1]
    modes = sum(node.width * node.bank.modes for node in network.of_kind(Dendrite))
    rows = []
    for name, sequences, runs in CASES:
        data = Data(inputs[:sequences], None, np.full(sequences, steps))
        run = Run(encode_inputs(network, data), data.lengths)
        engine = get_engine(name)
        try:
            seconds = best_seconds(lambda e=engine, r=run: e.run(network, r), 1 if quick else runs)
        except BackendUnavailableError as error:
            print(f"{name}: left out, {error}")
            continue
        rows.append(
            {
                "engine": name,
                "sequences": sequences,
                "steps": steps,
                "sample_steps_per_second": sequences * steps / seconds,
                "ns_per_mode_and_step": seconds * 1e9 / (sequences * steps * modes),
            }
        )
    floor = OPERATIONS_PER_MODE * 1e9 / operations_per_second()
    return {
        "machine": f"{platform.machine()}, {os.cpu_count()} cores",
        "python": platform.python_version(),
        "network": f"seqdigits_uni: 2 layers, {modes} complex modes",
        "floor_ns_per_mode_and_step": floor,
        "rows": rows,
    }


def show(result: dict[str, Any]) -> None:
    """Print the table; ratios are of the fastest native row to each."""
    print(f"{result['network']}; {result['machine']}, Python {result['python']}")
    print(
        f"{'engine':<10} {'sequences':>9} {'sample steps/s':>15} {'ns/mode':>9} {'native is':>10}"
    )
    fastest = max(row["sample_steps_per_second"] for row in result["rows"])
    for row in result["rows"]:
        ratio = fastest / row["sample_steps_per_second"]
        print(
            f"{row['engine']:<10} {row['sequences']:>9} {row['sample_steps_per_second']:>15,.0f} "
            f"{row['ns_per_mode_and_step']:>9.2f} {ratio:>9,.0f}×"
        )
    floor = result["floor_ns_per_mode_and_step"]
    best = min(row["ns_per_mode_and_step"] for row in result["rows"])
    print(
        f"floor of the dendrites' arithmetic on these cores: {floor:.2f} ns a mode and step "
        f"({OPERATIONS_PER_MODE} operations); the whole network takes {best / floor:.1f}× that"
    )


def main() -> None:
    """Parse, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])  # type: ignore[union-attr]
    parser.add_argument("--quick", action="store_true", help="one run a case")
    parser.add_argument("--json", metavar="FILE", help="write the figures too")
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    result = measure(options.quick)
    show(result)
    if options.json:
        Path(options.json).write_text(json.dumps(result, indent=2))


if __name__ == "__main__":
    main()

"""One long sequence through a network, in a process of its own: its memory and its time.

    python benchmarks/long_run.py STEPS

Prints a line of JSON. The sequence is streamed in chunks, so that what is measured is the engine
and not the data.
"""

from __future__ import annotations

import json
import sys
import time

import numpy as np
from workloads import MNIST, lowered

from snn_deploy.engines.native import NativeSession
from snn_deploy.engines.session import Watch
from snn_deploy.examples.measuring import peak_bytes

CHUNK = 8192


def main(steps: int) -> None:
    network = lowered(MNIST)
    session = NativeSession(network, Watch(1))
    values = np.random.default_rng(0).random((1, CHUNK, 1))
    mantissas, _ = network.input.output.encode(values)  # type: ignore[attr-defined]
    session.step(mantissas[:, :64])  # compiled, or loaded
    before = peak_bytes() / 2**20
    started = time.perf_counter()
    for start in range(0, steps, CHUNK):
        session.step(mantissas[:, : min(CHUNK, steps - start)])
    session.finish()
    seconds = time.perf_counter() - started
    peak = peak_bytes() / 2**20
    figures = {"us_per_step": seconds * 1e6 / steps, "peak_megabytes": peak}
    print(json.dumps({"steps": steps, **figures, "grown_megabytes": peak - before}))


if __name__ == "__main__":
    main(int(sys.argv[1]))

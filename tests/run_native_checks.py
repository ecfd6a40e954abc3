"""Runs the library on dendrites and networks, and compares with the reference engine.

A script, since what it looks for ends the process:

    python run_native_checks.py SEEDS [end | start | shared | elsewhere LANES COMMAND …]

With ``end`` all arrays end at a page that must not be touched, with ``start`` they begin after one;
with ``shared`` three threads share every network, in blocks of four steps; with ``elsewhere`` a
command does the library's work, see ``another_cpu.py``, every kind of operation at least once.
"""

from __future__ import annotations

import ctypes
import sys
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
from another_cpu import kinds_that_ran, run_elsewhere
from dendrite_tasks import prepare
from edge_dendrites import edge_dendrite, edge_run
from guarded_memory import guarded
from random_loops import looped
from random_networks import random_network, random_run
from spiking_networks import wide_weights

from snn_deploy.engines.native import NativeEngine, flow, packing, session, threads
from snn_deploy.engines.native.abi import KINDS
from snn_deploy.engines.native.exactness import NotExactError
from snn_deploy.engines.native.library import load_target
from snn_deploy.engines.reference import ReferenceEngine
from snn_deploy.engines.session import run_whole
from snn_deploy.ir.network import Network


def check_kernel(network: Any, run: Any, seed: int, room: Any) -> None:
    """Run a dendrite on the kernel alone, whose arrays have nothing to spare."""
    if not load_target().run_dendrite:
        return
    try:
        prepared = prepare(network, run.inputs, room)
    except NotExactError:
        return
    clipped = load_target().run_dendrite(ctypes.byref(prepared.task), prepared.in_floats)
    expected = run_whole(ReferenceEngine(), network, run)
    assert np.array_equal(prepared.drive, expected.trace["dendrite"]), seed
    assert clipped == expected.saturated["dendrite"], seed


def check_network(network: Any, run: Any, seed: int) -> None:
    expected, engine = run_whole(ReferenceEngine(), network, run), NativeEngine()
    for _ in range(2):  # the second run works where the first one has left its numbers
        given = run_whole(engine, network, run)
        for name in run.trace:
            assert np.array_equal(expected.trace[name], given.trace[name]), (seed, name)
        assert expected.saturated == given.saturated, seed


def random_wide_weights(seed: int) -> Network:
    """Make spikes, or small graded messages, and weights of two words that they reach."""
    rng = np.random.default_rng(seed)
    width, targets = rng.integers(1, 70, 2).tolist()
    return wide_weights(rng, width, targets, bool(seed % 2), [int(rng.integers(1, 25)), 0], 127)


def zeros(room: Any, size: int, dtype: Any = np.float64) -> Any:
    array = room(size, dtype)
    array[:] = 0
    return array


def main(seeds: int, where: str = "", *more: str) -> None:
    room: Any = packing.aligned_zeros
    if where == "shared":
        threads.use_threads(3)
        session.WORTH_SHARING = 0
        session.MIN_STEPS = session.MAX_STEPS = 4
    elif where == "elsewhere":
        run_elsewhere(more[1:], lanes=int(more[0]))
    if where in ("end", "start", "elsewhere"):
        room = partial(guarded, at_end=where != "start")
        packing.aligned = flow.aligned = room  # type: ignore[attr-defined]
        packing.aligned_zeros = flow.aligned_zeros = partial(zeros, room)  # type: ignore[attr-defined]
    for seed in range(seeds):
        dendrite = edge_dendrite(seed)
        if dendrite is not None:
            run = edge_run(dendrite, seed)
            check_network(dendrite, run, seed)
            if where != "elsewhere":
                check_kernel(dendrite, run, seed, room)
        for network in (random_network(seed), looped(seed)):
            if network is not None:
                check_network(network, random_run(network, seed), seed)
        network = random_wide_weights(seed)
        run = random_run(network, seed)
        for trace in (("total",), network.names):
            check_network(network, replace(run, trace=trace), seed)
    if where == "elsewhere":
        assert kinds_that_ran == set(KINDS), sorted(set(KINDS) - kinds_that_ran)
    print("equal")


if __name__ == "__main__":
    main(int(sys.argv[1]), *sys.argv[2:])

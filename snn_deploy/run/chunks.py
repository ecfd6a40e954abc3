"""Whole simulations of sequences that come in chunks."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable
from dataclasses import replace
from itertools import product

import numpy as np
import numpy.typing as npt

from snn_deploy.engines.result import IntArray, Record
from snn_deploy.engines.session import Engine
from snn_deploy.errors import DataError
from snn_deploy.ir.network import Network
from snn_deploy.run.simulation import Simulation
from snn_deploy.run.streaming import Stream

__all__ = ["simulate_chunks"]

RECORDED_STEPS = 4096  # at a time, of what is known at the end


def simulate_chunks(
    network: Network,
    chunks: Iterable[npt.ArrayLike],
    lengths: npt.ArrayLike | None = None,
    trace: Collection[str] = (),
    record: Record | None = None,
    engine: Engine | None = None,
) -> Simulation:
    """Run chunks (B, T, d_input) or (B, T) through a causal network, one after the other.

    What grows with their number is what was asked for: traces without ``record``, and the answer of
    a network that answers at every step.

    Raises
    ------
    ConfigError
        If the network is no stream, or has no node that ``trace`` names.
    DataError
        If a chunk does not fit, or there are fewer steps than the answer has.
    """
    stream: Stream | None = None
    parts: dict[str, list[IntArray]] = defaultdict(list)
    whole = set() if record else set(trace)
    if network.answer.steps == "all":
        whole.add(network.output.name)
    for chunk in chunks:
        if stream is None:
            samples = np.shape(chunk)[0] if np.ndim(chunk) else 0
            stream = Stream(network, samples, lengths, sorted(whole.union(trace)), engine)
        given = stream.step(chunk)
        for name, part in given.trace.items():
            if record and name in trace:
                record(name, 0, given.first_step, part)
            if name in whole:
                parts[name].append(part)
    if stream is None:
        raise DataError("no chunk of inputs came; need at least one step")
    result = stream.result()
    for start, (name, signal) in product(
        range(0, stream.steps, RECORDED_STEPS), result.late.items()
    ):
        part = signal(start, min(start + RECORDED_STEPS, stream.steps))
        if record:
            record(name, 0, start, part)
        else:
            parts[name].append(part)
    signals = {name: np.concatenate(arrays, axis=1) for name, arrays in parts.items()}
    every_step = network.answer.steps == "all"
    output = signals[network.output.name] if every_step else stream.last_outputs()
    kept = {} if record else {name: signals[name] for name in trace}
    return Simulation.of(network, replace(result, output=output, trace=kept))

"""Whole simulations of sequences that come in chunks."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable
from dataclasses import replace
from itertools import chain, islice, product

import numpy as np
import numpy.typing as npt

from snn_deploy.engines.result import Record, Values
from snn_deploy.engines.session import Engine
from snn_deploy.errors import DataError
from snn_deploy.ir.network import Network
from snn_deploy.run.simulation import Simulation
from snn_deploy.run.streaming import Stream, StreamOutput

__all__ = ["run_chunks", "simulate_chunks"]

RECORDED_STEPS = 4096  # at a time, of what is known at the end


def run_chunks(
    stream: Stream,
    chunks: Iterable[npt.ArrayLike],
    record: Record | None = None,
    came: Callable[[StreamOutput], None] = lambda given: None,
) -> None:
    """Run chunks through a stream, one after the other, and record what it traces.

    ``came`` is called with what each chunk gave.
    """
    first, record = stream.steps, record or _nowhere
    for chunk in chunks:
        given = stream.step(chunk)
        for name, part in given.trace.items():
            record(name, 0, given.first_step, part)
        came(given)
    late, starts = stream.result().late, range(first, stream.steps, RECORDED_STEPS)
    for start, (name, signal) in product(starts, late.items()):
        record(name, 0, start, signal(start, min(start + RECORDED_STEPS, stream.steps)))


def _nowhere(name: str, sample: int, step: int, part: Values) -> None:
    """Record nothing."""


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
    chunks = iter(chunks)
    begin = list(islice(chunks, 1))
    if not begin:
        raise DataError("no chunk of inputs came; need at least one step")
    samples = np.shape(begin[0])[0] if np.ndim(begin[0]) else 0
    every_step = {network.output.name} if network.answer.steps == "all" else set()
    whole = every_step | (set() if record else set(trace))
    stream = Stream(network, samples, lengths, sorted(whole.union(trace)), engine)
    parts: dict[str, list[Values]] = defaultdict(list)

    def take(name: str, sample: int, step: int, part: Values) -> None:
        if record and name in trace:
            record(name, sample, step, part)
        if name in whole:
            parts[name].append(part)

    run_chunks(stream, chain(begin, chunks), take)
    signals = {name: np.concatenate(arrays, axis=1) for name, arrays in parts.items()}
    result = stream.result()
    output = signals[network.output.name] if every_step else stream.last_outputs()
    kept = {} if record else {name: signals[name] for name in trace}
    return Simulation.of(network, replace(result, output=output, trace=kept))

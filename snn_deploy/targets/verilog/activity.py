"""How many cycles a step of given sequences takes, before any is simulated: by its events."""

from __future__ import annotations

import numpy as np

from snn_deploy.engines.reference import ReferenceEngine
from snn_deploy.engines.result import IntArray, Run
from snn_deploy.engines.session import run_whole
from snn_deploy.targets.verilog.design import Design
from snn_deploy.targets.verilog.jobs import Heard

__all__ = ["cycles_of"]


def cycles_of(design: Design, inputs: IntArray) -> float:
    """Give the cycles of a step's jobs in sequences (B, L, d_input), on average."""
    heard = {job.heard.source for job in design.step if job.heard is not None}
    run = Run(inputs, np.full(len(inputs), inputs.shape[1]), tuple(sorted(heard)))
    signals = run_whole(ReferenceEngine(), design.network, run).trace
    total = 0
    for job in design.step:
        counts = [len(inputs) * inputs.shape[1]]
        if job.heard is not None:
            counts = np.bincount(_events(job.heard, signals[job.heard.source]).ravel()).tolist()
        total += sum(steps * job.cycles(events) for events, steps in enumerate(counts))
    return total / (len(inputs) * inputs.shape[1])


def _events(heard: Heard, signal: IntArray) -> IntArray:
    """Count what is not silent in a step, (B, L)."""
    counts = np.count_nonzero(signal[..., heard.start : heard.start + heard.width], axis=-1)
    events = np.zeros(counts.shape, np.int64)
    there = counts.shape[1] - heard.steps_back
    if there > 0:
        events[:, heard.steps_back :] = counts[:, :there]
    return events

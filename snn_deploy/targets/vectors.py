"""Test vectors: what goes in, and what the reference engine answers."""

from __future__ import annotations

import numpy as np

from snn_deploy.engines.host import Host
from snn_deploy.engines.reference import ReferenceEngine
from snn_deploy.engines.result import IntArray, Run
from snn_deploy.engines.session import run_whole
from snn_deploy.ir.host import highest_input
from snn_deploy.ir.network import Network

__all__ = ["answers", "drawn_inputs"]

SEQUENCES, STEPS = 2, 16  # where no data is given
_SEED = 13


def drawn_inputs(network: Network) -> IntArray:
    """Draw mantissas (B, L, d_input) for a network, always the same."""
    form = network.input.output  # type: ignore[attr-defined]  # integer stage
    high = highest_input(network)
    low = -high if form.signed else 0
    rng = np.random.default_rng(_SEED)
    return rng.integers(low, high + 1, (SEQUENCES, STEPS, network.input.width))


def answers(network: Network, inputs: IntArray) -> tuple[IntArray, IntArray]:
    """Give what enters the chip for mantissas (B, L, d_input), and the answers to last steps."""
    entering = Host(network).compute(inputs).entering
    run = Run(inputs, np.full(len(inputs), inputs.shape[1]), (network.output.name,))
    traced = run_whole(ReferenceEngine(), network, run).trace[network.output.name]
    return entering, traced[:, -1]

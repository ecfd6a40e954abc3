"""What the report page says of a soma's inside, against the neuron worked out by hand."""

from __future__ import annotations

from typing import Any

import lowered
import numpy as np
import pytest
from networks import around, encoded

from snn_deploy.data.inputs import Data
from snn_deploy.engines.reference import ReferenceEngine
from snn_deploy.engines.result import Run
from snn_deploy.engines.session import run_whole
from snn_deploy.ir.network import Network
from snn_deploy.nodes.refractory_soma import RefractorySoma
from snn_deploy.nodes.soft_reset_soma import SoftResetSoma
from snn_deploy.page.data import Signal, observe_signals


def sample(network: Network, sequences: int = 3, steps: int = 40) -> Data:
    width = network.input.width
    x = np.random.default_rng(0).normal(0, 1e9, (sequences, steps, width)).astype(np.float32)
    return Data(x, None, np.full(sequences, steps))


def inside(network: Network, data: Data, name: str) -> dict[str, Signal]:
    signals, spikes, _ = observe_signals(network, data, ReferenceEngine())
    assert name in spikes
    return {signal.quantity: signal for signal in signals if signal.node == name}


def test_a_membrane_is_that_of_the_equation() -> None:
    network = lowered.spiking_network((6, 5, 4), decay=700)
    data = sample(network)
    run = Run(encoded(network, data.inputs), data.lengths, ["layers.0.synapses"])
    drive = run_whole(ReferenceEngine(), network, run).trace["layers.0.synapses"]
    v, membranes = np.zeros_like(drive[:, 0]), []
    for step in range(drive.shape[1]):
        v = np.sign(v) * (np.abs(v) * (4096 - 700) // 4096) + drive[:, step] * 64
        assert np.abs(v).max() < 2**23
        membranes.append(np.abs(v))
        v = np.where(v > 100 * 64, 0, v)
    seen = inside(network, data, "layers.0.lif")["membrane"]
    assert seen.largest == np.max(membranes) > 0
    assert seen.usual == pytest.approx(np.percentile(membranes, 99))


@pytest.mark.parametrize(
    ("kind", "held"), [(RefractorySoma, {"membrane", "refractory"}), (SoftResetSoma, {"reset"})]
)
def test_every_soma_shows_what_it_clips_inside(kind: Any, held: set[str]) -> None:
    network = around(kind, np.random.default_rng(9))
    seen = inside(network, sample(network), "node")
    assert set(seen) == held
    for signal in seen.values():
        assert signal.largest is not None
        assert signal.usual is not None
        assert signal.worst is not None
        assert 0 < signal.usual <= signal.largest <= min(signal.limit, signal.worst)

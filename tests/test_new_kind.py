"""A kind of spiking neuron that another package adds runs through the whole project."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from snn_deploy_doublet.neuron import Doublet, DoubletSoma  # of examples/plugin

import snn_deploy
from snn_deploy.deployment import Deployment
from snn_deploy.engines.floating import run_float
from snn_deploy.errors import NetworkError, TargetError
from snn_deploy.ir.bounds import bound_network
from snn_deploy.ir.formats import Edge
from snn_deploy.ir.network import Network
from snn_deploy.ir.program import listing
from snn_deploy.ir.text import format_network
from snn_deploy.mapping.cost import cost_network
from snn_deploy.mapping.placement import place_network
from snn_deploy.mapping.profile import load_profile
from snn_deploy.nodes.float_inputs import FloatInput
from snn_deploy.nodes.linear import Linear
from snn_deploy.nodes.readout import Readout
from snn_deploy.nodes.registry import with_kind

CHANNELS, HIDDEN, BATCH, STEPS = 3, 6, 8, 20


def network() -> Network:
    rng = np.random.default_rng(0)

    def linear(name: str, source: str, shape: tuple[int, int]) -> Linear:
        weight = rng.normal(0.0, 2.0 / np.sqrt(shape[1]), shape)
        return Linear(name=name, inputs=(Edge(source),), weight=weight, bias=np.full(shape[0], 0.1))

    def soma(name: str, source: str) -> Doublet:
        return Doublet(name=name, inputs=(Edge(source),), channels=HIDDEN, decay=0.75)

    weight = rng.normal(0.0, 1.0, (4, HIDDEN))
    readout = Readout(
        name="decoder", inputs=(Edge("second"),), mode="mean", weight=weight, bias=np.zeros(4)
    )
    return Network(
        "float",
        (
            FloatInput(name="input", channels=CHANNELS),
            linear("weights", "input", (HIDDEN, CHANNELS)),
            soma("first", "weights"),
            linear("more weights", "first", (HIDDEN, HIDDEN)),
            soma("second", "more weights"),
            readout,
        ),
    )


X = np.random.default_rng(1).normal(0.0, 0.7, (BATCH, STEPS, CHANNELS))


@functools.cache
def converted() -> Deployment:
    return snn_deploy.convert(network(), target="loihi2", calibration=X)


@pytest.fixture
def deployment() -> Iterator[Deployment]:
    with with_kind(DoubletSoma):
        yield converted()


def test_its_program_can_be_read(deployment: Deployment) -> None:
    node: Any = deployment.network["first"]
    assert listing(node.program) == (
        f"""\
t0 = multiply_shift(membrane, kept, {node.decay_bits - 1})
t1 = shift_left(x0, {node.align})
t2 = add(t0, t1)
membrane3 = saturate(t2, s{node.state_bits})
t4 = subtract(threshold, 1)
t5 = greater(membrane3, t4)
t6 = or(t5, echo)
t7 = select(t5, 0, membrane3)
membrane' = t7  ({node.state_bits} bits)
echo' = t5  (2 bits)
send t6
"""
    )
    assert "DoubletSoma" in format_network(deployment.network)


def test_it_is_the_float_neuron(deployment: Deployment) -> None:
    simulation = deployment.simulate(X, backend="reference", trace=["first"])
    spikes = run_float(network(), X, record=["first"]).signals["first"]
    assert 0.1 < spikes.mean() < 0.9
    assert np.mean(simulation.trace["first"] != spikes) < 0.01


@pytest.mark.parametrize("engine", ["native", pytest.param("lava", marks=pytest.mark.lava)])
def test_every_engine_gives_the_same_integers(deployment: Deployment, engine: str) -> None:
    lengths = np.arange(BATCH) + STEPS - BATCH + 1
    names = deployment.network.names
    expected, found = (
        deployment.simulate(X, lengths, backend=backend, trace=names)
        for backend in ("reference", engine)
    )
    for name in names:
        np.testing.assert_array_equal(found.trace[name], expected.trace[name], name)
    np.testing.assert_array_equal(found.logits, expected.logits)


def test_it_is_streamed_and_stored(deployment: Deployment, tmp_path: Path) -> None:
    deployment.save(tmp_path / "doublets.safetensors")
    again = snn_deploy.load(tmp_path / "doublets.safetensors")
    expected = deployment.simulate(X, backend="reference")
    *_, last = again.simulate_stream([X[:, :7], X[:, 7:8], X[:, 8:]])
    np.testing.assert_array_equal(last.answer, expected.logits)


def test_it_is_bounded_costed_and_placed(deployment: Deployment) -> None:
    node: Any = deployment.network["first"]
    bound = bound_network(deployment.network)["first"]
    assert bound.reached["membrane"].shape == (HIDDEN,)
    cost = cost_network(deployment.network)["first"]
    assert cost.memory.state == node.state_bits + 2
    assert cost.operations == 8  # a multiply, shift, add, clip of two, compare, or, select
    placement = place_network(deployment.network, load_profile("loihi2"))
    assert any("first" in population.nodes for population in placement.populations)


def test_it_is_reported(deployment: Deployment) -> None:
    report = deployment.report(X)
    simulation = deployment.simulate(X, trace=["first"])
    (layer,) = [layer for layer in report.layers if layer.name == "first"]
    assert layer.spike_rate == pytest.approx(simulation.trace["first"].mean())
    assert layer.events.messages == simulation.trace["first"].sum()
    assert layer.events.lif_updates > layer.events.neuron_updates == BATCH * STEPS * HIDDEN
    (saturation,) = [known for known in report.saturation if known.node == "first"]
    assert (saturation.status, saturation.can_exceed) == ("unseen", ("membrane",))


def test_a_chip_without_programmable_neurons_refuses_it(deployment: Deployment) -> None:
    with pytest.raises(TargetError, match="programmable"):
        snn_deploy.convert(network(), target="loihi1", calibration=X)


def test_elsewhere_it_is_unknown() -> None:
    with pytest.raises(NetworkError, match=r"first.*not legal in stage"):
        snn_deploy.convert(network(), target="loihi2", calibration=X)

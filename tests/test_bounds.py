"""Worst cases are worst cases: nothing that the reference engine computes exceeds its bound."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, reject, settings
from hypothesis import strategies as st
from networks import (
    INTEGER_KINDS,
    Norm,
    around,
    encoded,
    extreme_inputs,
    float_inputs,
    float_network,
    run_reference,
)

from snn_deploy import fixedpoint
from snn_deploy.engines.reference import run_node
from snn_deploy.engines.result import Result
from snn_deploy.errors import ConfigError
from snn_deploy.ir.bounds import Bound, bound_network
from snn_deploy.ir.formats import Edge, Format
from snn_deploy.ir.network import Network
from snn_deploy.ir.node import Node
from snn_deploy.ir.verifier import verify_network
from snn_deploy.nodes.base import Place
from snn_deploy.nodes.crossing_soma import CrossingSoma
from snn_deploy.nodes.dendrite import Dendrite, ModeBank
from snn_deploy.nodes.drawn_soma import DrawnSoma
from snn_deploy.nodes.gate import Gate
from snn_deploy.nodes.inputs import Input
from snn_deploy.nodes.layer_sign import LayerSign
from snn_deploy.nodes.level_soma import LevelSoma
from snn_deploy.nodes.lif import LifSoma
from snn_deploy.nodes.mode_bounds import projection_bound, state_bound
from snn_deploy.nodes.part import Part
from snn_deploy.nodes.pooling import Accumulator
from snn_deploy.nodes.quantized_ssm import QuantizedSsm
from snn_deploy.nodes.shared_synapses import SharedSynapses
from snn_deploy.nodes.sigma_delta import SigmaDelta
from snn_deploy.nodes.sign_soma import SignSoma
from snn_deploy.nodes.silence import Silence
from snn_deploy.nodes.synapses import Synapses
from snn_deploy.nodes.window import Window
from snn_deploy.passes.fold_thresholds import FoldThresholds
from snn_deploy.passes.pipeline import compile_network, run_passes
from snn_deploy.passes.quantize import Calibration, Quantize
from snn_deploy.quantize.config import QuantizationConfig, parse_settings

IntArray = npt.NDArray[np.int64]

seeds = st.integers(0, 2**32 - 1)
kinds = pytest.mark.parametrize("kind", INTEGER_KINDS, ids=lambda kind: kind.__name__)


def watch(network: Network, mantissas: IntArray) -> dict[tuple[str, int], float]:
    """Run a network; give the largest magnitude that each node clipped, by the clip's width."""
    largest: dict[tuple[str, int], float] = {}
    place = Place(np.full(len(mantissas), mantissas.shape[1]), mantissas.shape[1])
    signals: dict[str, IntArray] = {}
    saturate = fixedpoint.saturate
    for node in network:

        def watching(x: IntArray, bits: int, signed: bool = True, name: str = node.name) -> Any:
            worst = float(np.abs(x).max(initial=0))
            largest[name, bits] = max(largest.get((name, bits), 0.0), worst)
            return saturate(x, bits, signed)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(fixedpoint, "saturate", watching)
            sources = [signals[edge.source] for edge in node.inputs] or [mantissas]
            signals[node.name], _ = run_node(node, sources, place)
    return largest


def clipped_widths(node: Any) -> dict[str, int]:
    """By the names of a bound's quantities: the width to which the node clips them."""
    widths = {"output": node.output.bits}
    if isinstance(node, Gate):
        widths["value"] = node.value_bits
    if isinstance(node, SigmaDelta):
        widths["gathered"] = node.state_bits
        if node.bias.any():
            widths["activation"] = node.state_bits
    if isinstance(node, Dendrite):
        widths["state"] = node.bank.state_bits
    if isinstance(node, QuantizedSsm):
        widths["state"] = node.forward.state_bits
        if node.reverse is not None:
            widths["state of the other half"] = node.reverse.state_bits
    return widths


def assert_within(network: Network, mantissas: IntArray) -> Result:
    """Compare every output, every clipped value and every count with the bounds."""
    bounds = bound_network(network)
    result = run_reference(network, mantissas)
    clipped = watch(network, mantissas)
    for node in network:
        bound = bounds[node.name]
        reached = np.abs(result.trace[node.name]).max(axis=(0, 1))
        assert (reached <= bound.output).all(), node
        widths = clipped_widths(node)
        if len(set(widths.values())) == len(widths):  # else one cannot tell them apart
            for quantity, bits in widths.items():
                if quantity in bound.reached and (node.name, bits) in clipped:
                    worst = bound.reached[quantity].max(initial=0)
                    assert clipped[node.name, bits] <= worst, (node, quantity)
        if not any(bound.can_exceed(quantity) for quantity in bound.limits):
            assert result.saturated.get(node.name, 0) == 0, node
    return result


@kinds
@given(seed=seeds)
def test_no_node_exceeds_its_bound(kind: type[Node], seed: int) -> None:
    rng = np.random.default_rng(seed)
    network = around(kind, rng)
    verify_network(network)
    assert_within(network, extreme_inputs(network, rng))


@kinds
def test_random_nodes_reach_their_limits(kind: type[Node]) -> None:
    """The property above means something: both answers occur, and saturations are really seen."""
    if kind in (
        CrossingSoma,
        DrawnSoma,
        Input,
        LayerSign,
        LevelSoma,
        SharedSynapses,
        Part,
        SignSoma,
        Silence,
        Synapses,
        Window,
    ):
        pytest.skip("never clips")
    possible, seen, impossible = 0, 0, 0
    for seed in range(60):
        rng = np.random.default_rng(seed)
        network = around(kind, rng)
        bound = bound_network(network)["node"]
        clips = any(bound.can_exceed(quantity) for quantity in bound.limits)
        possible, impossible = possible + clips, impossible + (not clips)
        seen += run_reference(network, extreme_inputs(network, rng)).saturated["node"] > 0
    assert seen > 0
    assert possible >= seen
    assert impossible > 0 or kind is SigmaDelta  # which adds up without end


@given(seed=seeds)
def test_the_sum_before_a_drives_shift_is_bounded(seed: int) -> None:
    """With no shift and a wide output, a dendrite's output is the sum of its contributions."""
    rng = np.random.default_rng(seed)
    network = around(Dendrite, rng)
    node = network.output
    assert isinstance(node, Dendrite)
    bare = replace(
        network, nodes=(network.input, replace(node, drive_shift=0, output=Format(48, 0)))
    )
    signal = run_reference(bare, extreme_inputs(network, rng)).trace["node"]
    bound = bound_network(network)["node"]
    assert (np.abs(signal).max(axis=(0, 1)) <= bound.reached["sum"]).all()


def clipped_dendrite() -> Network:
    """Both compartments of a mode are driven to their limits, and read out with opposite signs."""
    bank = ModeBank(
        decay_real=np.array([[20000]], np.int32),
        decay_imag=np.array([[25000]], np.int32),
        decay_shift=15,
        input_shift=np.array([[10]], np.int8),
        readout_real=np.array([[32767]], np.int32),
        readout_imag=np.array([[-32767]], np.int32),
        readout_shift=np.array([[0]], np.int8),
        coefficient_bits=16,
        state_bits=8,
    )
    dendrite = Dendrite(
        name="node",
        inputs=(Edge("input"),),
        output=Format(40, 0),
        bank=bank,
        skip_mantissa=np.zeros(1, np.int32),
        skip_shift=np.zeros(1, np.int8),
        drive_shift=0,
        sum_bits=40,
    )
    source = Input(name="input", output=Format(16, 0), channels=1)
    return Network("lowered", (source, dendrite), "all")


def test_two_clipped_compartments_add_up() -> None:
    network = clipped_dendrite()
    mantissas = np.full((1, 40, 1), 32767)
    signal = run_reference(network, mantissas).trace["node"]
    assert np.abs(signal).max() == 2 * 127 * 32767  # both at their limit
    assert_within(network, mantissas)


def test_state_bound_is_tight_for_a_real_decay() -> None:
    """A constant input drives h' = r h + x up to x / (1 - r); the bound adds only roundings."""
    rng = np.random.default_rng(0)
    network = around(Dendrite, rng)
    node = network.output
    assert isinstance(node, Dendrite)
    bank = replace(
        node.bank,
        decay_real=np.array([[4000]], np.int32),
        decay_imag=np.array([[0]], np.int32),
        decay_shift=12,
        input_shift=np.array([[0]], np.int8),
        readout_real=np.array([[1]], np.int32),
        readout_imag=np.array([[0]], np.int32),
        readout_shift=np.array([[0]], np.int8),
        state_bits=24,
        coefficient_bits=13,
    )
    bare = replace(
        node,
        bank=bank,
        skip_mantissa=np.zeros(1, np.int32),
        skip_shift=np.zeros(1, np.int8),
        drive_shift=0,
        reversed_time=False,
        output=Format(40, 0),
    )
    source = Input(name="input", output=Format(16, 0), channels=1)
    made = Network("lowered", (source, bare), "all")
    reached = int(run_reference(made, np.full((1, 2000, 1), 32767)).trace["node"].max())
    bound = float(state_bound(bank, np.array([32767.0]))[0, 0])
    assert 0.999 * bound <= reached <= bound


@pytest.mark.parametrize("modulus", [0.0, 0.6, 0.97, 0.995])
@pytest.mark.parametrize("angle", [0.0, 1e-3, 0.3, np.pi / 3, np.pi / 2, 2.0, np.pi])
def test_a_readout_of_any_phase_hears_no_more_than_its_bound(modulus: float, angle: float) -> None:
    """The worst input for a phase has the sign of what the phase hears of each step."""
    node = around(Dendrite, np.random.default_rng(0)).output
    assert isinstance(node, Dendrite)
    turned = np.rint(4096 * modulus * np.exp(1j * angle))
    bank = replace(
        node.bank,
        decay_real=np.array([[turned.real]], np.int32),
        decay_imag=np.array([[turned.imag]], np.int32),
        decay_shift=12,
        input_shift=np.array([[0]], np.int8),
        state_bits=24,
    )
    bound = float(projection_bound(bank, np.array([1000.0]))[0, 0])
    response = (turned / 4096) ** np.arange(8000)
    phases = np.exp(1j * np.linspace(0, np.pi, 90))
    heard = 1000.0 * np.abs((phases[:, None] * response).real).sum(axis=1)
    assert 0.7 * bound <= heard.max() <= bound <= float(state_bound(bank, np.array([1000.0]))[0, 0])


def test_a_membrane_without_leak_has_no_bound() -> None:
    source = Input(name="input", output=Format(6, 0), channels=1)
    soma = LifSoma(name="node", inputs=(Edge("input"),), channels=1, threshold=5, decay=0)
    network = Network("lowered", (source, soma), "all")
    bound = bound_network(network)["node"]
    assert bound.can_exceed("membrane")
    # 2**23 / (31 * 2**6) steps later it is at its limit
    assert run_reference(network, np.full((1, 4300, 1), -31)).saturated["node"] > 0
    assert run_reference(network, np.full((1, 4200, 1), -31)).saturated["node"] == 0


def test_a_membrane_that_leaks_slowly_reaches_its_bound() -> None:
    source = Input(name="input", output=Format(5, 0), channels=1)
    soma = LifSoma(name="node", inputs=(Edge("input"),), channels=1, threshold=2**17 - 1, decay=8)
    network = Network("lowered", (source, soma), "all")
    bound = bound_network(network)["node"].reached["membrane"][0]
    v = 0
    for _ in range(6000):
        v = -((-v * 4088) // 4096) - 15 * 64
    assert 0.98 * bound <= -v <= bound


def test_the_sum_over_a_sequence_has_no_bound() -> None:
    source = Input(name="input", output=Format(4, 0), channels=2)
    pool = Accumulator(
        name="node",
        inputs=(Edge("input"),),
        output=Format(8, 0),
        channels=2,
        mode="sum",
        use_lengths=False,
        guard_bits=0,
        headroom_bits=0,
        reciprocal_bits=16,
    )
    network = Network("lowered", (source, pool))
    assert bound_network(network)["node"].can_exceed("output")
    np.testing.assert_array_equal(bound_network(network)["node"].output, [127, 127])


def test_spikes_excite_or_inhibit_but_never_both() -> None:
    """0 or 1 a spike: the worst sum takes all weights of one sign, not all magnitudes."""
    weight = np.array([[100, -90, 3], [-1, -2, 5]], np.int8)
    synapses = Synapses(
        name="node", inputs=(Edge("input", 1),), output=Format(24, 0), weight=weight, weight_bits=8
    )
    spikes = Input(name="input", output=Format(1, 0, signed=False), channels=3)
    graded = Input(name="input", output=Format(2, 0), channels=3)
    spiking = bound_network(Network("lowered", (spikes, synapses), "all"))["node"]
    np.testing.assert_array_equal(spiking.output, [103, 5])
    full = bound_network(Network("lowered", (graded, synapses), "all"))["node"]
    np.testing.assert_array_equal(full.output, [193, 8])


settings_of = st.fixed_dictionaries(
    {},
    optional={
        "residual_bits": st.integers(4, 24),
        "norm_bits": st.integers(4, 24),
        "drive_bits": st.integers(12, 18),
        "decay_bits": st.integers(10, 24),
        "state_bits": st.integers(16, 24),
        "weight_bits": st.integers(2, 8),
        "gate_bits": st.integers(4, 24),
        "table_bits": st.integers(4, 24),
        "headroom": st.floats(1.0, 4.0),
    },
)


@settings(max_examples=40)
@given(
    seed=seeds,
    width=st.integers(1, 5),
    modes=st.integers(0, 4),
    layers=st.integers(0, 2),
    reverse=st.booleans(),
    norm=st.sampled_from([False, True, "layer"]),
    calibrated=st.booleans(),
    loudness=st.sampled_from([0.1, 1.0, 30.0]),
    chosen=settings_of,
)
def test_compiled_networks_stay_within_their_bounds(
    seed: int,
    width: int,
    modes: int,
    layers: int,
    reverse: bool,
    norm: Norm,
    calibrated: bool,
    loudness: float,
    chosen: dict[str, Any],
) -> None:
    """Quiet calibration and loud inputs: saturation, if any, is where the bounds say it may be."""
    source = float_network(
        width=width, modes=modes, layers=layers, reverse=reverse, norm=norm, seed=seed
    )
    config = parse_settings(chosen)
    calibration = Calibration(float_inputs(source)) if calibrated else None
    folded = FoldThresholds()(source)
    try:
        quantized = run_passes(folded, [Quantize(config, calibration)])
    except ConfigError:  # widths that this network cannot have; the message is tested elsewhere
        reject()
    lowered = compile_network(source, config, calibration)
    inputs = float_inputs(source, scale=loudness, seed=seed)
    for network in (quantized, lowered):
        assert_within(network, encoded(network, inputs))
        assert_within(network, extreme_inputs(network, np.random.default_rng(seed)))


def test_loud_inputs_do_saturate_a_network_that_was_calibrated_on_quiet_ones() -> None:
    source = float_network(width=6, layers=2, d_in=4, modulus=(0.9, 0.99))
    quiet = Calibration(float_inputs(source, batch=1, steps=5))
    network = compile_network(source, QuantizationConfig(headroom=1.0), quiet)
    result = assert_within(network, extreme_inputs(network, np.random.default_rng(0), 8, 60))
    assert sum(result.saturated.values()) > 0


def test_dendrites_never_saturate_and_their_bounds_prove_it() -> None:
    source = float_network(width=6, modes=4, layers=3, modulus=(0.9, 0.9999), reverse=True)
    network = compile_network(source, QuantizationConfig(), Calibration(float_inputs(source)))
    bounds = bound_network(network)
    for node in network.of_kind(Dendrite):
        assert not bounds[node.name].can_exceed("state")
        assert not bounds[node.name].can_exceed("sum")


def test_can_exceed_compares_with_the_limit() -> None:
    bound = Bound({"output": np.array([7.0, 7.5])}, {"output": 7}, np.zeros(2))
    assert bound.can_exceed("output")
    bound = Bound({"output": np.array([7.0, -9.0])}, {"output": 7}, np.zeros(2))
    assert not bound.can_exceed("output")

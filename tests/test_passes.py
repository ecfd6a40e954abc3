"""Passes: each keeps every bit, fits its neighbours, and reads as its golden says."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from networks import (
    encoded,
    extreme_inputs,
    float_inputs,
    float_network,
    run_reference,
)

from snn_deploy.engines.floating import run_float
from snn_deploy.errors import NetworkError
from snn_deploy.ir.formats import Edge
from snn_deploy.ir.network import Network
from snn_deploy.ir.text import format_network
from snn_deploy.ir.timing import latencies
from snn_deploy.ir.verifier import verify_network
from snn_deploy.nodes.affine import Affine
from snn_deploy.nodes.dendrite import Dendrite
from snn_deploy.nodes.float_inputs import FloatInput
from snn_deploy.nodes.float_lif import Lif
from snn_deploy.nodes.gate import Gate, QuantizedGlu
from snn_deploy.nodes.glu import Glu
from snn_deploy.nodes.linear import Linear
from snn_deploy.nodes.quantized_ssm import QuantizedSsm
from snn_deploy.nodes.readout import Readout
from snn_deploy.nodes.residual import Residual
from snn_deploy.nodes.ssm import DiagonalSsm
from snn_deploy.nodes.synapses import QuantizedLinear, Synapses
from snn_deploy.passes.balance_delays import BalanceDelays
from snn_deploy.passes.base import Pass
from snn_deploy.passes.fold_thresholds import FoldThresholds
from snn_deploy.passes.pipeline import PIPELINE, compile_network, run_passes
from snn_deploy.passes.quantize import Calibration, Quantize
from snn_deploy.passes.split_linear import SplitLinear
from snn_deploy.passes.unroll_ssm import UnrollSsm
from snn_deploy.quantize.config import QuantizationConfig, parse_settings

GOLDENS = Path(__file__).parent / "goldens"

LOWERING = tuple(kind for kind in PIPELINE if kind.takes == "integer")


def made_passes(calibration: Calibration | None, **chosen: Any) -> list[Pass]:
    """Every pass of the pipeline, in its order."""
    quantize = Quantize(parse_settings(chosen), calibration)
    return [quantize if kind is Quantize else kind() for kind in PIPELINE]


def stages(source: Network, calibration: Calibration | None = None, **chosen: Any) -> list[Network]:
    """The integer networks after each pass, from the quantised one to the lowered one."""
    after: list[Network] = []
    run_passes(source, made_passes(calibration, **chosen), lambda _, network: after.append(network))
    return [network for network in after if network.stage != "float"]


def assert_same_bits(before: Network, after: Network, mantissas: Any, lengths: Any = None) -> None:
    """Compare the answer, and every signal that both networks have, by name."""
    first, second = (run_reference(n, mantissas, lengths) for n in (before, after))
    np.testing.assert_array_equal(first.output, second.output)
    shared = set(before.names) & set(after.names)
    assert {"input", before.output.name} <= shared
    for name in shared:
        np.testing.assert_array_equal(first.trace[name], second.trace[name], err_msg=name)


# --- every lowering pass keeps every bit


SHAPES: dict[str, dict[str, Any]] = {
    "causal": {},
    "bidirectional": {"reverse": True},
    "prenorm": {"norm": True},
    "layer norm": {"norm": "layer"},
    "bidirectional layer norm": {"reverse": True, "norm": "layer"},
    "bidirectional prenorm": {"reverse": True, "norm": True},
    "no layer": {"layers": 0},
    "one layer": {"layers": 1},
    "three layers": {"layers": 3},
    "five inputs": {"d_in": 5},
    "one mode": {"modes": 1},
    "no modes": {"modes": 0},
    "no modes either way": {"modes": 0, "reverse": True},
    "one channel": {"width": 1, "classes": 1},
    "one channel either way": {"width": 1, "modes": 1, "reverse": True, "norm": True},
    "last step": {"readout": "last"},
    "first step": {"readout": "first"},
    "every step": {"readout": "every"},
    "lengths": {"use_lengths": True, "reverse": True},
    "last valid step": {"use_lengths": True, "readout": "last"},
}


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
def test_lowering_keeps_every_bit(shape: dict[str, Any]) -> None:
    source = float_network(**shape)
    made = stages(source, Calibration(float_inputs(source)))
    assert len(made) == 1 + len(LOWERING)
    lengths = [20, 1, 7]
    rng = np.random.default_rng(0)
    for before, after in itertools.pairwise(made):
        assert_same_bits(before, after, encoded(before, float_inputs(source)), lengths)
        assert_same_bits(before, after, extreme_inputs(before, rng), [16, 1, 9])


@settings(max_examples=30)
@given(
    seed=st.integers(0, 2**31),
    shape=st.fixed_dictionaries(
        {
            "width": st.integers(1, 6),
            "modes": st.integers(0, 4),
            "layers": st.integers(0, 3),
            "d_in": st.integers(1, 5),
            "reverse": st.booleans(),
            "norm": st.sampled_from([False, True, "layer"]),
            "drive": st.sampled_from([0.1, 2.0, 50.0]),
        }
    ),
    quiet=st.booleans(),
)
def test_lowering_keeps_every_bit_of_any_network(
    seed: int, shape: dict[str, Any], quiet: bool
) -> None:
    """Also where calibration was too quiet, so that formats saturate."""
    source = float_network(seed=seed, **shape)
    calibration = Calibration(float_inputs(source, batch=1, steps=2 if quiet else 30))
    made = stages(source, calibration, headroom=1.0)
    mantissas = extreme_inputs(made[0], np.random.default_rng(seed))
    for before, after in itertools.pairwise(made):
        assert_same_bits(before, after, mantissas)


def test_lowering_counts_the_same_saturations() -> None:
    source = float_network(width=6, d_in=4, modulus=(0.9, 0.99), reverse=True)
    made = stages(source, Calibration(float_inputs(source, batch=1, steps=4)), headroom=1.0)
    mantissas = extreme_inputs(made[0], np.random.default_rng(0), 8, 60)
    counts = [sum(run_reference(network, mantissas).saturated.values()) for network in made]
    assert counts[0] > 0
    assert len(set(counts)) == 1


def test_every_shared_signal_is_compared() -> None:
    """Nodes keep their names through the passes, so that the comparisons above see them all."""
    made = stages(float_network(reverse=True, norm=True))
    shared = set(made[0].names) & set(made[-1].names)
    layer = {f"layers.{i}.{part}" for i in (0, 1) for part in ("norm", "ssm", "lif", "glu")}
    assert shared >= {"input", "encoder", "layers.0.residual", "decoder", *layer}


# --- fold-thresholds


@pytest.mark.parametrize("reverse", [False, True])
def test_folding_thresholds_keeps_every_spike(reverse: bool) -> None:
    source = float_network(width=6, layers=3, reverse=reverse)
    folded = FoldThresholds()(source)
    inputs = float_inputs(source, batch=4, steps=50)
    before, after = (run_float(n, inputs, record=source.names[:-1]) for n in (source, folded))
    np.testing.assert_allclose(before.logits, after.logits, rtol=1e-9)
    for soma in source.of_kind(Lif):
        spikes = before.signals[soma.name]
        assert 0 < spikes.mean() < 1
        np.testing.assert_array_equal(spikes, after.signals[soma.name])
        ssm = soma.inputs[0].source
        np.testing.assert_allclose(
            before.signals[ssm] / soma.threshold, after.signals[ssm], atol=1e-12
        )
        assert (folded[soma.name].threshold == 1.0).all()  # type: ignore[attr-defined]


def test_thresholds_of_one_are_left_alone() -> None:
    source = float_network(threshold=False)
    assert FoldThresholds()(source).nodes == source.nodes


# --- unroll-ssm


def test_a_causal_ssm_becomes_one_dendrite() -> None:
    before, after = stages(float_network())[:2]
    assert not after.of_kind(QuantizedSsm)
    ssm, dendrite = before["layers.1.ssm"], after["layers.1.ssm"]
    assert isinstance(ssm, QuantizedSsm)
    assert isinstance(dendrite, Dendrite)
    assert dendrite.bank is ssm.forward
    assert not dendrite.reversed_time


def test_a_bidirectional_ssm_becomes_two_dendrites_and_a_relay() -> None:
    after = stages(float_network(layers=1, reverse=True))[1]
    forward, reverse = after.of_kind(Dendrite)
    assert (forward.name, reverse.name) == ("layers.0.ssm.forward", "layers.0.ssm.reverse")
    assert (forward.reversed_time, reverse.reversed_time) == (False, True)
    assert not reverse.skip_mantissa.any()
    assert [edge.source for edge in after["layers.0.ssm"].inputs] == [forward.name, reverse.name]


# --- split-linear


def test_linear_layers_become_synapses_and_receivers() -> None:
    after = stages(float_network(layers=1))[2]
    assert not after.of_kind(QuantizedLinear, QuantizedGlu)
    synapses = [node.name for node in after.of_kind(Synapses)]
    assert synapses == ["encoder.synapses", "layers.0.mix.synapses", "decoder.synapses"]
    gate = after["layers.0.glu"]
    assert isinstance(gate, Gate)
    assert [edge.source for edge in gate.inputs] == ["layers.0.mix.synapses"]
    assert "layers.0.mix" not in after.names


# --- balance-delays


@pytest.mark.parametrize("layers", [0, 1, 4])
def test_paths_into_a_node_take_equally_long(layers: int) -> None:
    network = stages(float_network(layers=layers, reverse=True))[-1]
    latency = latencies(network)
    for node in network:
        arrivals = {latency[edge.source] + edge.delay for edge in node.inputs}
        assert arrivals <= {latency[node.name]}
        if isinstance(node, Synapses):
            assert [edge.delay for edge in node.inputs] == [1]
    # the encoder's synapses, one crossing a layer, and the decoder's
    assert latency["decoder"] == 2 + layers
    if layers:
        assert network["layers.0.residual"].inputs == (Edge("encoder", 1), Edge("layers.0.glu"))


def test_delays_that_are_balanced_stay() -> None:
    network = stages(float_network())[-1]
    again = BalanceDelays()(replace(network, stage="integer"))
    assert [n.inputs for n in again] == [n.inputs for n in network]


# --- the pipeline


def test_the_order_fits_together() -> None:
    assert PIPELINE[0].takes == "float"
    assert PIPELINE[-1].gives == "lowered"
    for first, second in itertools.pairwise(PIPELINE):
        assert first.gives == second.takes


@pytest.mark.parametrize("kind", PIPELINE, ids=lambda kind: kind.name)
def test_file_class_and_option_are_one_word(kind: type[Pass]) -> None:
    assert kind.__module__ == f"snn_deploy.passes.{kind.name.replace('-', '_')}"
    assert kind.__name__ == "".join(word.capitalize() for word in kind.name.split("-"))


@pytest.mark.parametrize(
    ("made", "told"),
    [
        (UnrollSsm(), "pass unroll-ssm takes a network of stage 'integer', not 'float'"),
        (SplitLinear(), "pass split-linear takes a network of stage 'integer', not 'float'"),
        (BalanceDelays(), "pass balance-delays takes a network of stage 'integer', not 'float'"),
    ],
    ids=lambda value: getattr(value, "name", ""),
)
def test_a_chain_that_does_not_fit_is_refused(made: Pass, told: str) -> None:
    with pytest.raises(NetworkError, match=re.escape(told)):
        run_passes(float_network(), [made])


@dataclass(frozen=True)
class Broken(Pass):
    """A pass that gives whatever it is told to."""

    name = "break-network"
    takes = "float"
    gives = "float"

    rewrite: Callable[[Network], Network] = lambda network: network

    def __call__(self, network: Network) -> Network:
        return self.rewrite(network)


def test_the_pass_that_broke_a_rule_is_named() -> None:
    twice = Broken(lambda network: replace(network, nodes=(*network.nodes, network.nodes[-1])))
    told = "after pass break-network: node 'decoder' (Readout): another node has the same name"
    with pytest.raises(NetworkError, match=re.escape(told)):
        run_passes(float_network(), [twice])


def test_the_pass_that_gave_the_wrong_stage_is_named() -> None:
    wrong = Broken(lambda network: replace(network, stage="lowered"))
    told = "after pass break-network: gave stage 'lowered' instead of 'float'"
    with pytest.raises(NetworkError, match=re.escape(told)):
        run_passes(float_network(), [wrong])


def test_passes_report_as_they_go() -> None:
    seen: list[tuple[str, str]] = []
    source = float_network()
    made = compile_network(
        source, QuantizationConfig(), after=lambda step, n: seen.append((step.name, n.stage))
    )
    assert seen == [(kind.name, kind.gives) for kind in PIPELINE]
    verify_network(made)


@pytest.mark.parametrize("kind", PIPELINE, ids=lambda kind: kind.name)
def test_a_pass_leaves_what_it_was_given_as_it_was(kind: type[Pass]) -> None:
    source = float_network(reverse=True, norm=True)
    inputs: dict[str, Network] = {}
    before = source
    for step in made_passes(None):
        inputs[step.name] = before
        before = step(before)
    text, given_ = format_network(inputs[kind.name]), inputs[kind.name].nodes
    step = Quantize() if kind is Quantize else kind()
    assert step(inputs[kind.name]) is not inputs[kind.name]
    assert inputs[kind.name].nodes is given_
    assert format_network(inputs[kind.name]) == text


# --- goldens


def golden_network() -> Network:
    """Two channels, one mode, one layer of both directions, with numbers that can be checked."""

    def real(*values: float) -> Any:
        return np.array(values, dtype=np.float64)

    return Network(
        "float",
        (
            FloatInput(name="input", channels=1),
            Linear(
                name="encoder",
                inputs=(Edge("input"),),
                weight=real(1.0, -0.5)[:, None],
                bias=real(0.0, 0.25),
            ),
            Affine(
                name="layers.0.norm",
                inputs=(Edge("encoder"),),
                scale=real(2.0, 1.0),
                shift=real(0.5, -0.5),
            ),
            DiagonalSsm(
                name="layers.0.ssm",
                inputs=(Edge("layers.0.norm"),),
                a=np.array([[0.75 + 0.25j], [0.5]]),
                b=np.array([[1.0], [0.5j]]),
                c=np.array([[0.25 - 0.125j], [1.0]]),
                d=real(0.5, 0.0),
                c_reverse=np.array([[0.125], [0.25j]]),
            ),
            Lif(name="layers.0.lif", inputs=(Edge("layers.0.ssm"),), threshold=real(1.0, 0.5)),
            Linear(
                name="layers.0.mix",
                inputs=(Edge("layers.0.lif"),),
                weight=np.array([[1.0, 0.5], [-1.0, 0.25], [0.5, 0.5], [2.0, -1.0]]),
                bias=real(0.0, 0.5, -1.0, 1.0),
            ),
            Glu(name="layers.0.glu", inputs=(Edge("layers.0.mix"),), channels=2),
            Residual(
                name="layers.0.residual",
                inputs=(Edge("encoder"), Edge("layers.0.glu")),
                channels=2,
            ),
            Readout(
                name="decoder",
                inputs=(Edge("layers.0.residual"),),
                mode="mean",
                weight=np.array([[1.0, -1.0], [0.5, 2.0], [0.0, 0.25]]),
                bias=real(0.0, 1.0, -0.5),
            ),
        ),
    )


GOLDEN_INPUTS = np.array([[0.0, 1.0, -1.0, 0.5, 0.25, 1.0, 1.0, -0.5]])[..., None]


def goldens() -> dict[str, str]:
    """By pass name: the network before and after it, as text."""
    texts: dict[str, str] = {}
    network = golden_network()
    for step in made_passes(Calibration(GOLDEN_INPUTS)):
        after = step(network)
        told = f"# before {step.name}\n{format_network(network)}"
        texts[step.name] = f"{told}\n# after {step.name}\n{format_network(after)}"
        network = after
    return texts


@pytest.mark.parametrize("name", [kind.name for kind in PIPELINE])
def test_golden(name: str, update_goldens: bool) -> None:
    """To write the files anew: ``pytest tests/test_passes.py --update-goldens``."""
    file = GOLDENS / f"{name}.txt"
    text = goldens()[name]
    if update_goldens:
        file.write_text(text, encoding="utf-8")
    assert text == file.read_text(encoding="utf-8")


def test_every_golden_belongs_to_a_pass() -> None:
    assert {file.stem for file in GOLDENS.iterdir()} == {kind.name for kind in PIPELINE}

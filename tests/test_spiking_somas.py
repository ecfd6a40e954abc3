"""Neurons that hold themselves back: their programs, and their integers against float neurons."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from family_cases import Case, cases

import snn_deploy
from snn_deploy.compare.accuracy import compare_accuracy
from snn_deploy.data.inputs import check_data
from snn_deploy.engines.float_ops import Context
from snn_deploy.engines.floating import run_float
from snn_deploy.engines.reference import ReferenceEngine
from snn_deploy.engines.result import Run
from snn_deploy.engines.session import run_whole
from snn_deploy.ir.formats import Edge
from snn_deploy.ir.network import Network
from snn_deploy.ir.program import listing
from snn_deploy.nodes.adaptation_soma import AdaptationSoma
from snn_deploy.nodes.adaptive_lif import AdaptiveLif
from snn_deploy.nodes.adaptive_threshold import AdaptiveThreshold
from snn_deploy.nodes.base import IntegerNode
from snn_deploy.nodes.crossing_soma import CrossingSoma
from snn_deploy.nodes.cuba_lif import CubaLif
from snn_deploy.nodes.cuba_soma import CubaSoma
from snn_deploy.nodes.drawn_soma import DrawnSoma
from snn_deploy.nodes.float_inputs import FloatInput
from snn_deploy.nodes.float_node import FloatNode
from snn_deploy.nodes.level_soma import LevelSoma
from snn_deploy.nodes.readout import Readout
from snn_deploy.nodes.refractory_lif import RefractoryLif
from snn_deploy.nodes.refractory_soma import RefractorySoma
from snn_deploy.nodes.resonate_and_fire import ResonateAndFire
from snn_deploy.nodes.resonator_soma import ResonatorSoma
from snn_deploy.nodes.soft_reset import SoftReset
from snn_deploy.nodes.soft_reset_soma import SoftResetSoma
from snn_deploy.nodes.ternary_lif import TernaryLif
from snn_deploy.nodes.ternary_soma import TernarySoma
from snn_deploy.nodes.threshold import Threshold
from snn_deploy.passes.pipeline import compile_network
from snn_deploy.passes.quantize import Calibration
from snn_deploy.quantize.config import QuantizationConfig

WIDTH = 3
LEVELS = np.array([1000, 2000, 3000], np.int32)
SHIFTS = np.array([13, 14, 15], np.int8)
KEPT = 25000
WORDS: dict[str, Any] = {"name": "soma", "decay_bits": 16, "state_bits": 24, "align": 4}
CUBA: dict[str, Any] = {
    "name": "soma",
    **dict.fromkeys(("leak", "gain", "threshold", "reset"), LEVELS),
    **dict.fromkeys(("leak_shift", "gain_shift", "align"), SHIFTS),
    "coefficient_bits": 16,
    "state_bits": 24,
}

PROGRAMS: dict[str, tuple[IntegerNode, str]] = {
    "refractory": (
        RefractorySoma(**WORDS, threshold=LEVELS, strength=LEVELS, kept=KEPT, refractory_kept=KEPT),
        """\
t0 = multiply_shift(membrane, kept, 15)
t1 = shift_left(x0, 4)
t2 = add(t0, t1)
t3 = subtract(t2, refractory)
membrane4 = saturate(t3, s24)
t5 = subtract(threshold, 1)
t6 = greater(membrane4, t5)
t7 = multiply_shift(refractory, refractory_kept, 15)
t8 = select(t6, strength, 0)
t9 = add(t7, t8)
refractory10 = saturate(t9, s24)
membrane' = membrane4  (24 bits)
refractory' = refractory10  (24 bits)
send t6
""",
    ),
    "ternary": (
        TernarySoma(**WORDS, threshold=LEVELS, kept=KEPT),
        """\
t0 = multiply_shift(membrane, kept, 15)
t1 = shift_left(x0, 4)
t2 = add(t0, t1)
membrane3 = saturate(t2, s24)
t4 = subtract(threshold, 1)
t5 = greater(membrane3, t4)
t6 = negate(membrane3)
t7 = subtract(threshold, 1)
t8 = greater(t6, t7)
t9 = subtract(t5, t8)
t10 = or(t5, t8)
t11 = select(t10, 0, membrane3)
membrane' = t11  (24 bits)
send t9
""",
    ),
    "soft reset": (
        SoftResetSoma(**WORDS, threshold=LEVELS, kept=np.full(WIDTH, KEPT, np.int32)),
        """\
t0 = shift_left(x0, 4)
t1 = add(reset, threshold)
t2 = subtract(t1, 1)
t3 = greater(t0, t2)
t4 = minimum(t1, t0)
t5 = select(t3, t4, reset)
t6 = multiply_shift(t5, kept, 15)
reset7 = saturate(t6, s24)
reset' = reset7  (24 bits)
send t3
""",
    ),
    "level": (
        LevelSoma(name="soma", level=LEVELS, level_bits=18),
        """\
t0 = subtract(level, 1)
t1 = greater(x0, t0)
send t1
""",
    ),
    "adaptive": (
        AdaptationSoma(
            name="soma",
            fade=LEVELS,
            fade_shift=SHIFTS,
            pull=LEVELS,
            pull_shift=SHIFTS,
            leak=LEVELS,
            leak_shift=SHIFTS,
            rise=LEVELS,
            drop=LEVELS,
            threshold=LEVELS,
            align=SHIFTS,
            coefficient_bits=16,
            state_bits=24,
        ),
        """\
t0 = multiply_shift(potential, leak, leak_shift)
t1 = subtract(potential, t0)
t2 = signed_shift(x0, align)
t3 = multiply_shift(adaptation, fade, fade_shift)
t4 = subtract(adaptation, t3)
t5 = multiply_shift(potential, pull, pull_shift)
t6 = add(t4, t5)
t7 = select(fired, rise, 0)
t8 = add(t6, t7)
adaptation9 = saturate(t8, s24)
t10 = subtract(t2, adaptation9)
t11 = multiply_shift(t10, leak, leak_shift)
t12 = add(t1, t11)
t13 = select(fired, drop, 0)
t14 = subtract(t12, t13)
potential15 = saturate(t14, s24)
t16 = greater(potential15, threshold)
adaptation' = adaptation9  (24 bits)
potential' = potential15  (24 bits)
fired' = t16  (2 bits)
send t16
""",
    ),
    "resonator": (
        ResonatorSoma(
            name="soma",
            pole=np.stack([[LEVELS, LEVELS], [LEVELS, LEVELS]]),
            pole_shift=15,
            gain=LEVELS,
            gain_shift=SHIFTS,
            reset_real=LEVELS,
            reset_imag=LEVELS,
            threshold=LEVELS,
            coefficient_bits=16,
            state_bits=24,
        ),
        """\
t0 = multiply_shift(real, pole_real0, 15)
t1 = multiply_shift(real, pole_real1, 30)
t2 = add(t0, t1)
t3 = multiply_shift(imag, pole_imag0, 15)
t4 = multiply_shift(imag, pole_imag1, 30)
t5 = add(t3, t4)
t6 = subtract(t2, t5)
t7 = multiply_shift(x0, gain, gain_shift)
t8 = add(t6, t7)
t9 = select(fired, reset_real, 0)
t10 = subtract(t8, t9)
real11 = saturate(t10, s24)
t12 = greater(real11, threshold)
t13 = multiply_shift(real, pole_imag0, 15)
t14 = multiply_shift(real, pole_imag1, 30)
t15 = add(t13, t14)
t16 = multiply_shift(imag, pole_real0, 15)
t17 = multiply_shift(imag, pole_real1, 30)
t18 = add(t16, t17)
t19 = add(t15, t18)
t20 = select(fired, reset_imag, 0)
t21 = subtract(t19, t20)
imag22 = saturate(t21, s24)
real' = real11  (24 bits)
imag' = imag22  (24 bits)
fired' = t12  (2 bits)
send t12
""",
    ),
    "cuba": (
        CubaSoma(**CUBA, fade=LEVELS, fade_shift=SHIFTS, resets_to=True),
        """\
t0 = multiply_shift(current, fade, fade_shift)
t1 = subtract(current, t0)
t2 = signed_shift(x0, align)
t3 = multiply_shift(t2, gain, gain_shift)
t4 = add(t1, t3)
current5 = saturate(t4, s24)
t6 = add(potential, current5)
potential7 = saturate(t6, s24)
t8 = subtract(threshold, 1)
t9 = greater(potential7, t8)
t10 = multiply_shift(potential7, leak, leak_shift)
t11 = subtract(potential7, t10)
t12 = select(t9, reset, t11)
left = saturate(t12, s24)
current' = current5  (24 bits)
potential' = left  (24 bits)
send t9
""",
    ),
    "without a current": (
        CubaSoma(**CUBA, fade=None, fade_shift=None, resets_to=False),
        """\
t0 = signed_shift(x0, align)
t1 = multiply_shift(t0, gain, gain_shift)
t2 = add(potential, t1)
potential3 = saturate(t2, s24)
t4 = subtract(threshold, 1)
t5 = greater(potential3, t4)
t6 = multiply_shift(potential3, leak, leak_shift)
t7 = subtract(potential3, t6)
t8 = select(t5, reset, 0)
t9 = subtract(t7, t8)
left = saturate(t9, s24)
potential' = left  (24 bits)
send t5
""",
    ),
    "drawn": (
        DrawnSoma(name="soma", draw=0, first=LEVELS, shift=SHIFTS),
        """\
t0 = and(random, 524287)
t1 = shift_left(t0, 5)
t2 = xor(random, t1)
t3 = decay(t2, 1, 9)
t4 = xor(t2, t3)
t5 = and(t4, 8191)
t6 = shift_left(t5, 11)
t7 = xor(t4, t6)
t8 = decay(t7, 1, shift)
t9 = greater(x0, t8)
random' = t7  (24 bits)
send t9
""",
    ),
    "crossing": (
        CrossingSoma(name="soma", base=LEVELS, rise=np.stack([LEVELS, LEVELS]), level_bits=24),
        """\
t0 = and(crossings, 1)
t1 = select(t0, rise1, 0)
t2 = add(base, t1)
t3 = and(crossings, 2)
t4 = select(t3, rise2, 0)
t5 = add(t2, t4)
t6 = subtract(t5, 1)
t7 = greater(x0, t6)
t8 = shift_left(crossings, 1)
t9 = and(t8, 3)
t10 = subtract(base, 1)
t11 = greater(x0, t10)
t12 = or(t9, t11)
crossings' = t12  (3 bits)
send t7
""",
    ),
}


@pytest.mark.parametrize("case", PROGRAMS.values(), ids=PROGRAMS)
def test_their_programs_can_be_read(case: tuple[IntegerNode, str]) -> None:
    node, text = case
    assert listing(node.program) == text


PLACE: dict[str, Any] = {"name": "soma", "inputs": (Edge("input"),)}
LEVEL = np.array([0.8, 1.0, 1.6])
NEURONS: dict[str, FloatNode] = {
    "refractory": RefractoryLif(
        **PLACE, threshold=LEVEL, strength=LEVEL / 2, decay=0.8, refractory_decay=0.9
    ),
    "ternary": TernaryLif(**PLACE, threshold=LEVEL, decay=0.5),
    "soft reset": SoftReset(**PLACE, threshold=0.5, decay=np.array([0.5, 0.9, 0.999])),
    "backwards": SoftReset(**PLACE, threshold=0.5, decay=np.array([0.5, 0.9, 0.9]), backwards=True),
    "above": Threshold(**PLACE, level=LEVEL - 1.0, inclusive=False),
    "reached": Threshold(**PLACE, level=LEVEL / 2, inclusive=True),
    "adaptive": AdaptiveLif(
        **PLACE,
        alpha=np.array([0.1, 0.3, 0.0]),
        beta=np.array([0.96, 0.5, 1 - 2.0**-20]),
        a=np.array([0.1, 0.0, 0.01]),
        b=np.array([0.0, 0.1, 0.01]),
    ),
    "growing": AdaptiveLif(
        **PLACE,
        alpha=np.array([0.0, 0.0, 0.1]),
        beta=np.array([0.97, 0.97, 0.97]),
        a=np.array([-0.032, -0.034, -0.031]),  # over 1 - beta: it never decays, over 200 steps
        b=np.array([0.0, 0.01, 0.0]),
    ),
    "resonator": ResonateAndFire(
        **PLACE,
        pole=np.array([0.5, 0.95, 0.8]) * np.exp(1j * np.array([0.3, 2.0, 0.0])),
        gain=np.array([1.0, 0.9, 1.0]),
        reset=np.array([0.5, 0.95, 0.8]) * np.exp(1j * np.array([0.3, 2.0, 0.0])),
    ),
    "slow resonator": ResonateAndFire(
        **PLACE,
        pole=(1 - 2.0 ** np.array([-30, -14, -8])) * np.exp(1j * np.array([3.0, 0.5, 0.01])),
        gain=np.array([0.1, 0.4, 0.5]),
        reset=np.array([1.0, 1.0, 1.0]) + 0j,
    ),
    "growing resonator": ResonateAndFire(
        **PLACE,
        pole=np.array([1.002, 1.001, 1.0]) * np.exp(1j * np.array([0.02, 0.5, 1.0])),
        gain=np.array([0.4, 0.3, 0.3]),
        reset=np.array([1.0, 1.0, 1.0]) + 0j,
    ),
    "lif": CubaLif(
        **PLACE,
        current_decay=np.zeros(3),
        decay=np.array([0.0, 0.9, 1.0]),
        gain=np.array([1.0, 0.5, -0.3]),
        threshold=np.array([0.7, 1.0, 1.6]),
        reset=np.array([0.0, 0.2, -1.0]),
        resets_to=True,
        inclusive=False,
    ),
    "cuba": CubaLif(
        **PLACE,
        current_decay=np.array([0.5, 0.9, 0.0]),
        decay=np.array([0.95, 0.5, 1 - 2.0**-20]),
        gain=np.array([0.5, 0.3, 0.3]),
        threshold=LEVEL,
        reset=LEVEL,
        resets_to=False,
        inclusive=True,
    ),
    "loud": CubaLif(  # a gain that no mantissa holds without a shift to the left
        **PLACE,
        current_decay=np.array([0.5, 0.0, 0.25]),
        decay=np.array([0.5, 0.8, 0.0]),
        gain=np.array([1e5, 4e5, 1e5]),
        threshold=np.array([1e5, 8e5, 1e5]),
        reset=np.zeros(3),
        resets_to=True,
        inclusive=True,
    ),
    "crossing": AdaptiveThreshold(
        **PLACE, channels=WIDTH, base=0.5, rise=np.array([0.9, 0.3, 0.2, 0.1])
    ),
}


def between(neuron: FloatNode) -> Network:
    """An input that drives the neuron, and the means of its spikes."""
    decoder = Readout(
        name="decoder",
        inputs=(Edge("soma"),),
        mode="mean",
        weight=np.eye(WIDTH),
        bias=np.zeros(WIDTH),
        use_lengths=False,
    )
    source = FloatInput(name="input", channels=WIDTH)
    return Network("float", (source, neuron, decoder), "one")


def test_a_neuron_without_a_surrogate_is_compared_without_one() -> None:
    network = between(NEURONS["refractory"])
    x = np.random.default_rng(0).normal(0, 0.7, (4, 50, WIDTH))
    lowered = compile_network(network, QuantizationConfig(), Calibration(x, None))
    data = check_data(lowered, inputs=x.astype(np.float32))
    found = compare_accuracy(lowered, network, data, ReferenceEngine())
    assert found.surrogate_agreement is found.surrogate_accuracy is None
    assert {signal.surrogate_mismatch for signal in found.signals} == {None}


@pytest.mark.parametrize("neuron", NEURONS.values(), ids=NEURONS)
def test_integers_fire_as_the_float_neuron_does(neuron: FloatNode) -> None:
    """Away from ties: of 12,000 spikes at 18 bits, a handful."""
    network = between(neuron)
    x = np.random.default_rng(0).normal(0, 0.7, (20, 200, WIDTH))
    lowered = compile_network(network, QuantizationConfig(), Calibration(x, None))
    lengths = np.full(len(x), x.shape[1])
    expected = run_float(network, x, record=("soma",)).signals["soma"]
    mantissas, _ = lowered["input"].output.encode(x)  # type: ignore[attr-defined]
    result = run_whole(ReferenceEngine(), lowered, Run(mantissas, lengths, ("soma",)))
    assert (result.trace["soma"] != expected).mean() < 5e-4
    assert 0.03 < np.abs(expected).mean() < 0.6
    assert not result.saturated.get("soma")


@pytest.mark.parametrize(
    "neuron", [n for name, n in NEURONS.items() if name != "backwards"], ids=lambda n: n.kind
)
def test_a_step_at_a_time_is_the_whole_signal(neuron: FloatNode) -> None:
    x = np.random.default_rng(1).normal(0, 0.7, (4, 50, WIDTH))
    context = Context(np.full(4, 50), "exact")
    step = neuron.start(4, context)
    stepped = np.stack([step([x[:, t]]) for t in range(50)], axis=1)
    np.testing.assert_array_equal(stepped, neuron.evaluate([x], context))


DEPLOYED = ("binary_s4d", "binary_s4d_bi", "drf", "gsu", "prf", "spike_ssm", "none")
CASES = [c for c in cases("stan_rhodes") if c.id in DEPLOYED]


@pytest.mark.filterwarnings("ignore:a constant stands")
@pytest.mark.parametrize("case", CASES)
def test_trained_networks_predict_as_in_float(case: Case) -> None:
    """At default formats: within one sequence of all 360; of the GSU, whose maxima are constants,
    within two.
    """
    most = 2 if case.folder.name == "gsu" else 1
    test, train, oracle = (case.arrays(name) for name in ("test", "train", "oracle"))
    network = case.network()
    calibration = check_data(network, inputs=train["inputs"][:256])
    deployment = snn_deploy.convert(case.checkpoint(), target="loihi2", calibration=calibration)
    result = deployment.simulate(check_data(network, inputs=test["inputs"]), backend="reference")
    few = deployment.simulate(check_data(network, inputs=test["inputs"][:30]), backend="native")
    np.testing.assert_array_equal(few.logits, result.logits[:30])
    if case.folder.name != "binary_s4d_bi":
        stream = deployment.stream(30)
        for start, end in ((0, 17), (17, 18), (18, 64)):
            stream.step(test["inputs"][:30, start:end])
        np.testing.assert_array_equal(stream.answer(), few.logits)
    expected = oracle["logits_all_f64"].argmax(-1)
    right = [(p == test["labels"]).sum() for p in (expected, result.predictions)]
    assert abs(int(right[0]) - int(right[1])) <= most
    assert (expected != result.predictions).sum() <= most

"""Quantisation: decays, number formats, ranges and settings."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from networks import Norm, encoded, extreme_inputs, float_inputs, float_network, run_reference

from snn_deploy.engines.floating import run_float
from snn_deploy.errors import ConfigError, UnsupportedNetworkError
from snn_deploy.ir.bounds import bound_network
from snn_deploy.ir.formats import Edge, Format
from snn_deploy.ir.network import Network
from snn_deploy.nodes.dendrite import Dendrite
from snn_deploy.nodes.float_inputs import FloatInput
from snn_deploy.nodes.float_node import FloatNode
from snn_deploy.nodes.inputs import Input
from snn_deploy.nodes.pooling import Accumulator
from snn_deploy.nodes.ssm import DiagonalSsm
from snn_deploy.nodes.synapses import Synapses
from snn_deploy.passes.fold_thresholds import FoldThresholds
from snn_deploy.passes.pipeline import compile_network, run_passes
from snn_deploy.passes.quantize import Calibration, Quantize
from snn_deploy.quantize.compensation import round_compensated
from snn_deploy.quantize.config import QuantizationConfig, parse_settings
from snn_deploy.quantize.dendrites import quantize_decay, quantize_ssm
from snn_deploy.quantize.formats import QUIETEST, SPREAD, choose_exponent, plan_formats
from snn_deploy.quantize.layers import check_quantizable
from snn_deploy.quantize.ranges import bound_ranges, measure_ranges
from snn_deploy.quantize.readout_correction import ReadoutCorrection
from snn_deploy.quantize.weights import Moments, round_weights
from snn_deploy.quantize.words import limit_of_words, split_words

Real = npt.NDArray[np.float64]

moduli = st.one_of(
    st.floats(0, 1 - 1e-9),
    st.sampled_from([0.0, 1e-12, 0.5, 0.999, 1 - 1e-4, 1 - 1e-6, 1 - 1e-9]),
)
angles = st.one_of(
    st.floats(-np.pi, np.pi),
    st.sampled_from([0.0, np.pi / 2, np.pi, -np.pi / 2, np.pi / 4, np.pi / 6]),
)
decay_bits = st.integers(4, 24)


# --- decays


@given(moduli, angles, decay_bits)
def test_a_decay_stays_inside_the_unit_circle(modulus: float, angle: float, bits: int) -> None:
    a = np.array([[modulus * np.exp(1j * angle)]])
    real, imag = quantize_decay(a, bits)
    scale, limit = 2 ** (bits - 1), 2 ** (bits - 1) - 1
    assert abs(int(real[0, 0])) <= limit
    assert abs(int(imag[0, 0])) <= limit
    quantized = np.hypot(float(real[0, 0]), float(imag[0, 0]))
    # it forgets at least half as fast as it should, and at least half a unit a step
    assert scale - quantized >= max((scale - abs(a[0, 0]) * scale) / 2, 0.5) - 1e-6


@given(moduli, angles, st.integers(4, 10))
def test_a_decay_takes_the_nearest_point_allowed(modulus: float, angle: float, bits: int) -> None:
    """Against a search of the whole neighbourhood."""
    a = complex(modulus * np.exp(1j * angle))
    scale = 2 ** (bits - 1)
    x, y = a.real * scale, a.imag * scale
    largest = scale - max((scale - np.hypot(x, y)) / 2, 0.5)
    near = [
        (i, j)
        for i in range(int(np.floor(x)) - 3, int(np.floor(x)) + 5)
        for j in range(int(np.floor(y)) - 3, int(np.floor(y)) + 5)
        if max(abs(i), abs(j)) < scale and np.hypot(i, j) <= largest
    ]
    best = min(np.hypot(i - x, j - y) for i, j in near)
    real, imag = quantize_decay(np.array([[a]]), bits)
    found = np.hypot(real[0, 0] - x, imag[0, 0] - y)
    assert found <= best + 1e-9


@given(moduli, angles)
def test_a_decay_of_many_bits_is_close(modulus: float, angle: float) -> None:
    a = np.array([[modulus * np.exp(1j * angle)]])
    real, imag = quantize_decay(a, 24)
    assert abs((real + 1j * imag)[0, 0] / 2**23 - a[0, 0]) <= 1.5 * 2**-23


def test_decays_of_no_modes() -> None:
    real, imag = quantize_decay(np.zeros((3, 0), complex), 16)
    assert real.shape == imag.shape == (3, 0)


# --- dendrites


def ssm_of(a: complex, c: complex = 1.0, d: float = 0.0, width: int = 1) -> DiagonalSsm:
    def full(value: complex) -> npt.NDArray[np.complex128]:
        return np.full((width, 1), value, dtype=complex)

    return DiagonalSsm(
        name="ssm",
        inputs=(Edge("input"),),
        a=full(a),
        b=full(1 - abs(a)),
        c=full(c),
        d=np.full(width, d),
    )


@given(moduli, angles, st.floats(1, 1e4))
def test_states_are_proven_not_to_saturate(modulus: float, angle: float, drive: float) -> None:
    """At the default widths, for every decay that a converter accepts."""
    source = Format(16, 12)
    worst = np.full(1, 32767.0)
    ssm = ssm_of(complex(modulus * np.exp(1j * angle)), c=3.0, d=0.5)
    node = quantize_ssm(ssm, source, worst, drive, QuantizationConfig())
    network = Network("integer", (Input(name="input", output=source, channels=1), node), "all")
    bound = bound_network(network)["ssm"]
    assert not bound.can_exceed("state")
    assert not bound.can_exceed("sum")


def test_states_use_the_width_that_they_have() -> None:
    """The proof is not bought with a scale that wastes bits: it reaches a quarter at least."""
    source = Input(name="input", output=Format(16, 12), channels=1)
    for a in (0.5, 0.9 + 0.3j, 0.99, 0.999j, 0.9999):
        node = quantize_ssm(
            ssm_of(a), source.output, np.full(1, 32767.0), 1.0, QuantizationConfig()
        )
        bound = bound_network(Network("integer", (source, node), "all"))["ssm"]
        assert bound.reached["state"].max() > bound.limits["state"] / 4, a


def test_a_slow_mode_in_a_narrow_state_still_hears_its_input() -> None:
    """Roundings alone might fill 12 bits here; the signal keeps half of them all the same."""
    source = Input(name="input", output=Format(16, 12), channels=1)
    config = QuantizationConfig(state_bits=12)
    node = quantize_ssm(ssm_of(0.999), source.output, np.full(1, 32767.0), 20.0, config)
    network = Network("integer", (source, node), "all")
    assert bound_network(network)["ssm"].can_exceed("state")  # and it is not hidden
    drive = run_reference(network, np.full((1, 3000, 1), 32767)).trace["ssm"]
    exact = run_float(
        Network("float", (FloatInput(name="input", channels=1), ssm_of(0.999)), "all"),
        np.full((1, 3000, 1), 32767 / 4096),
        record=("ssm",),
    ).signals["ssm"]
    assert node.output.decode(drive)[0, -1, 0] == pytest.approx(exact[0, -1, 0], rel=0.5)


def test_an_ssm_without_any_weight_drives_nothing() -> None:
    source = Input(name="input", output=Format(16, 12), channels=2)
    silent = ssm_of(0.5, c=0.0, width=2)
    node = quantize_ssm(silent, source.output, np.full(2, 32767.0), 1.0, QuantizationConfig())
    network = Network("integer", (source, node), "all")
    assert not run_reference(network, np.full((1, 5, 2), 32767)).trace["ssm"].any()
    deaf = ssm_of(0.5, c=2.0, d=1.0, width=2)
    quantize_ssm(deaf, source.output, np.zeros(2), 1.0, QuantizationConfig())


def test_too_many_modes_for_the_sums() -> None:
    ssm = DiagonalSsm(
        name="layers.0.ssm",
        inputs=(Edge("input"),),
        a=np.full((1, 1100), 0.5 + 0j),
        b=np.ones((1, 1100), complex),
        c=np.ones((1, 1100), complex),
        d=np.ones(1),
    )
    config = QuantizationConfig(sum_bits=12)
    told = r"'layers\.0\.ssm': sums of 1101 contributions need more than sum_bits=12; set a larger"
    with pytest.raises(ConfigError, match=told):
        quantize_ssm(ssm, Format(16, 12), np.full(1, 32767.0), 1.0, config)


# --- formats


@given(st.lists(st.floats(0, 1e9), min_size=1, max_size=9), st.integers(4, 24))
def test_exponents_hold_their_magnitudes_as_finely_as_they_can(
    largest: list[float], bits: int
) -> None:
    exponent = choose_exponent(largest, bits)
    limit = 2 ** (bits - 1) - 1
    reached = np.array(largest) * 2.0**exponent
    assert (reached <= limit * (1 + 1e-12)).all()
    assert exponent.max() - exponent.min() <= SPREAD + 1
    loudest = int(np.argmax(largest))
    if largest[loudest] >= QUIETEST:
        assert 2 * reached[loudest] > limit * (1 - 1e-12)  # one more would not have fitted


def test_a_silent_channel_keeps_some_range() -> None:
    exponent = choose_exponent([1.0, 0.0, 1e-9], 16)
    np.testing.assert_array_equal(exponent, [14, 22, 22])
    np.testing.assert_array_equal(choose_exponent([0.0, 0.0], 16), [14, 14])


@pytest.mark.parametrize("headroom", [1.0, 1.5, 4.0])
def test_formats_hold_headroom_times_what_was_seen(headroom: float) -> None:
    network = float_network(norm=True, d_in=2)
    ranges = measure_ranges(network, float_inputs(network), None)
    formats = plan_formats(network, ranges, QuantizationConfig(headroom=headroom))
    for name, form in formats.items():
        reach = form.decode(np.full(network[name].width, form.limit))
        assert (reach * (1 + 1e-9) >= headroom * ranges[name]).all(), name


def test_every_signal_gets_the_width_that_was_set() -> None:
    network = float_network(norm=True)
    chosen = {"input_bits": 9, "residual_bits": 11, "norm_bits": 13, "drive_bits": 15}
    config = parse_settings(chosen)
    lowered = compile_network(network, config, Calibration(float_inputs(network)))
    widths = {name: getattr(lowered[name], "output").bits for name in lowered.names}  # noqa: B009
    assert widths["input"] == 9
    assert widths["encoder"] == widths["layers.0.glu"] == widths["layers.1.residual"] == 11
    assert widths["layers.0.norm"] == widths["layers.1.norm"] == 13
    assert widths["layers.0.ssm"] == widths["layers.1.ssm"] == 15
    for linear in lowered.of_kind(Synapses):
        assert linear.weight_bits == 8
    for dendrite in lowered.of_kind(Dendrite):
        assert (dendrite.bank.state_bits, dendrite.sum_bits) == (24, 24)


@pytest.mark.parametrize("words", [1, 2, 3])
@pytest.mark.parametrize("bits", [2, 4, 8])
def test_words_of_weights_add_up(bits: int, words: int) -> None:
    limit = limit_of_words(bits, words)
    weight = np.unique(np.linspace(-limit, limit, 1001).astype(np.int64))[:, None]
    parts = split_words(weight, bits, words)
    assert all(np.abs(part).max() < 2 ** (bits - 1) for part in parts)
    total = sum(part.astype(np.int64) << (bits - 1) * word for word, part in enumerate(parts))
    np.testing.assert_array_equal(total, weight)


def test_each_row_of_weights_uses_its_whole_range() -> None:
    weight = np.array([[1.0, -0.5, 0.25], [1e-6, 2e-6, -3e-6], [0.0, 0.0, 0.0]])
    rounded = round_weights(weight, 8)
    np.testing.assert_array_equal(np.abs(rounded.weight).max(axis=1), [127, 127, 0])
    error = np.abs(rounded.weight * rounded.scale[:, None] - weight)
    assert (error <= rounded.scale[:, None] / 2 * (1 + 1e-9)).all()
    np.testing.assert_array_equal(rounded.bias_change, [0, 0, 0])


def test_rounding_together_loses_less_on_the_data_than_rounding_apart() -> None:
    rng = np.random.default_rng(0)
    mixing = rng.normal(size=(12, 12))
    x = (rng.normal(size=(4000, 12)) @ mixing > 1).astype(float)  # spikes that go together
    moments = Moments(x.mean(axis=0), np.cov(x.T, bias=True))
    weight = rng.normal(size=(6, 12))
    exact = x @ weight.T

    def error(rounded: Any) -> float:
        made = x @ (rounded.weight * rounded.scale[:, None]).T + rounded.bias_change
        return float(np.square(made - exact).mean())

    for bits in (3, 4, 8):
        assert error(round_weights(weight, bits, moments)) < error(round_weights(weight, bits))


def test_weights_on_a_grid_are_kept() -> None:
    rng = np.random.default_rng(1)
    for bits in (2, 4, 8):
        limit = 2 ** (bits - 1) - 1
        integers = rng.integers(-limit, limit + 1, (8, 16))
        integers[:, 3] = limit
        weight = integers * rng.uniform(0.1, 2.0, (8, 1))
        x = rng.integers(0, 2, (500, 16)).astype(float)
        rounded = round_weights(weight, bits, Moments(x.mean(axis=0), np.cov(x.T, bias=True)))
        np.testing.assert_array_equal(rounded.weight, integers)
        np.testing.assert_allclose(rounded.scale[:, None] * rounded.weight, weight)


def test_rounding_in_tiles_is_rounding_column_by_column() -> None:
    def nearest(values: Any) -> Any:
        return np.clip(np.floor(values + 0.5), -127, 127)

    rng = np.random.default_rng(2)
    x = rng.normal(size=(400, 75)) @ rng.normal(size=(75, 75))
    covariance = np.cov(x.T)
    weight = rng.normal(size=(3, 75)) * 40
    order = np.argsort(-np.diag(covariance), kind="stable")
    factor = np.linalg.cholesky(np.linalg.inv(covariance[np.ix_(order, order)])).T
    remaining, expected = weight[:, order], np.empty_like(weight)
    for j, column in enumerate(order):
        expected[:, column] = nearest(remaining[:, j])
        error = (remaining[:, j] - expected[:, column]) / factor[j, j]
        remaining[:, j:] -= np.outer(error, factor[j, j:])
    rounded = round_compensated(weight, covariance, nearest)
    np.testing.assert_array_equal(rounded, expected)
    twice = round_compensated(np.stack([weight, -weight]), np.stack([covariance] * 2), nearest)
    np.testing.assert_array_equal(twice[0], expected)


@pytest.mark.parametrize("moments", [None, Moments(np.zeros(3), np.zeros((3, 3)))])
def test_weights_of_inputs_that_never_vary(moments: Moments | None) -> None:
    weight = np.array([[0.5, -1.0, 0.1]])
    rounded = round_weights(weight, 8, moments)
    assert np.abs(rounded.weight * rounded.scale[:, None] - weight).max() <= 0.5 / 127


# --- readouts that make rounded decays good


def responses(a: Any, readout: Any, steps: int) -> Any:
    """Impulse responses (H, steps) of modes a (H, N)."""
    return np.einsum("hn,hnt->ht", readout, a[..., None] ** np.arange(steps)).real


def test_a_corrected_readout_restores_the_impulse_response() -> None:
    rng = np.random.default_rng(3)
    shape, steps = (4, 12), 60
    a = rng.uniform(0.9, 0.999, shape) * np.exp(1j * rng.uniform(0, 1.5, shape))
    a[:, 0] = np.abs(a[:, 0])  # a real mode, whose imaginary part nobody hears
    readout = rng.normal(size=shape) + 1j * rng.normal(size=shape)
    real, imag = quantize_decay(a, 12)
    q = (real + 1j * imag) / 2.0**11
    corrected = ReadoutCorrection.of(a, q, steps)(readout)

    def error(made: Any, length: int) -> float:
        weights = np.maximum(1.0 - np.arange(length) / steps, 0.0) if length == steps else 1.0
        missing = responses(a, readout, length) - responses(q, made, length)
        return float((weights * np.square(missing)).sum())

    assert error(corrected, steps) < 0.1 * error(readout, steps)
    assert error(corrected, 4 * steps) < error(readout, 4 * steps)


def test_a_readout_of_exact_decays_needs_no_correction() -> None:
    a = np.array([[0.75 + 0.25j, 0.5]])
    readout = np.array([[1.0 - 2.0j, 3.0 + 0.5j]])
    np.testing.assert_array_equal(ReadoutCorrection.of(a, a, 20)(readout), readout)


# --- ranges


@settings(max_examples=25)
@given(
    seed=st.integers(0, 2**31),
    reverse=st.booleans(),
    norm=st.sampled_from([False, True, "layer"]),
    input_range=st.sampled_from([0.1, 1.0, 7.0]),
)
def test_analytic_ranges_bound_measured_ones(
    seed: int, reverse: bool, norm: Norm, input_range: float
) -> None:
    network = FoldThresholds()(float_network(reverse=reverse, norm=norm, d_in=2, seed=seed))
    bounds = bound_ranges(network, input_range)
    rng = np.random.default_rng(seed)
    inputs = rng.choice([-input_range, 0, input_range], (4, 30, 2))
    measured = measure_ranges(network, inputs, None)
    assert (bounds.source, measured.source, measured.sequences) == ("analytic", "calibration", 4)
    for name in network.names:
        assert (measured[name] <= bounds[name] * (1 + 1e-9)).all(), name


def test_analytic_ranges_are_reached_where_they_can_be() -> None:
    """A constant input drives real decays to their bound."""
    network = Network(
        "float",
        (
            FloatInput(name="input", channels=1),
            ssm_of(0.9, c=2.0, d=0.5),
        ),
        "all",
    )
    worst = measure_ranges(network, np.ones((1, 300, 1)), None)["ssm"]
    np.testing.assert_allclose(worst, bound_ranges(network, 1.0)["ssm"], rtol=1e-9)


def test_measured_ranges_are_the_largest_magnitudes() -> None:
    network = float_network(layers=1)
    inputs = float_inputs(network, batch=4)
    ranges = measure_ranges(network, inputs, None)
    signals = run_float(network, inputs, record=network.names[:-1]).signals
    for name, signal in signals.items():
        np.testing.assert_array_equal(ranges[name], np.abs(signal).max(axis=(0, 1)))


def test_moments_are_those_of_what_linear_layers_read() -> None:
    network = float_network(width=5)
    inputs = float_inputs(network, batch=4, steps=50)
    ranges = measure_ranges(network, inputs, None)
    assert set(ranges.moments) == {"input", "layers.0.lif", "layers.1.lif"}
    spikes = run_float(network, inputs, record=("layers.1.lif",)).signals["layers.1.lif"]
    flat = spikes.reshape(-1, 5)
    moments = ranges.moments["layers.1.lif"]
    np.testing.assert_allclose(ranges.mean["layers.1.lif"], flat.mean(axis=0))
    np.testing.assert_allclose(moments.mean, flat.mean(axis=0))
    np.testing.assert_allclose(moments.covariance, np.cov(flat.T, bias=True), atol=1e-12)


def test_analytic_formats_never_saturate_within_the_assumed_range() -> None:
    network = float_network(layers=2, reverse=True, norm=True, d_in=2)
    config = QuantizationConfig(input_range=3.0)
    lowered = compile_network(network, config)
    inputs = np.random.default_rng(0).choice([-3.0, 3.0], (6, 40, 2))
    result = run_reference(lowered, encoded(lowered, inputs))
    assert sum(result.saturated.values()) == 0


def test_a_coarse_gain_keeps_the_mean() -> None:
    """What a norm's rounded gain changes of a large mean is made good by its offset."""
    network = float_network(width=6, norm=True)
    norm = network["layers.0.norm"]
    far = replace(norm, scale=norm.scale * 30.0)
    network = replace(network, nodes=tuple(far if n is norm else n for n in network))
    inputs = 1.0 + 0.1 * float_inputs(network, batch=8)
    config = QuantizationConfig(nodes={"layers.0.norm": {"gain_bits": 8}})
    lowered = compile_network(network, config, Calibration(inputs))
    names = ("encoder", "layers.0.norm")
    result = run_reference(lowered, encoded(lowered, inputs))
    entered, left = (lowered[name].output.decode(result.trace[name]) for name in names)
    error = (far.scale * entered + far.shift - left).mean(axis=(0, 1))
    assert np.all(np.abs(error) <= 2.0 ** -lowered[names[1]].output.exponents(6).astype(float))


def test_calibration_is_finer_than_analytic_bounds() -> None:
    network = float_network(layers=2, width=6, modulus=(0.9, 0.99))
    analytic = compile_network(network, QuantizationConfig())
    measured = compile_network(network, QuantizationConfig(), Calibration(float_inputs(network)))
    for name in ("encoder", "layers.0.ssm", "layers.1.residual"):
        coarse, fine = (getattr(made[name], "output") for made in (analytic, measured))  # noqa: B009
        assert (fine.exponents(6) >= coarse.exponents(6)).all(), name


# --- accuracy


def losses(chosen: dict[str, Any]) -> tuple[float, float]:
    """Share of wrong spikes in the first layer; what the drive and the stream lost there."""
    network = float_network(width=8, layers=1, modes=4, modulus=(0.9, 0.99), seed=5)
    inputs = float_inputs(network, batch=8, steps=60)
    lowered = compile_network(network, parse_settings(chosen), Calibration(inputs))
    result = run_reference(lowered, encoded(lowered, inputs))
    compared = ("layers.0.ssm", "layers.0.lif", "layers.0.residual")
    exact = run_float(FoldThresholds()(network), inputs, record=compared).signals

    def noise(name: str) -> float:
        node: Any = lowered[name]
        error = exact[name] - node.output.decode(result.trace[name])
        return float(np.square(error).sum() / np.square(exact[name]).sum())

    wrong = float((result.trace["layers.0.lif"] != exact["layers.0.lif"]).mean())
    return wrong, noise("layers.0.ssm") + noise("layers.0.residual")


def test_defaults_lose_next_to_nothing() -> None:
    wrong, noise = losses({})
    assert wrong < 0.005
    assert noise < 1e-3


@pytest.mark.parametrize(
    ("setting", "widths"),
    [
        ("residual_bits", (5, 8, 16)),
        ("weight_bits", (3, 5, 8)),
        ("decay_bits", (5, 8, 16)),
        ("readout_bits", (4, 8, 16)),
        ("state_bits", (8, 12, 24)),
        ("input_bits", (4, 7, 16)),
        ("drive_bits", (8, 10, 18)),
    ],
)
def test_more_bits_lose_less(setting: str, widths: tuple[int, ...]) -> None:
    noise = [losses({setting: bits})[1] for bits in widths]
    assert noise[0] > noise[1] > noise[2]


# --- settings


@pytest.mark.parametrize(
    ("chosen", "told"),
    [
        ({"weight_bits": 9}, "setting weight_bits=9: input should be less than or equal to 8"),
        ({"weight_bits": 1}, "setting weight_bits=1: input should be greater than or equal to 2"),
        ({"state_bits": "many"}, "setting state_bits=many: input should be a valid integer"),
        ({"headroom": 0.5}, "setting headroom=0.5: input should be greater than or equal to 1"),
        ({"headroom": float("nan")}, "setting headroom=nan: input should be "),
        ({"input_range": 0}, "setting input_range=0: input should be greater than 0"),
        ({"wieght_bits": 8}, "unknown setting 'wieght_bits'; there are: input_bits, residual_bits"),
        ({"drive_bits": 19, "nothing": 1}, "setting drive_bits=19: .*; unknown setting 'nothing'"),
        (
            {"message_bits": 12},
            "message_bits=12 is narrower than input_bits=16, which messages carry; set both",
        ),
    ],
)
def test_settings_out_of_range(chosen: dict[str, Any], told: str) -> None:
    with pytest.raises(ConfigError, match=told):
        parse_settings(chosen)


def test_settings_are_read_from_strings() -> None:
    config = parse_settings({"weight_bits": "4", "headroom": "1.5"})
    assert (config.weight_bits, config.headroom) == (4, 1.5)


def test_defaults_are_the_contract() -> None:
    config = QuantizationConfig()
    assert config.weight_bits == 8
    assert config.decay_bits == config.readout_bits == 16
    assert config.state_bits == config.message_bits == 24
    assert config.residual_bits == config.norm_bits == 20


def quantized(network: Network, **chosen: Any) -> Network:
    return run_passes(
        FoldThresholds()(network),
        [Quantize(parse_settings(chosen), Calibration(float_inputs(network)))],
    )


def test_gains_that_do_not_fit() -> None:
    told = r"node 'layers\.0\.mix': channel \d+ needs a gain of [\d.e+]+, over the 7 that 4 bits"
    advice = r" hold; set a larger weight_bits or a smaller residual_bits, or, where the target's"
    with pytest.raises(ConfigError, match=told + advice):
        quantized(float_network(), gain_bits=4, gate_bits=24)


def test_offsets_that_do_not_fit() -> None:
    told = r"node 'encoder': an offset of [\d.]+ needs more than 12 bits; set a larger sum_bits"
    with pytest.raises(ConfigError, match=told):
        quantized(float_network(), sum_bits=12, residual_bits=20)


def test_drives_too_coarse_for_a_threshold() -> None:
    told = r"node 'layers\.0\.ssm': its drive would count in steps of \d+ thresholds"
    with pytest.raises(ConfigError, match=told):
        quantized(float_network(drive=1e5), drive_bits=8)


def test_values_too_coarse_for_what_the_gate_gives() -> None:
    told = r"'layers\.0\.mix': for outputs as fine as residual_bits asks, its values would need 2\d"
    with pytest.raises(ConfigError, match=told):
        quantized(float_network(), residual_bits=24, table_bits=4)


def test_tables_span_a_power_of_two() -> None:
    with pytest.raises(ConfigError, match=r"table_span=6\.0: must be a power of two"):
        quantized(float_network(), table_span=6.0)


def test_sums_of_wide_layers_drop_low_bits_until_there_are_none() -> None:
    network = float_network(width=40, layers=0)
    narrow = {"sum_bits": 16, "message_bits": 14, "norm_bits": 14, "input_bits": 8}
    made = quantized(network, residual_bits=12, **narrow)
    pool = made["decoder.pool"]
    assert isinstance(pool, Accumulator)
    assert pool.guard_bits < 0
    assert not bound_network(made)["decoder"].can_exceed("sum")
    told = r"node 'decoder': a weighted sum of its messages would need accumulators of \d+ bits"
    with pytest.raises(ConfigError, match=told):
        quantized(float_network(width=400, layers=0), sum_bits=12, residual_bits=5)


@pytest.mark.parametrize("name", ["layers.0.mix", "layers.0.glu", "layers.0"])
@pytest.mark.parametrize("table_bits", [4, 24])
def test_a_gate_and_its_weights_agree_on_the_table(name: str, table_bits: int) -> None:
    network = float_network(layers=1)
    nodes_ = {name: {"table_bits": table_bits, "residual_bits": 14, "table_index_bits": 6}}
    made = quantized(network, nodes=nodes_)
    inputs = float_inputs(network)
    exact = run_float(FoldThresholds()(network), inputs, record=("layers.0.glu",))
    glu: Any = made["layers.0.glu"]
    result = run_reference(made, encoded(made, inputs)).trace["layers.0.glu"]
    np.testing.assert_allclose(glu.output.decode(result), exact.signals["layers.0.glu"], atol=0.15)


def widths(count: int) -> st.SearchStrategy[dict[str, int]]:
    """Up to ``count`` widths, each anywhere within its limits."""
    options = {}
    for name, field in QuantizationConfig.model_fields.items():
        if name.endswith("_bits"):
            limits = {type(limit).__name__: limit for limit in field.metadata}
            options[name] = st.integers(limits["Ge"].ge, limits["Le"].le)
    names = st.lists(st.sampled_from(sorted(options)), max_size=count, unique=True)
    return names.flatmap(lambda chosen: st.fixed_dictionaries({n: options[n] for n in chosen}))


@settings(max_examples=60)
@given(
    chosen=widths(3),
    single=st.dictionaries(
        st.sampled_from(
            ["input", "encoder", "layers.0", "layers.0.mix", "layers.0.glu", "decoder"]
        ),
        widths(1),
        max_size=2,
    ),
    calibrated=st.booleans(),
    drive=st.sampled_from([1e-3, 1.0, 1e3]),
    readout=st.sampled_from(["mean", "last", "every"]),
    seed=st.integers(0, 2**31),
)
def test_any_settings_give_a_network_or_an_error_that_names_one(
    chosen: dict[str, Any],
    single: dict[str, Any],
    calibrated: bool,
    drive: float,
    readout: Any,
    seed: int,
) -> None:
    source = float_network(layers=1, drive=drive, readout=readout, seed=seed, norm=True)
    calibration = Calibration(float_inputs(source)) if calibrated else None
    told = ""
    try:
        config = parse_settings({**chosen, "nodes": single})
        lowered = compile_network(source, config, calibration)
    except ConfigError as error:
        told = str(error)
    if told:
        assert "_bits" in told
        return
    run_reference(lowered, extreme_inputs(lowered, np.random.default_rng(seed), 2, 5))


# --- what has no integer form


class Novelty(FloatNode):
    """A float node that nobody has quantised yet."""

    @property
    def width(self) -> int:
        return 1


def test_a_kind_without_an_integer_form_is_named() -> None:
    told = "node 'new': Novelty has no integer form yet; the float backends run"
    with pytest.raises(UnsupportedNetworkError, match=told):
        check_quantizable(Network("float", (Novelty(name="new"),)))


def test_the_float_network_is_left_as_it_was() -> None:
    network = float_network(reverse=True, norm=True)
    inputs = float_inputs(network)
    before = run_float(network, inputs).logits
    lowered = compile_network(network, QuantizationConfig(), Calibration(inputs))
    run_reference(lowered, extreme_inputs(lowered, np.random.default_rng(0)))
    np.testing.assert_array_equal(run_float(network, inputs).logits, before)


# --- numbers that nothing varies


def test_a_row_of_zeros_needs_no_gain() -> None:
    """However fine the output's format: a channel that is its bias alone."""
    network = float_network(layers=1)
    encoder: Any = network["encoder"]
    weight, bias = (
        encoder.weight * [[1.0], [0.0], [1.0], [0.0]],
        encoder.bias * [1.0, 1e-3, 1.0, 1.0],
    )
    network = network.rewrite({"encoder": (replace(encoder, weight=weight, bias=bias),)})
    made: Any = quantized(network)["encoder"]
    assert (made.rescale.mantissa[[1, 3]] == 0).all()
    np.testing.assert_allclose(
        made.rescale.bias * 2.0 ** -made.output.exponents(4).astype(float), bias, atol=1e-3
    )


def test_a_batch_norm_of_what_never_varied() -> None:
    """Gain and offset are huge and cancel: the output is no finer than the offset allows."""
    network = float_network(layers=1, norm=True)
    norm, encoder = network["layers.0.norm"], network["encoder"]
    weight = encoder.weight * [[0.0], [1.0], [1.0], [1.0]]  # type: ignore[attr-defined]
    huge = np.array([316.0, 1.0, 1.0, 1.0])
    bias = encoder.bias  # type: ignore[attr-defined]
    scale, shift = huge, -huge * bias * [1.0, 0.0, 0.0, 0.0] * 4
    network = network.rewrite(
        {
            "encoder": (replace(encoder, weight=weight, bias=bias * [4.0, 1.0, 1.0, 1.0]),),  # type: ignore[call-arg]
            "layers.0.norm": (replace(norm, scale=scale, shift=shift),),  # type: ignore[call-arg]
        }
    )
    made = quantized(network, residual_bits=16, norm_bits=24)
    inputs = float_inputs(network)
    exact = run_float(network, inputs, record=["layers.0.norm"]).signals["layers.0.norm"]
    output: Any = made["layers.0.norm"]
    found = output.output.decode(run_reference(made, encoded(made, inputs)).trace["layers.0.norm"])
    np.testing.assert_allclose(found[..., 1:], exact[..., 1:], atol=0.02)
    assert np.abs(found[..., 0]).max() < 316 * 2.0**-10

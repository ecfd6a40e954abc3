"""Calibration by percentile and by mean-square error: what formats hold, and what they clip."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from networks import encoded, float_inputs, float_network, run_reference
from synthetic import checkpoint_of, random_inputs, tiny_spikingssm_state

import snn_deploy
from snn_deploy import examples
from snn_deploy.errors import ConfigError, SnnDeployWarning
from snn_deploy.passes.pipeline import compile_network
from snn_deploy.passes.quantize import Calibration
from snn_deploy.quantize.config import QuantizationConfig, parse_settings, read_formats
from snn_deploy.quantize.histogram import MagnitudeHistogram

EXAMPLE = Path(examples.__file__).parent / "seqdigits_uni"


def signal() -> np.ndarray:
    rng = np.random.default_rng(0)
    made = rng.normal(size=(20000, 4)) * [1.0, 0.01, 30.0, 0.0]
    made[7, 0] = 50.0
    return made


def histogram_of(x: np.ndarray) -> MagnitudeHistogram:
    histogram = MagnitudeHistogram(x.shape[1])
    for block in np.array_split(x, 3):
        histogram.add(block)
    return histogram


@pytest.mark.parametrize("share", [60.0, 99.0, 99.99, 100.0])
def test_a_percentile_is_right_to_an_eighth_of_an_octave(share: float) -> None:
    x = signal()
    found = histogram_of(x).percentile(share)
    exact = np.percentile(np.abs(x), share, axis=0, method="inverted_cdf")
    assert np.all(found >= exact)
    assert np.all(found <= exact * 2 ** (1 / 8))


@pytest.mark.parametrize("bits", [4, 8, 16])
def test_least_squares_finds_the_best_exponent(bits: int) -> None:
    x = signal()[:, :3]
    limit = 2 ** (bits - 1) - 1
    found = histogram_of(x).least_squares(np.abs(x).max(axis=0), bits)
    for channel in range(3):
        losses = {}
        for exponent in range(-8, 24):
            step = 2.0**-exponent
            rounded = np.clip(np.floor(x[:, channel] / step + 0.5), -limit, limit) * step
            losses[limit * step] = np.square(rounded - x[:, channel]).mean()
        assert found[channel] == min(losses, key=lambda reach: losses[reach])


@pytest.mark.parametrize("method", ["percentile", "mse"])
def test_rare_values_are_clipped_and_counted(method: str) -> None:
    network = float_network(width=6)
    inputs = float_inputs(network, batch=8, steps=60)
    inputs[0, 5] = 40.0
    settings = {"calibration_method": method, "calibration_percentile": 99.0, "input_bits": 6}
    config = parse_settings(settings)
    assert config.counts_magnitudes
    made = {
        name: compile_network(network, chosen, Calibration(inputs))
        for name, chosen in (("max", QuantizationConfig(input_bits=6)), (method, config))
    }
    exponents = {name: lowered.input.output.exponents(1)[0] for name, lowered in made.items()}
    assert exponents[method] > exponents["max"]
    for name, lowered in made.items():
        clipped = lowered.input.output.encode(inputs)[1]
        assert (clipped > 0) == (name == method)
        run_reference(lowered, encoded(lowered, inputs))


def test_the_method_of_a_single_node(tmp_path: Path) -> None:
    file = tmp_path / "formats.toml"
    file.write_text('[nodes."layers.0.residual"]\ncalibration_method = "mse"\nresidual_bits = 5\n')
    config = parse_settings(read_formats(file))
    assert config.counts_magnitudes
    assert config.at("layers.0.residual").calibration_method == "mse"
    assert config.at("layers.1.residual").calibration_method == "max"


def test_a_deployment_says_how_it_was_calibrated() -> None:
    deployment = snn_deploy.convert(
        EXAMPLE / "seqdigits_uni.ckpt",
        calibration=EXAMPLE / "train.npz",
        settings={"calibration_method": "percentile", "calibration_percentile": "99.9"},
    )
    assert deployment.origin.calibration["method"] == "percentile"
    assert deployment.origin.settings["calibration_percentile"] == 99.9


@pytest.mark.parametrize(
    "settings", [{"calibration_method": "median"}, {"calibration_percentile": 40}]
)
def test_unknown_methods_are_refused(settings: dict[str, object]) -> None:
    with pytest.raises(ConfigError, match=next(iter(settings))):
        parse_settings(settings)


@pytest.mark.parametrize("method", ["max", "percentile", "mse"])
@pytest.mark.parametrize("level", [-9.0, -40.0])
def test_a_threshold_that_is_nearly_0_costs_no_other_neuron_its_steps(
    method: str, level: float
) -> None:
    tensors, config = tiny_spikingssm_state()
    levels = tensors["model.s4_layers.1.ln_vth"].copy()
    levels[3] = level
    source = checkpoint_of({**tensors, "model.s4_layers.1.ln_vth": levels}, config)
    inputs = random_inputs(config, tensors, batch=8)
    with pytest.warns(SnnDeployWarning, match=r"'layers\.1\.ssm': the drive of neuron 3 reaches"):
        deployment = snn_deploy.convert(
            source, calibration=inputs, settings={"calibration_method": method}
        )
    compared = deployment.verify(inputs, backends=["reference"], against=source).accuracy
    assert compared is not None
    soma = next(signal for signal in compared.signals if signal.node == "layers.1.lif")
    assert soma.local_mismatch == 0.0
    assert "layers.1.ssm" not in compared.advice


@pytest.mark.filterwarnings("ignore:no calibration data")
def test_without_calibration_data_it_is_refused_with_advice_that_helps() -> None:
    tensors, config = tiny_spikingssm_state()
    levels = tensors["model.s4_layers.1.ln_vth"].copy()
    levels[3] = -40.0
    source = checkpoint_of({**tensors, "model.s4_layers.1.ln_vth": levels}, config)
    with pytest.raises(ConfigError, match="give calibration data, or set a larger drive_bits"):
        snn_deploy.convert(source, settings={"input_range": 4.0})

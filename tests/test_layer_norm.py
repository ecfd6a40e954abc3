"""Layer norms from float to integers: how exact, in how many steps, and on real checkpoints."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from math import isqrt
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from networks import run_reference
from random_networks import random_norm
from zoo import Variant, zoo_variants

import snn_deploy
from snn_deploy import fixedpoint as fp
from snn_deploy.checkpoint import read_checkpoint
from snn_deploy.compare.accuracy import compare_accuracy
from snn_deploy.converters.registry import to_float_network
from snn_deploy.data.inputs import Data
from snn_deploy.engines.native.assembly import assemble
from snn_deploy.engines.native.plan import plan_network
from snn_deploy.engines.registry import get_engine
from snn_deploy.engines.result import Run
from snn_deploy.engines.session import run_whole
from snn_deploy.errors import ConfigError
from snn_deploy.ir.bounds import bound_network
from snn_deploy.ir.formats import Edge, Format
from snn_deploy.ir.network import Network
from snn_deploy.ir.timing import latencies
from snn_deploy.ir.verifier import verify_network
from snn_deploy.mapping.check import find_notices
from snn_deploy.mapping.profile import load_profile
from snn_deploy.nodes.float_inputs import FloatInput
from snn_deploy.nodes.inputs import Input
from snn_deploy.nodes.layer_norm import LayerNorm
from snn_deploy.nodes.normalize import Normalize
from snn_deploy.passes.pipeline import compile_network
from snn_deploy.passes.quantize import Calibration
from snn_deploy.quantize.config import parse_settings
from snn_deploy.run.simulation import encode_inputs

ROOT_ERROR = 1.02 * 2.0**-15

IntArray = npt.NDArray[np.int64]
Real = npt.NDArray[np.float64]


def norm_network(inputs: Real, weight: Any = 1.0, bias: Any = 0.0, **settings: Any) -> Network:
    """Compile an input and a layer norm of 16 bits, calibrated on ``inputs`` (B, L, H)."""
    width = inputs.shape[2]
    network = Network(
        "float",
        (
            FloatInput(name="input", channels=width),
            LayerNorm(
                name="norm",
                inputs=(Edge("input"),),
                weight=np.broadcast_to(np.asarray(weight, float), width).copy(),
                bias=np.broadcast_to(np.asarray(bias, float), width).copy(),
                epsilon=1e-5,
            ),
        ),
        "all",
    )
    streams = {"residual_bits": 16, "norm_bits": 16}
    return compile_network(network, parse_settings(streams | settings), Calibration(inputs))


def exact_quotients(network: Network, row: IntArray) -> list[Fraction]:
    """Give (x - mean) / sqrt(H (var + epsilon)) of one row of mantissas (H,), to 200 bits."""
    source: Any = network.input
    exponents = source.output.exponents(len(row))
    x = [Fraction(int(m)) / Fraction(2) ** int(e) for m, e in zip(row, exponents, strict=True)]
    mean = sum(x, Fraction(0)) / len(x)
    total = sum(((v - mean) ** 2 for v in x), Fraction(0)) + len(x) * Fraction(1, 10**5)
    root = Fraction(isqrt(int(total * 2**400)), 2**200)
    return [(v - mean) / root for v in x]


def error_bound(node: Normalize, row: IntArray, quotients: list[Fraction], gain: Real) -> Real:
    """Give the bound of docs/arithmetic.md in units of the output, by channel."""
    count, unit = node.width, 2.0**node.square_shift
    aligned = fp.signed_shift(row, node.align)
    align = 0.5 if (node.align < 0).any() else 0.0
    lost = 2.0 ** (2 - node.reciprocal_bits)
    mean = 0.5 + lost * (lost * abs(float(aligned.mean())) + 2.5)
    centred = mean + 2 * align
    deviation = np.abs(aligned - aligned.mean())
    total = float((deviation**2).sum()) + node.epsilon * unit
    squares = unit * (count / 2 + 1) + count * centred**2
    squares += 4 * align * float((deviation + centred).sum())
    total -= squares  # at least
    relative = squares / total
    root = relative / 2 / (1 - relative) ** 1.5
    root += ROOT_ERROR * (1 + root)
    quotient = np.abs(np.array([float(q) for q in quotients]))
    error = quotient * root + centred / np.sqrt(total) * (1 + root)
    error += 2.0 ** -(fp.QUOTIENT_FRACTION + 1)
    error += (quotient + error) * 2.0 ** (1 - node.rescale.bits)
    return np.asarray(1 + np.abs(gain) * error)


def rows_of(kind: str, rng: np.random.Generator, width: int) -> Real:
    """Rows (1, 12, H) of one kind, all of magnitude up to 8."""
    x = rng.normal(size=(1, 12, width))
    if kind == "alike":
        return np.broadcast_to(rng.uniform(-8, 8, (1, 12, 1)), (1, 12, width)).copy()
    if kind == "zero":
        return np.zeros((1, 12, width))
    if kind == "one huge":
        x *= 1e-3
        x[..., 0] = 8.0
    if kind == "extreme":
        return 8.0 * rng.choice([-1.0, 1.0], (1, 12, width))
    if kind == "offset":
        x = 7.0 + 0.01 * x
    if kind == "spread":
        x *= 2.0 ** rng.uniform(-10, 1, width)
    return np.clip(x, -8, 8)


KINDS = ("normal", "alike", "zero", "one huge", "extreme", "offset", "spread")


@pytest.mark.parametrize("width", [1, 2, 3, 7, 16, 100, 1024, 1500])
@pytest.mark.parametrize("kind", KINDS)
def test_error_is_within_its_bound(kind: str, width: int) -> None:
    rng = np.random.default_rng(width)
    x = rows_of(kind, rng, width)
    weight, bias = rng.normal(size=width), rng.normal(size=width)
    network = norm_network(np.concatenate([x, rows_of("extreme", rng, width)]), weight, bias)
    source, node = network.input, network["norm"]
    assert isinstance(source, Input)
    assert isinstance(node, Normalize)
    mantissas, _ = source.output.encode(x)
    found = run_reference(network, mantissas).trace["norm"]
    gain = weight * np.sqrt(width) * 2.0 ** node.output.exponents(width)
    offset = bias * 2.0 ** node.output.exponents(width)
    for t in range(0, 12, 4):
        quotients = exact_quotients(network, mantissas[0, t])
        bound = error_bound(node, mantissas[0, t], quotients, gain)
        expected = gain * np.array([float(q) for q in quotients]) + offset
        free = np.abs(found[0, t]) < node.output.limit
        assert (np.abs(found[0, t] - expected) <= bound)[free].all()
        assert free.any()
        assert bound.max() < 40


@pytest.mark.parametrize("message_bits", [16, 18, 24])
def test_as_fine_as_messages_are_wide(message_bits: int) -> None:
    """The centred inputs fill the messages' bits, but for the two that no input reaches at once."""
    x = rows_of("normal", np.random.default_rng(0), 50)
    network = norm_network(x, message_bits=message_bits)
    node = network["norm"]
    assert isinstance(node, Normalize)
    bound = bound_network(network)["norm"]
    assert not bound.can_exceed("centred")
    assert 4 * bound.reached["centred"].max() > fp.limit_of(message_bits)
    assert 16 * bound.reached["total"].max() > fp.limit_of(2 * message_bits)


def test_a_signal_below_epsilon_stays_small() -> None:
    x = 1e-4 * rows_of("normal", np.random.default_rng(0), 8)
    network = norm_network(x)
    found = run_reference(network, network.input.output.encode(x)[0]).trace["norm"]  # type: ignore[attr-defined]
    expected = (x - x.mean(axis=2, keepdims=True)) / np.sqrt(x.var(axis=2, keepdims=True) + 1e-5)
    scale = np.abs(expected).max()
    value = network["norm"].output.decode(found)  # type: ignore[attr-defined]
    np.testing.assert_allclose(value, expected, rtol=0, atol=1e-4 * scale)


def test_messages_too_narrow_for_any_sum() -> None:
    x = rows_of("normal", np.random.default_rng(0), 8)
    x = np.repeat(x, 4096, axis=2)
    with pytest.raises(ConfigError, match="'norm': sums over its 32768 channels would not fit two"):
        norm_network(x, message_bits=8, input_bits=8, residual_bits=8, norm_bits=8)


def test_the_norm_takes_its_steps_and_the_residual_path_waits() -> None:
    network = norm_network(rows_of("normal", np.random.default_rng(0), 3))
    assert latencies(network) == {"input": 0, "norm": Normalize.crossing}


class TestEngines:
    """Norms on their own, wider than those of the random networks."""

    @pytest.mark.parametrize("width", [1, 7, 64, 129, 1024])
    @pytest.mark.parametrize("kind", KINDS)
    def test_native_equals_reference(self, kind: str, width: int) -> None:
        rng = np.random.default_rng(width)
        x = rows_of(kind, rng, width)
        network = norm_network(x, rng.normal(size=width), rng.normal(size=width))
        assert_engines_agree(network, network.input.output.encode(1.5 * x)[0])  # type: ignore[attr-defined]

    @pytest.mark.parametrize("seed", range(40))
    def test_any_parameters(self, seed: int) -> None:
        """Shifts, epsilons and widths that no quantiser would choose, at extreme inputs."""
        rng = np.random.default_rng(seed)
        width = int(rng.choice([1, 2, 33, 200]))
        bits = int(rng.integers(2, 25))
        source = Input(name="input", output=Format(bits, 0), channels=width)
        largest = np.full(width, float(source.output.limit))
        norm = random_norm(rng, source, largest, Format(int(rng.integers(4, 25)), 0))
        if norm is None:
            pytest.skip("no norm of these widths")
        gain_bits = int(rng.integers(2, 25))
        mantissa = rng.integers(-fp.limit_of(gain_bits), fp.limit_of(gain_bits) + 1, width)
        shift = np.full(width, int(rng.integers(0, 47)), np.int8)
        rescale = replace(
            norm.rescale, mantissa=mantissa.astype(np.int32), shift=shift, bits=gain_bits
        )
        node = replace(norm, rescale=rescale, inputs=(Edge("input", norm.crossing),))
        network = Network("lowered", (source, node), "all")
        verify_network(network)
        limit = source.output.limit
        inputs = rng.integers(-limit, limit + 1, (2, 6, width))
        inputs[0, :3] = limit * rng.choice([-1, 1], (3, width))
        inputs[1, 0], inputs[1, 1] = limit, 0
        assert_engines_agree(network, inputs)


def assert_engines_agree(network: Network, mantissas: IntArray) -> None:
    run = Run(mantissas, np.full(len(mantissas), mantissas.shape[1]), network.names)
    expected, found = (
        run_whole(get_engine(name), network, run) for name in ("reference", "native")
    )
    assert np.array_equal(expected.output, found.output)
    assert expected.saturated.get("norm", 0) == found.saturated.get("norm", 0)


def test_the_usual_widths_run_in_the_fast_program() -> None:
    network = norm_network(rows_of("normal", np.random.default_rng(0), 1024))
    assert not assemble(plan_network(network), frozenset()).integers


# --- real checkpoints

PRE_LAYER = ("uni_prenorm_ln", "bi_prenorm_ln", "bf16", "compiled", "sd_no_hparams", "swa_averaged")
LEAST_DB = 80  # of a norm's local signal-to-noise: what is left of 16 bits at its output


def variants(*names: str) -> list[Any]:
    return zoo_variants(lambda meta: meta["name"] in names)


def deploy(variant: Variant) -> tuple[snn_deploy.Deployment, Data]:
    test = variant.arrays("test")
    inputs = test["inputs"]
    lengths = test.get("lengths", np.full(len(inputs), inputs.shape[1]))
    path, config = variant.folder / variant.meta["file"], variant.folder / "config.yaml"
    deployment = snn_deploy.convert(
        path,
        calibration=Data(inputs, None, lengths),
        config=None if read_checkpoint(path).config else config,
        output_steps=variant.output_steps,
    )
    return deployment, Data(inputs, None, lengths)


@pytest.mark.parametrize("variant", variants(*PRE_LAYER))
def test_zoo_on_every_engine(variant: Variant, tmp_path: Path) -> None:
    deployment, data = deploy(variant)
    network = deployment.network
    assert network.of_kind(Normalize)
    run = Run(encode_inputs(network, data), data.lengths, network.names)
    expected, found = (
        run_whole(get_engine(name), network, run) for name in ("reference", "native")
    )
    for name in network.names:
        assert np.array_equal(expected.trace[name], found.trace[name]), name
    assert expected.saturated == found.saturated
    deployment.save(tmp_path / "made.safetensors")
    again = snn_deploy.load(tmp_path / "made.safetensors").network
    assert np.array_equal(run_whole(get_engine("native"), again, run).output, expected.output)


@pytest.mark.lava
@pytest.mark.timeout(120)
@pytest.mark.parametrize("variant", variants("uni_prenorm_ln", "bi_prenorm_ln"))
def test_zoo_on_lava(variant: Variant) -> None:
    deployment, data = deploy(variant)
    network = deployment.network
    part = Data(data.inputs[:2, :12], None, np.array([12, 12]))
    run = Run(encode_inputs(network, part), part.lengths, network.names)
    expected, found = (run_whole(get_engine(name), network, run) for name in ("reference", "lava"))
    for name in network.names:
        assert np.array_equal(expected.trace[name], found.trace[name]), name


@pytest.mark.parametrize("variant", variants(*PRE_LAYER))
def test_norms_add_next_to_no_error(variant: Variant, tmp_path: Path) -> None:
    deployment, data = deploy(variant)
    source = to_float_network(variant.checkpoint(), variant.output_steps)
    found = compare_accuracy(deployment.network, source, data, get_engine("native"))
    noise = {signal.node: signal.local_signal_to_noise_db for signal in found.signals}
    norms = [node.name for node in source.of_kind(LayerNorm)]
    assert norms
    assert min(noise[name] for name in norms) > LEAST_DB
    assert found.agreement == 1.0


def test_a_norm_is_said_to_be_assumed() -> None:
    network = norm_network(rows_of("normal", np.random.default_rng(0), 6))
    (notice,) = find_notices(network, load_profile("loihi2"))
    assert "'norm'" in notice
    assert "is assumed: none is known to have run on loihi2" in notice
    assert find_notices(network, load_profile("cpu")) == ()

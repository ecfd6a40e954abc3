"""A chip's own LIF in other registers than Loihi's: its profile says so, and conversion follows."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from networks import around, extreme_inputs, float_inputs, float_network

import snn_deploy
from snn_deploy.compare.metrics import agreement
from snn_deploy.engines.floating import run_float
from snn_deploy.engines.native.engine import NativeEngine
from snn_deploy.engines.reference import ReferenceEngine
from snn_deploy.engines.result import Run
from snn_deploy.engines.session import run_whole
from snn_deploy.errors import NetworkError, TargetError
from snn_deploy.ir.network import Network
from snn_deploy.ir.storage import network_from_document, network_to_document
from snn_deploy.ir.verifier import verify_network
from snn_deploy.mapping.check import check_target
from snn_deploy.mapping.profile import load_profile
from snn_deploy.nodes.lif import ChipLif, LifSoma
from snn_deploy.nodes.lif_registers import LOIHI, LifRegisters
from snn_deploy.passes.pipeline import compile_network
from snn_deploy.passes.quantize import Calibration
from snn_deploy.quantize.config import QuantizationConfig

SMALL = LifRegisters(decay_bits=8, align_bits=3, membrane_bits=16, threshold_bits=12)
SETTINGS = {
    "lif.decay_bits": 8,
    "lif.align_bits": 3,
    "lif.membrane_bits": 16,
    "lif.threshold_bits": 12,
}


def made(lif: LifRegisters, drive_bits: int = 13) -> Network:
    network = float_network(layers=1)
    calibration = Calibration(float_inputs(network, 4, 20, seed=1), None)
    config = QuantizationConfig(drive_bits=drive_bits)
    return compile_network(network, config, calibration, lif=lif)


def soma(network: Network) -> Any:
    (found,) = network.spiking
    return found


def test_bundled_chips_have_loihis_registers() -> None:
    assert {load_profile(n).lif.registers for n in ("loihi1", "loihi2", "hala_point")} == {LOIHI}
    assert load_profile("loihi2").with_overrides(SETTINGS).lif.registers == SMALL


def test_conversion_follows_the_profile() -> None:
    lif = soma(made(SMALL))
    assert type(lif) is ChipLif
    assert lif.registers == SMALL
    assert lif.decay == 7 * 2**8 // 8
    (membrane,) = lif.program.words.values()
    assert membrane.bits == 16
    usual = soma(made(LOIHI))
    assert type(usual) is LifSoma
    assert usual.decay == 7 * 2**12 // 8


def test_the_command_takes_the_profiles_registers() -> None:
    network = float_network(layers=1)
    settings = {**SETTINGS, "drive_bits": 13}
    calibration = float_inputs(network, 4, 20, seed=1)
    deployment = snn_deploy.convert(
        network, target="loihi2", calibration=calibration, settings=settings
    )
    assert soma(deployment.network).registers == SMALL
    assert deployment.profile.lif.registers == SMALL


def test_a_search_judges_the_targets_own_neurons() -> None:
    network = float_network(layers=1)
    settings, data = {**SETTINGS, "drive_bits": 13}, float_inputs(network, 24, 20, seed=1)
    with pytest.raises(NetworkError, match="a drive of 18 bits, over 13"):  # LOIHI's would do
        snn_deploy.search(network, data, settings=SETTINGS, max_loss=1.0)
    found = snn_deploy.search(network, data, settings=settings, max_loss=1.0)
    chosen = {**settings, **found.config.model_dump()}
    deployment = snn_deploy.convert(network, calibration=data, settings=chosen)
    assert soma(deployment.network).registers == SMALL
    exact = run_float(network, data).logits
    assert found.score == agreement(deployment.simulate(data).logits, exact)


def test_a_drive_that_is_too_wide_is_refused_with_its_cure() -> None:
    with pytest.raises(NetworkError, match=r"a drive of 14 bits, over 13; .*--set drive_bits=13"):
        made(SMALL, drive_bits=14)


def test_networks_for_other_registers_are_refused() -> None:
    loihi2 = load_profile("loihi2")
    other = loihi2.with_overrides(SETTINGS)
    small, usual = made(SMALL), made(LOIHI)
    check_target(small, other)
    check_target(usual, loihi2)
    told = r"lif: '.*': its LIF has decays of 8 bits, .*; the target's has decays of 12 bits"
    with pytest.raises(TargetError, match=told):
        check_target(small, loihi2)
    with pytest.raises(TargetError, match=r"lif: .*; convert for this target"):
        check_target(usual, other)


@pytest.mark.parametrize("seed", range(6))
def test_every_width_is_its_own(seed: int) -> None:
    network = around(ChipLif, np.random.default_rng(seed))
    verify_network(network)
    lif: Any = network["node"]
    bits = lif.registers
    x = extreme_inputs(network, np.random.default_rng(seed), steps=30)
    run = Run(x, np.full(len(x), 30), ("node",))
    result = run_whole(ReferenceEngine(), network, run)
    limit = 2 ** (bits.membrane_bits - 1) - 1
    v, expected = np.zeros_like(x[:, 0]), []
    for t in range(30):
        kept = np.abs(v) * (2**bits.decay_bits - lif.decay) // 2**bits.decay_bits
        v = np.clip(np.sign(v) * kept + x[:, t] * 2**bits.align_bits, -limit, limit)
        expected.append(v > lif.threshold * 2**bits.align_bits)
        v = np.where(expected[-1], 0, v)
    np.testing.assert_array_equal(result.trace["node"], np.stack(expected, axis=1))
    native = run_whole(NativeEngine(), network, run)
    np.testing.assert_array_equal(native.trace["node"], result.trace["node"])
    again = network_from_document(*network_to_document(network))
    assert again["node"].lif_registers == bits  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"membrane_bits": 33}, "membrane_bits 33 is outside 2 … 32"),
        ({"align_bits": 15}, "align_bits 15 is outside 0 … 14"),
        ({"decay_bits": 0}, "decay_bits 0 is outside 1 … 31"),
        ({"threshold_bits": 14}, "threshold_bits 14 is outside 1 … 13"),
    ],
)
def test_registers_that_cannot_be(change: dict[str, int], told: str) -> None:
    network = made(SMALL)
    lif = soma(network)
    wrong = replace(lif, registers=replace(SMALL, **change))
    with pytest.raises(NetworkError, match=told):
        verify_network(network.rewrite({lif.name: (wrong,)}))

"""Every real checkpoint deploys: the same integers on all engines, from its file, for Loihi 2.

None is refused once calibration data say what its numbers and lengths are. What cannot do without
such data is named in ``NEEDS_DATA``.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from test_converter_spikingssm_zoo import convert
from zoo import Variant, zoo_variants

import snn_deploy
from snn_deploy.data.inputs import Data, check_data
from snn_deploy.engines.floating import run_float
from snn_deploy.engines.registry import get_engine
from snn_deploy.errors import UnsupportedNetworkError
from snn_deploy.evaluation import evaluate
from snn_deploy.io.deployment_file import Provenance, read_deployment, write_deployment
from snn_deploy.ir.network import Network
from snn_deploy.mapping.check import check_target
from snn_deploy.mapping.profile import load_profile
from snn_deploy.page.data import gather_page
from snn_deploy.page.html import render_page
from snn_deploy.passes.pipeline import compile_network
from snn_deploy.passes.quantize import Calibration
from snn_deploy.quantize.config import QuantizationConfig
from snn_deploy.run.simulation import simulate

SEQUENCES = 4  # or pairs
ORIGIN = Provenance("loihi2", "3", "zoo.ckpt", "0" * 64, {"source": "calibration"}, {}, "0.1.0")

A_SUM = "a sum over time grows with the sequence"
A_LENGTH = "depend on how long sequences are"
NEEDS_DATA = {
    "dec_sum": A_SUM,
    "dec_sum_len": A_SUM,
    "lout_sum": A_SUM,
    "k_dss": A_LENGTH,
    "pool_bug": A_LENGTH,
}
"""Variants that are refused without calibration data, and why."""

ON_LAVA = ("lout_sum", "aan_last", "wt103")
"""Between them: running sums, pools, every kind of table and norm, and each kind of head."""


def data_of(network: Network, variant: Variant) -> Data:
    test = variant.arrays("test")
    return check_data(network, test["inputs"], lengths=test.get("lengths")).first(SEQUENCES)


def deployed(variant: Variant, folder: Path) -> Network:
    """The lowered network, calibrated on its own test sequences."""
    network = convert(variant, folder)
    data = data_of(network, variant)
    return compile_network(network, QuantizationConfig(), Calibration(data.inputs, data.lengths))


@pytest.mark.parametrize("variant", zoo_variants())
def test_every_variant_is_deployed(variant: Variant, tmp_path: Path) -> None:
    network = deployed(variant, tmp_path)
    check_target(network, loihi2())
    path = tmp_path / "deployed.safetensors"
    write_deployment(path, network, ORIGIN)
    stored, _ = read_deployment(path)
    data = data_of(stored, variant)

    expected = simulate(network, data, get_engine("reference"), network.names)
    found = simulate(stored, data, get_engine("native"), stored.names)

    for name in network.names:
        np.testing.assert_array_equal(found.trace[name], expected.trace[name], err_msg=name)
    np.testing.assert_array_equal(found.answer, expected.answer)
    np.testing.assert_array_equal(found.logits, expected.logits)
    assert found.saturated == expected.saturated
    oracle = variant.arrays("oracle")["logits_bptt_f64"]
    assert found.logits.shape == (data.answers, *oracle.shape[1:])
    assert np.isfinite(found.logits).all()


@pytest.mark.parametrize("variant", zoo_variants())
def test_what_needs_data_is_refused_without(variant: Variant, tmp_path: Path) -> None:
    network = convert(variant, tmp_path)
    config = QuantizationConfig(input_range=4.0)
    if variant.name in NEEDS_DATA:
        with pytest.raises(UnsupportedNetworkError, match=NEEDS_DATA[variant.name]):
            compile_network(network, config)
    else:
        check_target(compile_network(network, config), loihi2())


@pytest.mark.lava
@pytest.mark.timeout(180)
@pytest.mark.parametrize("variant", zoo_variants(lambda meta: meta["name"] in ON_LAVA))
def test_lava_gives_the_same(variant: Variant, tmp_path: Path) -> None:
    network = deployed(variant, tmp_path)
    data = data_of(network, variant).first(1)
    found = simulate(network, data, get_engine("lava"), network.names)
    expected = simulate(network, data, get_engine("reference"), network.names)
    for name in network.names:
        np.testing.assert_array_equal(found.trace[name], expected.trace[name], err_msg=name)
    np.testing.assert_array_equal(found.logits, expected.logits)


def test_retrieval_from_file_to_report(shared: Path, tmp_path: Path) -> None:
    """Pairs of documents through everything that a user does with a deployment."""
    folder = shared / "checkpoints" / "zoo" / "aan"
    with np.load(folder / "test.npz") as file:
        test = dict(file)
    with np.load(folder / "oracle.npz") as file:
        labels = file["logits_bptt_f64"].argmax(axis=-1)  # what the float network answers
    np.savez(tmp_path / "data.npz", **{**test, "labels": labels})
    deployment = snn_deploy.convert(folder / "aan.ckpt", calibration=tmp_path / "data.npz")
    deployment.save(tmp_path / "aan.safetensors")
    data = snn_deploy.data.inputs.load_data(tmp_path / "data.npz", deployment.network)

    simulation = deployment.simulate(data)
    verified = deployment.verify(data, against=folder / "aan.ckpt")
    report = deployment.report(data).to_json()
    page = render_page(gather_page(deployment, data, name="aan", data_name="data.npz"))
    evaluation = evaluate(
        tmp_path / "aan.safetensors", tmp_path / "data.npz", tmp_path / "out.json", shard_size=3
    )

    assert verified.passed
    assert verified.accuracy is not None
    assert verified.accuracy.exact_accuracy == 1.0
    share = float((simulation.predictions == labels).mean())
    assert verified.accuracy.integer_accuracy == verified.accuracy.agreement == share
    assert evaluation.accuracy == share
    assert evaluation.tally.sequences == 16
    assert "of 8 pairs of sequences" in page
    assert report["host"][-1]["does"] == "comparison of pairs"
    assert any("on the host" in note and "comparison of pairs" in note for note in report["notes"])


def test_the_first_steps_are_compared_with_the_first_steps(shared: Path) -> None:
    folder = shared / "checkpoints" / "zoo" / "lout_first"
    checkpoint = folder / "lout_first.ckpt"
    with np.load(folder / "test.npz") as file:
        inputs = file["inputs"]
    deployment = snn_deploy.convert(checkpoint, calibration=inputs, output_steps=5)
    found = deployment.verify(inputs, against=checkpoint)
    assert found.passed
    assert found.accuracy is not None
    exact = run_float(snn_deploy.load_float_network(checkpoint, None, 5), inputs).logits
    difference = np.abs(exact - deployment.simulate(inputs).logits).max()
    assert found.accuracy.largest_logit_error == pytest.approx(difference)


@cache
def loihi2() -> Any:
    return load_profile("loihi2")

"""Every real checkpoint gives its authors' logits, spikes and residual streams."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from zoo import Variant, zoo_variants

from snn_deploy.checkpoint import read_checkpoint
from snn_deploy.cli.main import main
from snn_deploy.converters.registry import to_float_network
from snn_deploy.engines.floating import FloatResult, run_float
from snn_deploy.errors import SnnDeployWarning
from snn_deploy.ir.network import Network
from snn_deploy.ir.verifier import verify_network
from snn_deploy.nodes.float_lif import Lif
from snn_deploy.nodes.residual import Residual

TRAINED = ("seqdigits_uni", "seqdigits_bi", "listops_bi")
# Sequences are independent; a part of the larger test sets says as much in less time.
TRAINED_SEQUENCES = 200


def convert(variant: Variant, folder: Path, weights: Any = "raw") -> Network:
    silent = variant.meta["n_layers"] and variant.name == "norm_null"
    expectation = (
        pytest.warns(SnnDeployWarning, match="runs none of the 2 layers")
        if silent
        else contextlib.nullcontext()
    )
    with expectation:
        return to_float_network(variant.checkpoint(), variant.output_steps, weights)


@pytest.mark.parametrize("variant", zoo_variants())
def test_zoo_with_the_exact_neuron(variant: Variant, tmp_path: Path) -> None:
    test, oracle = variant.arrays("test"), variant.arrays("oracle")
    network = convert(variant, tmp_path)
    verify_network(network)
    layers = [node.name for node in network.of_kind(Residual)]
    neurons = [node.name for node in network.of_kind(Lif)]
    stream = [_before_layers(network), *layers]

    result = run_float(network, test["inputs"], test.get("lengths"), record=[*neurons, *stream])

    assert_close(result.logits, oracle["logits_bptt_f64"])
    for name, spikes in zip(neurons, oracle["spikes_bptt"], strict=True):
        assert_same_spikes(result, name, spikes)
    for name, expected in zip(stream, oracle["resid_bptt"], strict=True):
        scale = np.abs(expected).max()
        np.testing.assert_allclose(result.signals[name], expected, rtol=0, atol=2e-7 * scale)


@pytest.mark.parametrize("variant", zoo_variants(lambda meta: meta["has_sdn"]))
def test_zoo_with_the_surrogate_neuron(variant: Variant, tmp_path: Path) -> None:
    test, oracle = variant.arrays("test"), variant.arrays("oracle")
    network = convert(variant, tmp_path)

    result = run_float(network, test["inputs"], test.get("lengths"), neuron="surrogate")

    assert_close(result.logits, oracle["logits_sdn_f64"])


@pytest.mark.parametrize("variant", zoo_variants(lambda meta: meta["kind"] in ("tok", "pair")))
def test_zoo_with_more_padding(variant: Variant, tmp_path: Path) -> None:
    test, oracle = variant.arrays("test"), variant.arrays("oracle")
    network = convert(variant, tmp_path)

    result = run_float(network, test["inputs_padded"], test.get("lengths"))

    assert_close(result.logits, oracle["logits_padx_bptt_f64"])


def test_zoo_averaged_weights(
    shared: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    variant = Variant("ema_opt")
    for weights, told in (("raw", "the trained weights, not the averages"), ("ema", "weights ema")):
        words = ["convert", str(variant.folder / "ema_opt.ckpt"), "--weights", weights]
        with pytest.raises(SystemExit) as ended:
            main([*words, "-o", str(tmp_path / "n.safetensors")])
        assert ended.value.code == 0
        assert told in capsys.readouterr().out
    network = convert(variant, tmp_path, weights="ema")

    result = run_float(network, variant.arrays("test")["inputs"])

    assert_close(result.logits, variant.arrays("oracle")["logits_ema_bptt_f64"])


@pytest.mark.parametrize("name", TRAINED)
@pytest.mark.parametrize("neuron", ["exact", "surrogate"])
def test_trained_networks(name: str, neuron: Any, shared: Path) -> None:
    folder = shared / "checkpoints" / name
    with np.load(folder / "test.npz") as file:
        test = {key: array[:TRAINED_SEQUENCES] for key, array in file.items()}
    with np.load(folder / "oracle.npz") as file:
        oracle = dict(file)
    with np.load(folder / "traces.npz") as file:
        traces = dict(file)
    prefix = "bptt" if neuron == "exact" else "sdn"
    network = to_float_network(read_checkpoint(folder / f"{name}.ckpt"))
    neurons = [node.name for node in network.of_kind(Lif)]

    result = run_float(network, test["inputs"], test.get("lengths"), neuron=neuron, record=neurons)

    assert_close(result.logits, oracle[f"logits_{prefix}_f64"][:TRAINED_SEQUENCES])
    for index, neuron_name in enumerate(neurons):
        spikes = traces[f"{prefix}_spike{index}"].transpose(0, 2, 1)
        assert_same_spikes(result, neuron_name, spikes)


def assert_close(logits: npt.NDArray[Any], expected: npt.NDArray[Any]) -> None:
    assert logits.shape == expected.shape
    np.testing.assert_allclose(logits, expected, rtol=0, atol=1e-6 * np.abs(expected).max())


def assert_same_spikes(result: FloatResult, name: str, expected: npt.NDArray[Any]) -> None:
    found = result.signals[name][: len(expected)]
    different = np.argwhere(found != expected)
    assert len(different) == 0, f"{name}: {len(different)} spikes differ, first {different[0]}"


def _before_layers(network: Network) -> str:
    """Give the name of the node whose signal the first layer reads."""
    names = [name for name in network.names if name == "input" or name.startswith("encoder")]
    return names[-1]

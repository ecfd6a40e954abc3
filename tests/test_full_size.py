"""The authors' configurations at full size, with random weights."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import snn_deploy
from snn_deploy.api import load_float_network
from snn_deploy.data.inputs import load_data
from snn_deploy.engines.floating import run_float
from snn_deploy.examples.full_size import CONFIGURATIONS, make_checkpoint, make_data, write
from snn_deploy.examples.measuring import run_command
from snn_deploy.nodes.float_inputs import TokenInput
from snn_deploy.nodes.float_lif import Lif
from snn_deploy.nodes.heads import AdaptiveLogSoftmax, RetrievalHead
from snn_deploy.nodes.ssm import DiagonalSsm

SMALLEST = "dvs128gesture"


@pytest.fixture(scope="module")
def smallest(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(SMALLEST, tmp_path_factory.mktemp("full_size"))


def test_the_eleven_configurations_are_there() -> None:
    assert set(CONFIGURATIONS) == {
        "mnist", "pmnist", "cifar", "listops", "imdb", "aan", "pathfinder", "pathx", "sc",
        "dvs128gesture", "wt103",
    }  # fmt: skip


def test_the_same_seed_makes_the_same_checkpoint() -> None:
    (first, _), (again, _), (other, _) = (make_checkpoint(SMALLEST, seed) for seed in (0, 0, 1))
    assert first.keys() == again.keys() == other.keys()
    assert all(np.array_equal(first[key], again[key]) for key in first)
    assert not np.array_equal(first["encoder.0.weight"], other["encoder.0.weight"])


def test_neurons_spike_as_often_as_trained_ones(smallest: Path) -> None:
    network = load_float_network(smallest)
    somas = [soma.name for soma in network.of_kind(Lif)]
    data = load_data(smallest.with_name("test.npz"), network)
    spikes = run_float(network, data.inputs, record=somas).signals
    assert len(spikes) == CONFIGURATIONS[SMALLEST].layers
    assert all(0.05 < spikes[name].mean() < 0.2 for name in somas)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["listops", "aan", "pathfinder"])
def test_a_checkpoint_has_the_shape_that_its_configuration_says(tmp_path: Path, name: str) -> None:
    size = CONFIGURATIONS[name]
    network = load_float_network(write(name, tmp_path, calibration=1, test=1))
    ssms = network.of_kind(DiagonalSsm)
    assert [ssm.a.shape for ssm in ssms] == [(size.channels, size.modes)] * size.layers
    assert all((ssm.c_reverse is not None) == size.bidirectional for ssm in ssms)
    data = load_data(tmp_path / "test.npz", network)
    assert data.inputs.shape[:2] == (2 if name == "aan" else 1, size.steps)
    assert isinstance(network.input, TokenInput) == bool(size.vocabulary)
    assert bool(network.of_kind(RetrievalHead)) == (size.decoder == "retrieval")
    assert not network.of_kind(AdaptiveLogSoftmax)


def test_lengths_are_within_the_sequence() -> None:
    data = make_data("listops", 5)
    assert data["lengths"].max() <= data["inputs"].shape[1] == CONFIGURATIONS["listops"].steps


@pytest.mark.slow
def test_it_converts_and_runs(smallest: Path) -> None:
    deployment = snn_deploy.convert(smallest, calibration=smallest.with_name("calibration.npz"))
    data = np.load(smallest.with_name("test.npz"))["inputs"]
    native, reference = (
        deployment.simulate(data[:, :256], backend=backend) for backend in ("native", "reference")
    )
    assert np.array_equal(native.logits, reference.logits)
    for name, counts in native.spike_counts.items():
        assert np.array_equal(counts, reference.spike_counts[name])
        assert 0.04 < counts.mean() / 256 < 0.25


@pytest.mark.slow
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("name", ["listops", "pathx"])
def test_the_command_line_converts_and_runs_it(tmp_path: Path, name: str) -> None:
    size = CONFIGURATIONS[name]
    checkpoint = write(name, tmp_path, calibration=1, test=1)
    network, answers = tmp_path / "network.safetensors", tmp_path / "answers.npz"
    calibration, data = tmp_path / "calibration.npz", tmp_path / "test.npz"
    converted = run_command(
        "convert", checkpoint, "--calibration", calibration, "--target", size.target, "-o", network
    )
    simulated = run_command("simulate", network, "--data", data, "-o", answers)
    assert max(converted.peak_bytes, simulated.peak_bytes) < 2**30
    with np.load(answers) as result:
        assert result["logits"].shape == (1, size.classes)
        for layer in range(size.layers):
            assert 0.02 < result[f"spike_counts/layers.{layer}"].mean() / size.steps < 0.3


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_memory_does_not_grow_with_the_length_of_a_causal_network(tmp_path: Path) -> None:
    size = CONFIGURATIONS["mnist"]
    network = tmp_path / "network.safetensors"
    checkpoint = write("mnist", tmp_path)
    run_command("convert", checkpoint, "--calibration", tmp_path / "calibration.npz", "-o", network)
    peaks = []
    for times in (1, 1, 8):  # the first run may compile
        data = tmp_path / f"{times}.npz"
        inputs = np.random.default_rng(0).uniform(-2, 2, (1, times * size.steps, 1))
        np.savez(data, inputs=inputs.astype(np.float32))
        used = run_command("simulate", network, "--data", data, "-o", tmp_path / "answers.npz")
        peaks.append(used.peak_bytes)
    one_signal = 7 * size.steps * size.channels * 8  # what a stored stream would add
    assert peaks[2] - peaks[1] < one_signal / 2

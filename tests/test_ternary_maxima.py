"""Constants in the place of run-time maxima."""

from __future__ import annotations

import numpy as np
import pytest
from synthetic import checkpoint_of
from tiny_families import tiny_backbone
from zoo import CHECKPOINTS

from snn_deploy.api import load_float_network
from snn_deploy.converters.registry import to_float_network
from snn_deploy.engines.floating import run_float
from snn_deploy.errors import ConfigError
from snn_deploy.nodes.ternary import Ternary
from snn_deploy.tune.ternary_maxima import fix_maxima

X = np.random.default_rng(3).normal(size=(6, 30, 1))


def test_every_maximum_becomes_a_constant_near_its_mean() -> None:
    network = to_float_network(checkpoint_of(*tiny_backbone("s4d_gsu")))
    fixed = fix_maxima(network, X)
    drives = run_float(fixed.network, X, record=["layers.0.ssm", "layers.1.ssm"]).signals
    for layer, node in enumerate(fixed.network.of_kind(Ternary)):
        largest = np.abs(drives[f"layers.{layer}.ssm"]).max(-1)
        assert 0.49 <= node.maximum / largest.mean() <= 1.51
    assert set(fixed.changed) == {"layers.0.ternary", "layers.1.ternary"}
    assert all(0 < share < 1 for share in fixed.changed.values())


def test_changed_is_what_the_networks_differ_in() -> None:
    network = to_float_network(checkpoint_of(*tiny_backbone("s4d_gsu")))
    fixed, names = fix_maxima(network, X), ["layers.0.ternary", "layers.1.ternary"]
    before, after = (run_float(one, X, record=names).signals for one in (network, fixed.network))
    for name in names:
        assert fixed.changed[name] == (before[name] != after[name]).mean()


def test_no_other_multiple_of_the_mean_changes_fewer() -> None:
    network = to_float_network(checkpoint_of(*tiny_backbone("s4d_gsu")))
    fixed = fix_maxima(network, X)
    signals = run_float(network, X, record=["layers.0.ssm", "layers.0.ternary"]).signals
    drive, wanted = signals["layers.0.ssm"], signals["layers.0.ternary"]
    mean = np.abs(drive).max(-1).mean()
    for share in (0.5, 0.7, 0.9, 1.0, 1.1, 1.3, 1.5):
        level = 0.15 * mean * share
        found = 1.0 * (drive >= level) - 1.0 * (drive <= -level)
        assert (found != wanted).mean() >= fixed.changed["layers.0.ternary"]


def test_a_network_without_maxima_is_refused() -> None:
    network = to_float_network(checkpoint_of(*tiny_backbone("s4d")))
    with pytest.raises(ConfigError, match="no ternary spikes that follow a maximum"):
        fix_maxima(network, X)
    fixed = fix_maxima(to_float_network(checkpoint_of(*tiny_backbone("s4d_gsu"))), X).network
    with pytest.raises(ConfigError, match="no ternary spikes that follow a maximum"):
        fix_maxima(fixed, X)


def test_the_trained_network_keeps_its_accuracy() -> None:
    folder = CHECKPOINTS / "stan_rhodes" / "gsu"
    if not folder.is_dir():
        pytest.skip("needs the real checkpoints beside the repository")
    network = load_float_network(folder / "gsu.ckpt")
    with np.load(folder / "train.npz") as train, np.load(folder / "test.npz") as test:
        fixed = fix_maxima(network, train["inputs"][:256])
        right, still = (
            (run_float(one, test["inputs"]).logits.argmax(-1) == test["labels"]).sum()
            for one in (network, fixed.network)
        )
    assert abs(int(right) - int(still)) <= 2

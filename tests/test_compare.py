"""``compare``: deployments side by side, and their arithmetic alone at 45 nm."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import lowered
import networks
import numpy as np
import pytest
from click.testing import CliRunner
from faulty_engines import CountsNothing
from rich.console import Console

from snn_deploy.api import Deployment
from snn_deploy.cli.main import commands
from snn_deploy.data.inputs import Data, check_data
from snn_deploy.engines.floating import run_float
from snn_deploy.engines.reference import ReferenceEngine
from snn_deploy.errors import ConfigError
from snn_deploy.io.deployment_file import Provenance
from snn_deploy.ir.network import Network
from snn_deploy.passes.pipeline import compile_network
from snn_deploy.passes.quantize import Calibration
from snn_deploy.quantize.config import QuantizationConfig
from snn_deploy.reports.compare import Comparison, compare_deployments
from snn_deploy.reports.compare_table import comparison_rows, render_comparison
from snn_deploy.reports.deployed import report_deployment

SEQUENCES, STEPS = 4, 16
MAC, AC = 4.6e-12, 0.9e-12


def deployment(network: Network, target: str = "loihi2", **settings: Any) -> Deployment:
    origin = Provenance(target, "1.0.0", "a.ckpt", "1" * 64, {}, settings, "0.0")
    return Deployment(network, origin)


def data_for(network: Network) -> Data:
    random = np.random.default_rng(0)
    inputs = random.normal(0, 40, (SEQUENCES, STEPS, network.input.width)).astype(np.float32)
    return check_data(network, inputs, labels=random.integers(0, 2, SEQUENCES))


@pytest.fixture(scope="module")
def comparison() -> Comparison:
    small, large = lowered.network(), lowered.network(layers=2)
    several = [
        ("small", deployment(small, weight_bits=8, state_bits=24)),
        ("large", deployment(large, "cpu", weight_bits=8, state_bits=20)),
    ]
    return compare_deployments(several, data_for(small))


def rows(comparison: Comparison) -> dict[str, list[str]]:
    return dict(comparison_rows(comparison))


def test_each_is_costed_on_its_own_target(comparison: Comparison) -> None:
    small, large = comparison.candidates
    assert [c.report.profile.name for c in comparison.candidates] == ["loihi2", "cpu"]
    assert small.report.placement is not None
    assert large.report.placement is None
    shown = rows(comparison)
    assert shown["target"] == ["loihi2 1.0.0", "cpu 1.0.0"]
    assert shown["fits into cores"] == ["1", "–"]
    assert shown["energy"][1] == "–"


def test_only_settings_that_differ_are_shown(comparison: Comparison) -> None:
    assert comparison.settings_that_differ() == ("state_bits",)
    shown = rows(comparison)
    assert shown["state_bits"] == ["24", "20"]
    assert "weight_bits" not in shown


def test_answers_are_compared_with_the_first(comparison: Comparison) -> None:
    small, large = comparison.candidates
    network = small.deployment.network
    data = data_for(network)
    answers = [c.deployment.simulate(data).predictions for c in comparison.candidates]
    assert small.same_as_first == 1.0
    assert large.same_as_first == np.mean(answers[0] == answers[1])
    assert small.accuracy == np.mean(answers[0] == data.labels)
    assert small.same_as_float is None


def test_arithmetic_is_counted_once_a_weight_or_spike(comparison: Comparison) -> None:
    h, modes = 6, 3
    for layers, candidate in enumerate(comparison.candidates, start=1):
        found = candidate.arithmetic
        assert found.ann_macs == 2 * h * h * STEPS * layers
        assert found.ann_j == pytest.approx(found.ann_macs * MAC)
        assert found.snn_j == pytest.approx(found.snn_acs * AC)
        spikes = sum(
            int(candidate.report.activity.messages[f"layers.{i}.lif"].sum()) for i in range(layers)
        )
        assert found.snn_acs == 2 * h * spikes / SEQUENCES
        assert found.recurrence_macs == 6 * modes * h * STEPS * layers
        assert found.ann_everything_j > found.ann_j + found.recurrence_j
        assert found.snn_everything_j > found.snn_j + found.recurrence_j


def test_everything_as_an_artificial_network() -> None:
    network = lowered.network()
    one = compare_deployments([("a", deployment(network))] * 2, data_for(network)).candidates[0]
    events = one.report.total.events
    macs = (events.dense + events.neuron_macs) / SEQUENCES
    assert one.arithmetic.ann_everything_j == pytest.approx(macs * MAC)


def test_float_network_beside_the_integer_ones() -> None:
    source = networks.float_network()
    inputs = networks.float_inputs(source).astype(np.float32)
    data = check_data(source, inputs, labels=np.zeros(len(inputs), int))
    calibration = Calibration(inputs, data.lengths)
    several = [
        (f"{bits} bits", deployment(compile_network(source, config, calibration), weight_bits=bits))
        for bits, config in ((b, QuantizationConfig(weight_bits=b)) for b in (8, 3))
    ]
    seen: list[float] = []
    found = compare_deployments(several, data, against=source, progress=seen.append)
    assert sum(seen) == pytest.approx(2 * len(data))
    exact = run_float(source, inputs).logits
    assert found.float_accuracy == np.mean(exact.argmax(axis=1) == 0)
    for (_, each), candidate in zip(several, found.candidates, strict=True):
        same = each.simulate(data).predictions == exact.argmax(axis=1)
        assert candidate.same_as_float == same.mean()
    h, n, layers, classes = 4, 3, 2, 3
    layer = 2 * 3 * h * n + h + h + 2 * h * h + 2 * h  # a, b, c complex; d; threshold; mix
    assert found.float_bytes == 4 * (2 * h + layers * layer + classes * h + classes)


@pytest.mark.parametrize("reverse", [False, True])
def test_a_report_is_the_same_whichever_engine_runs(reverse: bool) -> None:
    """Those of one that counts no clipped values say so, and nothing else is different."""
    made = deployment(lowered.network(reverse=reverse))
    data = data_for(made.network)
    native = made.report(data)
    assert report_deployment(made, data, ReferenceEngine()).to_json() == native.to_json()
    blind = made.report(data, backend=CountsNothing()).to_json()
    assert blind["notes"][-1] == "The engine that ran this cannot count clipped values."
    different = {"notes": native.to_json()["notes"], "saturation": native.to_json()["saturation"]}
    assert {**blind, **different} == native.to_json()


def test_deployments_are_compared_on_any_engine(comparison: Comparison) -> None:
    several = [(each.name, each.deployment) for each in comparison.candidates]
    data = data_for(several[0][1].network)
    found = compare_deployments(several, data, ReferenceEngine())
    assert found.to_json() == comparison.to_json()


def test_nothing_to_compare_is_refused() -> None:
    network = lowered.network()
    with pytest.raises(ConfigError, match="at least two deployments"):
        compare_deployments([("a", deployment(network))], data_for(network))


def test_networks_of_other_data_are_refused() -> None:
    one, other = lowered.network(), lowered.spiking_network((5, 4))
    several = [("one", deployment(one)), ("other", deployment(other))]
    with pytest.raises(ConfigError, match="other takes 5 input channels and one 1: only networks"):
        compare_deployments(several, data_for(one))


def test_terminal_form_keeps_brackets_in_names(comparison: Comparison) -> None:
    network = lowered.network()
    several = [("[bold]a", deployment(network)), ("b", deployment(network))]
    out = io.StringIO()
    found = compare_deployments(several, data_for(network))
    render_comparison(found, Console(file=out, width=100))
    shown = out.getvalue()
    assert "[bold]a" in shown
    assert "No energy per operation has ever been published" in shown
    assert "as ANN, spiking layers" in shown


def test_command(tmp_path: Path) -> None:
    network = lowered.network()
    paths = []
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        paths.append(str(tmp_path / folder / "net.safetensors"))
        deployment(network).save(paths[-1])
    data, out = tmp_path / "test.npz", tmp_path / "out.json"
    np.savez(data, inputs=data_for(network).inputs)
    words = ["compare", *paths, "--data", str(data), "--limit", "2", "--json", str(out)]
    done = CliRunner().invoke(commands, words, standalone_mode=False)
    assert done.exception is None
    document = json.loads(out.read_text())
    assert document["schema_version"] == 1
    assert document["sequences"] == 2
    assert document["float"] is None
    assert [each["name"] for each in document["deployments"]] == paths  # both are "net"
    report = document["deployments"][0]["report"]
    assert report["neurobench"]["footprint"] > 0
    assert document["deployments"][0]["arithmetic_45nm"]["ann_macs"] == 2 * 6 * 6 * STEPS

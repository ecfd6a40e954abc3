"""The search for cheap number formats: it never breaks its limit, and says what it tried."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

import snn_deploy
from snn_deploy import examples
from snn_deploy.cli.main import main
from snn_deploy.data.inputs import Data
from snn_deploy.errors import ConfigError
from snn_deploy.mapping.profile import load_profile
from snn_deploy.nodes.affine import Affine
from snn_deploy.nodes.embedding import Embedding
from snn_deploy.nodes.layer_norm import LayerNorm
from snn_deploy.nodes.linear import Linear
from snn_deploy.nodes.readout import Readout
from snn_deploy.nodes.residual import Residual
from snn_deploy.nodes.ssm import DiagonalSsm
from snn_deploy.quantize.config import QuantizationConfig, read_formats
from snn_deploy.tune.format_search import Goal, Search, search_formats

EXAMPLE = Path(examples.__file__).parent / "seqdigits_uni"
CHECKPOINT = EXAMPLE / "seqdigits_uni.ckpt"
NARROW = QuantizationConfig(
    weight_bits=5, decay_bits=13, readout_bits=9, state_bits=19, residual_bits=9
)


@pytest.fixture(scope="module")
def data() -> Data:
    with np.load(EXAMPLE / "train.npz") as archive:
        inputs, labels = archive["inputs"][:32], archive["labels"][:32]
    return Data(inputs, labels, np.full(32, inputs.shape[1]))


def searched(data: Data) -> tuple[Search, list[float]]:
    source = snn_deploy.load_float_network(CHECKPOINT)
    parts: list[float] = []
    return search_formats(source, data, NARROW, max_loss=0.05, progress=parts.append), parts


@pytest.fixture(scope="module")
def found(data: Data) -> tuple[Search, list[float]]:
    """A search by accuracy, and what it said of its progress."""
    return searched(data)


@pytest.mark.parametrize("labelled", [True, False])
def test_found_formats_keep_the_limit_and_save_memory(
    data: Data, labelled: bool, found: tuple[Search, list[float]]
) -> None:
    outcome, parts = found if labelled else searched(Data(data.inputs, None, data.lengths))
    assert outcome.score_name == ("accuracy" if labelled else "agreement")
    assert outcome.score >= outcome.limit == outcome.float_score - 0.05
    assert outcome.after < outcome.before
    assert outcome.mean_weight_bits < 5
    assert sum(parts) == pytest.approx(1.0)
    assert {trial.kept for trial in outcome.trials} == {True, False}
    assert all(trial.kept == (trial.score >= outcome.limit) for trial in outcome.trials)


def only_readouts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a search narrow nothing but readouts of state-space models."""
    for kind in (Affine, Embedding, LayerNorm, Linear, Readout, Residual):
        monkeypatch.setattr(kind, "narrowable", ())
    monkeypatch.setattr(DiagonalSsm, "narrowable", ("readout_bits",))


def test_the_deployment_is_the_network_that_was_judged(
    data: Data, found: tuple[Search, list[float]]
) -> None:
    outcome, _ = found
    deployment = snn_deploy.convert(
        CHECKPOINT, calibration=data, settings=outcome.config.model_dump()
    )
    predictions = deployment.simulate(data).predictions
    assert float((predictions == data.labels).mean()) == outcome.score


def test_least_energy_is_that_of_the_report(data: Data, monkeypatch: pytest.MonkeyPatch) -> None:
    only_readouts(monkeypatch)
    few = data.first(20)
    outcome = snn_deploy.search(
        CHECKPOINT, few, settings=NARROW.model_dump(), max_loss=0.05, cost="energy"
    )
    for config, energy in (
        (NARROW, outcome.energy_before_j),
        (outcome.config, outcome.energy_after_j),
    ):
        found = snn_deploy.convert(CHECKPOINT, calibration=few, settings=config.model_dump())
        total = found.report(few.first(16)).total_j
        assert total is not None
        assert total.typical == energy


def test_energy_does_not_rise_and_is_measured_where_accuracy_is_kept(data: Data) -> None:
    source = snn_deploy.load_float_network(CHECKPOINT)
    profile = load_profile("algorithm_45nm")
    outcome = search_formats(source, data, NARROW, max_loss=0.05, goal=Goal(profile, "energy"))
    told = outcome.to_json()
    assert told["cost"] == "energy"
    assert told["after"] < told["before"]
    best = (float(f"{told['energy_before_j']:.3g}"), told["before"])
    for trial in told["trials"]:
        assert (trial["energy_j"] is None) == (trial["score"] < outcome.limit)
        if trial["energy_j"] is None:
            assert not trial["kept"]
            continue
        cost = (float(f"{trial['energy_j']:.3g}"), trial["memory_bytes"])
        assert trial["kept"] == (cost <= best)
        best = min(best, cost)
    assert {trial["kept"] for trial in told["trials"]} == {True, False}
    assert best == (float(f"{told['energy_after_j']:.3g}"), told["after"])


def test_the_command_says_what_was_saved(
    data: Data, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    only_readouts(monkeypatch)
    np.savez(tmp_path / "data.npz", inputs=data.inputs, labels=data.labels)
    out = tmp_path / "d.safetensors"
    search = f"--calibration {tmp_path / 'data.npz'} -o {out} --search --max-loss 0.1"
    target = "--search-for energy --target algorithm_45nm --set energy.ac_pj=1000"
    with pytest.raises(SystemExit) as left:
        main(["convert", str(CHECKPOINT), *search.split(), *target.split()])
    assert left.value.code == 0
    assert re.search(
        r"trials, [\d.]+ µJ to [\d.]+ µJ a sequence, [\d,]+ to [\d,]+ bytes of chip memory",
        capsys.readouterr().out,
    )
    assert '"cost": "energy"' in (tmp_path / "d.search.json").read_text()
    assert snn_deploy.load(out).profile.overrides == ("energy.ac_pj",)


def test_the_function_is_not_hidden_by_a_module() -> None:
    assert callable(snn_deploy.search)
    assert not (Path(snn_deploy.__file__).parent / "search.py").exists()


def test_a_start_below_the_limit_is_refused(data: Data) -> None:
    source = snn_deploy.load_float_network(CHECKPOINT)
    start = QuantizationConfig(weight_bits=2, state_bits=9, decay_bits=6)
    with pytest.raises(ConfigError, match=r"starts at accuracy 0\.\d+, below .* --max-loss"):
        search_formats(source, data, start, max_loss=0.0)


def test_formats_of_single_nodes(tmp_path: Path) -> None:
    file = tmp_path / "formats.toml"
    file.write_text('weight_bits = 7\n[nodes."layers.0"]\nweight_bits = 4\nresidual_bits = 12\n')
    settings = read_formats(file)
    network = snn_deploy.convert(
        CHECKPOINT, calibration=EXAMPLE / "train.npz", settings=settings
    ).network
    assert network["layers.0.mix.synapses"].weight_bits == 4
    assert network["layers.1.mix.synapses"].weight_bits == 7
    assert network["layers.0.residual"].output.bits == 12
    assert network["layers.1.residual"].output.bits == 20


@pytest.mark.parametrize(
    ("nodes", "message"),
    [
        ({"layers.7": {"weight_bits": 4}}, "set for 'layers.7', but no node has that name"),
        ({"layers.0": {"weight_bits": 9}}, "weight_bits=9: input should be less than or equal"),
        ({"layers.0": {"headroom": 2}}, "headroom holds for the whole network"),
        ({"layers.0": {"bits": 2}}, "unknown setting 'bits'"),
    ],
)
def test_wrong_formats_are_named(nodes: dict[str, dict[str, int]], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        snn_deploy.convert(CHECKPOINT, calibration=EXAMPLE / "train.npz", settings={"nodes": nodes})


def test_unreadable_formats_are_named(tmp_path: Path) -> None:
    (tmp_path / "broken.toml").write_text("weight_bits =")
    for name, message in (
        ("broken.toml", r"broken\.toml: not a readable TOML file"),
        ("missing.toml", r"cannot read the formats .*missing\.toml: No such file"),
    ):
        with pytest.raises(ConfigError, match=message):
            read_formats(tmp_path / name)

"""``verify`` on engines that truly differ, and on a network that answers otherwise than float."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import faulty_engines
import networks
import numpy as np
import pytest
from click.testing import CliRunner
from faulty_engines import CLIPS, NEURON, SEQUENCE, SOMA, STEP

import snn_deploy
from snn_deploy import examples
from snn_deploy.api import Deployment
from snn_deploy.cli.main import commands, main
from snn_deploy.compare.verification import Divergence
from snn_deploy.data.inputs import Data, check_data
from snn_deploy.io.deployment_file import Provenance
from snn_deploy.mapping.profile import load_profile
from snn_deploy.passes.pipeline import compile_network
from snn_deploy.passes.quantize import Calibration
from snn_deploy.quantize.config import QuantizationConfig
from snn_deploy.run import simulation

EXAMPLE = Path(examples.__file__).parent / "seqdigits_uni"
CHECKPOINT = EXAMPLE / "seqdigits_uni.ckpt"


@dataclass(frozen=True)
class Case:
    deployment: Deployment
    data: Data
    path: str
    data_path: str


@pytest.fixture(scope="module")
def case(tmp_path_factory: pytest.TempPathFactory) -> Case:
    folder = tmp_path_factory.mktemp("verify")
    source = networks.float_network()
    inputs = networks.float_inputs(source).astype(np.float32)
    data = check_data(source, inputs)
    network = compile_network(source, QuantizationConfig(), Calibration(inputs, data.lengths))
    origin = Provenance(
        "loihi2", str(load_profile("loihi2").version), "a.ckpt", "1" * 64, {}, {}, "0.0"
    )
    deployment = Deployment(network, origin)
    deployment.save(folder / "d.safetensors")
    np.savez(folder / "data.npz", inputs=inputs)
    return Case(deployment, data, str(folder / "d.safetensors"), str(folder / "data.npz"))


@pytest.fixture(autouse=True)
def _faulty(monkeypatch: pytest.MonkeyPatch) -> None:
    faulty_engines.register(monkeypatch)


def divergence(case: Case, name: str) -> Divergence | None:
    outcome = case.deployment.verify(case.data, backends=["reference", name])
    assert outcome.passed == (outcome.engines[0].divergence is None)
    return outcome.engines[0].divergence


def run_reference(case: Case) -> Any:
    network = case.deployment.network
    return case.deployment.simulate(case.data, backend="reference", trace=network.names)


def test_the_first_wrong_spike_is_named(case: Case) -> None:
    """First by node, then by step: not by sequence, and nothing that follows from it."""
    spike = int(run_reference(case).trace[SOMA][SEQUENCE, STEP, NEURON])
    expected = Divergence(SOMA, SEQUENCE, STEP, NEURON, (spike, 1 - spike))
    assert divergence(case, "wrong-signal") == expected


def test_sequences_are_counted_through_all_blocks(
    case: Case, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = {name: divergence(case, name) for name in faulty_engines.FAULTS}
    monkeypatch.setattr(simulation, "BATCH_BYTES", 0)  # one sequence at a time
    for name, expected in whole.items():
        found = divergence(case, name)
        if name == "wrong-saturation":  # of that block
            assert found is not None
            assert found.node == CLIPS
        else:
            assert found == expected, name


def test_every_integer_of_every_signal_is_compared(case: Case) -> None:
    outcome = case.deployment.verify(case.data, backends=["reference", "native"])
    assert outcome.passed
    signals = run_reference(case).trace.values()
    assert outcome.engines[0].values == sum(signal.size for signal in signals)


def test_a_wrong_count_of_messages_is_named(case: Case) -> None:
    sent = int(run_reference(case).messages[SOMA][SEQUENCE, NEURON])
    found = divergence(case, "wrong-count")
    assert found == Divergence(SOMA, SEQUENCE, None, NEURON, (sent, sent + 1), "messages")


def test_a_wrong_answer_is_named(case: Case) -> None:
    found = divergence(case, "wrong-answer")
    assert found is not None
    assert found.values[1] == found.values[0] - 3
    assert (found.figure, found.node) == ("answer", case.deployment.network.output.name)
    assert (found.sequence, found.step, found.neuron) == (SEQUENCE, None, NEURON)


def test_a_wrong_count_of_clipped_values_is_named(case: Case) -> None:
    clipped = run_reference(case).saturated[CLIPS]
    found = divergence(case, "wrong-saturation")
    assert found == Divergence(CLIPS, None, None, None, (clipped, clipped + 1), "saturated")


def test_an_engine_need_not_count_clipped_values(case: Case) -> None:
    assert divergence(case, "counts-nothing") is None


def test_each_engine_is_compared_with_the_first(case: Case) -> None:
    names = ["reference", "native", "wrong-count"]
    outcome = case.deployment.verify(case.data, backends=names)
    assert [comparison.passed for comparison in outcome.engines] == [True, False]
    assert not outcome.passed


WORDS = {
    "wrong-signal": f"node {SOMA}, neuron {NEURON}, step {STEP} of sequence {SEQUENCE}",
    "wrong-count": f"node {SOMA} (messages), neuron {NEURON} of sequence {SEQUENCE}",
    "wrong-answer": f"node decoder (answer), neuron {NEURON} of sequence {SEQUENCE}",
    "wrong-saturation": "node layers.0.ssm (saturated)",
}


@pytest.mark.parametrize("name", WORDS)
def test_the_command_names_it_and_fails(
    case: Case, name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = str(tmp_path / "out.json")
    words = ["verify", case.path, "--data", case.data_path, "--backends", f"native,{name}"]
    with pytest.raises(SystemExit) as left:
        main([*words, "--json", out])
    assert left.value.code == 1
    found = divergence(case, name)
    assert found is not None
    first, second = found.values
    shown = capsys.readouterr()
    assert f"native ≠ {name}: first divergence at {WORDS[name]}: native {first}, " in shown.out
    assert f"{name} {second}\n" in shown.out
    assert shown.err == ""
    document = json.loads(Path(out).read_text())
    assert document["passed"] is document["engines"][0]["passed"] is False
    assert document["engines"][0]["divergence"]["values"] == [first, second]


def test_the_command_passes_where_engines_agree(case: Case) -> None:
    words = ["verify", case.path, "--data", case.data_path, "--backends", "native,counts-nothing"]
    done = CliRunner().invoke(commands, words, standalone_mode=False)
    assert (done.exception, done.return_value) == (None, 0)


@pytest.fixture(scope="module")
def coarse(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str, float]:
    """The example with weights of 2 bits, data, and how often it predicts what float does."""
    folder = tmp_path_factory.mktemp("coarse")
    with np.load(EXAMPLE / "test.npz") as archive:
        inputs = archive["inputs"][:20]
    np.savez(folder / "data.npz", inputs=inputs)
    deployment = snn_deploy.convert(CHECKPOINT, calibration=inputs, settings={"weight_bits": 2})
    deployment.save(folder / "d.safetensors")
    accuracy = deployment.verify(inputs, backends=["native"], against=CHECKPOINT).accuracy
    assert accuracy is not None
    return str(folder / "d.safetensors"), str(folder / "data.npz"), accuracy.agreement


def test_agreement_below_what_is_asked_for_fails(coarse: tuple[str, str, float]) -> None:
    path, data, agreement = coarse
    assert 0 < agreement < 1
    words = ["verify", path, "--data", data, "--backends", "native", "--against", str(CHECKPOINT)]
    for asked, code in ((agreement, 0), (np.nextafter(agreement, 1), 1), (1, 1), (0, 0)):
        done = CliRunner().invoke(
            commands, [*words, "--min-agreement", repr(float(asked))], standalone_mode=False
        )
        assert (done.exception, done.return_value) == (None, code), asked

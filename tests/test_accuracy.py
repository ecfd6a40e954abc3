"""Float against integer: where error enters, and what is said of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import snn_deploy
from snn_deploy import examples
from snn_deploy.compare.signals import SignalError, SignalErrors, advise
from snn_deploy.data.inputs import Data
from snn_deploy.engines.floating import run_float
from snn_deploy.errors import SnnDeployWarning
from snn_deploy.ir.formats import Format

EXAMPLE = Path(examples.__file__).parent / "seqdigits_uni"
CHECKPOINT = EXAMPLE / "seqdigits_uni.ckpt"


@pytest.fixture(scope="module")
def data() -> Data:
    with np.load(EXAMPLE / "test.npz") as archive:
        inputs, labels = archive["inputs"][:12], archive["labels"][:12]
    return Data(inputs, labels, np.full(12, inputs.shape[1]))


def _compare(data: Data, **settings: int) -> tuple[snn_deploy.Deployment, object]:
    deployment = snn_deploy.convert(
        CHECKPOINT, calibration=EXAMPLE / "train.npz", settings=settings
    )
    outcome = deployment.verify(data, backends=["reference"], against=CHECKPOINT)
    return deployment, outcome.accuracy


@pytest.fixture(scope="module")
def plain(data: Data) -> Any:
    """The example with default settings, compared once for all tests that only look."""
    return _compare(data)


def test_total_errors_are_those_of_the_signals(data: Data, plain: Any) -> None:
    deployment, accuracy = plain
    source = snn_deploy.load_float_network(CHECKPOINT)
    name = "layers.1.residual"
    exact = run_float(source, data.inputs, record=[name]).signals[name]
    trace = deployment.simulate(data, backend="reference", trace=[name]).trace[name]
    noise = exact - deployment.network[name].output.decode(trace)
    found = next(s for s in accuracy.signals if s.node == name)
    expected = 10 * np.log10(np.square(exact).sum() / np.square(noise).sum())
    assert found.signal_to_noise_db == pytest.approx(expected, abs=1e-6)
    worst = np.square(noise).sum(axis=(0, 1)).argmax()
    assert found.worst_channels[0] == worst
    assert found.worst_step == np.square(noise).sum(axis=(0, 2)).argmax()


def test_surrogate_spikes_are_told_from_exact_ones(data: Data, plain: Any) -> None:
    _, accuracy = plain
    source = snn_deploy.load_float_network(CHECKPOINT)
    names = [f"layers.{i}.lif" for i in range(2)]
    runs = [run_float(source, data.inputs, None, n, names).signals for n in ("exact", "surrogate")]
    found = {s.node: s.surrogate_mismatch for s in accuracy.signals}
    for name in names:
        assert found[name] == (runs[0][name] != runs[1][name]).mean()
    assert found["layers.1.lif"] > 0
    assert found["layers.1.glu"] is None


def test_clipped_inputs_are_counted(data: Data, plain: Any) -> None:
    deployment, fitting = plain
    assert "input" not in fitting.saturated
    inputs = data.inputs.copy()
    inputs[0, :3] = 100 * np.abs(inputs).max()
    unlike = "distributed otherwise than those of calibration"
    with pytest.warns(SnnDeployWarning, match=unlike):
        outcome = deployment.verify(inputs, backends=["native"], against=CHECKPOINT)
    assert outcome.accuracy is not None
    assert outcome.accuracy.saturated["input"] == 3
    assert outcome.accuracy.signals[0].saturated == 3
    told = r"^3 of 768 input values lie outside ±"
    with pytest.warns(SnnDeployWarning, match=unlike), pytest.warns(match=told) as caught:
        simulation = deployment.simulate(inputs)
    assert simulation.saturated["input"] == 3
    assert {warning.filename for warning in caught} == {__file__}
    with pytest.warns(SnnDeployWarning, match=unlike), pytest.warns(match=told) as caught:
        deployment.report(inputs)
    assert {warning.filename for warning in caught} == {__file__}


def test_inputs_are_encoded_once(data: Data, plain: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    deployment, _ = plain
    encoded, encode = [], Format.encode

    def counted(form: Format, value: np.ndarray) -> tuple[np.ndarray, int]:
        encoded.append(len(value))
        return encode(form, value)

    monkeypatch.setattr(Format, "encode", counted)
    deployment.simulate(data)
    assert sum(encoded) == len(data)
    deployment.verify(data, backends=["native"], against=CHECKPOINT)
    assert sum(encoded) == 2 * len(data)


def test_errors_by_step_and_channel_add_up_to_the_whole(plain: Any) -> None:
    _, accuracy = plain
    for signal in accuracy.signals:
        whole = signal.mismatch
        if whole is None:
            noise = signal.signal_to_noise_db
            whole = 0.0 if noise is None else 10 ** (-noise / 10)
        for parts in (signal.error_by_step, signal.error_by_channel):
            assert np.mean(parts) == pytest.approx(whole, rel=1e-3)
        if signal.worst_step is not None:
            assert np.argmax(signal.error_by_step) == signal.worst_step
            assert np.argmax(signal.error_by_channel) == signal.worst_channels[0]


def test_long_sequences_are_told_in_parts() -> None:
    source = snn_deploy.load_float_network(CHECKPOINT)
    network = snn_deploy.convert(CHECKPOINT, calibration=EXAMPLE / "train.npz").network
    errors = SignalErrors(source, network)
    shapes = {name: (1, 300, network[name].width) for name in errors.shared}
    exact = {name: np.zeros(shape) for name, shape in shapes.items()}
    trace = {name: np.zeros(shape, np.int64) for name, shape in shapes.items()}
    exact["layers.0.lif"][0, 299, 5] = 1
    errors.add(exact, trace, np.full(1, 300))
    found = next(e for e in errors.results({}) if e.node == "layers.0.lif")
    assert len(found.error_by_step) == 128
    assert found.error_by_step[:-1] == (0.0,) * 127
    width = network["layers.0.lif"].width
    assert found.error_by_step[-1] == pytest.approx(1 / (2 * width), rel=1e-3)  # of 2 steps
    assert found.worst_step == 299


@pytest.mark.parametrize(
    ("settings", "node", "setting"),
    [
        ({"weight_bits": 3}, ".glu", "weight_bits"),
        ({"decay_bits": 7, "readout_bits": 7}, ".ssm", "decay_bits, readout_bits"),
        ({"residual_bits": 7}, ".residual", "residual_bits"),
        ({"input_bits": 4}, "input", "input_bits"),
    ],
)
def test_the_narrowed_format_is_the_one_named(
    data: Data, settings: dict[str, int], node: str, setting: str
) -> None:
    _, accuracy = _compare(data, **settings)
    entry = accuracy.advice.split(",")[0]
    assert node in entry
    assert setting in accuracy.advice


def test_a_narrow_node_hurts_itself_and_not_what_came_before(data: Data, plain: Any) -> None:
    _, wide = plain
    _, narrow = _compare(data, weight_bits=3)
    for name, falls in (("layers.0.glu", True), ("layers.0.ssm", False)):
        before, after = (
            next(s for s in a.signals if s.node == name).local_signal_to_noise_db
            for a in (wide, narrow)
        )
        assert (after < before - 6) == falls


def test_silent_dying_and_always_firing_neurons_are_counted() -> None:
    source = snn_deploy.load_float_network(CHECKPOINT)
    network = snn_deploy.convert(CHECKPOINT, calibration=EXAMPLE / "train.npz").network
    errors = SignalErrors(source, network)
    shapes = {name: (2, 5, network[name].width) for name in errors.shared}
    exact = {name: np.zeros(shape) for name, shape in shapes.items()}
    trace = {name: np.zeros(shape, np.int64) for name, shape in shapes.items()}
    soma = "layers.0.lif"
    exact[soma][..., 3] = trace[soma][..., 3] = 1  # always
    exact[soma][0, 2, 5] = 1  # dies
    trace[soma][1, 4, 7] = 1  # appears
    errors.add(exact, trace, np.full(2, 5))
    found = next(e for e in errors.results({soma: 9}) if e.node == soma)
    neurons = network[soma].width
    assert (found.silent, found.died, found.always) == (neurons - 2, 1, 1)
    assert found.mismatch == 2 / (2 * 5 * neurons)
    assert found.worst_channels == (5, 7)
    assert found.saturated == 9


def test_no_error_no_advice() -> None:
    source = snn_deploy.load_float_network(CHECKPOINT)
    assert advise(source, [SignalError("input")]) == "No node adds an error of its own."

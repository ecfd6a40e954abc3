"""Live networks of other libraries' neurons: their own float64 answers, without a file between."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from click.testing import CliRunner

torch = pytest.importorskip("torch")

import snn_deploy
from snn_deploy.cli.main import commands
from snn_deploy.engines.floating import run_float
from snn_deploy.errors import ConfigError, UnsupportedNetworkError
from snn_deploy.ir.network import Network

BATCH, STEPS, INPUTS = 3, 40, 5
Real = npt.NDArray[np.float64]


@pytest.fixture(autouse=True)
def quiet() -> Any:
    """Other libraries warn of themselves; numbers are the same in every run."""
    torch.manual_seed(0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def library(name: str) -> Any:
    """Import a library that warns as it is imported."""
    return pytest.importorskip(name, exc_type=ImportError)


def dense(inputs: int, outputs: int, scale: float, bias: bool = True) -> Any:
    made = torch.nn.Linear(inputs, outputs, bias=bias)
    with torch.no_grad():
        made.weight.normal_(0.0, scale / inputs**0.5)
    return made


def snntorch_net(**how: Any) -> Any:
    snn = library("snntorch")
    hears = {"all_to_all": True, "linear_features": 6, "init_hidden": True, **how}
    # with reset_delay=False snnTorch 1.0.0's own RSynaptic fails
    synaptic = snn.Synaptic if how else snn.RSynaptic
    return torch.nn.Sequential(
        dense(INPUTS, 8, 2.0),
        snn.Leaky(beta=0.8, init_hidden=True, **how),
        torch.nn.Dropout(),
        torch.nn.Sequential(dense(8, 6, 2.0), snn.RLeaky(beta=torch.rand(6), **hears)),
        dense(6, 6, 2.0, bias=False),
        synaptic(
            alpha=0.5, beta=0.7, threshold=0.8, **({"init_hidden": True, **how} if how else hears)
        ),
        snn.Synaptic(alpha=0.3, beta=0.6, threshold=0.5, init_hidden=True, **how),
    )


def norse_net() -> Any:
    norse = library("norse.torch")
    box = norse.LIFBoxParameters(v_leak=torch.tensor(0.1), v_th=torch.tensor(0.3))
    return norse.SequentialState(
        dense(INPUTS, 8, 2.0),
        norse.LIFCell(p=norse.LIFParameters(v_th=torch.tensor(0.4)), dt=0.002),
        dense(8, 6, 4.0),
        norse.LIFBoxCell(box),
        dense(6, 4, 1.0),
        norse.LIBoxCell(),
    )


def norse_recurrent_net(size: int = 8, inputs: int = INPUTS, outputs: int = 4) -> Any:
    norse = library("norse.torch")
    p = norse.LIFParameters(v_th=torch.tensor(0.4))
    hidden = norse.LIFRecurrentCell(inputs, size, p=p, autapses=True)
    with torch.no_grad():
        hidden.input_weights.normal_(0.0, 2.5 / inputs**0.5)
        hidden.recurrent_weights.normal_(0.0, 0.6 / size**0.5)
    return norse.SequentialState(hidden, dense(size, outputs, 2.5), norse.LIFCell(p=p))


def snntorch_recurrent_net(size: int, inputs: int, outputs: int) -> Any:
    snn = library("snntorch")
    how = {"alpha": torch.tensor(0.8), "beta": torch.tensor(0.9), "init_hidden": True}
    each = {"alpha": 0.8, "beta": 0.9, "threshold": 1.0}  # one a neuron, as its exporter wants them
    last = {name: torch.full((outputs,), value) for name, value in each.items()}
    hidden = snn.RSynaptic(all_to_all=True, linear_features=size, **how)
    with torch.no_grad():
        hidden.recurrent.weight.normal_(0.0, 0.6 / size**0.5)
    return torch.nn.Sequential(
        dense(inputs, size, 3.0),
        hidden,
        dense(size, outputs, 1.5),
        snn.Synaptic(**{**how, **last}),
    )


def sinabs_net() -> Any:
    sl, sa = library("sinabs.layers"), library("sinabs.activation")
    return torch.nn.Sequential(
        dense(INPUTS, 8, 9.0),
        sl.LIF(tau_mem=torch.linspace(2.0, 20.0, 8), spike_fn=sa.SingleSpike),
        dense(8, 6, 3.0),
        sl.IAF(spike_fn=sa.SingleSpike, spike_threshold=torch.tensor(0.7)),
        dense(6, 4, 2.0),
        sl.ExpLeak(tau_mem=8.0),
    )


def by_steps(net: Any, inputs: Any) -> Real:
    """What a network that is called step by step answers, its spikes cast to float64."""
    cast = [m.register_forward_pre_hook(_to_double) for m in net.modules() if _weights(m)]
    state, answers = None, []
    stateful = type(net).__name__ == "SequentialState"
    with torch.no_grad():
        for t in range(inputs.shape[1]):
            y = net(inputs[:, t], state) if stateful else net(inputs[:, t])
            y, state = y if stateful else (y, None)
            answers.append(y)
    for hook in cast:
        hook.remove()
    return np.asarray(torch.stack(answers, dim=1).double())


def whole(net: Any, inputs: Any) -> Real:
    cast = [m.register_forward_pre_hook(_to_double) for m in net.modules() if _weights(m)]
    with torch.no_grad():
        answers = np.asarray(net(inputs).double())
    for hook in cast:
        hook.remove()
    return answers


def _weights(module: Any) -> bool:
    return isinstance(module, torch.nn.Linear | torch.nn.Conv2d)


def _to_double(module: Any, given: Any) -> Any:
    return tuple(x.double() for x in given)


Case = tuple[Callable[[], Any], Callable[[Any, Any], Real]]
CASES: dict[str, Case] = {
    "snntorch": (snntorch_net, by_steps),
    "snntorch, to zero": (
        lambda: snntorch_net(reset_delay=False, reset_mechanism="zero"),
        by_steps,
    ),
    "norse": (norse_net, by_steps),
    "norse, recurrent": (norse_recurrent_net, by_steps),
    "sinabs": (sinabs_net, whole),
}


@pytest.mark.parametrize("name", CASES)
def test_it_answers_as_its_library_does(name: str) -> None:
    make, run = CASES[name]
    net = make().double().eval()
    inputs = (torch.rand(BATCH, STEPS, INPUTS) < 0.5).double()
    network = snn_deploy.load_float_network(net, output_steps="all")
    expected = run(net, inputs)
    found = run_float(network, inputs.numpy()).logits
    assert np.abs(expected).mean() > 0.01
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-7)  # Norse's own are float32


def test_it_is_deployed_with_data_of_a_loader() -> None:
    net = snntorch_net().eval()
    inputs = (torch.rand(8, STEPS, INPUTS) < 0.5).float()
    loader = torch.utils.data.DataLoader(torch.utils.data.TensorDataset(inputs), batch_size=4)
    deployment = snn_deploy.convert(net, calibration=loader)
    spikes = run_float(snn_deploy.load_float_network(net), inputs.numpy()).logits
    found = deployment.simulate(inputs, backend="reference").logits
    native = deployment.simulate(inputs, backend="native").logits
    np.testing.assert_array_equal(native, found)
    np.testing.assert_allclose(found, spikes, rtol=0, atol=0.15)
    assert deployment.origin.source["reader"] == "spiking module"


SPOKEN_DIGITS = {"inputs": 700, "size": 128, "outputs": 20}
"""As networks for the Spiking Heidelberg Digits are."""


@pytest.mark.parametrize("make", [snntorch_recurrent_net, norse_recurrent_net])
def test_a_network_of_700_inputs_from_its_framework_to_a_report(make: Callable[..., Any]) -> None:
    """Currents, recurrent weights; converted, placed on Loihi 2 and reported on."""
    net = make(**SPOKEN_DIGITS).eval()
    inputs = (torch.rand(2, 20, 700) < 0.03).float()
    deployment = snn_deploy.convert(net, inputs, target="loihi2", calibration=inputs)
    hidden, last = (node.name for node in deployment.network.spiking)
    found = {
        name: deployment.simulate(inputs, backend=name, trace=[hidden, last])
        for name in ("reference", "native")
    }
    for name in (hidden, last):
        spikes = found["reference"].trace[name]
        assert 0.005 < spikes.mean() < 0.9
        np.testing.assert_array_equal(found["native"].trace[name], spikes)
    network = snn_deploy.load_float_network(net, example_inputs=inputs, output_steps="all")
    in_float = run_float(network, inputs.numpy(), record=[hidden]).signals[hidden]
    assert (found["reference"].trace[hidden] != in_float).mean() < 0.02
    report = deployment.report(inputs)
    assert report.placement.cores
    assert "placed on" in str(report)


def test_a_written_network_of_700_inputs_in_one_command(tmp_path: Path) -> None:
    """What snnTorch's exporter writes, on the command line."""
    nir = library("nir")
    if not hasattr(nir.CubaLIF, "v_reset"):
        pytest.skip("snnTorch's exporter needs a nir in which neurons have v_reset: 1.0.8")
    export = library("snntorch.export_nir").export_to_nir
    net = snntorch_recurrent_net(**SPOKEN_DIGITS).eval()
    inputs = (torch.rand(2, 20, 700) < 0.03).float()
    nir.write(tmp_path / "net.nir", export(net, inputs[:, 0], ignore_dims=[0]))
    np.savez(tmp_path / "data.npz", inputs=inputs.numpy())
    out = tmp_path / "out.safetensors"
    words = ["convert", tmp_path / "net.nir", "--set-model", "writer=snntorch", "--report"]
    words += ["--target", "loihi2", "--calibration", tmp_path / "data.npz", "-o", out]
    found = CliRunner().invoke(commands, [str(word) for word in words])
    assert found.exit_code == 0, found.output
    assert "placed on" in found.output


def convolutional() -> Any:
    snn = library("snntorch")
    return torch.nn.Sequential(
        torch.nn.Conv2d(2, 3, 3, padding=1),
        snn.Leaky(beta=0.7, threshold=0.2, init_hidden=True),
        torch.nn.AvgPool2d(2),
        torch.nn.Flatten(),
        dense(3 * 4 * 3, 4, 4.0),
        snn.Leaky(beta=0.7, init_hidden=True),
    )


def test_frames_need_an_example() -> None:
    net = convolutional().double().eval()
    frames = (torch.rand(BATCH, STEPS, 2, 8, 6) < 0.5).double()
    with pytest.raises(UnsupportedNetworkError, match=r"give example_inputs, \(B, L, …\)"):
        snn_deploy.load_float_network(net)
    with pytest.raises(ConfigError, match=r"of shape \(3,\) are not \(B, L, …\)"):
        snn_deploy.load_float_network(net, example_inputs=np.zeros(3))
    with pytest.raises(
        ConfigError, match="second argument is a module's example inputs, not 'cpu'"
    ):
        snn_deploy.convert(net, "cpu")
    batches = torch.utils.data.DataLoader(torch.utils.data.TensorDataset(frames))
    deployment = snn_deploy.convert(net, frames, calibration=batches)
    assert deployment.simulate(frames).logits.shape == (BATCH, 4)
    network: Network = snn_deploy.load_float_network(net, example_inputs=frames, output_steps="all")
    found = run_float(network, frames.numpy().reshape(BATCH, STEPS, -1)).logits
    np.testing.assert_array_equal(found, by_steps(net, frames))


def neuron(library_name: str, kind: str, **how: Any) -> Any:
    made = getattr(library(library_name), kind)
    return torch.nn.Sequential(dense(INPUTS, 4, 1.0), made(**how))


REFUSED: dict[str, tuple[Callable[[], Any], str]] = {
    "several spikes a step": (
        lambda: neuron("sinabs.layers", "LIF", tau_mem=5.0),
        "several spikes a step",
    ),
    "a bound on potentials": (
        lambda: neuron(
            "sinabs.layers",
            "LIF",
            tau_mem=5.0,
            min_v_mem=-1.0,
            spike_fn=library("sinabs.activation").SingleSpike,
        ),
        "a lower bound on potentials cannot be had",
    ),
    "no reset": (
        lambda: neuron("snntorch", "Leaky", beta=0.5, reset_mechanism="none"),
        "reset_mechanism=none",
    ),
    "a reset at once, by subtraction": (
        lambda: neuron("snntorch", "Leaky", beta=0.5, reset_delay=False),
        "lowered twice",
    ),
    "a late reset to zero": (
        lambda: neuron("snntorch", "Synaptic", alpha=0.5, beta=0.5, reset_mechanism="zero"),
        "a late reset to zero also loses that step's input",
    ),
    "resets that differ": (
        lambda: torch.nn.Sequential(
            neuron("snntorch", "Leaky", beta=0.5),
            neuron("snntorch", "Leaky", beta=0.5, reset_mechanism="zero"),
        ),
        "layer '1.1' .*reset is value, where layers before have subtract-late",
    ),
    "another layer": (
        lambda: torch.nn.Sequential(neuron("snntorch", "Leaky", beta=0.5), torch.nn.GRU(4, 4)),
        r"layer '1' \(torch.GRU\): a layer that cannot be read; there are: norse.IAFCell, ",
    ),
    "another neuron": (
        lambda: neuron("snntorch", "Alpha", alpha=0.8, beta=0.7),
        "a layer that cannot be read",
    ),
}


@pytest.mark.parametrize("case", REFUSED.values(), ids=REFUSED)
def test_what_no_network_here_can_be_is_refused(case: tuple[Callable[[], Any], str]) -> None:
    make, told = case
    net = make()
    with pytest.raises(UnsupportedNetworkError, match=told):
        snn_deploy.load_float_network(net)

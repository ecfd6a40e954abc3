"""Writes the files of this folder: networks of other tools, as their own exporters write them, and
what their own modules answer in float64.

Run it in an environment of its own, for it needs those tools (the versions that were used: nir
1.0.8, nirtorch 2.6, torch 2.15.0, snntorch 1.0.0, norse 1.1.0, sinabs 3.1.3, spikingjelly 2.0.0;
torch 2.14.1 and rockpool 3.1.0, which can be in another environment)::

    python tests/data/nir/make_files.py
    python tests/data/nir/make_rockpool.py

Each ``NAME.nir`` is a graph with random weights. ``NAME.npz`` beside it holds ``inputs`` (B, L, D)
and, under each layer's number, what that layer gave, (B, L, H).
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import nir
import norse.torch as norse
import numpy as np
import sinabs.activation as sa
import sinabs.layers as sl
import sinabs.nir
import snntorch as snn
import torch
from norse.torch.module.iaf import IAFCell, IAFParameters
from norse.torch.utils.export_nir import to_nir as norse_to_nir
from snntorch.export_nir import export_to_nir
from spikingjelly.activation_based import functional, layer, neuron
from spikingjelly.activation_based.nir_exchange import export_to_nir as jelly_to_nir

FOLDER = Path(__file__).resolve().parent
BATCH, STEPS, INPUTS = 3, 50, 5
F64 = torch.float64


def dense(inputs: int, outputs: int, scale: float, bias: bool = True) -> torch.nn.Linear:
    """Give weights that make neurons fire, and not always."""
    made = torch.nn.Linear(inputs, outputs, bias=bias, dtype=F64)
    with torch.no_grad():
        made.weight.normal_(0.0, scale / inputs**0.5)
        if bias:
            made.bias.normal_(0.05, 0.05)
    return made


def given() -> torch.Tensor:
    """Give spikes, (B, L, D)."""
    return (torch.rand(BATCH, STEPS, INPUTS) < 0.4).to(F64)


def keep(name: str, graph: Any, inputs: torch.Tensor, layers: dict[str, Any]) -> None:
    """Write a graph, and what its layers answer."""
    nir.write(FOLDER / f"{name}.nir", graph)
    arrays = {key: np.asarray(torch.as_tensor(v).detach()) for key, v in layers.items()}
    np.savez_compressed(FOLDER / f"{name}.npz", inputs=inputs.numpy(), **arrays)
    rates = {key: round(float(np.abs(a).mean()), 3) for key, a in arrays.items()}
    print(name, list(graph.nodes), {k: type(v).__name__ for k, v in graph.nodes.items()}, rates)


def stepped(net: torch.nn.Module, inputs: torch.Tensor, step: Callable[..., Any]) -> dict[str, Any]:
    """Give what each child of a sequential network answers, one step after another."""
    found: dict[str, list[torch.Tensor]] = {}
    for t in range(inputs.shape[1]):
        x = inputs[:, t]
        for name, child in net.named_children():
            x = step(name, child, x).to(F64)
            found.setdefault(name, []).append(x.detach())
    return {name: torch.stack(parts, dim=1) for name, parts in found.items()}


def snntorch_net(name: str, *layers: torch.nn.Module) -> None:
    """Export single precision, which snnTorch's neurons send; answers are of float64."""
    net, inputs = torch.nn.Sequential(*layers).float().to(F64), given()
    state: dict[str, Any] = {}

    def step(child: str, module: torch.nn.Module, x: torch.Tensor) -> torch.Tensor:
        if isinstance(module, torch.nn.Linear):
            return module(x)
        spikes, *state[child] = module(x, *state.get(child, module_start(module, x)))
        if isinstance(module, snn.RLeaky | snn.RSynaptic):
            state[child] = [spikes.to(F64), *state[child]]
        return spikes

    def module_start(module: Any, x: torch.Tensor) -> list[torch.Tensor]:
        zeros = torch.zeros_like(x)
        counts = {snn.Leaky: 1, snn.Synaptic: 2, snn.RLeaky: 2, snn.RSynaptic: 3}
        return [zeros] * counts[type(module)]

    answers = stepped(net, inputs, step)
    for module in net:
        if not isinstance(module, torch.nn.Linear):
            module.init_hidden = True
    keep(name, export_to_nir(net.float(), inputs[:, 0].float(), ignore_dims=[0]), inputs, answers)


def recurrent(kind: Any, size: int, **how: Any) -> torch.nn.Module:
    made = kind(linear_features=size, all_to_all=True, **how).to(F64)
    made.recurrent = dense(size, size, 0.5)
    return made


def norse_net(name: str, *layers: torch.nn.Module) -> None:
    net, inputs = norse.SequentialState(*layers), given()
    state: dict[str, Any] = {}

    def step(child: str, module: torch.nn.Module, x: torch.Tensor) -> torch.Tensor:
        if isinstance(module, torch.nn.Linear):
            return module(x)
        y, state[child] = module(x, state.get(child))
        return y

    answers = stepped(net, inputs, step)
    keep(name, norse_to_nir(net, inputs[:, 0]), inputs, answers)


def each(kind: Any, size: int, **values: Any) -> Any:
    """Give Norse's parameters, one a neuron: those that hold for all cannot be written as NIR."""
    return kind(**{k: torch.full((size,), float(v), dtype=F64) for k, v in values.items()})


def norse_recurrent(name: str, size: int, outputs: int) -> None:
    """Put a graph together: Norse's exporter knows its cells without recurrence only."""
    cuba = {"tau_syn_inv": 200, "tau_mem_inv": 100, "v_leak": 0, "v_th": 0.3, "v_reset": 0}
    shape = {
        name: each(norse.LIFParameters, n, **cuba) for name, n in (("h", size), ("o", outputs))
    }
    hidden = norse.LIFRecurrentCell(INPUTS, size, p=shape["h"], autapses=True).to(F64)
    fed, out, last = (
        dense(INPUTS, size, 1.0, bias=False),
        dense(size, outputs, 2.0),
        norse.LIFCell(p=shape["o"]),
    )
    hidden.input_weights.data = fed.weight.data
    hidden.recurrent_weights.data = dense(size, size, 0.7, bias=False).weight.data
    exported = norse_to_nir(
        norse.SequentialState(dense(INPUTS, size, 1.0), norse.LIFCell(p=shape["h"])), given()[:, 0]
    )
    rest = norse_to_nir(norse.SequentialState(out, last), torch.zeros(1, size, dtype=F64))
    nodes = {
        "input": nir.Input(np.array([INPUTS])),
        "0": nir.Linear(fed.weight.detach().numpy()),
        "1.lif": exported.nodes["1"],
        "1.w_rec": nir.Linear(hidden.recurrent_weights.detach().numpy()),
        "2": rest.nodes["0"],
        "3": rest.nodes["1"],
        "output": nir.Output(np.array([outputs])),
    }
    row = ["input", "0", "1.lif", "2", "3", "output"]
    edges = [*pairwise(row), ("1.lif", "1.w_rec"), ("1.w_rec", "1.lif")]
    inputs, found = given(), {"1": [], "3": []}
    state, after = norse.LIFState(*torch.zeros(3, BATCH, size, dtype=F64)), None
    for t in range(STEPS):
        spikes, state = hidden(inputs[:, t], state)
        sent, after = last(out(spikes), after)
        found["1"].append(spikes)
        found["3"].append(sent)
    graph = nir.NIRGraph(nodes=nodes, edges=edges)
    keep(name, graph, inputs, {layer: torch.stack(parts, 1) for layer, parts in found.items()})


def sinabs_net(name: str, *layers: torch.nn.Module) -> None:
    """Export single precision, as Sinabs's spikes are; answers are of float64."""
    net, inputs = torch.nn.Sequential(*layers).float().to(F64), given()
    answers, x = {}, inputs
    with torch.no_grad():
        for child, module in net.named_children():
            x = answers[child] = module(x.to(F64))
    net = net.float()
    for module in net:
        if hasattr(module, "reset_states"):
            module.reset_states()
    keep(name, sinabs.nir.to_nir(net, inputs.float()), inputs, answers)


def jelly_net(name: str, *layers: torch.nn.Module) -> None:
    net, inputs = torch.nn.Sequential(*layers).to(F64), given()

    def step(child: str, module: torch.nn.Module, x: torch.Tensor) -> torch.Tensor:
        return module(x)

    answers = stepped(net, inputs, step)
    functional.reset_net(net)
    graph = jelly_to_nir(net, inputs[:, 0])
    keep(name, graph, inputs, answers)


def main() -> None:
    torch.manual_seed(0)
    warnings.simplefilter("ignore")
    beta = torch.linspace(0.6, 0.95, 8, dtype=F64)
    snntorch_net(
        "snntorch_leaky",
        *(dense(INPUTS, 8, 1.5), snn.Leaky(beta=beta, threshold=torch.linspace(0.8, 1.2, 8))),
        *(dense(8, 4, 1.5), snn.Leaky(beta=torch.full((4,), 0.8), threshold=torch.ones(4))),
    )
    snntorch_net(
        "snntorch_zero",
        *(
            dense(INPUTS, 8, 1.5),
            snn.Leaky(beta=beta, threshold=torch.ones(8), reset_mechanism="zero"),
        ),
        *(
            dense(8, 4, 2.0),
            snn.Leaky(
                beta=beta[:4], threshold=torch.ones(4), reset_mechanism="zero", reset_delay=False
            ),
        ),
    )
    alpha = torch.tensor(0.7, dtype=F64)
    how = {"alpha": alpha, "beta": torch.tensor(0.85, dtype=F64)}
    four = {"alpha": torch.full((4,), 0.7), "beta": torch.full((4,), 0.85)}
    snntorch_net(
        "snntorch_recurrent",
        *(dense(INPUTS, 8, 1.0), recurrent(snn.RSynaptic, 8, **how)),
        *(dense(8, 6, 1.0), recurrent(snn.RLeaky, 6, beta=beta[3])),
        *(dense(6, 4, 1.0), snn.Synaptic(**four, threshold=torch.ones(4))),
    )
    cuba = {"tau_syn_inv": 200, "tau_mem_inv": 100, "v_leak": 0, "v_th": 0.3, "v_reset": 0}
    box = {"tau_mem_inv": 150, "v_leak": 0.1, "v_th": 0.4, "v_reset": 0}
    leaky = {"tau_mem_inv": 80, "v_leak": -0.2}
    norse_net(
        "norse_lif",
        *(dense(INPUTS, 8, 1.5), norse.LIFCell(p=each(norse.LIFParameters, 8, **cuba))),
        *(dense(8, 4, 3.0), norse.LIFBoxCell(each(norse.LIFBoxParameters, 4, **box))),
        *(dense(4, 3, 1.0), norse.LIBoxCell(each(norse.LIBoxParameters, 3, **leaky))),
    )
    norse_net(
        "norse_iaf",
        *(dense(INPUTS, 8, 1.0), IAFCell(each(IAFParameters, 8, v_th=1.5, v_reset=0))),
    )
    single = {"spike_fn": sa.SingleSpike}
    sinabs_net(
        "sinabs_lif",
        *(
            dense(INPUTS, 8, 9.0),
            sl.LIF(torch.linspace(3, 30, 8), spike_threshold=torch.ones(8), **single),
        ),
        *(dense(8, 4, 4.0), sl.IAF(spike_threshold=torch.tensor(1.0), **single)),
        *(dense(4, 3, 1.0), sl.ExpLeak(tau_mem=torch.full((3,), 12.0))),
    )
    jelly_net(
        "spikingjelly_lif",
        *(layer.Linear(INPUTS, 8), neuron.LIFNode(tau=3.0, v_threshold=0.2, v_reset=0.0)),
        *(
            layer.Linear(8, 6),
            neuron.LIFNode(tau=4.0, decay_input=False, v_threshold=0.4, v_reset=-0.1),
        ),
        *(layer.Linear(6, 4), neuron.IFNode(v_threshold=0.18, v_reset=0.1)),
    )
    norse_recurrent("norse_recurrent", 8, 4)


if __name__ == "__main__":
    sys.exit(main())

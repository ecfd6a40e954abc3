"""Writes ``rockpool_lif.nir``, and what Rockpool's own modules answer, which is single precision.

See ``make_files.py``. Rockpool's exporter leaves out biases and recurrent weights of its neurons,
so that there are none here; a neuron sends one spike a step at the most.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import nir
import numpy as np
import torch
from rockpool.nn.combinators import Sequential
from rockpool.nn.modules import ExpSynTorch, LIFNeuronTorch, LIFTorch, LinearTorch
from rockpool.nn.modules.torch.nir import to_nir

FOLDER = Path(__file__).resolve().parent
BATCH, STEPS, INPUTS, DT = 3, 50, 5, 1e-3


def dense(inputs: int, outputs: int, scale: float, bias: float = 0.05) -> Any:
    """Give weights (inputs, outputs) that make neurons fire, and not always."""
    made = LinearTorch((inputs, outputs), has_bias=True)
    made.weight.data.normal_(0.0, scale / inputs**0.5)
    made.bias.data.normal_(bias, bias)
    return made


def main() -> None:
    torch.manual_seed(0)
    single = {"max_spikes_per_dt": 1.0, "dt": DT}
    taus = torch.linspace(0.005, 0.03, 8)
    net = Sequential(
        dense(INPUTS, 8, 1.5),
        LIFTorch(8, tau_mem=taus, tau_syn=torch.tensor(0.004), threshold=torch.ones(8), **single),
        dense(8, 6, 2.0),
        LIFNeuronTorch(6, tau_mem=torch.full((6,), 0.01), threshold=torch.ones(6), **single),
        dense(6, 3, 0.2, bias=0.0),
        ExpSynTorch(3, tau=torch.full((3,), 0.02), dt=DT),
    )
    for parameter in torch.nn.Module.parameters(net):
        parameter.requires_grad_(False)
    graph = to_nir(net)
    nir.write(FOLDER / "rockpool_lif.nir", graph)
    net.reset_state()  # the exporter ran it
    inputs = (torch.rand(BATCH, STEPS, INPUTS) < 0.4).float()
    answers, x = {}, inputs
    for name, module in net.named_children():
        x = answers[name] = module(x)[0]
    arrays = {name: np.asarray(answer.detach()) for name, answer in answers.items()}
    np.savez_compressed(FOLDER / "rockpool_lif.npz", inputs=inputs.double().numpy(), **arrays)
    print({name: round(float(np.abs(array).mean()), 3) for name, array in arrays.items()})


if __name__ == "__main__":
    sys.exit(main())

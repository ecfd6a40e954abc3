"""Makes the files beside it: networks exported by torch, with what torch computes.

    python make_files.py          # needs torch, onnx and onnxscript

Two exporters, each of them on a network of dense layers and on one of convolutions; weights are
random, from a seed. ``torch_*.npz`` holds inputs, and outputs in float64.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import nn

HERE = Path(__file__).parent


def dense() -> nn.Sequential:
    return nn.Sequential(
        nn.Linear(6, 16),
        nn.ReLU(),
        nn.LayerNorm(16),
        nn.Linear(16, 16),
        nn.GELU(),
        nn.Linear(16, 3),
    )


def convolutional() -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(2, 4, 3, stride=2, padding=1),
        nn.BatchNorm2d(4),
        nn.ReLU(),
        nn.Conv2d(4, 6, 3, groups=2, bias=False),
        nn.ReLU(),
        nn.AvgPool2d(2),
        nn.Flatten(),
        nn.Linear(6, 5),
    )


def export(name: str, module: nn.Module, shape: tuple[int, ...]) -> None:
    module.eval()
    x = torch.randn(4, *shape, generator=torch.Generator().manual_seed(5))
    for exporter in ("script", "dynamo"):
        path = HERE / f"torch_{exporter}_{name}.onnx"
        if exporter == "script":
            axes = {"x": {0: "batch"}}
            torch.onnx.export(
                module,
                (x,),
                path,
                input_names=["x"],
                output_names=["y"],
                dynamic_axes=axes,
                opset_version=17,
                dynamo=False,
            )
        else:
            batch = torch.export.Dim("batch")
            torch.onnx.export(
                module,
                (x,),
                path,
                input_names=["x"],
                output_names=["y"],
                dynamic_shapes=({0: batch},),
                dynamo=True,
                external_data=False,
            )
    with torch.no_grad():
        y = module.double()(x.double())
    np.savez(HERE / f"torch_{name}.npz", x=x.numpy(), y=y.numpy())


if __name__ == "__main__":
    torch.manual_seed(3)
    network = convolutional()
    for norm in network:
        if isinstance(norm, nn.BatchNorm2d):
            norm.running_mean.uniform_(-0.5, 0.5)
            norm.running_var.uniform_(0.5, 2.0)
    export("dense", dense(), (6,))
    export("convolutional", network, (2, 8, 8))

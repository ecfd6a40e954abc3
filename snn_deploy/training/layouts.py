"""Of which of a checkpoint's parameters a network's numbers are made, family by family.

The formulas are those of the converters, written once more because a gradient has to pass through
them; that both agree on a checkpoint is checked before any training.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from snn_deploy.converters.s4_backbone import BackboneConfig
from snn_deploy.converters.s4_config import KernelOptions, parse_s4_config
from snn_deploy.converters.spikingssm_config import parse_config
from snn_deploy.training.kernels import discrete_ssm
from snn_deploy.training.neuron import ternary_surrogate

if TYPE_CHECKING:
    from snn_deploy.ir.network import Network

__all__ = ["LAYOUTS", "Layout", "Named", "Store"]

Named = Iterator[tuple[str, dict[str, Tensor]]]
"""A node's name, and its numbers by the node's field."""

_NORM_EPSILON = 1e-5  # PyTorch's default, which the authors' code keeps


@dataclass(frozen=True, eq=False)
class Store:
    """A checkpoint in training.

    Parameters
    ----------
    parameters, stored
        By the checkpoint's keys: what is trained, and all tensors as they were read.
    config
        Its configuration.
    network
        The float network that they are the numbers of.
    where
        What messages call it.
    """

    parameters: Mapping[str, Tensor]
    stored: Mapping[str, npt.NDArray[np.generic]]
    config: Mapping[str, Any] | None
    network: Network
    where: str

    def ends(self) -> Named:
        """Give the encoder and the decoder; what is no parameter (one-hot, positions) stays."""
        first = self.network.nodes[1]
        keys = "encoder.0.conv." if "encoder.0.conv.weight" in self.parameters else "encoder.0."
        if f"{keys}bias" in self.parameters:
            yield first.name, self.linear(keys)
        elif f"{keys}weight" in self.parameters:
            yield first.name, {"table": self.parameters[f"{keys}weight"]}
        yield self.network.output.name, self.linear("decoder.0.output_transform.")

    def linear(self, keys: str) -> dict[str, Tensor]:
        """Give weight and bias of a linear layer; a convolution over several steps keeps them."""
        weight, bias = (self.parameters[f"{keys}{name}"] for name in ("weight", "bias"))
        one_step = weight.ndim == 3 and weight.shape[2] == 1 and "encoder" not in keys
        return {"weight": weight[..., 0] if one_step else weight, "bias": bias}

    def norm(self, keys: str, name: str) -> dict[str, Tensor]:
        """Give a batch norm, with its stored statistics as on the chip, or a layer norm."""
        weight, bias = self.parameters[f"{keys}weight"], self.parameters[f"{keys}bias"]
        if not hasattr(self.network[name], "scale"):  # a layer norm
            return {"weight": weight, "bias": bias}
        mean, variance = (
            torch.tensor(self.stored[f"{keys}running_{x}"].astype(np.float32))
            for x in ("mean", "var")
        )
        scale = weight / torch.sqrt(variance + _NORM_EPSILON)
        return {"scale": scale, "shift": bias - mean * scale}


def spikingssm(store: Store) -> Named:
    """Give the numbers of a SpikingSSM: readout and skip of an SSM are divided by the threshold."""
    config = parse_config(store.config, store.where)
    yield from store.ends()
    for index in range(len(store.network.spiking)):
        name, keys = f"layers.{index}", f"model.s4_layers.{index}."
        layer = config.model.layer
        fields = discrete_ssm(store.parameters, f"{keys}kernel.", layer, layer.trainable_B)
        fields["d"] = store.parameters[f"{keys}D"][0]
        if layer.learnable_vth:
            gain = torch.exp(-store.parameters[f"{keys}ln_vth"].reshape(-1))
            fields["d"] = fields["d"] * gain
            readouts = [name for name in ("c", "c_reverse") if name in fields]
            fields |= {name: fields[name] * gain[:, None] for name in readouts}
        yield f"{name}.ssm", fields
        yield f"{name}.mix", store.linear(f"{keys}output_linear.0.")
        if config.model.prenorm:
            yield f"{name}.norm", store.norm(f"model.norms.{index}.", f"{name}.norm")


def _backbone(store: Store, read_layer: Callable[[Store, str, str, KernelOptions], Named]) -> Named:
    """Give the numbers of a network behind S4's own backbone."""
    config = parse_s4_config(BackboneConfig, store.config, store.where)
    layer = config.model.layer
    kernel = KernelOptions(**{k: v for k, v in layer.items() if k in KernelOptions.model_fields})
    yield from store.ends()
    for index in range(config.model.n_layers):
        name, keys = f"layers.{index}", f"model.layers.{index}."
        if config.model.norm is not None:
            yield f"{name}.norm", store.norm(f"{keys}norm.norm.", f"{name}.norm")
        yield from read_layer(store, name, f"{keys}layer.", kernel)
    if config.model.prenorm and config.model.norm is not None:
        yield "norm", store.norm("model.norm.norm.", "norm")


def s4d(store: Store) -> Named:
    """Give the numbers of S4D, spiking or not, as a layer of its own."""
    return _backbone(store, _s4d_layer)


def s4block(store: Store) -> Named:
    """Give the numbers of S4D, spiking or not, in S4's own block."""
    return _backbone(store, _s4block_layer)


def gsu(store: Store) -> Named:
    """Give the numbers of S4D with Gated Spiking Units."""
    return _backbone(store, _gsu_layer)


def _s4d_ssm(store: Store, keys: str, kernel: KernelOptions) -> dict[str, Tensor]:
    fields = discrete_ssm(store.parameters, f"{keys}kernel.", kernel, trainable_b=False)
    return fields | {"d": store.parameters[f"{keys}D"]}


def _s4d_layer(store: Store, name: str, keys: str, kernel: KernelOptions) -> Named:
    yield f"{name}.ssm", _s4d_ssm(store, keys, kernel)
    yield f"{name}.mix", store.linear(f"{keys}output_linear.0.")


def _s4block_layer(store: Store, name: str, keys: str, kernel: KernelOptions) -> Named:
    fields = discrete_ssm(store.parameters, f"{keys}layer.kernel.", kernel, trainable_b=True)
    yield f"{name}.ssm", fields | {"d": store.parameters[f"{keys}layer.D"][0]}
    if f"{keys}output_linear.0.weight" in store.parameters:
        yield f"{name}.mix", store.linear(f"{keys}output_linear.0.")


def _gsu_layer(store: Store, name: str, keys: str, kernel: KernelOptions) -> Named:
    """Give a layer whose second matrix is ternary: the gradient takes either level for a step."""
    mix, parameters = f"{keys}output_linear.", store.parameters
    yield f"{name}.ssm", _s4d_ssm(store, keys, kernel)
    if f"{mix}w" in parameters:  # one matrix (in, out) is both
        first = second = parameters[f"{mix}w"].T
        biases = [parameters[f"{mix}{bias}"] for bias in ("b", "c")]
    else:
        first, second = (parameters[f"{mix}pro_linear{k}.weight"] for k in (1, 2))
        biases = [parameters[f"{mix}pro_linear{k}.bias"] for k in (1, 2)]
    node: Any = store.network[f"{name}.ternary"]
    level = node.fraction * second.detach().abs().max()
    scales = [
        torch.exp(parameters[key]) if (key := f"{mix}ternay{k}.log_w") in parameters else 1.0
        for k in (1, 2)
    ]
    yield f"{name}.gate", {"weight": scales[0] * first, "bias": biases[0]}
    value = scales[1] * ternary_surrogate(second, level)
    yield f"{name}.value", {"weight": value, "bias": biases[1]}
    if f"{mix}LN.weight" in parameters:
        yield f"{name}.inner_norm", store.norm(f"{mix}LN.", f"{name}.inner_norm")


@dataclass(frozen=True)
class Layout:
    """How a family keeps its numbers.

    Parameters
    ----------
    fields
        Gives those that are trained.
    mix
        Where the weights are that spikes of a layer meet, with {} for its number; None where they
        are not used as they are stored.
    """

    fields: Callable[[Store], Named]
    mix: str | None = None


LAYOUTS = {
    "spikingssm": Layout(spikingssm, "model.s4_layers.{}.output_linear.0.weight"),
    "s4d": Layout(s4d, "model.layers.{}.layer.output_linear.0.weight"),
    "s4block": Layout(s4block, "model.layers.{}.layer.output_linear.0.weight"),
    "s4d_gsu": Layout(gsu),
}
"""Family, as the converters name it -> how it keeps its numbers."""

"""Of which of a checkpoint's parameters a network's numbers are made, family by family.

The formulas are those of the converters, written once more because a gradient has to pass through
them; that both agree on a checkpoint is checked before any training.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
import numpy.typing as npt
import torch
from pydantic import BaseModel
from torch import Tensor

from snn_deploy.converters.prf_neuron import NeuronOptions
from snn_deploy.converters.s4_backbone import BackboneConfig
from snn_deploy.converters.s4_config import KernelOptions, parse_s4_config
from snn_deploy.converters.silif import CLAMPS, READOUT_CLAMP, Neuron
from snn_deploy.converters.spikingssm_config import parse_config
from snn_deploy.errors import UnsupportedNetworkError
from snn_deploy.training.kernels import discrete_ssm
from snn_deploy.training.neuron import ternary_surrogate

if TYPE_CHECKING:
    from snn_deploy.ir.network import Network

__all__ = ["LAYOUTS", "Layout", "Named", "Store"]

Named = Iterator[tuple[str, dict[str, Tensor]]]
"""A node's name, and its numbers by the node's field."""

LayerOptions = Mapping[str, Any]
"""The section ``model.layer`` of a configuration."""

Options = TypeVar("Options", bound=BaseModel)

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

    def normalised(self, keys: str) -> dict[str, Tensor]:
        """Give a linear map and the batch norm behind it, as one."""
        norm = self._batch_norm(f"{keys}norm.")
        weight, bias = self.parameters[f"{keys}W.weight"], norm["shift"]
        if f"{keys}W.bias" in self.parameters:
            bias = bias + norm["scale"] * self.parameters[f"{keys}W.bias"]
        return {"weight": norm["scale"][:, None] * weight, "bias": bias}

    def norm(self, keys: str, name: str) -> dict[str, Tensor]:
        """Give a batch norm, with its stored statistics as on the chip, or a layer norm."""
        if hasattr(self.network[name], "scale"):
            return self._batch_norm(keys)
        return {name: self.parameters[f"{keys}{name}"] for name in ("weight", "bias")}

    def _batch_norm(self, keys: str) -> dict[str, Tensor]:
        weight, bias = self.parameters[f"{keys}weight"], self.parameters[f"{keys}bias"]
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


def _backbone(store: Store, read_layer: Callable[[Store, str, str, LayerOptions], Named]) -> Named:
    """Give the numbers of a network behind S4's own backbone."""
    config = parse_s4_config(BackboneConfig, store.config, store.where)
    layer = config.model.layer
    yield from store.ends()
    for index in range(config.model.n_layers):
        name, keys = f"layers.{index}", f"model.layers.{index}."
        if config.model.norm is not None:
            yield f"{name}.norm", store.norm(f"{keys}norm.norm.", f"{name}.norm")
        yield from read_layer(store, name, f"{keys}layer.", layer)
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


def prf(store: Store) -> Named:
    """Give the numbers of PRF's blocks."""
    return _backbone(store, _prf_layer)


def adaptive(neuron: Neuron, store: Store) -> Named:
    """Give the numbers of SiLIF, cAdLIF and adLIF, as their clamps leave them."""
    layer = 0
    while f"snn.{layer + 1}.W.weight" in store.parameters:
        name, keys = f"layers.{layer}", f"snn.{layer}."
        yield f"{name}.current", store.normalised(keys)
        yield f"{name}.lif", _adaptive_lif(neuron, store.parameters, keys)
        layer += 1
    keys = f"snn.{layer}."
    yield "decoder.current", store.normalised(keys)
    leak = store.parameters[f"{keys}alpha"].clamp(*READOUT_CLAMP)[:, None]
    nothing = torch.zeros_like(leak)
    fields = {"a": torch.complex(leak, nothing), "b": torch.complex(1 - leak, nothing)}
    yield "decoder.membrane", fields


def _adaptive_lif(neuron: Neuron, parameters: Mapping[str, Tensor], keys: str) -> dict[str, Tensor]:
    names = ("alpha", "beta", "a", "b")
    fields = {name: parameters[f"{keys}{name}"] for name in names}
    if neuron == "silif":
        log_dt = parameters[f"{keys}dt"]
        fields |= {name: torch.exp(-torch.exp(fields[name] + log_dt)) for name in names[:2]}
    return {
        name: fields[name].clamp(low, high)
        for name, (low, high) in zip(names, CLAMPS[neuron], strict=True)
    }


def _of(options: type[Options], layer: LayerOptions) -> Options:
    """Read those of a layer's options that ``options`` names."""
    return options(**{key: value for key, value in layer.items() if key in options.model_fields})


def _s4d_ssm(store: Store, keys: str, layer: LayerOptions) -> dict[str, Tensor]:
    kernel = _of(KernelOptions, layer)
    fields = discrete_ssm(store.parameters, f"{keys}kernel.", kernel, trainable_b=False)
    return fields | {"d": store.parameters[f"{keys}D"]}


def _s4d_layer(store: Store, name: str, keys: str, layer: LayerOptions) -> Named:
    yield f"{name}.ssm", _s4d_ssm(store, keys, layer)
    yield f"{name}.mix", store.linear(f"{keys}output_linear.0.")


def _s4block_layer(store: Store, name: str, keys: str, layer: LayerOptions) -> Named:
    kernel = _of(KernelOptions, layer)
    fields = discrete_ssm(store.parameters, f"{keys}layer.kernel.", kernel, trainable_b=True)
    yield f"{name}.ssm", fields | {"d": store.parameters[f"{keys}layer.D"][0]}
    if f"{keys}output_linear.0.weight" in store.parameters:
        yield f"{name}.mix", store.linear(f"{keys}output_linear.0.")


def _gsu_layer(store: Store, name: str, keys: str, layer: LayerOptions) -> Named:
    """Give a layer whose second matrix is ternary: the gradient takes either level for a step."""
    mix, parameters = f"{keys}output_linear.", store.parameters
    yield f"{name}.ssm", _s4d_ssm(store, keys, layer)
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


def _prf_layer(store: Store, name: str, keys: str, layer: LayerOptions) -> Named:
    """Give a resonator that learns its pitch and its step, and the matrices behind both spikes."""
    if layer.get("bidirectional"):
        raise UnsupportedNetworkError(
            f"{store.where}: training knows PRF that reads forwards; this network reads both ways"
        )
    options, parameters = _of(NeuronOptions, layer), store.parameters
    if f"{keys}neuron1.log_dt" in parameters:
        dt, theta = (torch.exp(parameters[f"{keys}neuron1.{k}"]) for k in ("log_dt", "theta_log"))
        decay = torch.full_like(theta, 1 / options.tau)
        if options.temporal == "prf_train":
            decay = torch.exp(parameters[f"{keys}neuron1.gamma"])
        pole = torch.exp(torch.complex(-decay * dt, theta * dt))
        gain = torch.complex(dt, torch.zeros_like(dt))
        yield f"{name}.potential", {"a": pole[:, None], "b": gain[:, None]}
    if f"{keys}pro_linear1.weight" in parameters:
        yield f"{name}.mix1", store.linear(f"{keys}pro_linear1.")
    if f"{keys}alpha" in parameters:
        mix = store.linear(f"{keys}pro_linear2.")
        yield (
            f"{name}.mix2",
            {**mix, "weight": mix["weight"] * torch.exp(parameters[f"{keys}alpha"])},
        )


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
    "spikingblockgate": Layout(prf),
    "silif": Layout(partial(adaptive, "silif")),
    "cadlif": Layout(partial(adaptive, "cadlif")),
    "adlif": Layout(partial(adaptive, "adlif")),
}
"""Family, as the converters name it -> how it keeps its numbers."""

"""A checkpoint's network with its parameters as PyTorch tensors under the checkpoint's own keys."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from snn_deploy.checkpoint import Checkpoint
from snn_deploy.converters.registry import recognise, to_float_network
from snn_deploy.converters.spikingssm_config import SpikingSsmConfig, parse_config
from snn_deploy.converters.weights import strip_wrappers
from snn_deploy.data.inputs import Data
from snn_deploy.errors import UnsupportedNetworkError
from snn_deploy.ir.network import Network
from snn_deploy.passes.pipeline import prepare_network
from snn_deploy.passes.split_head import SplitHead
from snn_deploy.training.kernels import discrete_ssm
from snn_deploy.training.operations import NEURONS, OPERATIONS, Fields

__all__ = ["FAMILY", "Model", "Tensors"]

Tensors = Mapping[str, npt.NDArray[np.generic]]

FAMILY = "spikingssm"

# The surrogate neuron is one of the authors' constants; batch-norm runs with its stored statistics,
# as it does on the chip.
_FROZEN = re.compile(r".*(\.neuron\..*|\.running_(mean|var)|\.pe)")
_NORM_EPSILON = 1e-5  # PyTorch's default, which the authors' code keeps
_AGREEMENT = 1e-4  # far above float32's errors, far below any other formula's


@dataclass(frozen=True, eq=False)
class Model:
    """Parameters that can be trained, and the network that they are the parameters of.

    Parameters
    ----------
    source
        The checkpoint that training starts from.
    config
        What its configuration says about the mathematics.
    network
        Its float network with folded thresholds: the structure, and all numbers that stay.
    parameters
        By the checkpoint's keys without prefixes of wrappers: float32, with gradients.
    """

    source: Checkpoint
    config: SpikingSsmConfig
    network: Network
    parameters: Mapping[str, Tensor]

    @classmethod
    def read(cls, checkpoint: Checkpoint, family: str | None = None) -> Model:
        """Make a model of a checkpoint, of whatever family it says or of the given one.

        Raises
        ------
        CheckpointError
            If the checkpoint cannot be converted.
        UnsupportedNetworkError
            If it can, but a part of it cannot be trained; the message names the part.
        """
        family = family or recognise(checkpoint)
        network = to_float_network(checkpoint, family=family)
        if family != FAMILY:
            raise UnsupportedNetworkError(
                f"{checkpoint.path.name}: training knows networks of the family {FAMILY}, not "
                f"{family}"
            )
        _refuse_what_cannot_be_trained(network, checkpoint.path.name)
        network = prepare_network(network, SplitHead(count=0))
        parameters = {
            key: torch.tensor(value.astype(np.float32), requires_grad=True)
            for key, value in strip_wrappers(checkpoint.tensors).items()
            if np.issubdtype(value.dtype, np.floating) and not _FROZEN.fullmatch(key)
        }
        config = parse_config(checkpoint.config, checkpoint.path.name)
        model = cls(checkpoint, config, network, parameters)
        model._check_agreement()
        return model

    def tensors(self) -> dict[str, npt.NDArray[np.generic]]:
        """Give the state dict as it is now: float32 where training changed it, else as it was."""
        tensors = strip_wrappers(self.source.tensors)
        for key, parameter in self.parameters.items():
            now = parameter.detach().numpy()
            if not np.array_equal(now, tensors[key].astype(np.float32)):
                tensors[key] = now.copy()
        return tensors

    def checkpoint(self, tensors: Tensors | None = None) -> Checkpoint:
        """Give the checkpoint with its tensors as they are now, or with others."""
        return replace(self.source, tensors=dict(self.tensors() if tensors is None else tensors))

    def synapses(self) -> list[tuple[str, str]]:
        """Name every layer's synapses behind its neurons: the node, and the key of its weights."""
        return [
            (f"layers.{index}.mix", f"model.s4_layers.{index}.output_linear.0.weight")
            for index in range(len(self.network.spiking))
        ]

    def fields(self) -> dict[str, dict[str, Tensor]]:
        """Give every node's numbers, by node name and the node's field, from the parameters."""
        fields = {node.name: _constants(node) for node in self.network}
        for name, trained in self._trained_fields():
            fields[name].update(trained)
        return fields

    def forward(self, data: Data) -> Tensor:
        """Give the float network's answer, with exact LIF neurons."""
        return self.run(data, self.fields(), {})

    def run(self, data: Data, fields: Mapping[str, Fields], values: Mapping[str, Tensor]) -> Tensor:
        """Run the network; give its answer.

        Parameters
        ----------
        data
            A batch.
        fields
            The numbers of each node, as :meth:`fields` gives them.
        values
            Signals by node name. Where there is one it is the node's output, exactly, and the
            node's own computation gives nothing but the gradient. Without any this is the float
            network with exact LIF neurons.
        """
        lengths = torch.from_numpy(data.lengths)
        signals: dict[str, Tensor] = {}
        for node in self.network:
            value = values.get(node.name)
            sources = [signals[edge.source] for edge in node.inputs]
            if node is self.network.input:
                signal = _inputs(node, data) if value is None else value
            elif node.spikes:
                signal = NEURONS[type(node)](node, sources[0], value)
            else:
                signal = OPERATIONS[type(node)](node, fields[node.name], sources, lengths)
                if value is not None:
                    signal = value + (signal - signal.detach())
            signals[node.name] = signal
        return signals[self.network.output.name]

    def _trained_fields(self) -> Iterator[tuple[str, dict[str, Tensor]]]:
        parameters = self.parameters
        yield from self._ends()
        for index in range(len(self.network.spiking)):
            name, keys = f"layers.{index}", f"model.s4_layers.{index}."
            yield f"{name}.ssm", self._ssm(keys)
            weight, bias = (parameters[f"{keys}output_linear.0.{x}"] for x in ("weight", "bias"))
            yield f"{name}.mix", {"weight": weight[..., 0], "bias": bias}
            if self.config.model.prenorm:
                norm = self._norm(f"model.norms.{index}.", f"{name}.norm")
                yield f"{name}.norm", norm

    def _ends(self) -> Iterator[tuple[str, dict[str, Tensor]]]:
        """Give the encoder and the decoder; what is no parameter (one-hot, positions) stays."""
        first = self.network.nodes[1]
        keys = "encoder.0.conv." if "encoder.0.conv.weight" in self.parameters else "encoder.0."
        if f"{keys}bias" in self.parameters:
            yield first.name, {x: self.parameters[f"{keys}{x}"] for x in ("weight", "bias")}
        elif f"{keys}weight" in self.parameters:
            yield first.name, {"table": self.parameters[f"{keys}weight"]}
        keys = "decoder.0.output_transform."
        yield self.network.output.name, {x: self.parameters[keys + x] for x in ("weight", "bias")}

    def _ssm(self, keys: str) -> dict[str, Tensor]:
        """Give an SSM whose readout and skip are divided by the threshold."""
        fields = discrete_ssm(self.parameters, f"{keys}kernel.", self.config.model.layer)
        fields["d"] = self.parameters[f"{keys}D"][0]
        if self.config.model.layer.learnable_vth:
            gain = torch.exp(-self.parameters[f"{keys}ln_vth"].reshape(-1))
            fields["d"] = fields["d"] * gain
            readouts = [name for name in ("c", "c_reverse") if name in fields]
            fields |= {name: fields[name] * gain[:, None] for name in readouts}
        return fields

    def _norm(self, keys: str, name: str) -> dict[str, Tensor]:
        weight, bias = self.parameters[f"{keys}weight"], self.parameters[f"{keys}bias"]
        if not hasattr(self.network[name], "scale"):  # a layer norm
            return {"weight": weight, "bias": bias}
        tensors = strip_wrappers(self.source.tensors)
        mean, variance = (
            torch.tensor(tensors[f"{keys}running_{x}"].astype(np.float32)) for x in ("mean", "var")
        )
        scale = weight / torch.sqrt(variance + _NORM_EPSILON)
        return {"scale": scale, "shift": bias - mean * scale}

    def _check_agreement(self) -> None:
        """Refuse a network whose numbers come out differently here than in the conversion."""
        for name, fields in self.fields().items():
            node = self.network[name]
            for field, tensor in fields.items():
                expected = np.asarray(getattr(node, field))
                error = np.abs(tensor.detach().numpy() - expected).max(initial=0.0)
                if not error <= _AGREEMENT * np.abs(expected).max(initial=0.0):
                    raise UnsupportedNetworkError(
                        f"{self.source.path.name}: node '{name}': training would compute another "
                        f"'{field}' than the conversion (off by {error:.3g}), so this network "
                        "cannot be trained; please report it"
                    )


def _constants(node: Any) -> dict[str, Tensor]:
    """Give a node's own numbers, which stay as they are, in float32."""
    names = vars(node)
    fields = {name: names[name] for name in names if isinstance(names[name], np.ndarray)}
    return {
        name: torch.tensor(value.astype(np.complex64 if np.iscomplexobj(value) else np.float32))
        for name, value in fields.items()
    }


def _inputs(node: Any, data: Data) -> Tensor:
    if node.reads_tokens:
        return torch.from_numpy(data.inputs.astype(np.int64))
    return torch.from_numpy(data.inputs.astype(np.float32))


def _refuse_what_cannot_be_trained(network: Network, where: str) -> None:
    known = OPERATIONS.keys() | NEURONS.keys()
    for node in network:
        if type(node) not in known and node is not network.input:
            raise UnsupportedNetworkError(
                f"{where}: node '{node.name}' is a {node.kind}, which cannot be trained here; "
                f"known: {', '.join(sorted(kind.__name__ for kind in known))}"
            )
    answer = network.output
    if answer.pooling is None or not network.answer.once:
        raise UnsupportedNetworkError(
            f"{where}: training knows classifiers, which give one vector a sequence; this network "
            f"ends in '{answer.name}', which does not"
        )

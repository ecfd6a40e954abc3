"""A checkpoint's network with its parameters as PyTorch tensors under the checkpoint's own keys."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from snn_deploy.checkpoint import Checkpoint
from snn_deploy.converters.registry import recognise, to_float_network
from snn_deploy.converters.weights import strip_wrappers
from snn_deploy.data.inputs import Data
from snn_deploy.errors import UnsupportedNetworkError
from snn_deploy.ir.network import Network
from snn_deploy.passes.pipeline import prepare_network
from snn_deploy.passes.split_head import SplitHead
from snn_deploy.training.layouts import LAYOUTS, Store
from snn_deploy.training.operations import NEURONS, OPERATIONS, Fields

__all__ = ["Model", "Tensors"]

Tensors = Mapping[str, npt.NDArray[np.generic]]

# The surrogate neuron is one of the authors' constants; batch-norm runs with its stored statistics,
# as it does on the chip.
_FROZEN = re.compile(r".*(\.neuron\..*|\.running_(mean|var)|\.pe)")
_AGREEMENT = 1e-4  # far above float32's errors, far below any other formula's


@dataclass(frozen=True, eq=False)
class Model:
    """Parameters that can be trained, and the network that they are the parameters of.

    Parameters
    ----------
    source
        The checkpoint that training starts from.
    family
        What the converters call its family.
    network
        Its float network with folded thresholds: the structure, and all numbers that stay.
    parameters
        By the checkpoint's keys without prefixes of wrappers: float32, with gradients.
    """

    source: Checkpoint
    family: str
    network: Network
    parameters: Mapping[str, Tensor]

    @classmethod
    def read(
        cls,
        checkpoint: Checkpoint,
        family: str | None = None,
        output_steps: Literal["one", "all"] = "one",
    ) -> Model:
        """Make a model of a checkpoint.

        Parameters
        ----------
        family
            Its family, where the checkpoint does not say it, or says another.
        output_steps
            Whether it answers with one vector a sequence or at every step.

        Raises
        ------
        CheckpointError
            If the checkpoint cannot be converted.
        UnsupportedNetworkError
            If it can, but a part of it cannot be trained; the message names the part.
        """
        family = family or recognise(checkpoint)
        network = to_float_network(checkpoint, output_steps, family=family)
        if family not in LAYOUTS:
            raise UnsupportedNetworkError(
                f"{checkpoint.path.name}: training knows networks of the families "
                f"{', '.join(LAYOUTS)}, not {family}"
            )
        _refuse_what_cannot_be_trained(network, output_steps, checkpoint.path.name)
        network = prepare_network(network, SplitHead(count=0))
        parameters = {
            key: torch.tensor(value.astype(np.float32), requires_grad=True)
            for key, value in strip_wrappers(checkpoint.tensors).items()
            if np.issubdtype(value.dtype, np.floating) and not _FROZEN.fullmatch(key)
        }
        model = cls(checkpoint, family, network, parameters)
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
        """Name every layer's synapses behind its neurons: the node, and the key of its weights,
        where those are used as they are stored.
        """
        key = LAYOUTS[self.family].mix
        if key is None:
            return []
        layers = range(len(self.network.spiking))
        return [(f"layers.{index}.mix", key.format(index)) for index in layers]

    def fields(self) -> dict[str, dict[str, Tensor]]:
        """Give every node's numbers, by node name and the node's field, from the parameters."""
        fields = {node.name: _constants(node) for node in self.network}
        tensors = strip_wrappers(self.source.tensors)
        where = self.source.path.name
        store = Store(self.parameters, tensors, self.source.config, self.network, where)
        for name, trained in LAYOUTS[self.family].fields(store):
            fields[name].update(trained)
        return fields

    def forward(self, data: Data) -> Tensor:
        """Give the float network's answer, with exact neurons."""
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
                signal = NEURONS[type(node)](node, fields[node.name], sources[0], value)
            else:
                signal = OPERATIONS[type(node)](node, fields[node.name], sources, lengths)
                if value is not None:
                    signal = value + (signal - signal.detach())
            signals[node.name] = signal
        return signals[self.network.output.name]

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


def _refuse_what_cannot_be_trained(network: Network, output_steps: str, where: str) -> None:
    known = OPERATIONS.keys() | NEURONS.keys()
    for node in network:
        if type(node) not in known and node is not network.input:
            raise UnsupportedNetworkError(
                f"{where}: node '{node.name}' is a {node.kind}, which cannot be trained here; "
                f"known: {', '.join(sorted(kind.__name__ for kind in known))}"
            )
    answer: Any = network.output
    one_vector = answer.sums_steps or (answer.pooling is not None and network.answer.once)
    if output_steps == "one" and not one_vector:
        raise UnsupportedNetworkError(
            f"{where}: fine-tuning knows networks that give one vector a sequence; this network "
            f"ends in '{answer.name}', which does not"
        )

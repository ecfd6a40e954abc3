"""From a lowered network to the layers of a ``.net`` file, where it is made of such layers.

A layer is a neuron of Loihi's, or a sigma-delta neuron, and all synapses whose sums it reads.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from snn_deploy.errors import TargetError
from snn_deploy.ir.formats import Edge
from snn_deploy.ir.network import Network
from snn_deploy.nodes.chip_alif import ChipAlif
from snn_deploy.nodes.chip_cuba import ChipCuba
from snn_deploy.nodes.chip_resonator import ChipResonator
from snn_deploy.nodes.lif import LifSoma
from snn_deploy.nodes.lif_registers import LOIHI
from snn_deploy.nodes.pooling import Accumulator
from snn_deploy.nodes.requantize import Requantize
from snn_deploy.nodes.sigma_delta import SigmaDelta
from snn_deploy.readers.lava_dl.neurons import (
    ALIF,
    ALIF_FIELDS,
    CUBA_FIELDS,
    RESONATOR_FIELDS,
    RESONATORS,
)

__all__ = ["layers_of"]

IntArray = npt.NDArray[np.int64]
Layer = dict[str, Any]

SPIKE_EXPONENT = STATE_EXPONENT = 6
NEURONS = (ChipAlif, ChipCuba, ChipResonator, LifSoma, SigmaDelta)
SPIKING = {"refDelay": 1, "gradedSpike": False}


def layers_of(network: Network) -> tuple[list[Layer], tuple[str, ...]]:
    """Give the layers, and what their reader should know.

    Raises
    ------
    TargetError
        Naming the node that such a file cannot hold.
    """
    made = _Layers(network)
    notes: tuple[str, ...] = ()
    for node in network:
        if isinstance(node, NEURONS):
            made.add(node)
        elif isinstance(node, Accumulator) and node is network.output:
            notes = (f"'{node.name}' is left out: a .net file answers with what its outputs send",)
        elif not (node.is_input or node.synaptic or isinstance(node, Requantize)):
            raise _refused(node, "is of no kind that a .net file holds")
    held = {*made.held, network.input.name, network.output.name}
    for node in network:
        if node.name not in held:
            raise _refused(node, "leads to no neuron of a .net file")
    return made.layers, notes


@dataclass
class _Layers:
    network: Network
    layers: list[Layer] = field(default_factory=list)
    last: str = ""
    frame: tuple[int, ...] = ()  # of what the last layer sends
    held: set[str] = field(default_factory=set)

    def add(self, soma: Any) -> None:
        sides = [self._parts(soma, edge) for edge in soma.inputs]
        every = [node for parts in sides for node, _, _ in parts]
        self.held |= {soma.name, *(node.name for node in every)}
        first = every[0]
        shared = not first.wired_alike
        if any(node.wired_alike == shared for node in every):
            raise _refused(soma, "reads a matrix of weights and kernels, too")
        if not self.layers:
            self.last = self.network.input.name
            maps = (first.windows.maps, *first.windows.size) if shared else (first.input_width,)
            self.layers.append({"type": "input", "shape": maps})
            self.frame = maps
        made = [self._conv(soma, parts) if shared else self._dense(soma, parts) for parts in sides]
        layer = made[0] if len(made) == 1 else _turning(soma, *made)
        if not shared and len(self.frame) > 1:
            self.layers.append({"type": "flatten", "shape": (int(np.prod(self.frame)),)})
        bias, neuron = _neuron(soma)
        if bias.any():
            layer["bias"] = _by_map(soma, bias, layer["shape"])
        self.layers.append({**layer, "neuron": neuron})
        self.last, self.frame = soma.name, layer["shape"]

    def _parts(self, soma: Any, edge: Edge) -> list[tuple[Any, int, int]]:
        """Give a port's synapses, each with its weights' exponent and how far it looks back."""
        drive: Any = self.network[edge.source]
        exponent = getattr(soma, "align", LOIHI.align_bits) - LOIHI.align_bits
        back = edge.steps_back
        if drive.synaptic:
            found = [(drive, exponent, back + drive.inputs[0].steps_back)]
        elif isinstance(drive, Requantize) and drive.rescale is None:
            self.held.add(drive.name)
            found = []
            for index, part in enumerate(drive.inputs):
                node: Any = self.network[part.source]
                shifts = np.zeros(1, np.int64) if drive.align is None else drive.align[index]
                if not node.synaptic or shifts.min() != shifts.max():
                    raise _refused(drive, f"adds up '{node.name}', as no layer does")
                steps = back + part.steps_back + node.inputs[0].steps_back
                found.append((node, exponent + int(shifts.min()), steps))
        else:
            raise _refused(drive, "has gains and offsets, which a .net file has none of")
        if any(shift < 0 for _, shift, _ in found):
            raise _refused(soma, "reads weights that are fractions of a unit")
        return found

    def _dense(self, soma: Any, parts: list[tuple[Any, int, int]]) -> Layer:
        width = soma.width
        weight = np.zeros((width, int(np.prod(self.frame))), np.int64)
        again, delay = np.zeros((width, width), np.int64), np.zeros(weight.shape, np.int64)
        recurrent = False
        for node, exponent, steps in parts:
            matrix = node.stored_weights.astype(np.int64) << exponent
            source = node.inputs[0].source
            if source == soma.name and steps == 1:
                again, recurrent = again + matrix, True
            elif source == self.last:
                here = matrix != 0
                if np.any(here & (weight != 0) & (delay != steps)):
                    raise _refused(node, "has a synapse of several delays")
                delay[here] = steps
                weight += matrix
            else:
                raise _refused(node, f"reads '{source}', which is not the layer before")
        if recurrent and delay.any():
            raise _refused(soma, "hears itself, and its inputs are delayed")
        layer: Layer = {"type": "dense_rec" if recurrent else "dense", "shape": (width,)}
        layer |= {"inFeatures": weight.shape[1], "outFeatures": width, "weight": weight}
        layer |= {"weight_rec": again} if recurrent else {}
        return layer | ({"delay": delay} if delay.any() else {})

    def _conv(self, soma: Any, parts: list[tuple[Any, int, int]]) -> Layer:
        windows = parts[0][0].windows
        for node, _, steps in parts:
            if node.windows != windows or node.inputs[0].source != self.last or steps:
                raise _refused(node, "is no convolution of the layer before")
        if len(windows.size) != 2 or windows.before != windows.after:
            raise _refused(parts[0][0], "is no convolution of rows and columns, padded evenly")
        kernel = sum(node.stored_weights.astype(np.int64) << shift for node, shift, _ in parts)
        filters = len(parts[0][0].stored_weights)
        return {
            "type": "conv",
            "shape": (filters, *windows.outer),
            "inChannels": windows.maps,
            "outChannels": filters,
            "kernelSize": windows.kernel,
            "stride": windows.stride,
            "padding": windows.before,
            "dilation": windows.dilation,
            "groups": windows.groups,
            "weight": kernel,
        }


def _neuron(soma: Any) -> tuple[IntArray, Mapping[str, Any]]:
    """Give a neuron's bias, and its group."""
    if isinstance(soma, SigmaDelta):
        unit = 1 << (SPIKE_EXPONENT + STATE_EXPONENT)
        whole = soma.threshold % unit == 0 and not np.any(soma.bias % unit)
        if not (whole and soma.rectify and soma.scale == STATE_EXPONENT):
            raise _refused(soma, "is no neuron of netx's: relu, and states of six bits more")
        fields = {"type": "SDNN", "activation": "relu", "vThMant": soma.threshold // unit}
        return soma.bias // unit, fields
    bias: IntArray = getattr(soma, "bias", np.zeros(1, np.int64))
    if isinstance(soma, LifSoma):
        words = {"iDecay": 1 << LOIHI.decay_bits, "vDecay": soma.decay, "vThMant": soma.threshold}
        return bias, {"type": "CUBA", **words, **SPIKING}
    kind, names = _words(soma)
    found: Layer = {}
    for ours, name in names.items():
        value = getattr(soma, ours)
        alike = bool(np.all(value == value[0]))
        if not alike and kind != ALIF:
            raise _refused(soma, f"has neurons of different {name}, where netx takes one for all")
        found[name] = int(value[0]) if alike else value
    return bias, {"type": kind, **found, **SPIKING}


def _words(soma: Any) -> tuple[str, Mapping[str, str]]:
    """Give a neuron's type, and what its words are called in the file."""
    if isinstance(soma, ChipResonator):
        return RESONATORS[0 if soma.phase else 1], RESONATOR_FIELDS
    return (ALIF, ALIF_FIELDS) if isinstance(soma, ChipAlif) else ("CUBA", CUBA_FIELDS)


def _turning(soma: Any, real: Layer, imag: Layer) -> Layer:
    """Make one layer of complex weights of the layers of either part."""
    if any("delay" in side or side["type"] != "dense" for side in (real, imag)):
        raise _refused(soma, "is a resonator that hears itself, kernels, or what is delayed")
    return {**real, "weight": {"real": real["weight"], "imag": imag["weight"]}}


def _by_map(soma: Any, bias: IntArray, shape: tuple[int, ...]) -> IntArray:
    maps = np.broadcast_to(bias, (soma.width,)).reshape(shape[0], -1)
    if np.any(maps != maps[:, :1]):
        raise _refused(soma, "has places of different bias, where netx takes one a map")
    return maps[:, 0]


def _refused(node: Any, why: str) -> TargetError:
    return TargetError(f"node '{node.name}' ({node.kind}) {why}; write onnx or nir instead")

"""From the layers of a ``.net`` file to an integer network: the same integers, step by step.

A layer's synapses and its neuron are nodes of their own. What differs in delay, or does not fit
eight bits, is synapses side by side, whose sums a further node adds up before the neuron.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from snn_deploy.errors import ConfigError, UnsupportedNetworkError
from snn_deploy.ir.answer import Answer
from snn_deploy.ir.formats import SPIKE, Edge, Format
from snn_deploy.ir.network import Network, OutputSteps
from snn_deploy.ir.windows import Windows
from snn_deploy.nodes.base import Rescale
from snn_deploy.nodes.inputs import Input
from snn_deploy.nodes.pooling import Accumulator
from snn_deploy.nodes.requantize import Requantize
from snn_deploy.nodes.synapses import Synapses
from snn_deploy.nodes.weighted import Sums
from snn_deploy.printable import shown
from snn_deploy.readers.lava_dl.fields import Fields, IntArray
from snn_deploy.readers.lava_dl.neurons import (
    RESONATORS,
    SIGMA_DELTA,
    neuron_kind,
    neuron_of,
    resonator,
)
from snn_deploy.readers.lava_dl.synapses import (
    SUM_BITS,
    dense_synapses,
    dense_synapses_of_delays,
    exponent_of,
    message_bits,
    shared_synapses,
    sum_of,
)
from snn_deploy.readers.lava_dl.weights import delays_of

__all__ = ["NetOptions", "network_of"]

RECIPROCAL_BITS = 16
UNIT_WEIGHT = 64  # of an input layer that says none: 1, as Loihi's potentials count
MOST_LAYERS = 1000
NETX_HAS_NONE = ("average", "concat", "convT", "unpool")

Shape = tuple[int, ...]


@dataclass(frozen=True)
class NetOptions:
    """What netx is told beside the file.

    Parameters
    ----------
    input_message_bits
        Of a graded input, signed; 0: spikes.
    input_shape
        (maps, rows, columns) of the input, for files that do not say.
    """

    input_message_bits: int = 0
    input_shape: Shape | None = None


def network_of(file: Fields, options: NetOptions, steps: OutputSteps) -> tuple[Network, list[str]]:
    """Give the integer network of a file, and what a user should know of how it was read.

    The answer is the output's spikes at every step, at the last K, or, as ``"one"`` vector, their
    number.

    Raises
    ------
    CheckpointError, UnsupportedNetworkError
        Naming the layer, and what is wrong or not read.
    """
    layers = file.group("layer", "")
    names = sorted(layers.tree, key=lambda name: (len(name), name))
    if not names or names != [str(index) for index in range(len(names))]:
        raise layers.refused(f"its layers are called {shown(', '.join(names))}, not 0, 1, 2, …")
    if len(names) > MOST_LAYERS:
        raise layers.refused(f"{len(names):,} layers, over {MOST_LAYERS:,}")
    made = _Builder(options)
    for index in names:
        made.add(int(index), layers.group(index, f": layer {index}"))
    if not made.nodes:
        raise layers.refused("there is no layer with neurons")
    if steps == "one":
        made.count_spikes()
    answer = Answer(steps, node=None if steps == "one" else made.source)
    return Network("integer", tuple(made.nodes), (answer,)), made.notes


@dataclass
class _Builder:
    options: NetOptions
    nodes: list[Any] = field(default_factory=list)
    shape: Shape | None = None  # of what comes next: (maps, rows, columns), or (channels,)
    source: str = "input"  # what that reads
    notes: list[str] = field(default_factory=list)

    def add(self, index: int, layer: Fields) -> None:
        kind = layer.text("type")
        if kind not in LAYERS:
            why = ", and netx has none" if kind in NETX_HAS_NONE else ""
            raise UnsupportedNetworkError(
                f"{layer.where}: layers of type {shown(kind)} are not read{why}; "
                f"{', '.join(LAYERS)} are"
            )
        try:
            LAYERS[kind](self, f"layers.{index}", layer)
        except ConfigError as error:  # a geometry that cannot be
            raise layer.refused(str(error)) from error

    @property
    def _speaks(self) -> Any:
        """The node whose signal is the last layer's."""
        return next(node for node in self.nodes if node.name == self.source)

    def count_spikes(self) -> None:
        """Answer with the sum of what each output said: its spikes, or its last activation."""
        assert self.shape is not None  # there are nodes
        self.nodes.append(
            Accumulator(
                name="decoder.pool",
                inputs=(Edge(self.source),),
                output=Format(SUM_BITS, self._speaks.output.exponent),
                channels=int(np.prod(self.shape)),
                mode="sum",
                use_lengths=True,
                guard_bits=0,
                headroom_bits=0,
                reciprocal_bits=RECIPROCAL_BITS,
            )
        )

    # --- layers

    def _input(self, name: str, layer: Fields) -> None:
        self.shape = _shape_of(layer)
        if layer.has("neuron"):
            self._enter(layer)
            width = int(np.prod(self.shape))
            weight, bias = layer.number("weight", UNIT_WEIGHT), layer.number("bias", 0)
            self.nodes.append(
                Requantize(
                    name=f"{name}.drive",
                    inputs=(Edge("input"),),
                    output=Format(SUM_BITS, 0),
                    channels=width,
                    rescale=Rescale(
                        mantissa=np.full(width, weight, np.int32),
                        shift=np.zeros(width, np.int8),
                        bias=np.full(width, bias, np.int32),
                        bits=max(2, abs(weight).bit_length() + 1),
                    ),
                )
            )
            self._soma(name, layer, self.shape, 0, self.nodes[-1].name)

    def _enter(self, layer: Fields) -> None:
        """Make the input, once it is known how wide it is."""
        if self.nodes:
            return
        assert self.shape is not None  # the layer knows what it reads
        bits = self.options.input_message_bits
        form = Format(bits, 0) if bits else SPIKE
        self.nodes.append(Input(name="input", output=form, channels=int(np.prod(self.shape))))

    def _flatten(self, name: str, layer: Fields) -> None:
        """Map after map, row after row: nothing changes."""
        if self.shape is not None:
            self.shape = (int(np.prod(self.shape)),)

    def _dense(self, name: str, layer: Fields) -> None:
        out = int(np.prod(_shape_of(layer)))
        if self._complex(layer):
            self._turning(name, layer, out)
            return
        weight = self._matrix(layer, "weight", out)
        delay = delays_of(layer, (out, weight.shape[1]))
        parts = dense_synapses_of_delays(name, weight, delay, self.source, layer)
        self._neuron(name, layer, (out,), parts, self._recurrent(name, layer, out))

    def _matrix(self, layer: Fields, name: str, out: int) -> IntArray:
        """Give the weights (out, in) of what came last."""
        weight = self._weights(layer, name)
        weight = weight.reshape(out, -1) if weight.ndim == 1 and weight.size % out == 0 else weight
        if weight.ndim != 2 or len(weight) != out:
            raise layer.refused(f"'{name}' has shape {weight.shape}, for {out} neurons")
        if self.shape is None:
            self.shape = self.options.input_shape or (weight.shape[1],)
        read = int(np.prod(self.shape))
        if weight.shape[1] != read:
            raise layer.refused(f"'{name}' has shape {weight.shape}, for {read} inputs")
        self._enter(layer)
        return weight

    def _complex(self, layer: Fields) -> bool:
        """Tell whether weights are complex, as a resonator's are and no other neuron's."""
        turns = neuron_kind(layer.group("neuron")) in RESONATORS
        if turns != (layer.has("weight") and not isinstance(layer.tree["weight"], np.ndarray)):
            told = (
                "real, and its neuron's are complex" if turns else "complex, and its neuron is not"
            )
            raise layer.refused(f"its weights are {told}")
        return turns

    def _turning(self, name: str, layer: Fields, out: int) -> None:
        """Add a layer of resonators: synapses for either part of their weights."""
        unread = [it for it in ("delay", "bias") if layer.has(it)]
        unread += ["recurrent weights"] if layer.text("type") == "dense_rec" else []
        if unread:
            raise UnsupportedNetworkError(
                f"{layer.where}: {unread[0]} of a layer of complex weights: not read, and netx "
                "itself drops them"
            )
        weight = layer.group("weight")
        sides = []
        for side in ("real", "imag"):
            matrix = self._matrix(weight, side, out)
            sides.append(dense_synapses(f"{name}.{side}", matrix, Edge(self.source), layer))
        every = [node for parts in sides for node in parts]
        lowest = min(map(exponent_of, every))
        self._make_room(layer, every)
        sources = [
            self._drive(f"{name}.{side}.drive", parts, (), lowest)
            for side, parts in zip(("real", "imag"), sides, strict=True)
        ]
        self.nodes.append(resonator(layer.group("neuron"), name, sources, (out,), lowest))
        self.source, self.shape = name, (out,)

    def _recurrent(self, name: str, layer: Fields, out: int) -> list[Synapses]:
        """Give the synapses through which a layer hears itself a step later."""
        if layer.text("type") != "dense_rec":
            return []
        if layer.has("delay"):
            raise UnsupportedNetworkError(
                f"{layer.where}: delays in a recurrent layer are not read; netx itself takes other "
                "recurrent weights then"
            )
        weight = self._weights(layer, "weight_rec")
        if weight.size != out * out:
            raise layer.refused(f"'weight_rec' has shape {weight.shape}, for {out} neurons")
        return dense_synapses(f"{name}.recurrent", weight.reshape(out, out), Edge(name), layer)

    def _conv(self, name: str, layer: Fields) -> None:
        if layer.has("delay"):
            raise UnsupportedNetworkError(
                f"{layer.where}: delays of a convolution are not read; netx itself drops them"
            )
        kernel = self._weights(layer, "weight")
        kernel = kernel.reshape(kernel.shape[:4])
        if kernel.ndim != 4:
            raise layer.refused(
                f"'weight' has shape {kernel.shape}, not (filters, maps, rows, columns)"
            )
        frame = self._frame(layer)
        windows = Windows.over(
            frame,
            tuple(kernel.shape[2:]),
            stride=layer.sizes("stride", 2),
            padding=layer.sizes("padding", 2),
            dilation=layer.sizes("dilation", 2),
            groups=layer.number("groups", 1),
        )
        self._shared(name, layer, windows, kernel)

    def _pool(self, name: str, layer: Fields) -> None:
        """Every map's own sum; the one weight of the file stands for all taps."""
        frame = self._frame(layer)
        weight = self._weights(layer, "weight").reshape(-1)
        if not weight.size or np.any(weight != weight[0]):
            raise layer.refused("'weight' of a pool holds different weights")
        windows = Windows.over(
            frame,
            layer.sizes("kernelSize", 2),
            stride=layer.sizes("stride", 2),
            padding=layer.sizes("padding", 2),
            dilation=layer.sizes("dilation", 2),
            groups=frame[0],
        )
        kernel = np.full((frame[0], *windows.filter_shape), weight[0])
        self._shared(name, layer, windows, kernel)

    def _frame(self, layer: Fields) -> Shape:
        self.shape = self.shape or self.options.input_shape
        if self.shape is None or len(self.shape) != 3:
            raise layer.refused(
                f"reads maps of rows and columns, where {self.shape or 'nothing'} is known of the "
                "input: give --set-model input_shape=MAPS,ROWS,COLUMNS"
            )
        self._enter(layer)
        return self.shape

    def _shared(self, name: str, layer: Fields, windows: Windows, kernel: IntArray) -> None:
        shape = (len(kernel), *windows.outer)
        told = _shape_of(layer)
        if told != shape or kernel.shape[1:] != windows.filter_shape:
            raise layer.refused(
                f"its shape is {told}, but a kernel of {kernel.shape} on {self.shape} gives {shape}"
            )
        nodes = shared_synapses(name, kernel, windows, self.source, layer)
        self._neuron(name, layer, shape, nodes)

    # --- parts of layers

    def _weights(self, layer: Fields, name: str) -> IntArray:
        if layer.has(name) and not isinstance(layer.tree[name], np.ndarray):
            raise UnsupportedNetworkError(
                f"{layer.where}: complex weights are read of dense layers alone, as by netx"
            )
        found = layer.integers(name)
        if layer.fraction_lost(name):
            self.notes.append(f"{layer.where}: fractions of '{name}' are cut off, as netx does")
        return found

    def _neuron(
        self,
        name: str,
        layer: Fields,
        shape: Shape,
        parts: Sequence[Sums],
        late: Sequence[Synapses] = (),
    ) -> None:
        """Add a layer's synapses, their sum if they are several, and its neuron; what arrives
        ``late`` reads that neuron.
        """
        every = [*parts, *late]
        graded = neuron_kind(layer.group("neuron")) == SIGMA_DELTA
        lowest = 0 if graded else min(map(exponent_of, every))
        self._make_room(layer, parts)
        self._soma(name, layer, shape, lowest, self._drive(f"{name}.drive", parts, late, lowest))
        self._make_room(layer, late)
        self.nodes += late

    def _drive(
        self, name: str, parts: Sequence[Sums], late: Sequence[Synapses], lowest: int
    ) -> str:
        """Add synapses, and their sum where there is one; name what holds it."""
        self.nodes += parts
        if len(parts) + len(late) == 1 and exponent_of(parts[0]) == lowest:
            return parts[0].name
        self.nodes.append(sum_of(name, parts, late, lowest))
        return name

    def _make_room(self, layer: Fields, readers: Sequence[Sums]) -> None:
        """Narrow graded messages of the last neuron, so that no sum of them can overflow."""
        speaker = self._speaks
        if not speaker.spikes and not speaker.is_input and readers:
            bits = min(speaker.output.bits, message_bits(readers, layer))
            narrow = replace(speaker, output=replace(speaker.output, bits=bits))
            self.nodes[self.nodes.index(speaker)] = narrow

    def _soma(self, name: str, layer: Fields, shape: Shape, exponent: int, source: str) -> None:
        """Add a layer's neuron, which ``source`` drives in units of ``2**exponent``."""
        bias, width = np.zeros(1, np.int64), int(np.prod(shape))
        if layer.has("bias") and layer.text("type") != "input":
            bias = self._weights(layer, "bias").reshape(-1)
            if bias.size not in (1, shape[0], width):
                raise layer.refused(f"'bias' has {bias.size} numbers, for {shape} neurons")
            bias = np.repeat(bias, width // shape[0]) if bias.size == shape[0] != width else bias
        neuron = layer.group("neuron")
        self.nodes.append(neuron_of(neuron, name, source, shape, exponent, bias))
        self.source, self.shape = name, shape


def _shape_of(layer: Fields) -> Shape:
    shape = tuple(int(size) for size in layer.integers("shape").reshape(-1))
    if not shape or min(shape) < 1 or len(shape) > 3:
        raise layer.refused(f"its shape is {shape}")
    return shape


LAYERS: dict[str, Callable[[_Builder, str, Fields], None]] = {
    "input": _Builder._input,
    "flatten": _Builder._flatten,
    "dense": _Builder._dense,
    "dense_rec": _Builder._dense,
    "conv": _Builder._conv,
    "pool": _Builder._pool,
}
"""What each type of layer adds."""

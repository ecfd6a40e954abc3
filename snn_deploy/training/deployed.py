"""The network that a chip would run with the present parameters: the values of quantisation-aware
training.

Nothing of the quantisation is imitated here. The parameters go through the conversion itself and
the integer network runs on an engine; its signals, as real numbers, are the values with
which the training computes, and its synapses the weights.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from snn_deploy.converters.registry import to_float_network
from snn_deploy.data.inputs import Data
from snn_deploy.engines.registry import Engine, get_engine
from snn_deploy.ir.formats import SPIKE
from snn_deploy.ir.network import Network
from snn_deploy.nodes.lif_registers import LOIHI, LifRegisters
from snn_deploy.passes.base import Pass
from snn_deploy.passes.pipeline import prepare_network, run_pipeline
from snn_deploy.passes.quantize import Calibration, Quantize
from snn_deploy.passes.split_head import SplitHead
from snn_deploy.quantize.config import QuantizationConfig
from snn_deploy.quantize.ranges import Ranges
from snn_deploy.run.simulation import encode_inputs, simulate
from snn_deploy.training.model import Model, Tensors
from snn_deploy.tune.ternary_maxima import fix_maxima

__all__ = ["Compiled", "Deployer"]

Real = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Compiled:
    """A network in the two stages that training looks at, and the engine that runs it."""

    integer: Network
    lowered: Network
    engine: Engine

    def answer(self, data: Data) -> Real:
        """Give the logits (B, classes) that the deployed network answers."""
        return simulate(self.lowered, data, self.engine).logits

    def signals(self, data: Data, source: Network) -> dict[str, Tensor]:
        """Give all signals that the float network ``source`` has too, as real numbers in float32.

        No integer here is wider than float32's 24 bits, so nothing is rounded once more.
        """
        shared = [name for name in self.lowered.names if name in source.names]
        traced = [name for name in shared if name not in (source.input.name, source.output.name)]
        result = simulate(self.lowered, data, self.engine, traced)
        signals = {name: self._decoded(name, result.trace[name]) for name in traced}
        signals[source.output.name] = _tensor(result.logits)
        if data.inputs.ndim == 3:  # tokens are what they are
            inputs = encode_inputs(self.lowered, data)
            signals[source.input.name] = self._decoded(source.input.name, inputs)
        return signals

    def weights(self, name: str) -> dict[str, Real]:
        """Give weight (out, in) and bias (out,) of the linear layer ``name`` as deployed."""
        linear: Any = self.integer[name]
        source = self._format(linear.inputs[0].source).exponents(linear.weight.shape[1])
        output = linear.output.exponents(linear.width)
        gain = np.ldexp(linear.rescale.mantissa.astype(np.float64), -linear.rescale.shift - output)
        return {
            "weight": linear.weight * gain[:, None] * np.exp2(source),
            "bias": linear.output.decode(linear.rescale.bias),
        }

    def numbers(self, fields: Mapping[str, Mapping[str, Tensor]]) -> dict[str, dict[str, Tensor]]:
        """Give ``fields`` with every linear layer's as deployed, and gradients as they were.

        Weights of several words, which lie in nodes of other names, are as fine as float32.
        """
        deployed = {name: dict(numbers) for name, numbers in fields.items()}
        nodes: Iterable[Any] = self.integer
        for linear in (node for node in nodes if node.weighted and node.name in deployed):
            for field_name, value in self.weights(linear.name).items():
                real = deployed[linear.name][field_name]
                given = _tensor(_over_taps(value, tuple(real.shape)))
                deployed[linear.name][field_name] = given + (real - real.detach())
        return deployed

    def reads_spikes(self, name: str) -> bool:
        """Tell whether the linear layer ``name`` is synapses behind spiking neurons."""
        return bool(self._format(self.integer[name].inputs[0].source) == SPIKE)

    def _format(self, name: str) -> Any:
        node: Any = self.integer[name]
        return node.output

    def _decoded(self, name: str, mantissas: npt.NDArray[np.int64]) -> Tensor:
        node: Any = self.lowered[name]
        return _tensor(node.output.decode(mantissas))


@dataclass(eq=False)
class Deployer:
    """Compiles a model's present parameters.

    Parameters
    ----------
    model
        The model in training.
    quantization
        Widths to train for.
    calibration
        What the conversion will be calibrated on.
    engine
        That runs what was compiled.
    lif
        Registers of the target's own LIF neuron.
    """

    model: Model
    quantization: QuantizationConfig
    calibration: Calibration
    engine: Engine = field(default_factory=partial(get_engine, "native"))
    lif: LifRegisters = LOIHI
    _maxima: dict[str, float] = field(default_factory=dict, init=False)

    def measure(self, tensors: Tensors) -> Ranges:
        """Measure the ranges that the conversion of ``tensors`` would choose its formats from.

        Constants that stand for maxima are chosen, too, and hold until the next time.
        """
        self._choose_maxima(self._trained(tensors))
        split = SplitHead(self.quantization.chip_outputs)
        network = prepare_network(self._network(tensors), split, self._steps)
        return Quantize(self.quantization, self.calibration).ranges(network)

    def convert(self, tensors: Tensors) -> tuple[Ranges, Compiled]:
        """Do what the conversion of a checkpoint with these tensors does."""
        ranges = self.measure(tensors)
        return ranges, self.compile(tensors, ranges)

    def compile(self, tensors: Tensors, ranges: Ranges) -> Compiled:
        """Compile a state dict as the conversion does that measures these ranges."""
        stages: dict[str, Network] = {}

        def keep(step: Pass, network: Network) -> None:
            stages[step.name] = network

        quantize = Quantize(self.quantization, measured=ranges, lif=self.lif)
        lowered = run_pipeline(self._network(tensors), quantize, self._steps, keep)
        return Compiled(stages[Quantize.name], lowered, self.engine)

    def compile_plainly(self, ranges: Ranges) -> Compiled:
        """Compile the present parameters with each weight rounded to the nearest.

        The conversion's own rounding makes one weight's error good by the next: a small change of
        one weight would change many, which no gradient foresees.
        """
        return self.compile(self.model.tensors(), replace(ranges, moments={}))

    def snap(self, compiled: Compiled) -> dict[str, npt.NDArray[np.generic]]:
        """Give the present state dict with the synapses behind spikes put onto their grid.

        Such weights are what they are deployed as: the conversion finds nothing to round, with
        whatever calibration, and the float network computes with the same synapses.
        """
        tensors = self.model.tensors()
        for name, key in self.model.synapses():
            if compiled.reads_spikes(name):
                weight = compiled.weights(name)["weight"].astype(np.float32)
                tensors[key] = weight.reshape(tensors[key].shape)
        return tensors

    @property
    def _steps(self) -> int:
        return int(self.calibration.inputs.shape[1])

    def _trained(self, tensors: Tensors) -> Network:
        return to_float_network(self.model.checkpoint(tensors), family=self.model.family)

    def _network(self, tensors: Tensors) -> Network:
        network = self._trained(tensors)
        nodes: Mapping[str, Any] = {name: network[name] for name in self._maxima}
        return network.rewrite(
            {name: (replace(node, maximum=self._maxima[name]),) for name, node in nodes.items()}
        )

    def _choose_maxima(self, network: Network) -> None:
        nodes: Iterable[Any] = network
        names = [node.name for node in nodes if node.follows_maximum]
        if names and self.quantization.ternary_maxima == "constant":
            data = self.calibration
            fixed: Any = fix_maxima(network, data.inputs, data.lengths).network
            self._maxima = {name: fixed[name].maximum for name in names}


def _over_taps(value: Real, shape: tuple[int, ...]) -> Real:
    """Bring weights over a window's steps to those of a convolution, (out, in, taps)."""
    if len(shape) != 3:
        return value
    out, channels, taps = shape
    return value.reshape(out, taps, channels).transpose(0, 2, 1)


def _tensor(values: Real) -> Tensor:
    return torch.from_numpy(values.astype(np.float32))

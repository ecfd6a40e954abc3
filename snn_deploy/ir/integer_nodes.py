"""The integer nodes, all in one place."""

from snn_deploy.nodes.base import Int8, Int32, IntegerNode, Rescale
from snn_deploy.nodes.dendrite import Dendrite, ModeBank, QuantizedSsm
from snn_deploy.nodes.gate import Gate, QuantizedGlu, SigmoidGate
from snn_deploy.nodes.inputs import Input
from snn_deploy.nodes.lif import LifSoma
from snn_deploy.nodes.normalize import Normalize
from snn_deploy.nodes.pooling import MAX_POOLED_STEPS, Accumulator, PoolMode, RunningSum
from snn_deploy.nodes.requantize import Requantize
from snn_deploy.nodes.synapses import QuantizedLinear, Synapses

__all__ = [
    "MAX_POOLED_STEPS",
    "Accumulator",
    "Dendrite",
    "Gate",
    "Input",
    "Int8",
    "Int32",
    "IntegerNode",
    "LifSoma",
    "ModeBank",
    "Normalize",
    "PoolMode",
    "QuantizedGlu",
    "QuantizedLinear",
    "QuantizedSsm",
    "Requantize",
    "Rescale",
    "RunningSum",
    "SigmoidGate",
    "Synapses",
]

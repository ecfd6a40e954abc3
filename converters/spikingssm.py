"""SpikingSSM (Shen et al., AAAI 2025): from a checkpoint to a float network.

A stack of residual layers: a diagonal state-space model per channel, its output as the current of
a leaky integrate-and-fire neuron, and a gated linear unit that mixes the spikes of all channels.
Two things that the keys do not tell: with ``prenorm: false`` the norm is computed and thrown away,
and without norms (``norm: null``) the authors' loop runs no layer at all.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
import numpy.typing as npt

from snn_deploy.converters.averaged_weights import averaged_tensors
from snn_deploy.converters.s4_decoders import Ending, read_decoder
from snn_deploy.converters.s4_encoders import backbone_input, read_encoder
from snn_deploy.converters.s4_kernels import read_kernel
from snn_deploy.converters.s4_parts import diagonal_ssm, glu_mix, norm
from snn_deploy.converters.spikingssm_config import (
    LayerConfig,
    ModelConfig,
    SpikingSsmConfig,
    parse_config,
)
from snn_deploy.converters.weights import Weights, strip_wrappers
from snn_deploy.errors import CheckpointError, SnnDeployWarning
from snn_deploy.ir.formats import Edge
from snn_deploy.ir.network import Network, OutputSteps
from snn_deploy.ir.node import Node
from snn_deploy.nodes.float_lif import Lif
from snn_deploy.nodes.residual import Residual
from snn_deploy.nodes.ssm import DssSsm
from snn_deploy.nodes.surrogate import SurrogateWeights

if TYPE_CHECKING:
    from snn_deploy.checkpoint import Checkpoint

__all__ = ["Layout", "convert_spikingssm", "convert_stack"]

Real = npt.NDArray[np.float64]

# Keys without effect at inference: batch counters, the averaging counter of torch's AveragedModel,
# the copy of the loss that validation uses, and a language model's projections stored again.
_DEAD = (
    r".*num_batches_tracked",
    r"n_averaged",
    r"loss_val\..*",
    r"loss\.shared_out_projs\.\d+",
)


SsmReader = Callable[[Weights, str, str, ModelConfig, str], Node]
"""Gives the state-space node of a layer: weights, keys, name, model, and what the node reads."""


@dataclass(frozen=True)
class Layout:
    """What tells one family with this stack of layers from another.

    Parameters
    ----------
    layers
        What the keys call the layers, after ``model.``.
    config
        The class that says which options there are.
    read_ssm
        Reads a layer's kernel.
    """

    layers: str
    config: type[SpikingSsmConfig]
    read_ssm: SsmReader


def convert_spikingssm(
    checkpoint: Checkpoint,
    output_steps: OutputSteps = "one",
    weights: Literal["raw", "ema"] = "raw",
) -> Network:
    """Convert a SpikingSSM checkpoint to a float network.

    Parameters
    ----------
    checkpoint
        As read, with the configuration from the file or given beside it.
    output_steps
        S4's ``l_output``, which no checkpoint holds.
    weights
        The trained weights, or their moving averages from the optimiser's state.

    Raises
    ------
    CheckpointError
        If weights are missing, left over, of the wrong shape or not finite.
    UnsupportedNetworkError
        If the configuration asks for something that cannot be expressed.
    """
    return convert_stack(checkpoint, output_steps, weights, _SPIKINGSSM)


def convert_stack(
    checkpoint: Checkpoint,
    output_steps: OutputSteps,
    averaged: Literal["raw", "ema"],
    layout: Layout,
) -> Network:
    """Convert a checkpoint of SpikingSSM's stack of layers, whichever kernel they have."""
    where = checkpoint.path.name
    config = parse_config(checkpoint.config, where, layout.config)
    tensors = strip_wrappers(checkpoint.tensors)
    if averaged == "ema":
        tensors = averaged_tensors(tensors, checkpoint.extras, config, where)
    source = Weights(tensors, where)
    bare = not any(key.startswith(("model.", "encoder.", "decoder.", "loss.")) for key in tensors)
    prefix = "" if bare else "model."

    nodes = list(backbone_input(config) if bare else read_encoder(source, config))
    dead = list(_DEAD)
    if config.model.runs_layers:
        for index in range(config.model.n_layers):
            nodes += _layer(source, prefix, index, config.model, layout, nodes[-1].name)
    else:
        dead.append(rf"{prefix}({layout.layers}|norms)\..*")
        _warn_no_layer_runs(config.model, where)
    if not config.model.prenorm:
        dead.append(rf"{prefix}norms\.\d+\..*")
    ending = Ending((), "all") if bare else read_decoder(source, config, output_steps)
    source.check_all_taken(dead)
    return Network(
        stage="float",
        nodes=(*nodes, *ending.after(nodes[-1].name)),
        answers=ending.output_steps,
    )


def _layer(
    weights: Weights, prefix: str, index: int, model: ModelConfig, layout: Layout, stream: str
) -> tuple[Node, ...]:
    """Give the nodes of layer ``index``, which reads and continues the node called ``stream``."""
    name, keys = f"layers.{index}", f"{prefix}{layout.layers}.{index}."
    channels = model.d_model
    nodes: list[Node] = []
    if model.prenorm and model.norm:
        norm_keys = f"{prefix}norms.{index}."
        nodes.append(norm(weights, norm_keys, f"{name}.norm", model.norm, channels, stream))
    u = nodes[-1].name if nodes else stream
    return (
        *nodes,
        layout.read_ssm(weights, keys, f"{name}.ssm", model, u),
        Lif(
            name=f"{name}.lif",
            inputs=(Edge(f"{name}.ssm"),),
            threshold=_threshold(weights, keys, channels, model.layer),
            surrogate=_surrogate(weights, keys, model.layer),
        ),
        *glu_mix(weights, f"{keys}output_linear.0.", name, f"{name}.lif", channels),
        Residual(
            name=f"{name}.residual", inputs=(Edge(stream), Edge(f"{name}.glu")), channels=channels
        ),
    )


def _ssm(weights: Weights, keys: str, name: str, model: ModelConfig, u: str) -> Node:
    layer = model.layer
    with np.errstate(all="ignore"):  # overflow and 0/0 become inf and NaN, which the checks name
        continuous = read_kernel(weights, f"{keys}kernel.", model.d_model, layer, layer.trainable_B)
    d = weights.real(f"{keys}D", (1, model.d_model))[0]
    ssm = diagonal_ssm(name, u, continuous, d, layer.disc, (weights.where, keys))
    if layer.disc != "dss":
        return ssm
    return DssSsm(
        name=name,
        inputs=ssm.inputs,
        a=ssm.a,
        b=ssm.b,
        c=ssm.c,
        d=d,
        pole=continuous.pole,
        c_reverse=ssm.c_reverse,
    )


def _threshold(weights: Weights, keys: str, channels: int, layer: LayerConfig) -> Real:
    """Give each channel's threshold; 1 where it was not learned."""
    if not layer.learnable_vth:
        return np.ones(channels)
    key = f"{keys}ln_vth"
    stored = weights.real(key, (1,) if layer.shared_vth else (channels, 1))
    with np.errstate(over="ignore"):
        threshold = np.exp(stored).ravel()
    for channel, value in enumerate(threshold):
        if not 0 < value < np.inf:
            raise CheckpointError(
                f"{weights.where}: '{key}' gives channel {channel} the threshold {value:g} "
                f"(exp of {stored.ravel()[channel]:g}); it must be a positive finite number"
            )
    return np.array(np.broadcast_to(threshold, (channels,)))


def _surrogate(weights: Weights, keys: str, layer: LayerConfig) -> SurrogateWeights | None:
    """Take the surrogate neuron that training used, if training used one."""
    if layer.neuron != "sdn":
        return None
    key = f"{keys}neuron.model."
    return SurrogateWeights(
        conv1_weight=weights.real(f"{key}conv1.weight", (8, 1, 8))[:, 0],
        conv1_bias=weights.real(f"{key}conv1.bias", (8,)),
        conv2_weight=weights.real(f"{key}conv2.weight", (8, 8, 1))[..., 0],
        conv2_bias=weights.real(f"{key}conv2.bias", (8,)),
        conv3_weight=weights.real(f"{key}conv3.weight", (1, 8, 1))[0, :, 0],
        conv3_bias=float(weights.real(f"{key}conv3.bias", (1,))[0]),
    )


def _warn_no_layer_runs(model: ModelConfig, where: str) -> None:
    if model.n_layers:
        warnings.warn(
            f"{where}: with norm {model.norm!r} the authors' code runs none of the "
            f"{model.n_layers} layers; the network is its encoder and decoder alone",
            SnnDeployWarning,
            stacklevel=3,
        )


_SPIKINGSSM = Layout(layers="s4_layers", config=SpikingSsmConfig, read_ssm=_ssm)

"""SpikingSSM (Shen et al., AAAI 2025): from a checkpoint to a float network.

A stack of residual layers: a diagonal state-space model per channel, its output as the current of
a leaky integrate-and-fire neuron, and a gated linear unit that mixes the spikes of all channels.
Two things that the keys do not tell: with ``prenorm: false`` the norm is computed and thrown away,
and without norms (``norm: null``) the authors' loop runs no layer at all.
"""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Literal

import numpy as np
import numpy.typing as npt

from snn_deploy.converters.averaged_weights import averaged_tensors
from snn_deploy.converters.s4_decoders import Ending, read_decoder
from snn_deploy.converters.s4_encoders import backbone_input, read_encoder
from snn_deploy.converters.s4_kernels import discretise, read_kernel
from snn_deploy.converters.spikingssm_config import (
    LayerConfig,
    ModelConfig,
    parse_config,
)
from snn_deploy.converters.weights import Weights, strip_wrappers
from snn_deploy.errors import CheckpointError, SnnDeployWarning
from snn_deploy.ir.float_nodes import (
    Affine,
    DiagonalSsm,
    DssSsm,
    Glu,
    LayerNorm,
    Lif,
    Linear,
    Residual,
    SurrogateWeights,
)
from snn_deploy.ir.formats import Edge
from snn_deploy.ir.network import Network, OutputSteps
from snn_deploy.ir.node import Node

if TYPE_CHECKING:
    from snn_deploy.checkpoint import Checkpoint

__all__ = ["convert_spikingssm"]

Real = npt.NDArray[np.float64]
Complex = npt.NDArray[np.complex128]

# Both constants are PyTorch's defaults, which the authors' code keeps.
_BATCH_NORM_EPSILON = 1e-5
_LAYER_NORM_EPSILON = 1e-5

# Keys without effect at inference: batch counters, the averaging counter of torch's AveragedModel,
# the copy of the loss that validation uses, and a language model's projections stored again.
_DEAD = (
    r".*num_batches_tracked",
    r"n_averaged",
    r"loss_val\..*",
    r"loss\.shared_out_projs\.\d+",
)


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
        If weights are missing, left over, of the wrong shape, not finite or unstable.
    UnsupportedNetworkError
        If the configuration asks for something that cannot be expressed.
    """
    where = checkpoint.path.name
    config = parse_config(checkpoint.config, where)
    tensors = strip_wrappers(checkpoint.tensors)
    if weights == "ema":
        tensors = averaged_tensors(tensors, checkpoint.extras, config, where)
    source = Weights(tensors, where)
    bare = not any(key.startswith(("model.", "encoder.", "decoder.", "loss.")) for key in tensors)
    prefix = "" if bare else "model."

    nodes = list(backbone_input(config) if bare else read_encoder(source, config))
    dead = list(_DEAD)
    if config.model.runs_layers:
        for index in range(config.model.n_layers):
            nodes += _layer(source, prefix, index, config.model, nodes[-1].name)
    else:
        dead.append(rf"{prefix}(s4_layers|norms)\..*")
        _warn_no_layer_runs(config.model, where)
    if not config.model.prenorm:
        dead.append(rf"{prefix}norms\.\d+\..*")
    ending = Ending((), "all") if bare else read_decoder(source, config, output_steps)
    source.check_all_taken(dead)
    return Network(
        stage="float",
        nodes=(*nodes, *ending.after(nodes[-1].name)),
        output_steps=ending.output_steps,
    )


def _layer(
    weights: Weights, prefix: str, index: int, model: ModelConfig, stream: str
) -> tuple[Node, ...]:
    """Give the nodes of layer ``index``, which reads and continues the node called ``stream``."""
    name, keys = f"layers.{index}", f"{prefix}s4_layers.{index}."
    channels = model.d_model
    nodes: list[Node] = []
    if model.prenorm:
        nodes.append(_norm(weights, f"{prefix}norms.{index}.", f"{name}.norm", model, stream))
    u = nodes[-1].name if nodes else stream
    mix = weights.real(f"{keys}output_linear.0.weight", (2 * channels, channels, 1))[..., 0]
    bias = weights.real(f"{keys}output_linear.0.bias", (2 * channels,))
    return (
        *nodes,
        _ssm(weights, keys, f"{name}.ssm", model, u),
        Lif(
            name=f"{name}.lif",
            inputs=(Edge(f"{name}.ssm"),),
            threshold=_threshold(weights, keys, channels, model.layer),
            surrogate=_surrogate(weights, keys, model.layer),
        ),
        Linear(name=f"{name}.mix", inputs=(Edge(f"{name}.lif"),), weight=mix, bias=bias),
        Glu(name=f"{name}.glu", inputs=(Edge(f"{name}.mix"),), channels=channels),
        Residual(
            name=f"{name}.residual", inputs=(Edge(stream), Edge(f"{name}.glu")), channels=channels
        ),
    )


def _norm(weights: Weights, keys: str, name: str, model: ModelConfig, stream: str) -> Node:
    shape = (model.d_model,)
    inputs = (Edge(stream),)
    statistics = [f"{keys}running_mean", f"{keys}running_var"]
    required = [f"{keys}weight", f"{keys}bias"] + (statistics if model.norm == "batch" else [])
    weights.require(required)
    weight, bias = weights.real(f"{keys}weight", shape), weights.real(f"{keys}bias", shape)
    if model.norm == "layer":
        return LayerNorm(
            name=name, inputs=inputs, weight=weight, bias=bias, epsilon=_LAYER_NORM_EPSILON
        )
    mean, variance = (weights.real(key, shape) for key in statistics)
    _refuse_negative(variance, f"{keys}running_var", weights.where)
    scale = weight / np.sqrt(variance + _BATCH_NORM_EPSILON)
    return Affine(name=name, inputs=inputs, scale=scale, shift=bias - mean * scale)


def _ssm(weights: Weights, keys: str, name: str, model: ModelConfig, u: str) -> Node:
    layer = model.layer
    # overflow and 0/0 become inf and NaN, which the checks name
    with np.errstate(all="ignore"):
        continuous = read_kernel(weights, f"{keys}kernel.", model.d_model, layer)
        discrete = discretise(continuous, layer.disc)
    _refuse_unstable(np.abs(discrete.a), keys, weights.where)
    _refuse_overflow(discrete.b, keys, weights.where)
    d = weights.real(f"{keys}D", (1, model.d_model))[0]
    reverse = continuous.c[1] if layer.bidirectional else None
    if layer.disc == "dss":
        return DssSsm(
            name=name,
            inputs=(Edge(u),),
            a=discrete.a,
            b=discrete.b,
            c=continuous.c[0],
            d=d,
            pole=continuous.pole,
            c_reverse=reverse,
        )
    return DiagonalSsm(
        name=name,
        inputs=(Edge(u),),
        a=discrete.a,
        b=discrete.b,
        c=continuous.c[0],
        d=d,
        c_reverse=reverse,
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


def _refuse_unstable(radius: Real, keys: str, where: str) -> None:
    bad = np.argwhere(~(radius < 1))
    if len(bad):
        channel, mode = (int(i) for i in bad[0])
        raise CheckpointError(
            f"{where}: {keys}kernel is unstable: |a| = {radius[channel, mode]:.9g} in channel "
            f"{channel}, mode {mode} ({len(bad)} such modes); it must stay below 1, or the state "
            "grows without bound on a chip that runs forever"
        )


def _refuse_overflow(b: Complex, keys: str, where: str) -> None:
    bad = np.argwhere(~np.isfinite(b))
    if len(bad):
        channel, mode = (int(i) for i in bad[0])
        raise CheckpointError(
            f"{where}: {keys}kernel has no finite discretisation: b = {b[channel, mode]} in "
            f"channel {channel}, mode {mode} ({len(bad)} such modes); its dt or A has overflowed: "
            "use a checkpoint from before the training diverged"
        )


def _refuse_negative(variance: Real, key: str, where: str) -> None:
    bad = np.flatnonzero(~(variance >= 0))
    if len(bad):
        raise CheckpointError(
            f"{where}: '{key}' holds {len(bad)} negative variances, the first {variance[bad[0]]:g} "
            f"in channel {bad[0]}; the file is damaged"
        )


def _warn_no_layer_runs(model: ModelConfig, where: str) -> None:
    if model.n_layers:
        warnings.warn(
            f"{where}: with norm {model.norm!r} the authors' code runs none of the "
            f"{model.n_layers} layers; the network is its encoder and decoder alone",
            SnnDeployWarning,
            stacklevel=3,
        )

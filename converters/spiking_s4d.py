"""SpikingSSM re-implemented without S4's framework (github.com/JeremiahM37/spike-ssm): a language
model of ``emb``, ``body.layers.i``, ``ln_out`` and ``head``.

The layers are SpikingSSM's with B = 1, but the norm is a layer norm that is live in either place,
and the neuron is binary (threshold 1) or ternary (threshold 1.5), which the keys do not tell. The
leaky ternary neuron gives ``α s + (1 - α) silu(x)``: graded messages.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel

from snn_deploy.converters.s4_config import KernelOptions, parse_options
from snn_deploy.converters.s4_kernels import read_kernel
from snn_deploy.converters.s4_parts import diagonal_ssm, glu_mix, norm
from snn_deploy.converters.weights import Weights, strip_wrappers
from snn_deploy.errors import CheckpointError, UnsupportedNetworkError
from snn_deploy.ir.formats import Edge
from snn_deploy.ir.network import Network, OutputSteps
from snn_deploy.ir.node import Node
from snn_deploy.nodes.affine import Affine
from snn_deploy.nodes.embedding import Embedding
from snn_deploy.nodes.float_inputs import TokenInput
from snn_deploy.nodes.float_lif import Lif
from snn_deploy.nodes.readout import Readout
from snn_deploy.nodes.residual import Residual
from snn_deploy.nodes.silu import Silu
from snn_deploy.nodes.ternary_lif import TernaryLif

if TYPE_CHECKING:
    from snn_deploy.checkpoint import Checkpoint

__all__ = ["convert_spiking_s4d"]

Real = npt.NDArray[np.float64]

_TERNARY_THRESHOLD = 1.5


class _Options(BaseModel):
    """``model``: what the keys do not say. Those without type follow from them, or only train."""

    neuron_type: Literal["bptt", "sltt", "ternary", "leaky_ternary"] | None = None
    prenorm: bool = True
    twn_weights: Literal[False] = False
    vocab_size: Any = None
    d_model: Any = None
    n_layers: Any = None
    d_state: Any = None
    init_alpha: Any = None
    top_k_frac: None = None
    max_seq_len: Any = None


def convert_spiking_s4d(
    checkpoint: Checkpoint,
    output_steps: OutputSteps = "one",
    weights: Literal["raw", "ema"] = "raw",
) -> Network:
    """Convert a language model of this layout: logits of every step.

    Raises
    ------
    CheckpointError
        If weights are missing, left over, of the wrong shape, or not finite, or nothing
        says which neuron they belong to.
    UnsupportedNetworkError
        If an option asks for something that cannot be expressed.
    """
    where = checkpoint.path.name
    if weights == "ema":
        raise UnsupportedNetworkError(f"{where}: this family keeps no averaged weights")
    given = (checkpoint.config or {}).get("model") or {}
    options = parse_options(_Options, given, where, "model")
    source = Weights(strip_wrappers(checkpoint.tensors), where)
    if options.neuron_type is None:
        raise CheckpointError(
            f"{where}: the keys 'body.layers.*' do not say whether the neurons are binary or "
            "ternary; give --set-model neuron_type=bptt (or sltt, ternary, leaky_ternary)"
        )
    source.require(["emb.weight", "head.weight"])
    table = source.real("emb.weight", (None, None))
    nodes: list[Node] = [
        TokenInput(name="input", vocabulary=len(table)),
        Embedding(name="encoder", inputs=(Edge("input"),), table=table),
    ]
    layer = 0
    while f"body.layers.{layer}.D" in source:
        nodes += _layer(source, layer, nodes[-1], options)
        layer += 1
    channels = nodes[-1].width
    nodes.append(norm(source, "ln_out.", "norm", "layer", channels, nodes[-1].name))
    head = source.real("head.weight", (None, channels))
    nodes.append(
        Readout(
            name="decoder",
            inputs=(Edge("norm"),),
            mode="every",
            weight=head,
            bias=np.zeros(len(head)),
        )
    )
    source.check_all_taken(())
    steps: OutputSteps = "all" if output_steps == "one" else output_steps
    return Network(stage="float", nodes=tuple(nodes), answers=steps)


def _layer(source: Weights, index: int, stream: Node, options: _Options) -> list[Node]:
    name, keys, n = f"layers.{index}", f"body.layers.{index}.", stream.width
    normed = f"body.norms.{index}."
    nodes: list[Node] = []
    if options.prenorm:
        nodes.append(norm(source, normed, f"{name}.norm", "layer", n, stream.name))
    reads = nodes[-1].name if nodes else stream.name
    modes = source.shape(f"{keys}kernel.C")[-2]
    kernel = read_kernel(
        source, f"{keys}kernel.", n, KernelOptions(d_state=2 * modes), trainable_b=False
    )
    d = source.real(f"{keys}D", (n,))
    nodes.append(diagonal_ssm(f"{name}.ssm", reads, kernel, d, "zoh", (source.where, keys)))
    nodes += _neuron(source, keys, name, n, options)
    nodes += glu_mix(source, f"{keys}output_linear.0.", name, nodes[-1].name, n)
    inputs = (Edge(stream.name), Edge(nodes[-1].name))
    nodes.append(Residual(name=f"{name}.residual", inputs=inputs, channels=n))
    if not options.prenorm:
        nodes.append(norm(source, normed, f"{name}.norm", "layer", n, nodes[-1].name))
    return nodes


def _neuron(
    source: Weights, keys: str, name: str, channels: int, options: _Options
) -> tuple[Node, ...]:
    unit = np.ones(channels)
    if f"{keys}ln_vth" in source:
        unit = np.exp(source.real(f"{keys}ln_vth", (channels, 1))[:, 0])
    place: dict[str, Any] = {"name": f"{name}.lif", "inputs": (Edge(f"{name}.ssm"),)}
    if options.neuron_type in ("bptt", "sltt"):
        return (Lif(**place, threshold=unit),)
    lif = TernaryLif(**place, threshold=_TERNARY_THRESHOLD * unit)
    if options.neuron_type == "ternary":
        return (lif,)
    alpha = 1 / (1 + np.exp(-source.real(f"{keys}neuron.alpha_logit", ())))
    drive = _scaled(f"{name}.drive", f"{name}.ssm", 1 / unit)
    silu = Silu(name=f"{name}.silu", inputs=(Edge(drive.name),), channels=channels)
    parts = (
        _scaled(f"{name}.spike_part", lif.name, alpha * np.ones(channels)),
        _scaled(f"{name}.leak_part", silu.name, (1 - alpha) * np.ones(channels)),
    )
    inputs = tuple(Edge(part.name) for part in parts)
    leaky = Residual(name=f"{name}.message", inputs=inputs, channels=channels)
    return lif, drive, silu, *parts, leaky


def _scaled(name: str, reads: str, scale: Real) -> Affine:
    return Affine(name=name, inputs=(Edge(reads),), scale=scale, shift=np.zeros(len(scale)))

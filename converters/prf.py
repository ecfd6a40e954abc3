"""PRF (Huang et al.): resonators that fire, without reset, in the authors' SD-TCM blocks.

    v[t] = L v[t-1] + dt x[t],  L = exp(dt (-1/tau + i theta))      s = [Re v >= v_th]
    x1 = x + W1 s + b1        o = x1 + W2 (exp(alpha) [x1 >= 1/2]) + b2, or o = x1

The block has a residual of its own, inside the backbone's. Both directions: a second neuron reads
the sequence backwards, from its end to the present step, and W1 mixes both. ``prf_reset`` lowers
the potential by the threshold, ``lif`` and ``decoupled_reset`` are leaky neurons with soft reset.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, Field

from snn_deploy.converters.s4_backbone import Place, convert_backbone
from snn_deploy.converters.s4_config import parse_options
from snn_deploy.converters.s4_parts import linear, refuse_overflow
from snn_deploy.converters.weights import Weights, strip_wrappers
from snn_deploy.errors import UnsupportedNetworkError
from snn_deploy.ir.float_nodes import Affine, DiagonalSsm, FloatInput, Linear, Residual
from snn_deploy.ir.formats import Edge
from snn_deploy.ir.network import Network, OutputSteps
from snn_deploy.ir.node import Node
from snn_deploy.nodes.soft_reset import SoftReset
from snn_deploy.nodes.threshold import Threshold

if TYPE_CHECKING:
    from snn_deploy.checkpoint import Checkpoint

__all__ = ["convert_prf", "convert_prf_block", "convert_prf_neuron"]

Real = npt.NDArray[np.float64]
Complex = npt.NDArray[np.complex128]

Temporal = Literal["prf", "prf_train", "prf_reset", "decoupled_reset", "lif", "identity"]


class _NeuronOptions(BaseModel):
    """What a neuron's weights do not say."""

    tau: float = Field(2.0, gt=1)
    v_th: float = Field(1.0, gt=0)


class _PrfOptions(_NeuronOptions):
    """``model.layer`` of the authors' blocks; those without type are read by no code of theirs."""

    temporal: Temporal | None = None
    spatial: Literal["identity", "Binary", "Binary_vec"] | None = None
    bidirectional: bool = False
    fr_scale: float = 1.0  # acts on initial values
    neuron_lr: float = 0.001
    save_firerate: bool = False
    train_scale: Any = None
    use_gsu: Any = None
    norm: Any = None
    d_state: Any = None
    channels: Any = None
    weight_norm: Any = None
    trank: Any = None
    linear: Any = None
    l_max: Any = None


def convert_prf(
    checkpoint: Checkpoint,
    output_steps: OutputSteps = "one",
    weights: Literal["raw", "ema"] = "raw",
) -> Network:
    """Convert a network of SD-TCM blocks (``spikingblockgate``); as ``convert_backbone``."""
    return convert_backbone(checkpoint, output_steps, weights, _gated_block)


def convert_prf_block(
    checkpoint: Checkpoint,
    output_steps: OutputSteps = "one",
    weights: Literal["raw", "ema"] = "raw",
) -> Network:
    """Convert a network of the older blocks (``spikingblock``), whose inner norm does nothing."""
    dead = (r"model\.layers\.\d+\.layer\.norm\..*",)
    return convert_backbone(checkpoint, output_steps, weights, _plain_block, dead)


def convert_prf_neuron(
    checkpoint: Checkpoint,
    output_steps: OutputSteps = "one",
    weights: Literal["raw", "ema"] = "raw",
) -> Network:
    """Convert a layer of neurons alone: its answer are their spikes, (B, L, H)."""
    where = checkpoint.path.name
    options = parse_options(_NeuronOptions, (checkpoint.config or {}).get("model") or {}, where)
    source = Weights(strip_wrappers(checkpoint.tensors), where)
    (channels,) = source.real("log_dt", (None,)).shape
    full = _PrfOptions(tau=options.tau, v_th=options.v_th)
    nodes = _neuron(source, "", ("neuron", "input"), channels, full, backwards=False)
    source.check_all_taken(())
    given = FloatInput(name="input", channels=channels)
    return Network(stage="float", nodes=(given, *nodes), output_steps="all")


def _plain_block(place: Place) -> tuple[Node, ...]:
    parse_options(_PrfOptions, place.config.model.layer, place.weights.where)
    return _block(place, _PrfOptions(spatial="Binary"), alpha=None)


def _gated_block(place: Place) -> tuple[Node, ...]:
    options = parse_options(_PrfOptions, place.config.model.layer, place.weights.where)
    size = {"Binary": 1, "Binary_vec": place.channels}.get(options.spatial or "")
    alpha = None if size is None else place.weights.real(f"{place.keys}layer.alpha", (size,))
    return _block(place, options, alpha)


def _block(place: Place, options: _PrfOptions, alpha: Real | None) -> tuple[Node, ...]:
    weights, keys, name, n = place.weights, f"{place.keys}layer.", place.name, place.channels
    if options.temporal == "identity":
        doubled = Affine(
            name=f"{name}.inner",
            inputs=(Edge(place.reads),),
            scale=np.full(n, 2.0),
            shift=np.zeros(n),
        )
        nodes: tuple[Node, ...] = (doubled,)
    else:
        temporal = _both_directions(place, options)
        inner = Residual(
            name=f"{name}.inner", inputs=(Edge(place.reads), Edge(temporal[-1].name)), channels=n
        )
        nodes = (*temporal, inner)
    if options.spatial in (None, "identity"):
        return nodes
    gate = Threshold(
        name=f"{name}.gate", inputs=(Edge(f"{name}.inner"),), level=np.full(n, 0.5), inclusive=True
    )
    mix = linear(weights, f"{keys}pro_linear2.", f"{name}.mix2", gate.name, (n, n))
    if alpha is not None:
        mix = replace(mix, weight=mix.weight * np.exp(alpha))
    inputs = (Edge(f"{name}.inner"), Edge(mix.name))
    return (*nodes, gate, mix, Residual(name=f"{name}.output", inputs=inputs, channels=n))


def _both_directions(place: Place, options: _PrfOptions) -> tuple[Node, ...]:
    """Give the temporal neurons and the linear layer that mixes their spikes."""
    weights, keys, name, n = place.weights, f"{place.keys}layer.", place.name, place.channels
    told = (name, place.reads)
    forward = _neuron(weights, f"{keys}neuron1.", told, n, options, backwards=False)
    spikes = forward[-1].name
    if not options.bidirectional:
        mix = linear(weights, f"{keys}pro_linear1.", f"{name}.mix1", spikes, (n, n))
        return (*forward, mix)
    if options.temporal in ("lif", "decoupled_reset"):
        raise UnsupportedNetworkError(
            f"{weights.where}: model.layer is bidirectional with temporal '{options.temporal}'; "
            "the authors' code cannot run this, so there is nothing to be faithful to"
        )
    told = (f"{name}.reverse", place.reads)
    backward = _neuron(weights, f"{keys}reverse_neuron1.", told, n, options, backwards=True)
    both = linear(weights, f"{keys}pro_linear1.", f"{name}.mix1", spikes, (n, 2 * n))
    parts = (
        replace(both, name=f"{name}.mix1.past", weight=both.weight[:, :n]),
        Linear(
            name=f"{name}.mix1.future",
            inputs=(Edge(backward[-1].name),),
            weight=both.weight[:, n:],
            bias=np.zeros(n),
        ),
    )
    inputs = tuple(Edge(part.name) for part in parts)
    return (*forward, *backward, *parts, Residual(name=f"{name}.mix1", inputs=inputs, channels=n))


def _neuron(
    weights: Weights,
    keys: str,
    told: tuple[str, str],
    channels: int,
    options: _PrfOptions,
    backwards: bool,
) -> tuple[Node, ...]:
    """Give a neuron's potential without resets, and its spikes; ``told`` is (name, reads)."""
    name, reads = told
    leaky = options.temporal in ("lif", "decoupled_reset")
    if leaky:
        pole, gain = np.full(channels, 1 - 1 / options.tau) + 0j, np.ones(channels)
    else:
        pole, gain = _resonator(weights, keys, channels, options)
    refuse_overflow(pole[:, None], weights.where, keys, "a")
    half = np.full((channels, 1), 0.5 + 0j)  # the node itself doubles
    potential = DiagonalSsm(
        name=f"{name}.potential",
        inputs=(Edge(reads),),
        a=pole[:, None],
        b=gain[:, None] + 0j,
        c=np.zeros_like(half) if backwards else half,
        d=gain if backwards else np.zeros(channels),  # the present step is part of the future here
        c_reverse=half * pole[:, None] if backwards else None,
    )
    inputs = (Edge(potential.name),)
    # the authors keep it in float32
    threshold = float(np.float32(options.v_th if not leaky else 1.0))
    if leaky or options.temporal == "prf_reset":
        soma: Node = SoftReset(
            name=f"{name}.spike",
            inputs=inputs,
            threshold=threshold,
            decay=pole.real,
            backwards=backwards,
        )
    else:
        level = np.full(channels, threshold)
        soma = Threshold(name=f"{name}.spike", inputs=inputs, level=level, inclusive=True)
    return potential, soma


def _resonator(
    weights: Weights, keys: str, channels: int, options: _PrfOptions
) -> tuple[Complex, Real]:
    trained = options.temporal == "prf_train"
    names = [f"{keys}{name}" for name in ("log_dt", "theta_log", *(("gamma",) if trained else ()))]
    weights.require(names)
    log_dt, log_theta, *gamma = (weights.real(name, (channels,)) for name in names)
    with np.errstate(all="ignore"):
        decay = np.exp(gamma[0]) if trained else np.full(channels, 1 / options.tau)
        dt = np.exp(log_dt)
        return np.exp(dt * (-decay + 1j * np.exp(log_theta))), dt

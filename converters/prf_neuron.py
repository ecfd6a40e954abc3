"""PRF's neurons (Huang et al.): a resonator that fires, without reset, and its relatives.

    v[t] = L v[t-1] + dt x[t],  L = exp(dt (-1/tau + i theta))      s = [Re v >= v_th]

``prf_train`` learns 1/tau. ``prf_reset`` lowers the potential by the threshold with every spike;
``lif`` and ``decoupled_reset`` are leaky neurons with such a reset. Backwards, a neuron reads the
sequence from its end to the present step. A layer of neurons alone is a network, too.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, Field

from snn_deploy.converters.s4_config import parse_options
from snn_deploy.converters.s4_parts import refuse_overflow
from snn_deploy.converters.weights import Weights, strip_wrappers
from snn_deploy.ir.formats import Edge
from snn_deploy.ir.network import Network, OutputSteps
from snn_deploy.ir.node import Node
from snn_deploy.nodes.float_inputs import FloatInput
from snn_deploy.nodes.soft_reset import SoftReset
from snn_deploy.nodes.ssm import DiagonalSsm
from snn_deploy.nodes.threshold import Threshold

if TYPE_CHECKING:
    from snn_deploy.checkpoint import Checkpoint

__all__ = ["NeuronOptions", "Temporal", "convert_prf_neuron", "prf_neuron"]

Real = npt.NDArray[np.float64]
Complex = npt.NDArray[np.complex128]

Temporal = Literal["prf", "prf_train", "prf_reset", "decoupled_reset", "lif", "identity"]


class NeuronOptions(BaseModel):
    """What a neuron's weights do not say."""

    temporal: Temporal | None = None
    tau: float = Field(2.0, gt=1)
    v_th: float = Field(1.0, gt=0)


def convert_prf_neuron(
    checkpoint: Checkpoint,
    output_steps: OutputSteps = "one",
    weights: Literal["raw", "ema"] = "raw",
) -> Network:
    """Convert a layer of neurons alone: its answer are their spikes, (B, L, H)."""
    where = checkpoint.path.name
    given = (checkpoint.config or {}).get("model") or {}
    options = parse_options(NeuronOptions, given, where, "model")
    source = Weights(strip_wrappers(checkpoint.tensors), where)
    (channels,) = source.real("log_dt", (None,)).shape
    nodes = prf_neuron(source, "", ("neuron", "input"), channels, options)
    source.check_all_taken(())
    reads = FloatInput(name="input", channels=channels)
    return Network(stage="float", nodes=(reads, *nodes), answers="all")


def prf_neuron(
    weights: Weights,
    keys: str,
    told: tuple[str, str],
    channels: int,
    options: NeuronOptions,
    backwards: bool = False,
) -> tuple[Node, ...]:
    """Give a neuron's potential without resets, and its spikes; ``told`` is (name, reads)."""
    name, reads = told
    leaky = options.temporal in ("lif", "decoupled_reset")
    if leaky:
        decay = 1 - 1 / options.tau
        if options.temporal == "decoupled_reset":  # the authors keep it in float32
            decay = float(np.float32(decay))
        pole, gain = np.full(channels, decay + 0j), np.ones(channels)
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
    # the authors keep this in float32, too
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
    weights: Weights, keys: str, channels: int, options: NeuronOptions
) -> tuple[Complex, Real]:
    trained = options.temporal == "prf_train"
    names = [f"{keys}{name}" for name in ("log_dt", "theta_log", *(("gamma",) if trained else ()))]
    weights.require(names)
    log_dt, log_theta, *gamma = (weights.real(name, (channels,)) for name in names)
    with np.errstate(all="ignore"):
        decay = np.exp(gamma[0]) if trained else np.full(channels, 1 / options.tau)
        dt = np.exp(log_dt)
        return np.exp(dt * (-decay + 1j * np.exp(log_theta))), dt

"""SiLIF and its relatives (Fabre et al., "Structured state-space model-inspired LIF"): two layers
or more of adaptive or resonating neurons, whose current is a batch-normalised linear map.

    I[t] = BN(W x[t])        hidden: see the neurons' nodes        r[t] = g r[t-1] + (1 - g) I[t]
    logits = Σ_t softmax(r[t])

Weights come without a configuration. Keys tell SiLIF, C-SiLIF and RF apart, but not cAdLIF from
adLIF, whose clamps differ: that must be said. Clamps are active in trained networks, and part of
them. The authors start every run from random states; here all are 0, as on a chip.
"""

from __future__ import annotations

import math
from functools import partial
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, Field

from snn_deploy.converters.s4_config import parse_options
from snn_deploy.converters.s4_parts import batch_norm, refuse_overflow
from snn_deploy.converters.weights import Weights, strip_wrappers
from snn_deploy.errors import CheckpointError, ConfigError, UnsupportedNetworkError
from snn_deploy.ir.formats import Edge
from snn_deploy.ir.network import Network, OutputSteps
from snn_deploy.ir.node import Node
from snn_deploy.nodes.adaptive_lif import AdaptiveLif
from snn_deploy.nodes.float_inputs import CountInput
from snn_deploy.nodes.linear import Linear
from snn_deploy.nodes.resonate_and_fire import ResonateAndFire
from snn_deploy.nodes.softmax_sum import SoftmaxSum
from snn_deploy.nodes.ssm import DiagonalSsm

if TYPE_CHECKING:
    from snn_deploy.checkpoint import Checkpoint

__all__ = [
    "CLAMPS",
    "READOUT_CLAMP",
    "Neuron",
    "convert_adlif",
    "convert_cadlif",
    "convert_silif",
]

Real = npt.NDArray[np.float64]

Neuron = Literal["silif", "csilif", "rf", "cadlif", "adlif"]

CLAMPS: dict[Neuron, tuple[tuple[float, float], ...]] = {
    "silif": ((0, 1), (0, 1), (0, 1), (0, 2)),
    "cadlif": ((0.36, 0.96), (0.96, 0.99), (0, 1), (0, 2)),
    "adlif": (
        (math.exp(-1 / 5), math.exp(-1 / 25)),
        (math.exp(-1 / 30), math.exp(-1 / 120)),
        (-1, 1),
        (0, 2),
    ),
}
"""Alpha, beta, a and b of the adaptive neurons are clamped to these, low and high."""

READOUT_CLAMP = (math.exp(-1 / 5), math.exp(-1 / 25))
"""Alpha of the leaky integrators of the classes is clamped to these."""

_LARGEST_RF_DAMPING = -0.1
_WORDS = 3  # of a weight: resets make of a current's slightest error other spikes ever after
_DEAD = (r".*num_batches_tracked",)


class _SilifOptions(BaseModel):
    """``model``: what the keys do not say; dt is RF's Euler step, a constant of the authors'."""

    neuron: Neuron | None = None
    dt: float = Field(0.004, gt=0)


def convert_silif(
    checkpoint: Checkpoint,
    output_steps: OutputSteps = "one",
    weights: Literal["raw", "ema"] = "raw",
    neuron: Neuron | None = None,
) -> Network:
    """Convert a network of this family to a float network; ``neuron`` says of which neurons it is.

    Raises
    ------
    CheckpointError
        If weights are missing, left over, of the wrong shape or not finite, or do not say which
        neuron they belong to.
    ConfigError
        If other output steps are wanted than one vector a sequence.
    """
    where = checkpoint.path.name
    if weights == "ema":
        raise UnsupportedNetworkError(f"{where}: this family keeps no averaged weights")
    if output_steps != "one":
        raise ConfigError(
            f"{where}: this family sums probabilities over a sequence; output steps {output_steps} "
            "cannot be had: use --output-steps one"
        )
    options = parse_options(
        _SilifOptions, (checkpoint.config or {}).get("model") or {}, where, "model"
    )
    source = Weights(strip_wrappers(checkpoint.tensors), where)
    source.require(["snn.0.W.weight"])
    channels = source.shape("snn.0.W.weight")[1]
    nodes: list[Node] = [CountInput(name="input", channels=channels)]
    layer = 0
    while f"snn.{layer + 1}.W.weight" in source:
        name, keys = f"layers.{layer}", f"snn.{layer}."
        if f"{keys}V.weight" in source:
            raise UnsupportedNetworkError(
                f"{where}: '{keys}V.weight' sends a layer's spikes to each other; this converter "
                "knows layers without that (recurrent: false)"
            )
        current = _current(source, keys, f"{name}.current", nodes[-1])
        kind = neuron or options.neuron or _recognise_neuron(source, keys)
        nodes += [current, _read_neuron(source, keys, f"{name}.lif", current, kind, options.dt)]
        layer += 1
    nodes += _readout(source, f"snn.{layer}.", nodes[-1])
    source.check_all_taken(_DEAD)
    return Network(stage="float", nodes=tuple(nodes), answers="one")


convert_cadlif = partial(convert_silif, neuron="cadlif")
convert_adlif = partial(convert_silif, neuron="adlif")


def _current(source: Weights, keys: str, name: str, before: Node) -> Linear:
    """Give the linear map under ``keys``, with its batch norm folded in."""
    weight = source.real(f"{keys}W.weight", (None, before.width))
    bias = np.zeros(len(weight))
    if f"{keys}W.bias" in source:
        bias = source.real(f"{keys}W.bias", (len(weight),))
    scale, shift = batch_norm(source, f"{keys}norm.", len(weight))
    return Linear(
        name=name,
        inputs=(Edge(before.name),),
        weight=scale[:, None] * weight,
        bias=scale * bias + shift,
        weight_words=_WORDS,
    )


def _readout(source: Weights, keys: str, before: Node) -> tuple[Node, ...]:
    """Give the leaky integrators of the classes, and the sum of their probabilities."""
    current = _current(source, keys, "decoder.current", before)
    leak = np.clip(source.real(f"{keys}alpha", (current.width,)), *READOUT_CLAMP)[:, None]
    membrane = DiagonalSsm(
        name="decoder.membrane",
        inputs=(Edge(current.name),),
        a=leak + 0j,
        b=1 - leak + 0j,
        c=np.full(leak.shape, 0.5 + 0j),  # the node itself doubles
        d=np.zeros(current.width),
    )
    inputs = (Edge(membrane.name),)
    return current, membrane, SoftmaxSum(name="decoder", inputs=inputs, channels=current.width)


def _recognise_neuron(source: Weights, keys: str) -> Neuron:
    """Tell whose parameters lie under ``keys``; refuse those that two neurons share."""
    for parameter, kind in (("log_log_alpha", "csilif"), ("alpha_real", "rf"), ("dt", "silif")):
        if f"{keys}{parameter}" in source:
            return kind  # type: ignore[return-value]
    if f"{keys}beta" in source:
        raise CheckpointError(
            f"{source.where}: '{keys}alpha, beta, a, b' are cAdLIF's as well as adLIF's, whose "
            "clamps differ, so the file does not say which network it is; give --family cadlif or "
            "--family adlif (or --set-model neuron=cadlif)"
        )
    raise UnsupportedNetworkError(
        f"{source.where}: the parameters under '{keys}' are those of no neuron that is known; "
        f"known: {', '.join(('csilif', 'rf', *CLAMPS))}"
    )


def _read_neuron(
    source: Weights, keys: str, name: str, current: Node, kind: Neuron, dt: float
) -> Node:
    """Give the neurons that ``current`` drives; dt is RF's Euler step."""

    def take(*names: str) -> list[Real]:
        source.require(f"{keys}{parameter}" for parameter in names)
        return [source.real(f"{keys}{parameter}", (current.width,)) for parameter in names]

    place: dict[str, Any] = {"name": name, "inputs": (Edge(current.name),)}
    if kind == "csilif":
        log_dt, log_log_alpha, phase, b = take("log_dt", "log_log_alpha", "alpha_img", "b")
        with np.errstate(all="ignore"):  # overflow becomes inf and NaN, which the check names
            pole = np.exp((-np.exp(log_log_alpha) + 1j * phase) * np.exp(log_dt))
        refuse_overflow(pole[:, None], source.where, keys, "a")
        # 2 u is the state here: the authors' u fires where 2 Re u > 1, and loses half a spike
        return ResonateAndFire(**place, pole=pole, gain=2 * b, reset=pole)
    if kind == "rf":
        real, imaginary = take("alpha_real", "alpha_im")
        pole = 1 + dt * (np.minimum(real, _LARGEST_RF_DAMPING) + 1j * imaginary)
        ones = np.ones(current.width)
        return ResonateAndFire(**place, pole=pole, gain=dt * ones, reset=ones + 0j)
    alpha, beta, a, b = take("alpha", "beta", "a", "b")
    if kind == "silif":
        (log_dt,) = take("dt")
        with np.errstate(over="ignore"):  # a decay of exp(-inf) is one to nothing
            alpha, beta = (np.exp(-np.exp(rate + log_dt)) for rate in (alpha, beta))
    clamped = [
        np.clip(value, low, high)
        for value, (low, high) in zip((alpha, beta, a, b), CLAMPS[kind], strict=True)
    ]
    return AdaptiveLif(**place, alpha=clamped[0], beta=clamped[1], a=clamped[2], b=clamped[3])

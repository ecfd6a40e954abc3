"""snnTorch's neurons, with the resets that their options say."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from snn_deploy.readers.spiking.layer import Layer, Real, Stated, leaky, numbers

__all__ = ["LAYERS"]


def _neuron(layer: Layer) -> Stated:
    """``mem = beta mem + x``; with a current ``syn = alpha syn + x``, ``mem = beta mem + syn``."""
    module = layer.module
    layer.only("inhibition", False, None, told="neurons that silence their layer cannot be had")
    layer.only("state_quant", False, None, told="quantise it here instead")
    factor = getattr(module, "graded_spikes_factor", None)
    if factor is not None and (numbers(factor, "graded_spikes_factor") != 1).any():
        raise layer.refused("graded spikes cannot be had")
    decay = np.clip(numbers(module.beta, "beta"), 0, 1)
    level = numbers(module.threshold, "threshold")
    fires = {"v_threshold": level, "v_reset": 0 * level, "r": 1.0}
    if hasattr(module, "alpha"):
        alpha = np.clip(numbers(module.alpha, "alpha"), 0, 1)
        given = {"type": "CubaLIF", **leaky(decay, "tau_mem"), **leaky(alpha, "tau_syn")}
    else:
        given = {"type": "LIF", **leaky(decay)}
    return Stated({**given, **fires}, _how(layer), _recurrent(module))


def _how(layer: Layer) -> dict[str, str]:
    module = layer.module
    late = getattr(module, "reset_delay", True)
    told = "none of a neuron's potential is taken away: use no neuron"
    layer.only("reset_mechanism", "subtract", "zero", told=told)
    if module.reset_mechanism == "subtract":
        if not late:
            raise layer.refused(
                "with reset_delay=False a potential of over two thresholds is lowered twice, which "
                "cannot be had: train with the default"
            )
        return {**RUN, "reset": "subtract-late"}
    if late and layer.names[1] != "Leaky":
        raise layer.refused("a late reset to zero also loses that step's input: set reset_delay")
    return {**RUN, "reset": "value"}


RUN = {"drive": "whole", "synapse": "whole", "spike": "above"}


def _recurrent(module: Any) -> dict[str, Any] | None:
    weights = getattr(module, "recurrent", None)
    if weights is None:
        return None
    if hasattr(weights, "V"):
        each: Real = np.atleast_1d(numbers(weights.V, "V"))
        return {"type": "Scale", "scale": each}
    given: dict[str, Any] = {"type": "Linear", "weight": numbers(weights.weight, "weight")}
    if weights.bias is not None:
        given |= {"type": "Affine", "bias": numbers(weights.bias, "bias")}
    return given


LAYERS: dict[tuple[str, str], Callable[[Layer], Stated]] = {
    ("snntorch", name): _neuron for name in ("Leaky", "Synaptic", "RLeaky", "RSynaptic")
}

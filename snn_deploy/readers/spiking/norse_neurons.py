"""Norse's neurons, in steps of their own ``dt``."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from snn_deploy.readers.spiking.layer import Layer, Stated, leaky, numbers

__all__ = ["LAYERS"]

RUN = {"drive": "scaled", "filter": "scaled", "synapse": "whole", "spike": "above"}


def _membrane(layer: Layer, what: str) -> dict[str, Any]:
    """``v += dt / tau (v_leak - v + x)``."""
    p = layer.module.p
    decay = 1 - layer.module.dt * numbers(p.tau_mem_inv, "tau_mem_inv")
    return {**leaky(decay, what), "r": 1.0, "v_leak": numbers(p.v_leak, "v_leak")}


def _fires(layer: Layer) -> tuple[dict[str, Any], dict[str, str]]:
    p = layer.module.p
    method = getattr(getattr(p, "reset_method", None), "__name__", "reset_value")
    resets = {"reset_value": "value", "reset_subtract": "subtract"}
    if method not in resets:
        raise layer.refused(f"reset_method {method} is not known")
    level, reset = numbers(p.v_th, "v_th"), numbers(p.v_reset, "v_reset")
    return {"v_threshold": level, "v_reset": reset}, {**RUN, "reset": resets[method]}


def _cuba(layer: Layer) -> Stated:
    fires, how = _fires(layer)
    decay = 1 - layer.module.dt * numbers(layer.module.p.tau_syn_inv, "tau_syn_inv")
    synapse = leaky(decay, "tau_syn")
    return Stated({"type": "CubaLIF", **_membrane(layer, "tau_mem"), **synapse, **fires}, how)


def _recurrent_cuba(layer: Layer) -> Stated:
    read, back = (
        {"type": "Linear", "weight": numbers(getattr(layer.module, name), name)}
        for name in ("input_weights", "recurrent_weights")
    )
    return replace(_cuba(layer), recurrent=back, weights=read)


def _box(layer: Layer) -> Stated:
    fires, how = _fires(layer)
    return Stated({"type": "LIF", **_membrane(layer, "tau"), **fires}, how)


def _integrator(layer: Layer) -> Stated:
    fires, how = _fires(layer)
    return Stated({"type": "IF", "r": 1.0, **fires}, {**how, "integrator": "whole"})


def _filter(layer: Layer) -> Stated:
    return Stated({"type": "LI", **_membrane(layer, "tau")}, RUN)


LAYERS: dict[tuple[str, str], Callable[[Layer], Stated]] = {
    ("norse", "LIFCell"): _cuba,
    ("norse", "LIFRecurrentCell"): _recurrent_cuba,
    ("norse", "LIFBoxCell"): _box,
    ("norse", "IAFCell"): _integrator,
    ("norse", "LIBoxCell"): _filter,
}

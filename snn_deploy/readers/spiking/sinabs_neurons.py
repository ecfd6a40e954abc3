"""Sinabs's neurons, whose time is counted in steps."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from snn_deploy.readers.spiking.layer import Layer, Stated, leaky, numbers

__all__ = ["LAYERS"]


def _fires(layer: Layer) -> tuple[dict[str, Any], dict[str, str]]:
    module = layer.module
    spikes = getattr(module.spike_fn, "__name__", str(module.spike_fn))
    if spikes != "SingleSpike":
        told = f"its neurons send several spikes a step ({spikes}); here they send one: train with"
        raise layer.refused(f"{told} spike_fn=SingleSpike")
    layer.only("min_v_mem", None, told="a lower bound on potentials cannot be had")
    layer.only("tau_syn", None, told="a synaptic current cannot be had: it also decays at once")
    level = numbers(module.spike_threshold, "spike_threshold")
    value = getattr(module.reset_fn, "reset_value", None)
    if value is None and getattr(module.reset_fn, "subtract_value", None) is not None:
        raise layer.refused("only the threshold can be subtracted")
    how = {"spike": "at", "reset": "subtract" if value is None else "value"}
    return {"v_threshold": level, "v_reset": np.full_like(level, value or 0.0)}, how


def _membrane(layer: Layer) -> dict[str, Any]:
    decay = np.exp(-1.0 / numbers(layer.module.tau_mem, "tau_mem"))
    return {**leaky(decay), "r": 1.0}


def _lif(layer: Layer) -> Stated:
    fires, how = _fires(layer)
    drive = "scaled" if layer.module.norm_input else "whole"
    return Stated({"type": "LIF", **_membrane(layer), **fires}, {**how, "drive": drive})


def _integrator(layer: Layer) -> Stated:
    fires, how = _fires(layer)
    return Stated({"type": "IF", "r": 1.0, **fires}, {**how, "integrator": "whole"})


def _filter(layer: Layer) -> Stated:
    layer.only("min_v_mem", None, told="a lower bound on potentials cannot be had")
    rule = "scaled" if layer.module.norm_input else "whole"
    return Stated({"type": "LI", **_membrane(layer)}, {"filter": rule})


LAYERS: dict[tuple[str, str], Callable[[Layer], Stated]] = {
    ("sinabs", f"{name}{form}"): made
    for name, made in (("LIF", _lif), ("IAF", _integrator), ("ExpLeak", _filter))
    for form in ("", "Squeeze")
}

"""The reader of live networks of other libraries' neurons, which become a NIR graph first."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np

from snn_deploy.errors import ConfigError, UnsupportedNetworkError
from snn_deploy.readers.nir.reader import NO_USE, read_graph
from snn_deploy.readers.source import ReadOptions, Source
from snn_deploy.readers.spiking.layer import Layer, Stated
from snn_deploy.readers.spiking.norse_neurons import LAYERS as NORSE
from snn_deploy.readers.spiking.sinabs_neurons import LAYERS as SINABS
from snn_deploy.readers.spiking.snntorch_neurons import LAYERS as SNNTORCH
from snn_deploy.readers.spiking.torch_layers import LAYERS as TORCH

__all__ = ["SpikingModuleReader"]

NEURONS = {**NORSE, **SINABS, **SNNTORCH}
LAYERS = {**TORCH, **NEURONS}


class SpikingModuleReader:
    """Reads an ``nn.Sequential`` whose neurons are of snnTorch, Norse or Sinabs."""

    def recognises(self, thing: object) -> bool:
        """Tell by its classes, without importing torch."""
        if not any(base.__module__.startswith("torch.nn.") for base in type(thing).__mro__):
            return False
        packages = {package for package, _ in NEURONS}
        parts: Any = getattr(thing, "modules", tuple)()
        return any(Layer(part, "").names[0] in packages for part in parts)

    def read(self, thing: Any, options: ReadOptions) -> Source:
        """Copy its parameters: training on changes nothing."""
        options.refuse("a live network", *NO_USE)
        where = type(thing).__name__
        nodes: dict[str, Any] = {}
        edges: list[tuple[str, str]] = []
        how: dict[str, str] = {}
        last = "input"
        for name, layer in _layers(thing, where):
            stated = _stated(layer)
            for option, value in stated.how.items():
                if how.setdefault(option, value) != value:
                    told = f"{option} is {value}, where layers before have {how[option]}"
                    raise layer.refused(f"{told}: one network has one")
            if stated.primitive is None:
                continue
            if stated.weights is not None:
                nodes[f"{name}.weights"] = stated.weights
                edges.append((last, f"{name}.weights"))
                last = f"{name}.weights"
            nodes[name] = stated.primitive
            edges.append((last, name))
            if stated.recurrent is not None:
                nodes[f"{name}.recurrent"] = stated.recurrent
                edges += [(name, f"{name}.recurrent"), (f"{name}.recurrent", name)]
            last = name
        shape = _input_shape(nodes, options, where)
        ports = {
            "input": {"type": "Input", "shape": shape},
            "output": {"type": "Output", "shape": shape},
        }
        edges.append((last, "output"))
        tree = {"type": "NIRGraph", "nodes": {**ports, **nodes}, "edges": edges}
        tree["metadata"] = {"conventions": {"writer": "nir", "dt": 1.0, **how}}
        return read_graph(tree, where, replace(options, example_inputs=None), "spiking module")


def _layers(module: Any, where: str, prefix: str = "") -> Iterator[tuple[str, Layer]]:
    """Give the layers of a sequence, and of sequences in it."""
    for name, child in module.named_children():
        inside = f"{prefix}{name}"
        layer = Layer(child, f"{where}: layer '{inside}'")
        if layer.names not in LAYERS and _is_sequence(child):
            yield from _layers(child, where, f"{inside}.")
        else:
            yield inside, layer


def _is_sequence(module: Any) -> bool:
    return any(base.__name__ == "Sequential" for base in type(module).__mro__)


def _stated(layer: Layer) -> Stated:
    if layer.names not in LAYERS:
        known = ", ".join(sorted({f"{package}.{name}" for package, name in LAYERS}))
        raise layer.refused(f"a layer that cannot be read; there are: {known}")
    return LAYERS[layer.names](layer)


def _input_shape(nodes: dict[str, Any], options: ReadOptions, where: str) -> tuple[int, ...]:
    """Give the shape of a step: of the example, or of what the first weights read."""
    if options.example_inputs is not None:
        shape = np.shape(options.example_inputs)[2:]
        if not shape:
            told = f"of shape {np.shape(options.example_inputs)} are not (B, L, …)"
            raise ConfigError(f"{where}: example inputs {told}")
        return tuple(shape)
    first: dict[str, Any] = next(iter(nodes.values()), {})
    if first.get("type") in ("Affine", "Linear"):
        return (int(first["weight"].shape[1]),)
    raise UnsupportedNetworkError(
        f"{where}: does not begin with a Linear, so nothing says how large a step of the input is: "
        "give example_inputs, (B, L, …)"
    )

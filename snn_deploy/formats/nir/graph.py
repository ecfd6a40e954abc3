"""From a lowered network to NIR's primitives: the real numbers that its integers stand for.

A graph has no rounding, so that what runs it comes near the chip's answers and not to their bits.
Steps are Euler steps of ``DT``, and a loop comes round a step later.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from snn_deploy.errors import TargetError
from snn_deploy.ir.network import Network
from snn_deploy.ir.node import Node

__all__ = ["DT", "graph_of"]

Real = npt.NDArray[np.float64]
DT = 1e-4
SLOWEST = 2.0**-48  # of a state, lost in a step: with less, nothing is


@dataclass
class _Graph:
    """The primitives made so far."""

    network: Network
    nodes: dict[str, dict[str, Any]] = field(default_factory=dict)
    edges: list[tuple[str, str]] = field(default_factory=list)
    ends: dict[str, str] = field(default_factory=dict)
    readout: str = "last"

    def add(self, name: str, kind: str, reads: Sequence[str], **parameters: Any) -> str:
        self.nodes[name] = {"type": kind, **parameters}
        self.edges += [(source, name) for source in reads]
        return name

    def unit(self, name: str) -> Real:
        """Give the mantissas of a node's signal for 1, (width,)."""
        node: Any = self.network[name]
        return np.asarray(2.0 ** node.output.exponents(node.width))

    def delayed(self, name: str, source: str, steps: int, width: int) -> str:
        """Give what a node reads, ``steps`` before."""
        if steps == 0:
            return source
        return self.add(name, "Delay", [source], delay=np.full(width, steps * DT))


def graph_of(network: Network) -> dict[str, Any]:
    """Give the graph as nested dictionaries, as :mod:`nir` stores it.

    Raises
    ------
    TargetError
        Naming a node that no primitives express.
    """
    made = _Graph(network)
    done: set[str] = set()
    for node in network:
        make = _KINDS.get(node.kind)
        if make is None:
            raise _refused(node, f"NIR has no primitives for {node.kind}")
        make(made, node, _sources(made, node, done))
        made.ends.setdefault(node.name, node.name)
        done.add(node.name)
    for name, answer in network.outputs.items():
        if answer.head:
            raise _refused(answer.source, "the host computes on its answer, which NIR cannot")
        shape = np.array([answer.source.width])
        ends = made.add(f"{name}.output", "Output", [made.ends[name]], shape=shape)
        assert ends in made.nodes
    how = {"writer": "nir", "dt": DT, "readout": made.readout}
    metadata = {"conventions": how}
    return {"type": "NIRGraph", "nodes": made.nodes, "edges": made.edges, "metadata": metadata}


def _refused(node: Node, told: str) -> TargetError:
    return TargetError(f"node '{node.name}' ({node.kind}): {told}")


def _sources(made: _Graph, node: Node, done: set[str]) -> list[str]:
    """Name what a node reads, through a delay where that is of steps before."""
    found = []
    for index, edge in enumerate(node.inputs):
        closing = edge.source not in done
        source, width = made.ends.get(edge.source, edge.source), made.network[edge.source].width
        steps = edge.steps_back - closing  # a loop itself takes a step
        found.append(made.delayed(f"{node.name}.delay{index}", source, steps, width))
    return found


def _input(made: _Graph, node: Any, reads: list[str]) -> None:
    made.add(node.name, "Input", [], shape=np.array([node.width]))


def _synapses(made: _Graph, node: Any, reads: list[str]) -> None:
    weight = node.weight * made.unit(node.inputs[0].source)
    made.add(node.name, "Linear", reads, weight=weight)


def _requantize(made: _Graph, node: Any, reads: list[str]) -> None:
    gain, bias = np.ones(node.width), np.zeros(node.width)
    if node.rescale is not None:
        aligned = made.unit(node.inputs[0].source)
        if node.align is not None:
            aligned = aligned * 2.0 ** node.align[0]
        gain = node.rescale.mantissa * 2.0 ** -node.rescale.shift.astype(float) * aligned
        gain, bias = gain / made.unit(node.name), node.rescale.bias / made.unit(node.name)
    if bias.any():
        made.add(node.name, "Affine", reads, weight=np.diag(gain), bias=bias)
    else:
        made.add(node.name, "Scale", reads, scale=gain)


def _dendrite(made: _Graph, node: Any, reads: list[str]) -> None:
    """Two leaky integrators a mode that forget at once, and remember through a loop."""
    if node.reversed_time:
        raise _refused(node, "it runs backwards in time, which NIR cannot")
    bank, name, h, n = node.bank, node.name, node.width, node.bank.modes
    unit = made.unit(node.inputs[0].source)
    decay, each = bank.decay.ravel(), np.repeat(np.arange(h), n)
    entering = np.zeros((h * n, h))
    entering[np.arange(h * n), each] = (2.0**bank.input_shift * unit[:, None]).ravel()
    fed = made.add(f"{name}.in", "Linear", reads, weight=entering)
    once = {"tau": np.full(h * n, DT), "r": np.ones(h * n), "v_leak": np.zeros(h * n)}
    real = made.add(f"{name}.real", "LI", [fed], **once)
    made.add(f"{name}.real.keep", "Scale", [real], scale=decay.real)
    late = made.delayed(f"{name}.real.late", real, 1, h * n)
    made.add(f"{name}.turn", "Scale", [late], scale=decay.imag)
    imag = made.add(f"{name}.imag", "LI", [f"{name}.turn"], **once)
    made.add(f"{name}.imag.keep", "Scale", [imag], scale=decay.real)
    made.add(f"{name}.back", "Scale", [imag], scale=-decay.imag)
    made.edges += [(f"{name}.{x}.keep", f"{name}.{x}") for x in ("real", "imag")]
    made.edges.append((f"{name}.back", real))
    scale = 2.0**-node.drive_shift / made.unit(name)
    parts = []
    for part, source, sign in (("real", real, 1), ("imag", imag, -1)):
        words = getattr(bank, f"readout_{part}") * 2.0 ** -bank.readout_shift.astype(float)
        weight = np.zeros((h, h * n))
        weight[each, np.arange(h * n)] = sign * (words * scale[:, None]).ravel()
        parts.append(made.add(f"{name}.{part}.out", "Linear", [source], weight=weight))
    if node.skip_mantissa.any():
        skip = node.skip_mantissa * 2.0 ** -node.skip_shift.astype(float) * unit * scale
        parts.append(made.add(f"{name}.skip", "Scale", reads, scale=skip))
    made.add(name, "Scale", parts, scale=np.ones(h))


def _lif(made: _Graph, node: Any, reads: list[str]) -> None:
    size, unit = node.width, made.unit(node.inputs[0].source)
    lost = np.full(size, node.decay / 2.0**node.lif_registers.decay_bits)
    level = node.threshold / unit  # strictly above, as NIR has it
    _fires(made, node, reads, _leaky("tau", "r", lost, np.ones(size)), level, 0 * level)


def _cuba(made: _Graph, node: Any, reads: list[str]) -> None:
    if not node.resets_to:
        raise _refused(node, "its spikes take a level away, and NIR's set the potential")

    def factor(name: str) -> Real:
        words, shift = getattr(node, name), getattr(node, f"{name}_shift")
        return np.asarray(words * 2.0 ** -shift.astype(float))

    gain = factor("gain") * 2.0**node.align * made.unit(node.inputs[0].source)
    lost, level = factor("leak"), node.threshold - 0.5  # of whole numbers: at it, or above
    reset = np.divide(node.reset, 1 - lost, out=np.zeros(node.width), where=lost < 1)
    if node.fade is None:
        given = _leaky("tau", "r", lost, gain)
    else:
        current = _leaky("tau_syn", "w_in", factor("fade"), gain)
        given = {**current, **_leaky("tau_mem", "r", lost, np.ones(node.width))}
    _fires(made, node, reads, given, level, reset)


def _leaky(tau: str, gain: str, lost: Real, whole: Real) -> dict[str, Real]:
    """Give the time constant that loses a share a step, and the factor that gains ``whole``."""
    lost = np.maximum(lost, SLOWEST)
    return {tau: DT / lost, gain: whole / lost}


def _fires(
    made: _Graph, node: Any, reads: list[str], given: dict[str, Real], level: Real, reset: Real
) -> None:
    kind = "CubaLIF" if "tau_syn" in given else "LIF"
    rest = {"v_leak": 0 * level, "v_threshold": level, "v_reset": reset}
    made.add(node.name, kind, reads, **given, **rest)


def _level(made: _Graph, node: Any, reads: list[str]) -> None:
    level = (node.level - 0.5) / made.unit(node.inputs[0].source)
    made.add(node.name, "Threshold", reads, threshold=level)


def _pool(made: _Graph, node: Any, reads: list[str]) -> None:
    """Leave it to whoever reads the answers out: what follows is linear."""
    if node.mode not in ("mean", "last"):
        raise _refused(node, f"NIR has no {node.mode} over time")
    made.readout = node.mode
    made.ends[node.name] = reads[0]


_KINDS: dict[str, Callable[[_Graph, Any, list[str]], None]] = {
    "Accumulator": _pool,
    "ChipLif": _lif,
    "CubaSoma": _cuba,
    "Dendrite": _dendrite,
    "Input": _input,
    "LevelSoma": _level,
    "LifSoma": _lif,
    "Requantize": _requantize,
    "Synapses": _synapses,
}

"""From a lowered network to NIR's primitives: the real numbers that its integers stand for.

A graph has no rounding, so that what runs it comes near the chip's answers and not to their bits.
Steps are Euler steps of ``DT``, and a loop comes round a step later.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from snn_deploy.formats.nir import neurons, products
from snn_deploy.formats.nir.made import DT, Made, Real, refused
from snn_deploy.ir.network import Network
from snn_deploy.ir.node import Node
from snn_deploy.nodes.base import Place

__all__ = ["KINDS", "graph_of"]


def graph_of(network: Network) -> dict[str, Any]:
    """Give the graph as nested dictionaries, as :mod:`nir` stores it.

    Raises
    ------
    TargetError
        Naming a node that no primitives express.
    """
    made = Made(network)
    done: set[str] = set()
    for node in network:
        make = KINDS.get(node.kind)
        if make is None:
            raise refused(node, f"NIR has no primitives for {node.kind}")
        if made.averaged.intersection(edge.source for edge in node.inputs):
            if node.kind not in LINEAR:
                raise refused(node, "it reads a mean over time, which a graph leaves to its reader")
            made.averaged.add(node.name)
        make(made, node, _sources(made, node, done))
        made.ends.setdefault(node.name, node.name)
        done.add(node.name)
    for name, answer in network.outputs.items():
        shape = np.array([answer.source.width])
        ends = made.add(f"{name}.output", "Output", [made.ends[name]], shape=shape)
        assert ends in made.nodes
    how = {"writer": "nir", "dt": DT, "readout": made.readout}
    metadata = {"conventions": how}
    heads = {name: [n.name for n in a.head] for name, a in network.outputs.items() if a.head}
    if heads:
        metadata["heads"] = {name: ", ".join(nodes) for name, nodes in heads.items()}
    return {"type": "NIRGraph", "nodes": made.nodes, "edges": made.edges, "metadata": metadata}


def _sources(made: Made, node: Node, done: set[str]) -> list[str]:
    """Name what a node reads, through a delay where that is of steps before."""
    found = []
    for index, edge in enumerate(node.inputs):
        closing = edge.source not in done
        source, width = made.ends.get(edge.source, edge.source), made.network[edge.source].width
        steps = edge.steps_back - closing  # a loop itself takes a step
        found.append(made.delayed(f"{node.name}.delay{index}", source, steps, width))
    return found


def _input(made: Made, node: Any, reads: list[str]) -> None:
    made.add(node.name, "Input", [], shape=np.array([node.width]))


def _synapses(made: Made, node: Any, reads: list[str]) -> None:
    weight = node.weight * made.unit(node.inputs[0].source)
    made.add(node.name, "Linear", reads, weight=weight)


def _kernels(made: Made, node: Any, reads: list[str]) -> None:
    """The matrix that kernels are: NIR's own read maps, and nothing makes maps of a flat signal."""
    count = node.width * node.input_width
    if count > MOST_WEIGHTS:
        raise refused(node, f"its kernels are a matrix of {count:,} numbers, over {MOST_WEIGHTS:,}")
    unit = made.unit(node.inputs[0].source).astype(np.float32)
    made.add(node.name, "Linear", reads, weight=node.as_matrix() * unit)


def _table(made: Made, node: Any, reads: list[str]) -> None:
    tokens = np.arange(node.vocabulary)[None, :, None]
    rows, _ = node.run([tokens], Place(np.array([node.vocabulary]), node.vocabulary))
    _rows(made, node.name, reads, rows[0] / made.unit(node.name), 0)


def _positions(made: Made, node: Any, reads: list[str]) -> None:
    """A clock, which adds 1 up, says which row of the table is next."""
    one = {"weight": np.zeros((1, node.width)), "bias": np.ones(1)}
    made.add(f"{node.name}.one", "Affine", reads, **one)
    clock = made.add(f"{node.name}.clock", "I", [f"{node.name}.one"], r=np.full(1, 1 / DT))
    rows = node.table / made.unit(node.name)
    table = _rows(made, f"{node.name}.table", [clock], rows, 1)
    made.scale(node.name, [*reads, table], np.ones(node.width))


def _rows(made: Made, name: str, reads: list[str], rows: Real, first: int) -> str:
    """Give the row that a number stands for, which counts from ``first``: thresholds tell which
    ones it is above, and each of them adds what its row is more than the last.
    """
    rows = np.concatenate([rows, rows[-1:]])  # of one row, too, there is a threshold
    above = np.arange(len(rows) - 1) + first + 0.5
    made.add(f"{name}.number", "Linear", reads, weight=np.ones((len(above), 1)))
    made.add(f"{name}.above", "Threshold", [f"{name}.number"], threshold=above)
    more = {"weight": np.diff(rows, axis=0).T, "bias": rows[0]}
    return made.add(name, "Affine", [f"{name}.above"], **more)


def _requantize(made: Made, node: Any, reads: list[str]) -> None:
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


def _dendrite(made: Made, node: Any, reads: list[str]) -> None:
    """Two leaky integrators a mode that forget at once, and remember through a loop."""
    if node.reversed_time:
        raise refused(node, "it runs backwards in time, which NIR cannot")
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


def _part(made: Made, node: Any, reads: list[str]) -> None:
    weight = np.eye(node.whole)[node.first : node.first + node.width]
    made.add(node.name, "Linear", reads, weight=weight)


def _pool(made: Made, node: Any, reads: list[str]) -> None:
    """Add a sum up; leave a mean to whoever reads the answers out: what follows is linear."""
    if node.mode == "sum":
        made.add(node.name, "I", reads, r=np.full(node.width, 1 / DT))
    elif node.mode in ("mean", "last"):
        made.readout = node.mode
        made.ends[node.name] = reads[0]
        if node.mode == "mean":
            made.averaged.add(node.name)
    else:
        raise refused(node, f"NIR has no {node.mode} over time")


LINEAR = frozenset({"Part", "Requantize", "SharedSynapses", "Synapses"})
MOST_WEIGHTS = 1 << 26

KINDS: dict[str, Callable[[Made, Any, list[str]], None]] = {
    "Accumulator": _pool,
    "ChipCuba": neurons.chip_cuba,
    "ChipLif": neurons.lif,
    "CubaSoma": neurons.cuba,
    "Dendrite": _dendrite,
    "EmbeddingTable": _table,
    "Gate": products.gate,
    "Input": _input,
    "LevelSoma": neurons.level,
    "LifSoma": neurons.lif,
    "Multiply": products.multiply,
    "Part": _part,
    "Positions": _positions,
    "Rectify": products.rectify,
    "Requantize": _requantize,
    "SelfGate": products.self_gate,
    "SharedSynapses": _kernels,
    "Synapses": _synapses,
}

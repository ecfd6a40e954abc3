"""Networks that break the rules of what the host computes: see ``test_verifier.RULES``."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
from host_makers import token_input

from snn_deploy.ir.formats import Edge, Format
from snn_deploy.ir.network import Network
from snn_deploy.ir.node import Node
from snn_deploy.nodes.base import Rescale
from snn_deploy.nodes.embedding_table import Cluster, EmbeddingTable, Projection
from snn_deploy.nodes.inputs import Input
from snn_deploy.nodes.lif import LifSoma
from snn_deploy.nodes.positions import Positions
from snn_deploy.nodes.requantize import Requantize
from snn_deploy.nodes.window import Window

FORM = Format(8, 0)
TABLE = np.arange(12, dtype=np.int16).reshape(4, 3)
PROJECTION = Projection(
    weight=np.ones((3, 3), np.int16),
    rescale=Rescale(np.ones(3, np.int32), np.zeros(3, np.int8), np.zeros(3, np.int32), 8),
)


def chain(*members: Node) -> Network:
    return Network("lowered", members, "all")


def plain(width: int = 3) -> Input:
    return Input(name="input", output=FORM, channels=width)


def tokens(**changes: Any) -> Network:
    """An input of four tokens and their table."""
    lookup = EmbeddingTable(
        name="lookup",
        inputs=(Edge("input"),),
        output=FORM,
        channels=3,
        clusters=(Cluster(TABLE),),
    )
    return chain(token_input(4), replace(lookup, **changes))


def positions(source: Node | None = None, **changes: Any) -> Network:
    source = source or plain()
    node = Positions(
        name="positions", inputs=(Edge(source.name),), output=FORM, channels=3, table=TABLE
    )
    return chain(source, replace(node, **changes))


def window(**changes: Any) -> Network:
    node = Window(
        name="window", inputs=(Edge("input"),), output=FORM, channels=3, before=1, after=1
    )
    return chain(plain(), replace(node, **changes))


def relay(name: str, *sources: Edge) -> Requantize:
    return Requantize(name=name, inputs=sources, output=FORM, channels=3)


def soma_before_positions() -> Network:
    soma = LifSoma(name="lif", inputs=(Edge("input"),), channels=3, threshold=1, decay=0)
    return chain(plain(), soma, positions(inputs=(Edge("lif"),)).nodes[-1])


def fork_before_positions() -> Network:
    after = positions(inputs=(Edge("input"),)).nodes[-1]
    return chain(plain(), relay("relay", Edge("input")), after)


def adder_before_positions() -> Network:
    adder = relay("relay", Edge("input"), Edge("input"))
    return chain(plain(), adder, positions(adder, inputs=(Edge("relay"),)).nodes[-1])


def way_around_positions() -> Network:
    network = positions()
    return chain(*network.nodes, relay("relay", Edge("positions"), Edge("input")))


def window_behind_a_relay() -> Network:
    after = window(inputs=(Edge("relay"),)).nodes[-1]
    return chain(plain(), relay("relay", Edge("input")), after)


HOST: dict[str, tuple[Callable[[], Network], str]] = {
    "tokens that are no tokens": (
        lambda: chain(plain(1), tokens().nodes[-1]),
        "node 'lookup' (EmbeddingTable): reads s8e0, which does not stand for tokens 0 … 3",
    ),
    "tokens for which bits are missing": (
        lambda: chain(token_input(2), tokens().nodes[-1]),
        "node 'lookup' (EmbeddingTable): reads u1e0, which does not stand for tokens 0 … 3",
    ),
    "no table": (lambda: tokens(clusters=()), "node 'lookup' (EmbeddingTable): has no table"),
    "an empty table": (
        lambda: tokens(clusters=(Cluster(TABLE[:0]),)),
        "node 'lookup' (EmbeddingTable): table of shape (0, 3)",
    ),
    "a table of other channels": (
        lambda: tokens(clusters=(Cluster(TABLE[:, :2]),)),
        "node 'lookup' (EmbeddingTable): a table has shape (4, 2), not (4, 3)",
    ),
    "an entry too large": (
        lambda: tokens(clusters=(Cluster(TABLE + np.int16(120)),)),
        "node 'lookup' (EmbeddingTable): an entry of its table exceeds 8 bits",
    ),
    "a projection of another shape": (
        lambda: tokens(clusters=(Cluster(TABLE[:, :2], PROJECTION),)),
        "node 'lookup' (EmbeddingTable): a projection has shape (3, 3), not (3, 2)",
    ),
    "a projection's gain too large": (
        lambda: tokens(
            clusters=(
                Cluster(TABLE, replace(PROJECTION, rescale=replace(PROJECTION.rescale, bits=1))),
            )
        ),
        "node 'lookup' (EmbeddingTable): bits 1 is outside 2 … 32",
    ),
    "a position too large": (
        lambda: positions(table=np.full((4, 3), -(2**31), np.int32)),
        "node 'positions' (Positions): an entry of its table exceeds 32 bits",
    ),
    "positions of other channels": (
        lambda: positions(table=TABLE[:, :2]),
        "node 'positions' (Positions): its table has shape (4, 2), not (4, 3)",
    ),
    "an align of another shape": (
        lambda: positions(align=np.zeros(2, np.int8)),
        "node 'positions' (Positions): align has shape (2,), not (3,)",
    ),
    "positions of another exponent": (
        lambda: positions(align=np.ones(3, np.int8)),
        "node 'positions' (Positions): adds signals of different exponents",
    ),
    "a window behind a relay": (
        window_behind_a_relay,
        "node 'window' (Window): reads 'relay', which is no Input",
    ),
    "a window of less than no step": (
        lambda: window(after=-1),
        "node 'window' (Window): after -1 is outside 0 … 65536",
    ),
    "a window of another format": (
        lambda: window(output=Format(9, 0)),
        "node 'window' (Window): its output's format is not its input's",
    ),
    "a soma that the host would have to compute": (
        soma_before_positions,
        "node 'lif' (LifSoma): 'positions' comes after it, so the host must compute it, which it",
    ),
    "a fork in the host's chain": (
        fork_before_positions,
        "node 'relay' (Requantize): reads 'input', as only 'positions' can: the host computes",
    ),
    "two signals in the host's chain": (
        adder_before_positions,
        "node 'relay' (Requantize): reads 'input, input'; the host computes a chain, so one signal",
    ),
    "a delay in the host's chain": (
        lambda: positions(inputs=(Edge("input", 1),)),
        "node 'positions' (Positions): the host delays no signal",
    ),
    "a way around the host's chain": (
        way_around_positions,
        "node 'relay' (Requantize): reads 'input', as only 'positions' can: the host computes",
    ),
}

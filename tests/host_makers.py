"""Random nodes that the host computes, each behind an input: see ``networks.MAKERS``."""

from __future__ import annotations

from typing import Any

import numpy as np

from snn_deploy import fixedpoint as fp
from snn_deploy.ir.formats import Edge, Format
from snn_deploy.ir.network import Network
from snn_deploy.ir.node import Node
from snn_deploy.nodes.base import Rescale
from snn_deploy.nodes.embedding_table import Cluster, EmbeddingTable, Projection, Table
from snn_deploy.nodes.inputs import Input
from snn_deploy.nodes.positions import Positions
from snn_deploy.nodes.window import Window

Random = np.random.Generator


def token_input(vocabulary: int, spare: int = 0) -> Input:
    """Give an input of tokens, with ``spare`` bits more than they need."""
    bits = max((vocabulary - 1).bit_length(), 1) + spare
    return Input(name="input", output=Format(bits, 0, signed=False), channels=1)


def highest_mantissa(network: Network) -> int:
    """Give the largest mantissa that may go in."""
    lookups = network.of_kind(EmbeddingTable)
    source: Any = network.input
    return lookups[0].vocabulary - 1 if lookups else source.output.limit


def random_format(rng: Random, width: int) -> Format:
    exponent: int | tuple[int, ...] = int(rng.integers(-3, 12))
    if rng.integers(2):
        exponent = tuple(int(e) for e in rng.integers(-3, 12, width))
    return Format(int(rng.integers(4, 25)), exponent)


def random_table(rng: Random, bits: int, shape: tuple[int, ...]) -> Table:
    limit = fp.limit_of(bits)
    table = rng.integers(-limit, limit + 1, shape)
    return table.astype(np.int16 if bits <= 16 else np.int32)


def random_cluster(rng: Random, output: Format, width: int, factorised: bool) -> Cluster:
    rows = int(rng.integers(1, 6))
    if not factorised:
        return Cluster(random_table(rng, output.bits, (rows, width)))
    inner = int(rng.integers(1, 5))
    bits = int(rng.integers(2, 25))
    limit = fp.limit_of(bits)
    rescale = Rescale(
        mantissa=rng.integers(-limit, limit + 1, width).astype(np.int32),
        shift=rng.integers(max(0, bits - 4), bits + 20, width).astype(np.int8),
        bias=rng.integers(-99, 100, width).astype(np.int32),
        bits=bits,
    )
    weight = random_table(rng, int(rng.integers(2, 17)), (width, inner))
    table = random_table(rng, int(rng.integers(2, 17)), (rows, inner))
    return Cluster(table, Projection(weight.astype(np.int16), rescale))


def make_lookup(rng: Random) -> tuple[Node, ...]:
    width = int(rng.integers(1, 5))
    output = random_format(rng, width)
    clusters = tuple(
        random_cluster(rng, output, width, bool(rng.integers(2))) for _ in range(rng.integers(1, 4))
    )
    node = EmbeddingTable(
        name="node", inputs=(Edge("input"),), output=output, channels=width, clusters=clusters
    )
    return token_input(node.vocabulary, int(rng.integers(2))), node


def make_positions(rng: Random) -> tuple[Node, ...]:
    width = int(rng.integers(1, 5))
    source = Input(name="input", output=random_format(rng, width), channels=width)
    exponents = source.output.exponents(width)
    align = rng.integers(-6, 7, width) if rng.integers(2) else np.zeros(width, np.int64)
    output = Format(int(rng.integers(4, 25)), tuple(int(e) for e in exponents + align))
    node = Positions(
        name="node",
        inputs=(Edge("input"),),
        output=output,
        channels=width,
        table=random_table(rng, output.bits + int(rng.integers(3)), (40, width)),
        align=align.astype(np.int8) if align.any() else None,
    )
    return source, node


def make_window(rng: Random) -> tuple[Node, ...]:
    width = int(rng.integers(1, 4))
    source = Input(name="input", output=random_format(rng, width), channels=width)
    before, after = (int(n) for n in rng.integers(0, 4, 2))
    exponents = np.tile(source.output.exponents(width), before + 1 + after)
    node = Window(
        name="node",
        inputs=(Edge("input"),),
        output=Format(source.output.bits, tuple(int(e) for e in exponents)),
        channels=width,
        before=before,
        after=after,
    )
    return source, node

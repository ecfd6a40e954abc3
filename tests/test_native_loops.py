"""Edges that read earlier steps, and loops of them, on the native engine: random networks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from lava_networks import loops, past_of_both_directions
from random_networks import Limits, random_network, random_run
from same_results import assert_same_results
from test_native_programs import assert_streams

from snn_deploy.engines.native import NativeEngine, session
from snn_deploy.engines.native.assembly import assemble_integers
from snn_deploy.engines.native.plan import plan_network
from snn_deploy.engines.reference import ReferenceEngine
from snn_deploy.engines.result import Run
from snn_deploy.engines.session import run_whole
from snn_deploy.errors import NetworkError
from snn_deploy.ir.bounds import WIDEST, bound_network
from snn_deploy.ir.formats import Edge
from snn_deploy.ir.host import chip_part
from snn_deploy.ir.loops import groups, is_recurrent
from snn_deploy.ir.network import Network
from snn_deploy.ir.sweeps import plan_sweeps
from snn_deploy.nodes.requantize import Requantize

MOST_BACK = 4


def looped(seed: int, limits: Limits | None = None) -> Network | None:
    """Make a random network that reads its past; None where its sums have no room for that.

    An edge may read earlier steps, and a relay may read a node of its width after it.
    """
    rng = np.random.default_rng([seed, 7])
    try:
        network = random_network(seed, limits)
    except NetworkError:
        return None
    chip = chip_part(network)
    nodes: list[Any] = list(network.nodes)
    for place, node in enumerate(nodes):
        if node.name not in chip.names or not chip[node.name].inputs:
            continue
        edges = [
            replace(edge, steps_back=int(rng.integers(1, MOST_BACK)) if rng.random() < 0.3 else 0)
            for edge in node.inputs
        ]
        later = [n for n in nodes[place:] if n.width == node.width and n.output.bits <= 24]
        if isinstance(node, Requantize) and later and rng.random() < 0.7:
            partner = later[int(rng.integers(len(later)))].name
            edges.append(Edge(partner, steps_back=int(rng.integers(1, MOST_BACK))))
            shape = (len(edges), node.width)
            align = np.zeros(shape, np.int8)
            if node.align is not None:
                align[:-1] = node.align
            nodes[place] = replace(node, align=align)
        nodes[place] = replace(nodes[place], inputs=tuple(edges))
    network = replace(network, nodes=tuple(nodes))
    products = [b.reached.get("product", np.zeros(1)) for b in bound_network(network).values()]
    wide = any(product.max() > WIDEST for product in products)
    backwards = any(n.runs_backwards for g in groups(network) if is_recurrent(g) for n in g)
    return None if wide or backwards else network


seeds = st.integers(0, 2**31)


@settings(max_examples=100)
@given(seed=seeds, chunk=st.integers(1, 9), exactly=st.booleans())
def test_native_equals_reference(seed: int, chunk: int, exactly: bool) -> None:
    network = looped(seed)
    assume(network is not None)
    assert network is not None
    run = random_run(network, seed)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(session, "MIN_STEPS", 1)
        patch.setattr(session, "MAX_STEPS", chunk)
        if exactly:
            patch.setattr(session, "assemble", assemble_integers)
        given = run_whole(NativeEngine(), network, run)
    assert_same_results(run_whole(ReferenceEngine(), network, run), given)


@pytest.mark.parametrize("make", [loops, past_of_both_directions])
def test_loops_of_every_length(make: Callable[[], Network]) -> None:
    network = make()
    rng = np.random.default_rng(0)
    inputs = rng.integers(-2047, 2048, (3, 40, network.input.width))
    run = Run(inputs, np.array([40, 1, 17]), network.names)
    assert_same_results(
        run_whole(ReferenceEngine(), network, run), run_whole(NativeEngine(), network, run)
    )


@settings(max_examples=60)
@given(seed=seeds)
def test_a_stream_goes_on_elsewhere(seed: int) -> None:
    network = looped(seed, Limits(causal=True))
    assume(network is not None)
    assert network is not None
    plan = plan_network(network)
    assume(plan.causal and not plan.needs_length)
    assert_streams(network, random_run(network, seed, steps=33))


def test_what_is_drawn_has_loops_and_sweeps() -> None:
    """The suite above means little if its networks have neither."""
    drawn = [network for seed in range(80) if (network := looped(seed)) is not None]
    recurrent = [any(is_recurrent(g) and len(g) > 1 for g in groups(n)) for n in drawn]
    assert len(drawn) >= 40
    assert sum(recurrent) >= 15
    assert sum(len(plan_sweeps(network)) > 1 for network in drawn) >= 10

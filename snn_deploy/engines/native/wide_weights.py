"""Weights of several words: the synapses of each word, and their sum, as synapses of whole weights.

The chip has a synapse for each word; here one product, or sum, does for all of a weight.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from snn_deploy.engines.native.plan import Plan, stepwise
from snn_deploy.ir.formats import Edge, Format
from snn_deploy.ir.node import Node
from snn_deploy.ir.sweeps import plan_sweeps
from snn_deploy.nodes.requantize import Requantize
from snn_deploy.nodes.synapses import Synapses

__all__ = ["join_words"]

SUM_BITS = 48  # of whole weights; that doubles hold the sums is proven where they are laid out


def join_words(plan: Plan, watched: frozenset[str]) -> Plan:
    """Give the plan with whole weights, where nobody asks for the sums of a word.

    What is left has the same signals: a sum of shifted sums is the sum of shifted weights.
    """
    late = {node.name for node in plan.closing}
    kept = (name for sweep in plan.sweeps for name in sweep.keeps)
    needed = watched.union(late, kept, plan.counted, plan.reach)
    joined: dict[str, tuple[Node, ...]] = {}
    for node in plan.network.of_kind(Requantize):
        words: Any = plan.network.sources(node)
        names = {word.name for word in words}
        if node.name not in late and not names & needed and _are_words(plan, node, words):
            joined |= dict.fromkeys(names, ())
            joined[node.name] = _join(node, words)
    if not joined:
        return plan
    nodes = tuple(new for node in plan.network for new in joined.get(node.name, (node,)))
    network = replace(plan.network, nodes=nodes)
    return replace(plan, network=network, sweeps=plan_sweeps(stepwise(network, late)))


def _are_words(plan: Plan, node: Requantize, words: tuple[Node, ...]) -> bool:
    """Tell whether a node adds up what the same signal brings by several matrices."""
    alike = all(
        type(word) is Synapses
        and word.inputs == words[0].inputs
        and plan.network.consumers(word.name) == (node,)
        for word in words
    )
    now = not any(edge.steps_back for edge in node.inputs)
    return (
        len(words) > 1 and alike and now and (node.align is None or bool((node.align >= 0).all()))
    )


def _join(node: Requantize, words: tuple[Any, ...]) -> tuple[Node, ...]:
    shifts = np.zeros((len(words), node.width), np.int64) if node.align is None else node.align
    weight: Any = sum(
        word.weight.astype(np.int64) << shift[:, None].astype(np.int64)
        for word, shift in zip(words, shifts, strict=True)
    )
    whole = replace(words[0], weight=weight, output=Format(SUM_BITS, 0))
    return whole, replace(node, inputs=(Edge(whole.name),), align=None)

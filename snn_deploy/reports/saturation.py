"""Where integers could be clipped, and where they were."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from snn_deploy.ir.bounds import bound_network
from snn_deploy.ir.network import Network

__all__ = ["Saturation", "Status", "judge_saturation"]

Status = Literal["impossible", "unseen", "seen", "not counted"]


@dataclass(frozen=True)
class Saturation:
    """What is known of one node's clipped quantities.

    ``impossible``: proven for any input; else, on the data, ``unseen`` or ``seen`` with a count of
    clipped values; ``not counted`` where the engine cannot tell. ``can_exceed`` names the
    quantities that some input could push over their limit.
    """

    node: str
    status: Status
    count: int
    can_exceed: tuple[str, ...]


def judge_saturation(network: Network, counted: Mapping[str, int] | None) -> tuple[Saturation, ...]:
    """Judge every node that clips anything; ``counted`` holds clipped values by node, if known."""
    judged = []
    for name, bound in bound_network(network).items():
        if not bound.limits:
            continue
        over = tuple(quantity for quantity in bound.limits if bound.can_exceed(quantity))
        count = 0 if counted is None else counted.get(name, 0)
        judged.append(Saturation(name, _status(over, count, counted is not None), count, over))
    return tuple(judged)


def _status(over: tuple[str, ...], count: int, is_counted: bool) -> Status:
    if count:
        return "seen"
    if not over:
        return "impossible"
    return "unseen" if is_counted else "not counted"

"""Constants in the place of the maxima that ternary spikes follow at run time.

A maximum over the neurons of a layer is a reduction at every step. A constant costs nothing, and is
the same threshold for every input: whether that is good enough, data must say.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from snn_deploy.engines.floating import run_float
from snn_deploy.errors import ConfigError
from snn_deploy.ir.network import Network

__all__ = ["FixedMaxima", "fix_maxima"]

SHARES = tuple(np.arange(10, 31) / 20)  # of the mean maximum: 0.5, 0.55, … 1.5


@dataclass(frozen=True, eq=False)
class FixedMaxima:
    """What fixing gives.

    Parameters
    ----------
    network
        The float network with a constant in every ternary node.
    changed
        By node, the share of its messages that differ from those of the run-time maximum, on the
        data that the constants were chosen with.
    """

    network: Network
    changed: Mapping[str, float]


def fix_maxima(
    network: Network, inputs: npt.ArrayLike, lengths: npt.ArrayLike | None = None
) -> FixedMaxima:
    """Choose a constant for every maximum, layer after layer.

    Each is the multiple of the mean maximum that changes the fewest messages of its node; later
    layers see what the earlier constants have changed.

    Parameters
    ----------
    network
        Of stage ``float``.
    inputs, lengths
        Representative data, as :func:`~snn_deploy.engines.floating.run_float` takes them.

    Raises
    ------
    ConfigError
        If the network has no maximum to fix.
    """
    nodes: Iterable[Any] = network
    names = [node.name for node in nodes if node.follows_maximum]
    if not names:
        raise ConfigError("the network has no ternary spikes that follow a maximum")
    wanted = run_float(network, inputs, lengths, record=names).signals
    changed: dict[str, float] = {}
    for name in names:
        node: Any = network[name]
        drive = node.inputs[0].source
        x = run_float(network, inputs, lengths, record=[drive]).signals[drive]
        mean = float(np.abs(x).max(axis=-1).mean())
        fixed = [replace(node, maximum=mean * share) for share in SHARES]
        costs = [float((one.fire(x) != wanted[name]).mean()) for one in fixed]
        best = int(np.argmin(costs))
        network, changed[name] = network.rewrite({name: (fixed[best],)}), costs[best]
    return FixedMaxima(network, changed)

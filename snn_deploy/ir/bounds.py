"""Worst cases: how large each integer can get, whatever the input.

Interval arithmetic, each node's equation read with every term at its largest. What stays under its
limit here cannot saturate: this is what "saturation impossible" in a report means, and what lets
the compiled engine leave out a clip. A kind bounds itself (``nodes/``), mostly from its program
(``ir/program_bounds.py``).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from snn_deploy.ir.formats import Format
from snn_deploy.ir.network import Network
from snn_deploy.ir.program_bounds import Interval

__all__ = [
    "WIDEST",
    "Bound",
    "Magnitude",
    "bound_network",
    "bound_node",
    "input_intervals",
    "rescaled_bound",
    "saturating",
    "shifted",
]

Magnitude = npt.NDArray[np.float64]

WIDEST = 2**62 - 1  # what an engine can hold in 64 bits and still round


@dataclass(frozen=True)
class Bound:
    """Worst cases of one node.

    Parameters
    ----------
    reached
        By the name of a clipped or width-limited quantity: its largest magnitude before clipping,
        per channel (width,) or finer.
    limits
        By the same names: the largest magnitude that fits.
    output
        The largest magnitude of the node's output, per channel (width,).
    """

    reached: Mapping[str, Magnitude]
    limits: Mapping[str, int]
    output: Magnitude

    def can_exceed(self, quantity: str) -> bool:
        """Whether some input could push ``quantity`` over its limit."""
        return bool(np.any(self.reached[quantity] > self.limits[quantity]))


def bound_network(network: Network) -> dict[str, Bound]:
    """Bound every node of an integer or lowered network, in order."""
    bounds: dict[str, Bound] = {}
    for node in network:
        formats = [source.output for source in network.sources(node)]  # type: ignore[attr-defined]
        worst = [
            # of a later node, whose bound hangs on this one's, all that its format holds
            bounds[source.name].output
            if source.name in bounds
            else np.full(source.width, float(form.limit))
            for source, form in zip(network.sources(node), formats, strict=True)
        ]
        bounds[node.name] = bound_node(node, worst, formats)
    return bounds


def bound_node(node: Any, sources: Sequence[Magnitude], formats: Sequence[Format]) -> Bound:
    """Bound one node from its sources' largest magnitudes; ``formats`` tell which are signed."""
    bound: Bound = node.bound(input_intervals(sources, formats))
    return bound


def input_intervals(sources: Sequence[Magnitude], formats: Sequence[Format]) -> list[Interval]:
    """Give the intervals of what arrives, from its largest magnitudes."""
    return [
        Interval(-worst if form.signed else np.zeros_like(worst), worst)
        for worst, form in zip(sources, formats, strict=True)
    ]


def shifted(x: Magnitude, shift: Any) -> Magnitude:
    """Bound a right shift, or one to the left of a negative ``shift``."""
    return np.asarray(np.floor(x / 2.0 ** np.asarray(shift, dtype=np.float64) + 0.5))


def rescaled_bound(x: Magnitude, rescale: Any) -> tuple[Magnitude, Magnitude]:
    """Bound a gain's result and its product for a magnitude x."""
    product = np.asarray(x * np.abs(rescale.mantissa.astype(np.float64)))
    result = shifted(product, rescale.shift) + np.abs(rescale.bias.astype(np.float64))
    return np.asarray(result), product


def saturating(
    limit: int, output: Magnitude, product: Magnitude, **others: tuple[Magnitude, int]
) -> Bound:
    """Bound a node that clips ``output``; ``others`` gives what else it reaches, and the limits."""
    quantities = {"output": (output, limit), "product": (product, WIDEST), **others}
    return Bound(
        {name: reached for name, (reached, _) in quantities.items()},
        {name: most for name, (_, most) in quantities.items()},
        np.minimum(output, float(limit)),
    )

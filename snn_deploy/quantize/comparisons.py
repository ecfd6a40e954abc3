"""Sums that are compared with a level: what rounding their weights would change.

A spike that depends on a comparison, without any leak, depends on the sum of that very step. Where
inputs are often the same (none at all, say, in a pause), the same comparison is made again and
again: one rounding then decides a spike for all those steps. So such sums are judged by their
comparisons on calibration data, and not by their error on average.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from snn_deploy.engines.floating import run_float
from snn_deploy.engines.result import Ports, by_name
from snn_deploy.ir.network import Network

__all__ = ["Comparison", "levels_of", "measure_comparisons"]

Real = npt.NDArray[np.float64]

MOST_STEPS = 2**14


@dataclass(frozen=True)
class Comparison:
    """What a linear layer reads (steps, in), the sums (steps, out) that its answers become, and the
    levels (n, out) that those are compared with.
    """

    inputs: Real
    sums: Real
    levels: Real

    def in_units(self, units: Real) -> Comparison:
        """Give the same with inputs counted in units (in,) of theirs."""
        return replace(self, inputs=self.inputs / units)

    def changed(self, errors: Real) -> Real:
        """Give the share of comparisons (…, out) that errors of weights (…, out, in) change."""
        found = np.zeros(errors.shape[:-1])
        for row in range(errors.shape[-2]):
            right = np.ascontiguousarray(self.sums[:, row])  # read once an attempt
            wrong = errors[..., row, :] @ self.inputs.T
            wrong += right
            for level in self.levels[:, row]:
                changed = (wrong >= level) != (right >= level)
                found[..., row] += np.count_nonzero(changed, axis=-1) / len(right)
        return found


def measure_comparisons(
    network: Network, inputs: Ports, lengths: npt.NDArray[np.int64] | None
) -> dict[str, Comparison]:
    """Run the first sequences through a float network for what its compared linear layers meet."""
    compared = {linear.name: met for linear, met in _compared(network)}
    if not compared:
        return {}
    given = by_name(network, inputs)
    batch, steps = next(iter(given.values())).shape[:2]
    count = min(batch, 2 * max(MOST_STEPS // steps // 2, 1))  # pairs stay pairs
    first = {name: array[:count] for name, array in given.items()}
    names = {network[name].inputs[0].source for name in compared}
    names |= {total for total, _ in compared.values()}
    valid = None if lengths is None else lengths[:count]
    signals = run_float(network, first, valid, record=names).signals

    def flat(name: str) -> Real:
        return signals[name].reshape(-1, signals[name].shape[-1])

    return {
        name: Comparison(flat(network[name].inputs[0].source), flat(total), levels)
        for name, (total, levels) in compared.items()
    }


def levels_of(network: Network, name: str) -> Real | None:
    """Give the levels (n, width) that those which read a signal compare it with."""
    asked = [node.levels for node in network.consumers(name)]  # type: ignore[attr-defined]
    known = [levels for levels in asked if levels is not None]
    return np.concatenate(known) if known else None


def _compared(network: Network) -> Iterator[tuple[Any, tuple[str, Real]]]:
    """Give every linear layer whose answer, or a sum of it and others, is compared with levels."""
    nodes: Iterable[Any] = network
    for linear in (node for node in nodes if node.compensates):
        reached = [linear.name]
        for name in reached:
            levels = levels_of(network, name)
            if levels is not None:
                yield linear, (name, levels)
                break
            readers = network.consumers(name)
            reached += [node.name for node in readers if node.adds]  # type: ignore[attr-defined]

"""Mean answers over many seeds, of networks that draw random numbers, against float's.

No single run can tell, since a chip's generator draws other numbers than any other. Both networks
run with as many seeds, and their mean answers are compared in standard errors of the difference.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from snn_deploy.engines.floating import run_float
from snn_deploy.engines.result import all_outputs
from snn_deploy.errors import ConfigError
from snn_deploy.run.simulation import Progress, simulate

if TYPE_CHECKING:
    from snn_deploy.data.inputs import Data
    from snn_deploy.deployment import Deployment
    from snn_deploy.engines.registry import Engine
    from snn_deploy.ir.network import Network

__all__ = ["LEAST_SEEDS", "EnsembleComparison", "compare_ensembles"]

Real = npt.NDArray[np.float64]

LEAST_SEEDS = 2  # of which a spread can be told
BOUND = 2.0  # standard errors, beyond which one answer in 22 lies by chance


@dataclass(frozen=True)
class EnsembleComparison:
    """The mean answers of two networks over ``seeds`` seeds each.

    ``apart`` is the root mean square, over sequences and classes, of the difference of the means in
    standard errors of that difference: 1 by chance alone. ``beyond`` is the share of answers more
    than two standard errors apart, ``largest`` the largest. ``spread`` is the standard deviation
    over seeds of the integer network's answers, over that of the float network's, in the median.
    ``agreement`` is the share of equal predictions of the means.
    """

    seeds: int
    sequences: int
    apart: float
    beyond: float
    largest: float
    spread: float
    agreement: float

    @property
    def passed(self) -> bool:
        """Whether the means are within two standard errors, over all answers together."""
        return self.apart <= BOUND

    def __str__(self) -> str:
        return (
            f"means over {self.seeds} seeds: {self.apart:.2f} standard errors from float "
            f"({self.beyond:.1%} of the answers beyond {BOUND:g}, the largest {self.largest:.1f}), "
            f"spread {self.spread:.2f} times float's, {self.agreement:.1%} of the predictions equal"
        )

    def to_json(self) -> dict[str, Any]:
        """Give plain data for ``verify --json``."""
        return {**asdict(self), "passed": self.passed}


def compare_ensembles(
    deployment: Deployment,
    source: Network,
    data: Data,
    engine: Engine,
    seeds: int,
    progress: Progress | None = None,
) -> EnsembleComparison:
    """Run a deployment and the float network it came from with seeds 0 … ``seeds`` - 1.

    Raises
    ------
    ConfigError
        If the network draws nothing, or a spread cannot be told of so few seeds.
    """
    if seeds < LEAST_SEEDS:
        raise ConfigError(f"seeds={seeds}: give at least {LEAST_SEEDS}, of which a spread is told")
    if all(node.reseeded(0) is node for node in deployment.network):  # type: ignore[attr-defined]  # lowered
        raise ConfigError("seeds are for networks that draw random numbers; this one draws none")
    name = deployment.network.output.name
    found, exact = [], []
    for seed in range(seeds):
        result = simulate(deployment.reseeded(seed).network, data, engine, progress=progress)
        found.append(all_outputs(deployment.network, result.logits)[name])
        drawn = run_float(source, data.inputs, data.lengths, draws=seed)
        exact.append(all_outputs(source, drawn.logits)[name])
    return _compared(np.asarray(found), np.asarray(exact))


def _compared(found: Real, exact: Real) -> EnsembleComparison:
    """Compare answers (seeds, B, …, classes)."""
    seeds, sequences = found.shape[:2]
    means, spreads = ([f(x, axis=0) for x in (found, exact)] for f in (np.mean, _deviation))
    error = np.sqrt((spreads[0] ** 2 + spreads[1] ** 2) / seeds)
    apart = np.abs(means[0] - means[1]) / np.maximum(error, np.finfo(np.float64).tiny)
    return EnsembleComparison(
        seeds=seeds,
        sequences=sequences,
        apart=float(np.sqrt((apart**2).mean())),
        beyond=float((apart > BOUND).mean()),
        largest=float(apart.max()),
        spread=float(np.median(spreads[0] / np.maximum(spreads[1], np.finfo(np.float64).tiny))),
        agreement=float((means[0].argmax(axis=-1) == means[1].argmax(axis=-1)).mean()),
    )


def _deviation(x: Real, axis: int) -> Real:
    return np.asarray(x.std(axis=axis, ddof=1))

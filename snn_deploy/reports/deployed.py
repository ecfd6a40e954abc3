"""The report of a deployment: a run of some data, on any engine, accounted for."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

from snn_deploy.data.inputs import Data
from snn_deploy.engines.registry import Engine, get_engine
from snn_deploy.engines.result import Result, Values
from snn_deploy.mapping.cost import Lowering
from snn_deploy.mapping.placement import Objective
from snn_deploy.reports.activity import message_sources
from snn_deploy.reports.report import Report, build_report
from snn_deploy.run.answers import Answers
from snn_deploy.run.simulation import Progress, run_batches, warn_of_clipped

if TYPE_CHECKING:
    from snn_deploy.deployment import Deployment

__all__ = ["report_deployment"]


def report_deployment(
    deployment: Deployment,
    data: Data,
    engine: Engine | None = None,
    *,
    objective: Objective = "time",
    lowering: Lowering | None = None,
    watch: Callable[[Result], None] | None = None,
    progress: Progress | None = None,
) -> Report:
    """Run data and account for activity, memory, cores and energy, layer by layer.

    Parameters
    ----------
    engine
        That runs it, by default the native one. All give the same figures, except that one which
        counts no clipped values leaves them out.
    objective, lowering
        See :func:`~snn_deploy.mapping.placement.place_network`.
    watch
        Called with each batch's results, which hold the traces of all ``message_sources``, and are
        gone afterwards.
    progress
        Called with how many sequences were done since the last call.

    Raises
    ------
    TargetError
        If the network does not fit into its target any more.
    """
    network = deployment.network
    traced = [node.name for node in message_sources(network)]
    clipped = 0
    outputs: list[Values] = []

    def results() -> Iterator[Result]:
        nonlocal clipped
        for batch in run_batches(network, data, engine or get_engine("native"), traced, progress):
            clipped += sum(batch.clipped.values())
            outputs.append(batch.result.output)
            if watch is not None:
                watch(batch.result)
            yield batch.result

    report = build_report(
        network,
        deployment.profile,
        results(),
        data.inputs.shape[1],
        objective=objective,
        lowering=lowering,
    )
    if clipped:
        warn_of_clipped(network, clipped, data.inputs.size, stacklevel=4)
    return replace(report, answers=Answers.to(data, network, outputs))

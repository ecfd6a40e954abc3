"""Deployments side by side, on the same data: formats, targets, accuracy, size, time and energy.

Beside what each costs on its own target stands what its arithmetic alone would cost at 45 nm, as a
spiking network and as an artificial one of the same layers: the figures that papers compare.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from snn_deploy.compare.regression import Regression
from snn_deploy.data.given import Given, as_data
from snn_deploy.data.inputs import vocabulary_of
from snn_deploy.engines.registry import Engine, get_engine
from snn_deploy.errors import ConfigError
from snn_deploy.ir.host import chip_part
from snn_deploy.ir.network import Network
from snn_deploy.mapping.placement import place_network
from snn_deploy.mapping.profile import Profile, load_profile
from snn_deploy.reports.boards import BoardFigure, board_figures, is_built_from
from snn_deploy.reports.deployed import report_deployment
from snn_deploy.reports.events import Events, count_events
from snn_deploy.reports.paper import PaperCount, count_as_papers_do
from snn_deploy.run.simulation import Progress, encode_inputs, simulate

if TYPE_CHECKING:
    import pandas as pd

    from snn_deploy.deployment import Deployment
    from snn_deploy.reports.report import Report
    from snn_deploy.run.answers import Answers

__all__ = ["COMPARE_SCHEMA", "Arithmetic", "Candidate", "Comparison", "compare_deployments"]

COMPARE_SCHEMA = 1
ARITHMETIC_PROFILE = "algorithm_45nm"


@dataclass(frozen=True)
class Arithmetic:
    """Operations and joules of one sequence's arithmetic at 45 nm in 32-bit floating point.

    Parameters
    ----------
    ann_macs, ann_j
        The layers that spikes feed, as an artificial network's: what papers count.
    snn_acs, snn_j
        The same layers, as spikes drive them.
    recurrence_macs, recurrence_j
        The state-space modes, which both leave out.
    ann_everything_j, snn_everything_j
        All arithmetic of either.
    """

    ann_macs: float
    ann_j: float
    snn_acs: float
    snn_j: float
    recurrence_macs: float
    recurrence_j: float
    ann_everything_j: float
    snn_everything_j: float


@dataclass(frozen=True)
class Candidate:
    """One deployment's figures.

    Parameters
    ----------
    name
        What it is called: its file.
    deployment, report
        The network, and what it costs on its target.
    accuracy, regression
        Share of correct answers, or how far they are from targets; None without labels or targets.
    same_as_first, same_as_float
        Share of answers that are the first deployment's, and the float network's; None for a
        regression.
    arithmetic
        The same at 45 nm.
    board
        What it takes of a board or an FPGA.
    """

    name: str
    deployment: Deployment
    report: Report
    accuracy: float | None
    regression: Regression | None
    same_as_first: float | None
    same_as_float: float | None
    arithmetic: Arithmetic
    board: tuple[BoardFigure, ...] = ()


@dataclass(frozen=True, repr=False)
class Comparison:
    """Deployments in the order they were given, and the float network if there was one.

    ``float_bytes`` counts its parameters at four bytes each.
    """

    sequences: int
    steps: int
    candidates: tuple[Candidate, ...]
    float_accuracy: float | None = None
    float_regression: Regression | None = None
    float_bytes: int | None = None

    def __repr__(self) -> str:
        from snn_deploy.summaries import comparison_summary

        return comparison_summary(self)

    def _repr_html_(self) -> str:
        from snn_deploy.page.comparison_page import ComparisonPage, render_comparison_page
        from snn_deploy.page.notebook import framed

        return framed(render_comparison_page(ComparisonPage(self, "data")))

    def to_pandas(self) -> pd.DataFrame:
        """Give a row a deployment; costs are typical ones of one sequence."""
        from snn_deploy.frames import comparison_frame

        return comparison_frame(self)

    def settings_that_differ(self) -> tuple[str, ...]:
        """Name the quantisation settings that are not the same for all."""
        settings = [candidate.deployment.origin.settings for candidate in self.candidates]
        keys = sorted({key for each in settings for key in each})
        return tuple(
            key for key in keys if any(s.get(key) != settings[0].get(key) for s in settings)
        )

    def to_json(self) -> dict[str, Any]:
        """Give plain data for ``compare --json``, schema version 1."""
        has_float = self.float_bytes is not None
        return {
            "schema_version": COMPARE_SCHEMA,
            "sequences": self.sequences,
            "steps_per_sequence": self.steps,
            "deployments": [_to_json(candidate) for candidate in self.candidates],
            "float": {
                "accuracy": self.float_accuracy,
                "regression": _figures(self.float_regression),
                "bytes": self.float_bytes,
            }
            if has_float
            else None,
        }


def compare_deployments(
    deployments: Mapping[str, Deployment] | Sequence[tuple[str, Deployment]],
    data: Given,
    engine: Engine | None = None,
    *,
    against: Network | None = None,
    on_boards: bool = False,
    built: Sequence[Path] = (),
    progress: Progress | None = None,
) -> Comparison:
    """Run every deployment on the same data, each for its own target.

    Parameters
    ----------
    deployments
        Each with its name.
    data
        As in training, see :func:`~snn_deploy.data.given.as_data`; checked against the first
        network, and all must take the same input.
    engine
        That runs them, by default the native one.
    against
        The float network to compare answers with.
    on_boards
        Whether the first sequence also runs on simulated cores of the boards that are targets,
        which needs a compiler and QEMU.
    built
        Folders of exported Verilog that were placed and routed (``snn-deploy build``), each of one
        of the deployments.
    progress
        Called with how many sequences were done since the last call, over all deployments.

    Raises
    ------
    ConfigError
        If there is nothing to compare, the networks take different inputs, or a folder was built
        from none of them.
    BackendUnavailableError
        If a tool that runs a simulated core is missing.
    """
    if isinstance(deployments, Mapping):
        deployments = list(deployments.items())
    _check_inputs(deployments)
    folders = _built_from(deployments, built)
    data = as_data(deployments[0][1].network, data)
    exact = None if against is None else simulate(against, data, get_engine("float"))
    profile = load_profile(ARITHMETIC_PROFILE)
    candidates: list[Candidate] = []
    first: Answers | None = None
    for name, deployment in deployments:
        report = report_deployment(deployment, data, engine, progress=progress)
        answers = report.answers
        assert answers is not None  # of a run
        first = first or answers
        candidates.append(
            Candidate(
                name=name,
                deployment=deployment,
                report=report,
                accuracy=answers.accuracy,
                regression=answers.regression,
                same_as_first=_agreement(answers, first),
                same_as_float=None if exact is None else _agreement(answers, exact),
                arithmetic=_arithmetic(deployment.network, report, profile),
                board=board_figures(
                    deployment,
                    report.profile,
                    encode_inputs(deployment.network, data.first(1)) if on_boards else None,
                    folders.get(name),
                ),
            )
        )
    return Comparison(
        sequences=len(data),
        steps=int(data.inputs.shape[1]),
        candidates=tuple(candidates),
        float_accuracy=None if exact is None else exact.accuracy,
        float_regression=None if exact is None else exact.regression,
        float_bytes=None if against is None else _parameter_bytes(against),
    )


def _check_inputs(deployments: Sequence[tuple[str, Deployment]]) -> None:
    if len(deployments) < 2:
        raise ConfigError("name at least two deployments to compare")
    (first, reference), *others = deployments
    tokens = vocabulary_of(reference.network)
    for name, deployment in others:
        if vocabulary_of(deployment.network) != tokens:
            raise ConfigError(
                f"{name} and {first} do not read the same tokens: only networks of the same data "
                "can be compared"
            )
        mine, its = deployment.network.input_width, reference.network.input_width
        if mine != its:
            raise ConfigError(
                f"{name} takes {mine} input channels and {first} {its}: only networks of the same "
                "data can be compared"
            )


def _built_from(
    deployments: Sequence[tuple[str, Deployment]], built: Sequence[Path]
) -> dict[str, Path]:
    """Find the deployment that each folder was exported from, by its name."""
    found = {}
    for folder in built:
        names = [name for name, deployment in deployments if is_built_from(folder, deployment)]
        if not names:
            raise ConfigError(f"{folder}: was exported from none of these deployments")
        found.update(dict.fromkeys(names, folder))
    return found


def _agreement(answers: Answers, others: Answers) -> float | None:
    if answers.regresses or answers.predictions.shape != others.predictions.shape:
        return None
    return float((answers.predictions == others.predictions).mean())


def _figures(regression: Regression | None) -> dict[str, Any] | None:
    return None if regression is None else regression.figures()


def _parameter_bytes(network: Network) -> int:
    """Bytes of a float network's parameters in 32-bit floating point; a complex number has two."""
    numbers = 0
    for node in network:
        for value in vars(node).values():
            if isinstance(value, np.ndarray):
                numbers += value.size * (2 if np.iscomplexobj(value) else 1)
    return 4 * numbers


def _arithmetic(network: Network, report: Report, profile: Profile) -> Arithmetic:
    """Price the very messages that were counted, without any chip."""
    activity, chip = report.activity, chip_part(network)
    events = count_events(chip, place_network(chip, profile), profile, activity)
    counted = count_as_papers_do(chip, events, activity.total_steps, profile)
    assert isinstance(counted, PaperCount)  # this profile prices just that
    each = 1.0 / activity.sequences
    return Arithmetic(
        ann_macs=counted.ann_macs * each,
        ann_j=counted.ann_j * each,
        snn_acs=counted.snn_acs * each,
        snn_j=counted.snn_j * each,
        recurrence_macs=counted.recurrence_macs * each,
        recurrence_j=counted.recurrence_j * each,
        ann_everything_j=_dense_j(sum(events.values(), Events()), profile) * each,
        snn_everything_j=counted.everything_j * each,
    )


def _dense_j(events: Events, profile: Profile) -> float:
    """Joules if every synapse multiplied at every step, and neurons as they do anyway."""
    mac, inner = profile.energy.mac_pj, profile.energy.neuron_mac_pj
    assert mac is not None  # of this profile
    assert inner is not None
    return (events.dense * mac.typical + events.neuron_macs * inner.typical) * 1e-12


def _to_json(candidate: Candidate) -> dict[str, Any]:
    origin = candidate.deployment.origin
    return {
        "name": candidate.name,
        "checkpoint": origin.checkpoint,
        "checkpoint_sha256": origin.checkpoint_sha256,
        "settings": origin.settings,
        "accuracy": candidate.accuracy,
        "regression": _figures(candidate.regression),
        "same_as_first": candidate.same_as_first,
        "same_as_float": candidate.same_as_float,
        "board": [asdict(figure) for figure in candidate.board],
        "arithmetic_45nm": asdict(candidate.arithmetic),
        "report": candidate.report.to_json(),
    }

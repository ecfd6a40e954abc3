"""The Python interface: what the command line does, as functions.

>>> import snn_deploy
>>> deployment = snn_deploy.convert("model.ckpt", target="loihi2", calibration="train.npz")
>>> deployment.simulate(inputs).predictions  # doctest: +SKIP
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from snn_deploy.data import Data, check_data, load_data, vocabulary_of
from snn_deploy.deployment_file import Provenance, read_deployment, write_deployment
from snn_deploy.engines.registry import Engine, get_engine
from snn_deploy.engines.result import Record, Result, no_progress
from snn_deploy.errors import ConfigError, DeploymentError, SnnDeployWarning, TargetError
from snn_deploy.ir.network import Network, OutputSteps
from snn_deploy.passes.base import Pass
from snn_deploy.passes.pipeline import compile_network
from snn_deploy.passes.quantize import Calibration
from snn_deploy.quantize.config import parse_settings
from snn_deploy.simulation import Progress, Simulation, run_blocks, simulate
from snn_deploy.version import __version__

if TYPE_CHECKING:
    from snn_deploy.accuracy import AccuracyComparison
    from snn_deploy.format_search import CostName, Search
    from snn_deploy.mapping.cost import Lowering
    from snn_deploy.mapping.placement import Objective
    from snn_deploy.mapping.profile import Profile
    from snn_deploy.reports.report import Report
    from snn_deploy.streaming import Stream, StreamOutput
    from snn_deploy.verification import EngineComparison

__all__ = ["Deployment", "Verification", "convert", "load", "load_float_network", "search"]

PathLike = str | os.PathLike[str]
Inputs = npt.ArrayLike

CALIBRATION_SEQUENCES = 256
"""How many calibration sequences are used at the most: maxima hardly move after that."""

SEARCH_SEQUENCES = 768
"""How many sequences a search for formats judges accuracy by at the most."""


@dataclass(frozen=True)
class Verification:
    """Outcome of :meth:`Deployment.verify`."""

    engines: list[EngineComparison]
    accuracy: AccuracyComparison | None

    @property
    def passed(self) -> bool:
        """Whether every engine gave the same integers."""
        return all(comparison.passed for comparison in self.engines)

    def to_json(self) -> dict[str, Any]:
        """Give plain data for ``verify --json``."""
        return {
            "passed": self.passed,
            "engines": [comparison.to_json() for comparison in self.engines],
            "accuracy": None if self.accuracy is None else self.accuracy.to_json(),
        }


@dataclass(frozen=True, eq=False)
class Deployment:
    """A network compiled for a chip: the lowered integer network and where it came from."""

    network: Network
    origin: Provenance

    @property
    def profile(self) -> Profile:
        """The hardware profile that it was compiled for, with what the user set of it."""
        from snn_deploy.mapping.profile import load_profile

        return load_profile(self.origin.profile).with_overrides(self.origin.profile_settings)

    def with_profile_settings(self, settings: Mapping[str, Any]) -> Deployment:
        """Change numbers of the profile, by dotted key, e.g. ``{"energy.ac_pj": 20}``.

        Raises
        ------
        TargetError
            For an unknown key, or a value that is no such number.
        """
        origin = self.origin
        changed = {**origin.profile_settings, **settings}
        deployment = replace(self, origin=replace(origin, profile_settings=changed))
        _ = deployment.profile  # refuses what it cannot take
        return deployment

    def save(self, path: PathLike) -> None:
        """Write the deployment file; the same deployment gives the same bytes.

        Raises
        ------
        OutputError
            If it cannot be written; nothing is left behind then.
        """
        write_deployment(path, self.network, self.origin)

    def simulate(
        self,
        inputs: Inputs | Data | Iterator[Inputs],
        lengths: npt.ArrayLike | None = None,
        *,
        backend: str | Engine = "native",
        trace: Collection[str] = (),
        record: Record | None = None,
        progress: Progress | None = None,
    ) -> Simulation:
        """Run inputs (B, L, d_input), or tokens (B, L), bit-exactly.

        Where pairs are compared these are all first sequences, then all second ones, and there is
        one answer a pair.

        Parameters
        ----------
        inputs, lengths
            As in training; ``lengths`` (B,) where sequences are padded. An iterator gives them in
            chunks of time, for causal networks on the native backend: memory then does not grow
            with their length (:meth:`simulate_stream` also gives answers as they come).
        backend
            ``native``, ``reference`` or ``lava``; all give the same integers.
        trace
            Names of nodes whose output at every step is wanted.
        record
            Where traced signals go, part by part, instead of into the result: for traces larger
            than memory, see :class:`snn_deploy.traces.TraceWriter`.
        progress
            Called with how many sequences were done since the last call.

        Raises
        ------
        DataError
            If the inputs do not fit the network.
        BackendUnavailableError, BackendError
            If the backend is not installed, or failed.
        """
        if isinstance(inputs, Iterator):
            return self._simulate_chunks(inputs, lengths, backend, trace, record)
        data = self._data(inputs, lengths)
        return simulate(self.network, data, _engine(backend), trace, progress, record)

    def stream(
        self,
        samples: int = 1,
        *,
        lengths: npt.ArrayLike | None = None,
        trace: Collection[str] = (),
    ) -> Stream:
        """Open a stream of ``samples`` sequences side by side: chunks in, answers out.

        Its memory does not depend on how many steps come, its answers not on where chunks end.

        Raises
        ------
        ConfigError
            If the network is no stream: it looks ahead, reads its sequences from the end too, or
            pools in its midst.
        """
        from snn_deploy.streaming import Stream

        return Stream(self.network, samples, lengths, trace)

    def resume(self, path: PathLike, *, trace: Collection[str] = ()) -> Stream:
        """Go on, to the same bits, with a stream whose state :meth:`Stream.save` wrote.

        Raises
        ------
        DataError
            If the file is damaged, no stream's state, or another network's.
        """
        from snn_deploy.streaming import Stream

        return Stream.resume(self.network, path, trace)

    def simulate_stream(
        self,
        chunks: Iterable[Inputs],
        *,
        lengths: npt.ArrayLike | None = None,
        trace: Collection[str] = (),
    ) -> Iterator[StreamOutput]:
        """Run chunks (B, T, d_input), or tokens (B, T), of any T, and give what comes for each.

        With a network that answers once, each output has the answer so far.
        """
        stream: Stream | None = None
        for chunk in chunks:
            stream = stream or self.stream(np.shape(chunk)[0], lengths=lengths, trace=trace)
            yield from stream.run([chunk])

    def verify(
        self,
        inputs: Inputs | Data,
        lengths: npt.ArrayLike | None = None,
        *,
        backends: Sequence[str | Engine] = ("native", "reference"),
        against: PathLike | Network | None = None,
        config: PathLike | None = None,
        progress: Progress | None = None,
    ) -> Verification:
        """Compare engines bit by bit, and, with ``against``, the float network signal by signal."""
        from snn_deploy.accuracy import compare_accuracy
        from snn_deploy.verification import compare_engines

        data = self._data(inputs, lengths)
        engines = [_engine(backend) for backend in backends]
        accuracy = None
        if against is not None:
            source = against if isinstance(against, Network) else self._source(against, config)
            accuracy = compare_accuracy(self.network, source, data, engines[0], progress)
        several = len(engines) > 1
        comparisons = compare_engines(self.network, data, engines, progress) if several else []
        return Verification(comparisons, accuracy)

    def report(
        self,
        inputs: Inputs | Data,
        lengths: npt.ArrayLike | None = None,
        *,
        objective: Objective = "time",
        lowering: Lowering | None = None,
        watch: Callable[[Result], None] | None = None,
        progress: Progress | None = None,
    ) -> Report:
        """Run inputs and account for activity, memory, cores and energy, layer by layer.

        Parameters
        ----------
        objective, lowering
            See :func:`~snn_deploy.mapping.placement.place_network`.
        watch
            Called with each block's results, which hold the traces of all ``message_sources``, and
            are gone afterwards.
        """
        from snn_deploy.reports.activity import message_sources
        from snn_deploy.reports.report import build_report

        data = self._data(inputs, lengths)
        traced = [node.name for node in message_sources(self.network)]
        blocks = run_blocks(self.network, data, get_engine("native"), traced, progress)
        results = (_watched(block.result, watch) for block in blocks)
        return build_report(
            self.network,
            self.profile,
            results,
            data.inputs.shape[1],
            objective=objective,
            lowering=lowering,
        )

    def _simulate_chunks(
        self,
        chunks: Iterator[Inputs],
        lengths: npt.ArrayLike | None,
        backend: str | Engine,
        trace: Collection[str],
        record: Record | None,
    ) -> Simulation:
        from snn_deploy.chunks import simulate_chunks

        name = backend if isinstance(backend, str) else backend.name
        if name != "native":
            raise ConfigError(
                f"an iterator of chunks needs the native backend, not {name}: other engines run "
                "whole sequences"
            )
        return simulate_chunks(self.network, chunks, lengths, trace, record)

    def _data(self, inputs: Inputs | Data, lengths: npt.ArrayLike | None) -> Data:
        if isinstance(inputs, Data):
            return inputs
        return check_data(self.network, inputs, lengths=lengths)

    def _source(self, checkpoint: PathLike, config: PathLike | None) -> Network:
        from snn_deploy.checkpoint import read_checkpoint

        read = read_checkpoint(checkpoint, config)
        if read.sha256 != self.origin.checkpoint_sha256:
            warnings.warn(
                f"{checkpoint} is not the file that this deployment was made from "
                f"({self.origin.checkpoint}, SHA-256 {self.origin.checkpoint_sha256[:12]}…)",
                SnnDeployWarning,
                stacklevel=3,
            )
        return _float_network(read, self.network.requested_steps)


def convert(
    checkpoint: PathLike,
    target: str = "loihi2",
    *,
    calibration: PathLike | Inputs | Data | None = None,
    config: PathLike | None = None,
    output_steps: OutputSteps = "one",
    settings: Mapping[str, Any] | None = None,
    after: Callable[[Pass, Network], None] | None = None,
    progress: Progress = no_progress,
) -> Deployment:
    """Compile a checkpoint for a chip.

    Parameters
    ----------
    checkpoint
        A checkpoint as the authors' training code wrote it.
    target
        Name or path of a hardware profile.
    calibration
        Representative data, a DATA.npz or inputs (B, L, d_input): number formats are chosen from
        the ranges that its first 256 sequences reach. Without it they come from analytic bounds,
        which costs accuracy, and a warning says so.
    config
        A configuration file for checkpoints that hold none.
    output_steps
        Which steps are the answer: ``"one"`` vector, ``"all"``, or the last K.
    settings
        Quantisation settings by name, e.g. ``{"weight_bits": 4}``, and numbers of the profile by
        dotted key, e.g. ``{"limits.cores_per_chip": 120}``.
    after
        Called after each compilation pass, with the pass and its network.
    progress
        Called with the share of the calibration data that has been run since the last call.

    Raises
    ------
    CheckpointError, UnsupportedNetworkError, ConfigError, DataError, TargetError
        Each with what is wrong, where, the limit, and what to do.
    """
    from snn_deploy.checkpoint import read_checkpoint
    from snn_deploy.mapping.check import check_target
    from snn_deploy.mapping.profile import load_profile, split_settings

    profile_settings, chosen = split_settings(settings or {})
    quantization = parse_settings(chosen)
    profile = load_profile(target).with_overrides(profile_settings)
    read = read_checkpoint(checkpoint, config)
    network = _float_network(read, output_steps)
    data = _calibration_data(network, calibration, quantization.input_range)
    lowered = compile_network(
        network,
        quantization,
        None if data is None else Calibration(data.inputs, data.lengths, progress),
        after,
    )
    check_target(lowered, profile)
    summary: dict[str, Any] = {"source": "analytic", "input_range": quantization.input_range}
    if data is not None:
        summary = {
            "source": "calibration",
            "method": quantization.calibration_method,
            "sequences": len(data),
            "steps": data.inputs.shape[1],
        }
    origin = Provenance(
        profile=target,
        profile_version=str(profile.version),
        checkpoint=Path(checkpoint).name,
        checkpoint_sha256=read.sha256,
        calibration=summary,
        settings=quantization.model_dump(),
        tool_version=__version__,
        profile_settings=profile_settings,
    )
    return Deployment(lowered, origin)


def search(
    checkpoint: PathLike,
    calibration: PathLike | Inputs | Data,
    *,
    target: str = "loihi2",
    config: PathLike | None = None,
    output_steps: OutputSteps = "one",
    settings: Mapping[str, Any] | None = None,
    max_loss: float = 0.0,
    cost: CostName = "memory",
    progress: Progress | None = None,
) -> Search:
    """Find the cheapest number formats that keep the accuracy on ``calibration``.

    Formats are calibrated on its first 256 sequences, as :func:`convert` does, and judged by those
    and up to 512 after them. The cheapest are those of least memory, or of least energy on the
    target. The outcome's ``config.model_dump()`` is what :func:`convert` takes as ``settings``. See
    :func:`snn_deploy.format_search.search_formats`.
    """
    from snn_deploy.format_search import search_formats
    from snn_deploy.mapping.profile import load_profile, split_settings

    profile_settings, chosen = split_settings(settings or {})
    start = parse_settings(chosen)
    profile = load_profile(target).with_overrides(profile_settings)
    network = load_float_network(checkpoint, config, output_steps)
    data = _calibration_data(network, calibration, start.input_range, SEARCH_SEQUENCES)
    assert data is not None  # there is calibration
    known = data.first(CALIBRATION_SEQUENCES)
    energy_on = profile if cost == "energy" else None
    return search_formats(network, data, start, max_loss, progress, known, energy_on)


def load(path: PathLike) -> Deployment:
    """Read a deployment file.

    Raises
    ------
    DeploymentError
        If it is damaged, foreign, of another schema version, or its profile is not there any more.
    """
    network, origin = read_deployment(path)
    deployment = Deployment(network, origin)
    try:
        profile = deployment.profile
    except TargetError as error:
        raise DeploymentError(
            f"{path}: made for a profile that cannot be loaded: {error}"
        ) from error
    if str(profile.version) != origin.profile_version:
        warnings.warn(
            f"{path} was made for version {origin.profile_version} of profile '{origin.profile}', "
            f"installed is {profile.version}: convert again for current limits and costs",
            SnnDeployWarning,
            stacklevel=2,
        )
    return deployment


def load_float_network(
    checkpoint: PathLike, config: PathLike | None = None, output_steps: OutputSteps = "one"
) -> Network:
    """Read a checkpoint as a float network, to inspect it or to run it with ``run_float``."""
    from snn_deploy.checkpoint import read_checkpoint

    return _float_network(read_checkpoint(checkpoint, config), output_steps)


def _float_network(checkpoint: Any, output_steps: OutputSteps) -> Network:
    from snn_deploy.converters.registry import to_float_network

    return to_float_network(checkpoint, output_steps)


def _calibration_data(
    network: Network,
    calibration: PathLike | Inputs | Data | None,
    input_range: float,
    sequences: int = CALIBRATION_SEQUENCES,
) -> Data | None:
    if calibration is None:
        numbers = vocabulary_of(network) is None
        what = f"inputs of magnitude up to {input_range:g}" if numbers else "whatever tokens"
        warnings.warn(
            f"no calibration data: number formats come from analytic bounds for {what}, which "
            "costs accuracy; give --calibration DATA.npz with a few training sequences"
            + (" (or set input_range)" if numbers else ""),
            SnnDeployWarning,
            stacklevel=3,
        )
        return None
    if isinstance(calibration, str | os.PathLike):
        data = load_data(calibration, network)
    elif isinstance(calibration, Data):
        data = calibration
    else:
        data = check_data(network, calibration, where="calibration")
    return data.first(sequences)


def _watched(result: Result, watch: Callable[[Result], None] | None) -> Result:
    if watch is not None:
        watch(result)
    return result


def _engine(backend: str | Engine) -> Engine:
    return get_engine(backend) if isinstance(backend, str) else backend

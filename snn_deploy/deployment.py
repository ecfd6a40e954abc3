"""A network compiled for a chip, and all that can be done with it."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from snn_deploy.compare.verification import Verification, compare_engines
from snn_deploy.data.familiar import warn_if_unfamiliar
from snn_deploy.data.given import Given, as_data
from snn_deploy.data.inputs import Data
from snn_deploy.engines.registry import Engine, get_engine
from snn_deploy.engines.result import Record, Result
from snn_deploy.errors import ConfigError, DeploymentError, SnnDeployWarning, TargetError
from snn_deploy.formats.registry import recognised_format
from snn_deploy.io.deployment_file import Provenance, read_deployment, write_deployment
from snn_deploy.ir.network import Network
from snn_deploy.mapping.bundled import bundled_version
from snn_deploy.progress import doing
from snn_deploy.run.simulation import Progress, Simulation, simulate

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from snn_deploy.mapping.cost import Lowering
    from snn_deploy.mapping.placement import Objective
    from snn_deploy.mapping.profile import Profile
    from snn_deploy.page.data import PageData
    from snn_deploy.readers import Reading
    from snn_deploy.reports.report import Report
    from snn_deploy.run.streaming import Stream, StreamOutput

__all__ = ["Deployment", "Inputs", "PathLike", "load"]

PathLike = str | os.PathLike[str]
Inputs = npt.ArrayLike


@dataclass(frozen=True, eq=False, repr=False)
class Deployment:
    """A network compiled for a chip: the lowered integer network and where it came from."""

    network: Network
    origin: Provenance

    def __repr__(self) -> str:
        from snn_deploy.summaries import deployment_summary

        return deployment_summary(self)

    def _repr_html_(self) -> str:
        from snn_deploy.page.notebook import network_html

        return network_html(self.network, repr(self))

    @property
    def profile(self) -> Profile:
        """The hardware profile that it was compiled for, with what the user set of it."""
        from snn_deploy.mapping.profile import load_bundled, parse_profile

        origin = self.origin
        if origin.profile_data:
            profile = parse_profile(origin.profile_data, f"profile '{origin.profile}'")
        else:
            profile = load_bundled(origin.profile)
        return profile.with_overrides(origin.profile_settings)

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

    def reseeded(self, seed: int) -> Deployment:
        """Give the same deployment with other random numbers, as converted with ``seed=…``."""
        rewritten = {node.name: (node.reseeded(seed),) for node in self.network}  # type: ignore[attr-defined]  # lowered
        return replace(self, network=self.network.rewrite(rewritten))

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
        inputs: Given | Iterator[Inputs],
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
            from snn_deploy.run.chunks import simulate_chunks

            return simulate_chunks(self.network, inputs, lengths, trace, record, _engine(backend))
        data = self._data(inputs, lengths)
        return simulate(self.network, data, _engine(backend), trace, progress, record)

    def stream(
        self,
        samples: int = 1,
        *,
        lengths: npt.ArrayLike | None = None,
        trace: Collection[str] = (),
        backend: str | Engine = "native",
    ) -> Stream:
        """Open a stream of ``samples`` sequences side by side: chunks in, answers out.

        Its memory does not depend on how many steps come, its answers not on where chunks end.

        Raises
        ------
        ConfigError
            If the network is no stream (it looks ahead, reads its sequences from the end too, or
            pools in its midst), or the backend runs whole sequences only.
        """
        from snn_deploy.run.streaming import Stream

        return Stream(self.network, samples, lengths, trace, _engine(backend))

    def resume(
        self, path: PathLike, *, trace: Collection[str] = (), backend: str | Engine = "native"
    ) -> Stream:
        """Go on, to the same bits, with a stream whose state :meth:`Stream.save` wrote.

        Raises
        ------
        DataError
            If the file is damaged, no stream's state, or another network's.
        """
        from snn_deploy.run.streaming import Stream

        return Stream.resume(self.network, path, trace, _engine(backend))

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
        inputs: Given,
        lengths: npt.ArrayLike | None = None,
        *,
        backends: Sequence[str | Engine] = ("native", "reference"),
        against: Any = None,
        seeds: int | None = None,
        progress: Progress | None = None,
        **reading: Unpack[Reading],
    ) -> Verification:
        """Compare engines bit by bit, and, with ``against``, the float network signal by signal.

        ``against`` is a checkpoint, or what else :func:`snn_deploy.convert` takes; ``reading`` is
        as there. With ``seeds`` the mean answers over so many seeds are compared, too: of networks
        that draw random numbers.

        Raises
        ------
        ConfigError
            If there are ``seeds``, but no float network, or no random numbers.
        """
        from snn_deploy.compare.accuracy import compare_accuracy
        from snn_deploy.compare.ensemble import compare_ensembles

        data = self._data(inputs, lengths)
        engines = [_engine(backend) for backend in backends]
        accuracy = ensemble = None
        if seeds is not None and against is None:
            raise ConfigError("seeds need a float network to compare with: against=checkpoint")
        if against is not None:
            source = self._source(against, reading)
            if seeds is not None:
                ensemble = compare_ensembles(self, source, data, engines[0], seeds, progress)
            accuracy = compare_accuracy(self.network, source, data, engines[0], progress)
        several = len(engines) > 1
        comparisons = compare_engines(self.network, data, engines, progress) if several else []
        return Verification(comparisons, accuracy, ensemble)

    def report(
        self,
        inputs: Given,
        lengths: npt.ArrayLike | None = None,
        *,
        backend: str | Engine = "native",
        objective: Objective = "time",
        lowering: Lowering | None = None,
        watch: Callable[[Result], None] | None = None,
        progress: Progress | None = None,
    ) -> Report:
        """Run inputs and account for what that costs on the chip.

        See :func:`~snn_deploy.reports.deployed.report_deployment`.
        """
        from snn_deploy.reports.deployed import report_deployment

        return report_deployment(
            self,
            self._data(inputs, lengths),
            _engine(backend),
            objective=objective,
            lowering=lowering,
            watch=watch,
            progress=progress,
        )

    def page(
        self,
        inputs: Given,
        lengths: npt.ArrayLike | None = None,
        *,
        against: Any = None,
        progress: Progress | None = None,
        **reading: Unpack[Reading],
    ) -> PageData:
        """Run inputs and gather the report page: ``.save(path)``, ``.html()``.

        ``against`` and ``reading`` are those of :meth:`verify`.
        """
        from snn_deploy.page.data import gather_page

        data = self._data(inputs, lengths)
        compared = None
        if against is not None:
            verified = self.verify(
                data, backends=["native"], against=against, progress=progress, **reading
            )
            compared = verified.accuracy
        named = Path(inputs).name if isinstance(inputs, str | os.PathLike) else "data"
        return gather_page(
            self,
            data,
            name=self.origin.checkpoint,
            data_name=named,
            comparison=compared,
            progress=progress,
        )

    def _data(self, inputs: Given, lengths: npt.ArrayLike | None) -> Data:
        data = as_data(self.network, inputs, lengths)
        warn_if_unfamiliar(self.origin.calibration, data)
        return data

    def _source(self, against: Any, reading: Reading) -> Network:
        from snn_deploy.readers import ReadOptions, Source, read_source
        from snn_deploy.readers.source import float_network

        if isinstance(against, Network):  # whoever has it knows where it came from
            return against
        made = isinstance(against, Source)
        if not made:
            reading = {"output_steps": self.network.answer.requested, **reading}
        source = read_source(against, ReadOptions.of(**reading))
        if source.provenance.sha256 != self.origin.checkpoint_sha256:
            name = source.provenance.name if made or isinstance(against, bytes) else against
            warnings.warn(
                f"{name} is not the file that this deployment was made from "
                f"({self.origin.checkpoint}, SHA-256 {self.origin.checkpoint_sha256[:12]}…)",
                SnnDeployWarning,
                stacklevel=3,
            )
        return float_network(source)


def _engine(backend: str | Engine) -> Engine:
    return get_engine(backend) if isinstance(backend, str) else backend


def load(path: PathLike) -> Deployment:
    """Read a deployment file, or what ``snn-deploy export`` made of one for other tools to run.

    Raises
    ------
    DeploymentError
        If it is damaged, foreign, of another schema version, or its profile is not there any more.
    """
    form = recognised_format(Path(path))
    with doing(f"reading {os.fspath(path)}"):
        deployment = form.read(Path(path)) if form else Deployment(*read_deployment(path))
    origin = deployment.origin
    as_it_comes = not (origin.profile_data or origin.profile_settings)
    if as_it_comes and bundled_version(origin.profile) == origin.profile_version:
        return deployment
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

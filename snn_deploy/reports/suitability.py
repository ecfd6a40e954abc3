"""Which targets can run a network, before anything is converted for one: what ``check`` tells."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from snn_deploy.compare.accuracy import AccuracyComparison, compare_accuracy
from snn_deploy.data.inputs import Data
from snn_deploy.engines.registry import get_engine
from snn_deploy.errors import NetworkError, TargetError, UnsupportedNetworkError
from snn_deploy.ir.host import chip_part
from snn_deploy.ir.network import Network
from snn_deploy.mapping.check import find_notices, find_violations, grouped
from snn_deploy.mapping.placement import place_network
from snn_deploy.mapping.profile import Profile
from snn_deploy.nodes.lif_registers import LifRegisters
from snn_deploy.passes.pipeline import compile_network
from snn_deploy.passes.quantize import Calibration
from snn_deploy.quantize.config import QuantizationConfig
from snn_deploy.run.simulation import Progress

__all__ = ["Converted", "Grade", "Suitability", "judge", "refused", "what_changes"]

Grade = Literal["exact", "approximate", "refused"]


@dataclass(frozen=True)
class Suitability:
    """What one target makes of a network.

    Parameters
    ----------
    target
        Name of the profile.
    grade
        ``exact``: it runs these integers to the bit, and they are what was given (a deployment);
        ``approximate``: it runs to the bit what conversion makes of a float network, which is close
        to it; ``refused``: it cannot.
    reasons
        Why it is refused: rule, nodes, problem against limit, and what to change.
    changes
        What conversion changes, and by how much where that was measured.
    notices
        What is allowed, but worth knowing.
    cores
        How many cores the network takes; None where cores are not counted.
    """

    target: str
    grade: Grade
    reasons: tuple[str, ...] = ()
    changes: tuple[str, ...] = ()
    notices: tuple[str, ...] = ()
    cores: int | None = None

    def to_json(self) -> dict[str, Any]:
        """Give plain data for ``check --json``."""
        return asdict(self)


def judge(network: Network, profile: Profile, changes: Sequence[str] = ()) -> Suitability:
    """Judge a lowered network on a target; ``changes`` are what conversion changed, if it did."""
    violations = find_violations(network, profile)
    if violations:
        return refused(profile, *grouped(violations))
    cores = None
    if profile.cores is not None:
        try:
            cores = len(place_network(chip_part(network), profile, objective="cores").cores)
        except TargetError as error:
            return refused(profile, str(error))
    grade: Grade = "approximate" if changes else "exact"
    return Suitability(
        profile.name, grade, (), tuple(changes), find_notices(network, profile), cores
    )


def refused(profile: Profile, *reasons: str) -> Suitability:
    """Say that a target, or conversion for it, refuses the network."""
    return Suitability(profile.name, "refused", reasons)


@dataclass
class Converted:
    """A float network, converted once for all targets whose own neurons have the same registers.

    Parameters
    ----------
    source, settings
        What is converted, and how.
    data
        Formats are chosen by it, and the difference from float is measured on it; None: neither.
    progress
        As conversion calls it.
    """

    source: Network
    settings: QuantizationConfig
    data: Data | None
    progress: Progress
    _done: dict[LifRegisters, tuple[Network, tuple[str, ...]]] = field(default_factory=dict)

    def judged(self, profile: Profile) -> Suitability:
        """Judge the network on a target."""
        try:
            lowered, changes = self._on(profile.lif.registers)
        except (UnsupportedNetworkError, NetworkError) as error:
            return refused(profile, str(error))
        return judge(lowered, profile, changes)

    def _on(self, registers: LifRegisters) -> tuple[Network, tuple[str, ...]]:
        """Give the lowered network for such targets, and what conversion changed."""
        if registers not in self._done:
            data, measured = self.data, None
            known = None if data is None else Calibration(data.inputs, data.lengths, self.progress)
            lowered = compile_network(self.source, self.settings, known, None, registers)
            if data is not None:
                measured = compare_accuracy(lowered, self.source, data, get_engine("native"))
            self._done[registers] = lowered, what_changes(self.source, self.settings, measured)
        return self._done[registers]


def what_changes(
    source: Network, settings: QuantizationConfig, measured: AccuracyComparison | None
) -> tuple[str, ...]:
    """Say what conversion changes of a float network, and by how much, if that was measured."""
    bits = f"weights of {settings.weight_bits} bits, compartments of {settings.state_bits}"
    told = [f"numbers become integers: {bits}, streams of {settings.residual_bits}"]
    approximated: dict[str, list[str]] = {}
    for node in source:
        how = node.approximation  # type: ignore[attr-defined]  # float stage
        if how:
            approximated.setdefault(how, []).append(node.kind)
    told += [f"{', '.join(dict.fromkeys(kinds))}: {how}" for how, kinds in approximated.items()]
    if any(node.has_surrogate for node in source.spiking):  # type: ignore[attr-defined]
        told.append("spikes are those of the exact neuron, where training took a surrogate's")
    if measured is None:
        told.append("by how much was not measured: give --calibration DATA.npz")
        return tuple(told)
    error = f"the largest difference of an answer {measured.largest_logit_error:.3g}"
    agrees = measured.agreement
    share = "" if agrees is None else f"{agrees:.2%} of predictions stay as they are; "
    told.append(f"measured on {measured.sequences:,} sequences: {share}{error}")
    return tuple(told)

"""Where error enters: every signal that a float and an integer network share, compared.

Two errors are told apart. The *total* error of a signal is its difference to the float network's;
it includes all that came in from before. The *local* error is what the node itself adds: its
difference to the float node fed with the very integers that the integer node was fed with. The
node with the worst local error is where a wider format helps. Drives of neurons whose threshold
was raised, since it was nearly 0, are far from the float ones, and do not count there.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from snn_deploy.compare.regression import signal_to_noise
from snn_deploy.engines.float_ops import Context
from snn_deploy.engines.result import IntArray
from snn_deploy.ir.loops import delayed
from snn_deploy.ir.network import Network
from snn_deploy.quantize.thresholds import has_tiny_threshold

__all__ = ["SignalError", "SignalErrors", "advise"]

Real = npt.NDArray[np.float64]

WORST = 3  # channels named per signal
MOST_PARTS = 128  # of a sequence, whose errors are told apart


@dataclass(frozen=True)
class SignalError:
    """One signal of the integer network against the exact-LIF float network's.

    Parameters
    ----------
    node
        The signal's name, in both networks.
    signal_to_noise_db, local_signal_to_noise_db
        Power of the float signal over the power of the total or local error; None where the error
        is zero, and for spikes.
    mismatch, local_mismatch
        For spikes: the share of neuron-steps that differ, in all and by the soma alone.
    surrogate_mismatch
        For spikes: the share of neuron-steps in which the surrogate float network differs from the
        exact-LIF one, in all; None where the network has no surrogate neuron.
    spike_rate
        Spikes a neuron and step, of the integer network.
    worst_channels, worst_step
        Where the total error's power is largest: up to three channels, and a step.
    error_by_step, error_by_channel
        The total error of at most 128 equal parts of the sequence, and of each channel. For spikes
        the share that differ; else the error's power, the float signal's mean power being 1.
    silent, died, always
        For spikes: neurons that never fired; of them, those that do fire in float; and neurons
        that fired at every step.
    saturated
        Values that were clipped.
    """

    node: str
    signal_to_noise_db: float | None = None
    local_signal_to_noise_db: float | None = None
    mismatch: float | None = None
    local_mismatch: float | None = None
    surrogate_mismatch: float | None = None
    spike_rate: float | None = None
    worst_channels: tuple[int, ...] = ()
    worst_step: int | None = None
    error_by_step: tuple[float, ...] = ()
    error_by_channel: tuple[float, ...] = ()
    silent: int = 0
    died: int = 0
    always: int = 0
    saturated: int = 0


class SignalErrors:
    """Gathers the errors of all shared signals over batches of sequences."""

    def __init__(self, source: Network, network: Network) -> None:
        self.source = source
        self.network = network
        shared = [name for name in source.names if name in network.names]
        self.shared = tuple(name for name in shared if name != network.output.name)
        self.somas = tuple(name for name in self.shared if network[name].spikes)
        self._sums = {name: _Sums() for name in self.shared}

    def add(
        self,
        exact: Mapping[str, Real],
        trace: Mapping[str, IntArray],
        lengths: IntArray,
    ) -> None:
        """Add one batch: the float signals and the integer trace, (B, L, width) by name."""
        decoded = {
            name: self._node(name).output.decode(trace[name]).astype(np.float64)
            for name in self.shared
        }
        context = Context(lengths, "exact")
        for name in self.shared:
            fed_in = not self.source[name].inputs  # what the host rounds is an error of its own
            local = exact[name] if fed_in else self._local(name, decoded, context)
            self._sums[name].add(exact[name], decoded[name], local)

    def add_surrogate(self, exact: Mapping[str, Real], surrogate: Mapping[str, Real]) -> None:
        """Add one batch of the surrogate network's spikes, by soma, beside the exact ones."""
        for name in self.somas:
            self._sums[name].add_surrogate(exact[name], surrogate[name])

    def results(self, saturated: Mapping[str, int]) -> list[SignalError]:
        """Give each shared signal's error; ``saturated`` counts clipped values by node."""
        return [
            self._sums[name].result(
                name, name in self.somas, self._drives(name), saturated.get(name, 0)
            )
            for name in self.shared
        ]

    def _drives(self, name: str) -> bool:
        """Whether a signal only drives somas whose threshold may have been raised."""
        readers = self.source.consumers(name)
        return bool(readers) and all(reader.foldable for reader in readers)  # type: ignore[attr-defined]

    def _node(self, name: str) -> Any:
        return self.network[name]

    def _local(self, name: str, decoded: Mapping[str, Real], context: Context) -> Real | None:
        """Evaluate a float node on the integers' meaning; None for what the host feeds in."""
        node = self.source[name]
        if not node.inputs:
            return None
        inputs = []
        for edge in node.inputs:
            signal = decoded.get(edge.source)
            if signal is None:  # a float signal that has no integer twin, such as a mix
                signal = self._local(edge.source, decoded, context)
            if signal is None:
                return None
            inputs.append(delayed(signal, edge.steps_back))
        return np.asarray(node.evaluate(inputs, context))  # type: ignore[attr-defined]


@dataclass
class _Sums:
    """Sums over sequences of one signal and its errors."""

    power: float = 0.0
    local_noise: Real = field(default_factory=lambda: np.zeros(1))
    peak: Real = field(default_factory=lambda: np.zeros(1))
    local_known: bool = True
    channel_noise: Real = field(default_factory=lambda: np.zeros(1))
    step_noise: Real = field(default_factory=lambda: np.zeros(1))
    fired: Real = field(default_factory=lambda: np.zeros(1))
    fired_in_float: Real = field(default_factory=lambda: np.zeros(1))
    count: int = 0
    surrogate_differs: int | None = None

    def add(self, exact: Real, decoded: Real, local: Real | None) -> None:
        squared = np.square(exact - decoded)
        self.power += float(np.square(exact).sum())
        self.peak = np.maximum(self.peak, np.abs(exact).max(axis=(0, 1)))
        self.channel_noise = self.channel_noise + squared.sum(axis=(0, 1))
        self.step_noise = self.step_noise + squared.sum(axis=(0, 2))
        self.fired = self.fired + decoded.sum(axis=(0, 1))
        self.fired_in_float = self.fired_in_float + exact.sum(axis=(0, 1))
        self.count += exact.size
        self.local_known &= local is not None
        if local is not None:
            self.local_noise = self.local_noise + np.square(local - decoded).sum(axis=(0, 1))

    def add_surrogate(self, exact: Real, spikes: Real) -> None:
        differs = int(np.count_nonzero(exact != spikes))
        self.surrogate_differs = (self.surrogate_differs or 0) + differs

    def result(self, name: str, spikes: bool, drives: bool, saturated: int) -> SignalError:
        counted = ~has_tiny_threshold(self.peak) if drives else True
        local_noise = float(self.local_noise.sum(where=counted))
        whole = self.count if spikes else self.power
        found = SignalError(name, saturated=saturated, **self._places(whole))
        noise = float(self.channel_noise.sum())
        if not spikes:
            local = signal_to_noise(self.power, local_noise) if self.local_known else None
            return replace(
                found,
                signal_to_noise_db=signal_to_noise(self.power, noise),
                local_signal_to_noise_db=local,
            )
        steps = self.count // len(self.fired)
        silent = self.fired == 0
        differs = self.surrogate_differs
        return replace(
            found,
            mismatch=noise / self.count,  # spikes are 0 or 1: squared differences count them
            local_mismatch=local_noise / self.count if self.local_known else None,
            surrogate_mismatch=None if differs is None else differs / self.count,
            spike_rate=float(self.fired.sum() / self.count),
            silent=int(silent.sum()),
            died=int((silent & (self.fired_in_float > 0)).sum()),
            always=int((self.fired == steps).sum()),
        )

    def _places(self, whole: float) -> dict[str, Any]:
        """Tell where the error is, as shares of ``whole`` spread evenly over steps or channels."""
        order = np.argsort(-self.channel_noise, kind="stable")[:WORST]
        steps, channels = len(self.step_noise), len(self.channel_noise)
        parts = np.array_split(self.step_noise, min(steps, MOST_PARTS))
        means = np.array([part.mean() for part in parts])
        return {
            "worst_channels": tuple(int(c) for c in order if self.channel_noise[c] > 0),
            "worst_step": int(self.step_noise.argmax()) if self.step_noise.any() else None,
            "error_by_step": _brief(means * steps / (whole or 1.0)),
            "error_by_channel": _brief(self.channel_noise * channels / (whole or 1.0)),
        }


def _brief(values: Real) -> tuple[float, ...]:
    """Keep four digits: these are many numbers, and for charts."""
    return tuple(float(f"{value:.4g}") for value in values)


def advise(source: Network, errors: list[SignalError]) -> str:
    """Say in a sentence where most error enters and which setting to widen."""
    known = [error for error in errors if error.local_signal_to_noise_db is not None]
    if not known:
        return "No node adds an error of its own."
    worst = min(known, key=lambda error: error.local_signal_to_noise_db or 0.0)
    setting = source[worst.node].governed_by  # type: ignore[attr-defined]  # float stage
    return (
        f"Most error enters at {worst.node}, {worst.local_signal_to_noise_db:.1f} dB below its "
        f"signal: widen {setting} to reduce it."
    )

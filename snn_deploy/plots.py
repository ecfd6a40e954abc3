"""Charts of results with matplotlib, which is imported only here.

Each function draws into ``axes``, or a new figure's, and gives them back.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from snn_deploy.errors import BackendUnavailableError, ConfigError, DataError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes

    from snn_deploy.compare.accuracy import AccuracyComparison
    from snn_deploy.page.data import Signal
    from snn_deploy.reports.report import Report
    from snn_deploy.run.simulation import Simulation

__all__ = ["plot_energy", "plot_errors", "plot_placement", "plot_ranges", "plot_raster"]

_ROW = 0.28  # inches of a bar, with its room


def plot_raster(
    simulation: Simulation, soma: str | None = None, sequence: int = 0, axes: Axes | None = None
) -> Axes:
    """Draw the spikes of one sequence: steps to the right, neurons upwards.

    ``soma`` is one of the traced nodes, by default the first that spikes.

    Raises
    ------
    ConfigError
        If no such node was traced.
    DataError
        If there is no such sequence.
    """
    spiking = {node.name for node in simulation.network.spiking}
    traced = [name for name in simulation.trace if name in spiking]
    name = soma or next(iter(traced), None)
    if name not in traced:
        raise ConfigError(
            f"no spikes of {name or 'any layer'} were traced: simulate(…, trace=[{_some(spiking)}])"
        )
    signal = simulation.trace[name]
    if not -len(signal) <= sequence < len(signal):
        raise DataError(f"no sequence {sequence}; there are {len(signal)}")
    steps, neurons = np.nonzero(signal[sequence])
    axes = axes or _axes(4.0)
    thick = min(4.0, 200 / signal.shape[2])  # points; a figure of its own has about 250
    axes.hlines(neurons, steps - 0.5, steps + 0.5, linewidth=thick)
    axes.set(
        xlabel="step",
        ylabel="neuron",
        title=f"{name}, sequence {sequence}",
        xlim=(-0.5, signal.shape[1] - 0.5),
        ylim=(-0.5, signal.shape[2] - 0.5),
    )
    return axes


def plot_ranges(signals: Sequence[Signal], axes: Axes | None = None) -> Axes:
    """Draw each signal's magnitudes in bits beside the bits that its format has."""
    shown = [signal for signal in signals if signal.largest is not None]
    axes = axes or _axes(_ROW * len(shown) + 1)
    places = np.arange(len(shown))[::-1]
    for title, values, colour in (
        ("room in the format", [s.limit for s in shown], "0.88"),
        ("largest seen", [s.largest or 0 for s in shown], "C0"),
    ):
        width = 0.8 if colour != "C0" else 0.5
        axes.barh(places, np.log2(np.array(values, float) + 1), width, color=colour, label=title)
    usual = np.log2(np.array([s.usual or 0 for s in shown], float) + 1)
    axes.plot(usual, places, "k|", markersize=7, label="99% of values")
    axes.set(yticks=places, yticklabels=[f"{s.node} {s.quantity}" for s in shown], xlabel="bits")
    _legend_beside(axes)
    return axes


def plot_errors(compared: AccuracyComparison, axes: Axes | None = None) -> Axes:
    """Draw each signal's power over its error's, in all and of what the node itself adds."""
    shown = [e for e in compared.signals if e.signal_to_noise_db is not None]
    axes = axes or _axes(_ROW * len(shown) + 1)
    places = np.arange(len(shown))[::-1]
    axes.barh(places, [e.signal_to_noise_db or 0.0 for e in shown], 0.6, label="in all")
    here = [(p, e.local_signal_to_noise_db) for p, e in zip(places, shown, strict=True)]
    known = [(p, level) for p, level in here if level is not None]
    axes.plot([level for _, level in known], [p for p, _ in known], "k|", label="added here")
    axes.set(yticks=places, yticklabels=[e.node for e in shown], xlabel="signal to noise, dB")
    _legend_beside(axes)
    return axes


def plot_energy(report: Report, axes: Axes | None = None) -> Axes:
    """Draw each layer's dynamic energy of a sequence, by kind of event, with its range.

    Raises
    ------
    ConfigError
        If the target has no energies.
    """
    if not report.total.energy:
        raise ConfigError(f"target '{report.profile.name}' has no energies to draw")
    each = 1e6 / report.activity.sequences  # µJ
    axes = axes or _axes(_ROW * len(report.layers) + 1)
    places = np.arange(len(report.layers))[::-1]
    start = np.zeros(len(places))
    for kind in [
        item.kind for item in sorted(report.total.energy, key=lambda i: -i.energy_j.typical)
    ]:
        found = [{i.kind: i.energy_j.typical for i in layer.energy} for layer in report.layers]
        values = np.array([energies.get(kind, 0.0) * each for energies in found])
        axes.barh(places, values, 0.6, left=start, label=kind)
        start += values
    whole = [layer.dynamic_j * each for layer in report.layers]
    below = [value.typical - value.low for value in whole]
    above = [value.high - value.typical for value in whole]
    axes.errorbar(start, places, xerr=[below, above], fmt="none", ecolor="k", linewidth=1)
    axes.set(yticks=places, yticklabels=[layer.name for layer in report.layers])
    axes.set_xlabel("dynamic energy of a sequence, µJ")
    _legend_beside(axes)
    return axes


def plot_placement(report: Report, chip: int = 0, axes: Axes | None = None) -> Axes:
    """Draw a chip's cores where their routers are, coloured by how full their memory is.

    Raises
    ------
    ConfigError
        If the target has no cores, or the chip is not in use.
    """
    from snn_deploy.page.chip import core_places

    placement = report.placement
    cores = [] if placement is None else [c for c in placement.cores if c.chip == chip]
    if not cores:
        raise ConfigError(f"nothing is placed on chip {chip} of target '{report.profile.name}'")
    axes = axes or _axes(3.0)
    used = {core.index: core.load.memory.bytes / 1024 for core in cores}
    count = report.profile.limits.get("cores_per_chip") or max(used) + 1
    places = {index: (x, y) for index, x, y in core_places(count, report.profile)}
    free = [place for index, place in places.items() if index not in used]
    x, y = np.reshape(free, (-1, 2)).T
    axes.scatter(x, y, marker="s", s=60, facecolor="none", edgecolor="0.8")
    x, y = np.array([places[index] for index in used]).T
    drawn = axes.scatter(x, y, c=list(used.values()), marker="s", s=60, cmap="Blues", vmin=0)
    axes.figure.colorbar(drawn, ax=axes, label="memory, KiB")
    axes.set(title=f"chip {chip}: {len(used)} of {count} cores", aspect="equal")
    axes.invert_yaxis()
    axes.set_axis_off()
    return axes


def _legend_beside(axes: Axes) -> None:
    """Draw the legend where it hides no bar."""
    axes.legend(loc="upper left", bbox_to_anchor=(1, 1), fontsize="small")


def _axes(height: float) -> Axes:
    try:
        import matplotlib.pyplot as plt
    except ImportError as error:
        raise BackendUnavailableError(
            "charts need matplotlib, which is not installed: pip install 'snn-deploy[plot]'"
        ) from error
    figure = plt.figure(figsize=(8, height), layout="constrained")
    axes: Axes = figure.add_subplot()
    return axes


def _some(names: set[str]) -> str:
    return repr(min(names)) if names else "a layer's soma"

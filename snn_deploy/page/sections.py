"""The report page's drawings, section by section, with the words beside them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from markupsafe import Markup

from snn_deploy.ir.formats import SPIKE
from snn_deploy.page import charts
from snn_deploy.page.chip import LEVELS, MOST_CHIPS, Measure, chip_map, core_measures
from snn_deploy.page.data import PageData, Signal
from snn_deploy.page.energy import Row
from snn_deploy.page.svg import render
from snn_deploy.reports.quantities import fraction, quantity
from snn_deploy.reports.report import LayerReport, Report, layer_of
from snn_deploy.reports.saturation import Saturation

__all__ = [
    "ChipSection",
    "LayerSection",
    "SomaPart",
    "TimeSection",
    "chip_section",
    "layer_sections",
    "time_section",
]

DENSE = 0.99  # of all channels, at every step
RASTER_PIXELS = 4_000_000  # of all layers together, half a byte each


@dataclass(frozen=True)
class ChipSection:
    """Maps of the chips, each with its title; how many chips are not drawn."""

    words: tuple[str, ...]
    measures: tuple[Measure, ...]
    levels: int
    maps: tuple[tuple[str, Markup], ...]
    left_out: int


def chip_section(report: Report) -> ChipSection | None:
    """Draw the chips in use; None where the target has no cores."""
    placement, profile = report.placement, report.profile
    if placement is None:
        return None
    measures = core_measures(placement, profile, report.timing)
    chips = sorted({core.chip for core in placement.cores})
    used = {chip: sum(core.chip == chip for core in placement.cores) for chip in chips}
    maps = tuple(
        (f"chip {chip}: {used[chip]} cores", render(chip_map(chip, placement, profile, measures)))
        for chip in chips[:MOST_CHIPS]
    )
    return ChipSection(
        _placement_words(report), measures, LEVELS, maps, max(0, len(chips) - MOST_CHIPS)
    )


def _placement_words(report: Report) -> tuple[str, ...]:
    placement, timing = report.placement, report.timing
    if placement is None:
        return ()
    lowering = {
        "channel": "a channel's modes are compartments of one programmable neuron",
        "mode": "each mode is a neuron of its own",
    }[placement.lowering]
    purpose = {"time": "spread for speed", "cores": "packed into as few cores as hold it"}
    words = [f"Lowering: {lowering}.", f"Placement: {purpose[placement.objective]}."]
    if timing is not None:
        words.append(f"The busiest core works {timing.balance:.2f} times as long as the mean core.")
    return tuple(words)


@dataclass(frozen=True)
class TimeSection:
    """Activity over the steps of a sequence: spikes on one scale, numbers on another.

    ``dense`` names those that send all but always: there is nothing to draw of them.
    """

    spikes: tuple[Row, ...]
    spikes_top: str
    graded: tuple[Row, ...]
    dense: tuple[str, ...]
    axis: Markup
    last: int


def time_section(page: PageData) -> TimeSection:
    """Draw which share of each sender's channels sent at each step."""
    spikes, graded = [], []
    for name in page.by_step:
        node = page.network[name]
        if getattr(node, "output", None) == SPIKE:
            spikes.append(name)
        elif not node.once:  # those speak once a sequence
            graded.append(name)
    dense = [name for name in graded if float(page.by_step[name].min()) >= DENSE]
    top = max((float(page.by_step[name].max()) for name in spikes), default=0.0)
    top = charts.round_up(top)
    return TimeSection(
        spikes=tuple(_over_time(page, name, top) for name in spikes),
        spikes_top=f"{100 * top:g}%",
        graded=tuple(_over_time(page, name, 1.0) for name in graded if name not in dense),
        dense=tuple(dense),
        axis=render(charts.step_axis(page.steps)),
        last=page.steps - 1,
    )


def _over_time(page: PageData, name: str, top: float) -> Row:
    values = page.by_step[name]
    mean, least, most = (float(f(values)) for f in (np.mean, np.min, np.max))
    told = f"{name}: {fraction(mean)} on average, {fraction(least)} to {fraction(most)}"
    drawn = render(charts.over_time(values, top, told))
    return Row(name, drawn, fraction(mean), f"{fraction(least)} – {fraction(most)}")


@dataclass(frozen=True)
class SomaPart:
    """A layer's spikes: raster, histogram, and what they show in words."""

    name: str
    raster: Markup
    histogram: Markup
    words: str


@dataclass(frozen=True)
class LayerSection:
    """One layer in detail."""

    layer: LayerReport
    figures: tuple[tuple[str, str], ...]
    somas: tuple[SomaPart, ...]
    ranges: tuple[Row, ...]
    axis: Markup


def layer_sections(page: PageData) -> tuple[LayerSection, ...]:
    """Draw each layer's spikes and ranges."""
    pixels = RASTER_PIXELS // max(1, len(page.spikes))
    top = _most_bits(page.signals)
    judged = {saturation.node: saturation for saturation in page.report.saturation}
    axis = render(charts.bit_axis(top))
    drives = {edge.source for soma in page.network.spiking for edge in soma.inputs}
    return tuple(
        LayerSection(
            layer=layer,
            figures=tuple(_figures(layer, page)),
            somas=tuple(_soma(name, page, pixels) for name in page.spikes if name in layer.nodes),
            ranges=tuple(
                _range(signal, top, judged.get(signal.node), signal.node in drives)
                for signal in page.signals
                if signal.node in layer.nodes
            ),
            axis=axis,
        )
        for layer in page.report.layers
    )


def _figures(layer: LayerReport, page: PageData) -> Iterator[tuple[str, str]]:
    each = 1.0 / page.sequences
    if layer.neurons:
        yield "neurons", f"{layer.neurons:,}"
    if layer.compartments:
        yield "compartments", f"{layer.compartments:,}"
    if layer.synapses:
        yield "synapses", f"{layer.synapses:,}"
        yield "of them zero", fraction(layer.connection_sparsity)
    if layer.cores:
        yield "cores", f"{layer.cores:,}"
    if layer.spike_rate is not None:
        yield "spike rate", fraction(layer.spike_rate)
        yield "never spike", f"{layer.silent_neurons:,}"
        yield "always spike", f"{layer.always_firing_neurons:,}"
    if page.report.total.energy:
        yield "energy a sequence", quantity(layer.dynamic_j.typical * each, "J")


def _soma(name: str, page: PageData, pixels: int) -> SomaPart:
    spikes = page.spikes[name]
    activity = page.report.activity
    rates = activity.messages[name] / activity.total_steps
    told = (
        f"{name}, first sequence: {int(spikes.sum()):,} spikes of {spikes.shape[1]:,} neurons in "
        f"{spikes.shape[0]:,} steps"
    )
    median, top = float(np.median(rates)), float(rates.max())
    silent = int(np.count_nonzero(rates == 0))
    words = f"{silent:,} never, median {fraction(median)}, highest {fraction(top)} of steps"
    shown = f"Neurons of {name} by spike rate: {words}"
    return SomaPart(
        name=name,
        raster=render(charts.raster(spikes, told, pixels)),
        histogram=render(charts.histogram(rates, shown)),
        words=words,
    )


def _most_bits(signals: Sequence[Signal]) -> int:
    """The end of a scale of bits that holds every limit and, up to 32, every worst case."""
    largest = max((max(s.limit, min(s.worst or 0.0, 2.0**32 - 1)) for s in signals), default=1.0)
    return -(-int(np.ceil(charts.bits_of(largest))) // 4) * 4


def _range(signal: Signal, top: int, judged: Saturation | None, drives: bool) -> Row:
    quantity_name = "drive" if drives and signal.quantity == "output" else signal.quantity
    can_exceed = judged is not None and signal.quantity in judged.can_exceed
    status = ""
    if judged is not None and can_exceed:
        clipped = f"{judged.count:,} clipped"
        status = {"unseen": "never clipped", "seen": clipped}.get(judged.status, judged.status)
    elif signal.worst is not None:
        status = "cannot clip"
    room = charts.bits_of(signal.limit)
    used = f"– of {room:.0f} bits"
    if signal.largest is not None:
        used = f"{charts.bits_of(signal.largest):.1f} of {room:.0f} bits"
    told = f"{signal.node} {signal.quantity}: {used}; {status}"
    return Row(
        name=f"{_short(signal.node)} {quantity_name}",
        drawing=render(charts.bit_bar(signal, top, told)),
        figure=used,
        detail=status,
        alarm=can_exceed and judged is not None and judged.status == "seen",
    )


def _short(node: str) -> str:
    return node.removeprefix(f"{layer_of(node)}.")

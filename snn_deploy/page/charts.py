"""The report page's charts, each one drawing; see ``page_svg.py`` for how they stretch."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from snn_deploy.page.data import Signal
from snn_deploy.page.svg import Element, drawing, element, percent_of, png_data
from snn_deploy.reports.energy import Range
from snn_deploy.reports.quantities import fraction, quantity_range

__all__ = [
    "bit_axis",
    "bit_bar",
    "bits_of",
    "histogram",
    "marked_bars",
    "over_time",
    "range_bar",
    "raster",
    "round_up",
    "stacked_bar",
    "step_axis",
    "ticks",
    "value_axis",
]

Shares = npt.NDArray[np.float64]
Pool = Callable[[Shares], Any]

SPIKE_RGB = (42, 134, 200)  # the accent: 3 : 1 or more against both backgrounds
AXIS = 18  # pixels under a plot for its numbers
MAX_POINTS = 512
BAR = 12


def ticks(top: float, most: int = 5) -> list[float]:
    """Give round numbers 0 … ``top``, at most ``most`` + 1 of them."""
    if not top > 0:
        return [0.0]
    rough = top / most
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(m * power for m in (1, 2, 5, 10) if m * power >= rough * (1 - 1e-9))
    return [i * step for i in range(int(top / step + 1e-9) + 1)]


def range_bar(value: Range, unit: str, label: str, top: float | None = None) -> Element:
    """Draw low to high as a band on a scale from 0 to ``top``, the typical value as a line."""
    top = top or value.high or 1.0
    band = {"y": 4, "height": 6, "rx": 1}
    return drawing(
        f"{label}: {quantity_range(value, unit)} (low, typical, high)",
        14,
        [
            element("rect", class_="track", x=0, width="100%", **band),
            element(
                "rect",
                class_="band",
                x=percent_of(value.low, top),
                width=percent_of(value.high - value.low, top),
                **band,
            ),
            _line("typical", percent_of(value.typical, top), 1, 13),
        ],
        "chart range",
    )


def stacked_bar(
    parts: Sequence[tuple[str, float, str]], top: float, label: str, value: Range | None = None
) -> Element:
    """Draw (colour class, value, words) side by side on a scale 0 … ``top``; ``value`` adds a
    line from its low to its high end.
    """
    children: list[Element] = []
    start = 0.0
    for colour, size, words in parts:
        if size <= 0:
            continue
        children.append(
            element(
                "rect",
                element("title", words),
                class_=f"part {colour}",
                x=percent_of(start, top),
                width=percent_of(size, top),
                y=3,
                height=BAR,
            )
        )
        start += size
    if value is not None and value.high > value.low:
        low, high = percent_of(value.low, top), percent_of(value.high, top)
        children.append(element("line", class_="whisker", x1=low, x2=high, y1=9, y2=9))
        children += [_line("whisker", x, 5, 13) for x in (low, high)]
    return drawing(label, BAR + 6, children)


def marked_bars(
    bars: Sequence[tuple[str, float]], mark: float | None, top: float, label: str
) -> Element:
    """Draw (colour class, value) below each other on a scale 0 … ``top``; ``mark`` is a line."""
    height = BAR // len(bars)
    children = [element("rect", class_="track", x=0, width="100%", y=3, height=height * len(bars))]
    for i, (colour, value) in enumerate(bars):
        width = percent_of(min(max(value, 0.0), top), top)
        y = 3 + i * height
        children.append(element("rect", class_=colour, x=0, width=width, y=y, height=height))
    if mark is not None:
        children.append(_line("typical", percent_of(min(max(mark, 0.0), top), top), 1, 5 + BAR))
    return drawing(label, BAR + 6, children)


def step_axis(steps: int) -> Element:
    """Write the steps of a sequence under drawings of them."""
    return value_axis([(at, f"{at:g}") for at in _step_ticks(steps)], steps)


def _step_ticks(steps: int) -> list[float]:
    return [at for at in ticks(steps) if at == int(at)]


def value_axis(marks: Sequence[tuple[float, str]], top: float) -> Element:
    """Write numbers under bars that share a scale 0 … ``top``; read out with the bars."""
    children = [
        element(
            "text", text, class_="tick", x=percent_of(at, top), y=12, text_anchor=_anchor(at, top)
        )
        for at, text in marks
    ]
    return element(
        "svg", *children, class_="chart axis", width="100%", height=16, aria_hidden="true"
    )


def histogram(values: Shares, label: str, bins: int = 20) -> Element:
    """Draw how many neurons have which spike rate; those that never spike stand apart at 0.

    The scale is that of the neurons that do spike: a taller bar of silent ones is cut off.
    """
    silent = int(np.count_nonzero(values == 0))
    top = round_up(float(values.max(initial=0.0)))
    counts, edges = np.histogram(values[values > 0], bins=bins, range=(0.0, top))
    tallest, height = max(int(counts.max(initial=0)), 1), 96
    silent_part, gap = 6.0, 3.0  # per cent of the width
    scale = 100.0 - silent_part - gap
    children = [
        element("line", class_="grid", x1=f"{silent_part + gap}%", x2="100%", y1=14, y2=14),
        element("line", class_="base", x1=0, x2="100%", y1=height, y2=height),
        _column("silent", 0.0, silent_part, min(1.0, silent / tallest), f"{silent} never spike"),
    ]
    if silent > tallest:
        width = f"{silent_part}%"
        children.append(element("rect", class_="cut", x=0, y=24, width=width, height=3))
    for count, low, high in zip(counts, edges[:-1], edges[1:], strict=True):
        words = f"{count} neurons at {fraction(low)} to {fraction(high)}"
        left = silent_part + gap + scale * low / top
        children.append(_column("column", left, scale / bins, count / tallest, words))
    children += [
        _number(silent_part / 2, height + 13, "0"),
        _number(silent_part / 2, 10, f"{silent:,}"),
        _number(100.0, 10, f"{tallest:,} neurons", last=True),
    ]
    children += [
        _number(silent_part + gap + scale * at / top, height + 13, f"{100 * at:g}%", at >= top)
        for at in ticks(top, 4)[1:]
    ]
    return drawing(label, height + AXIS, children)


def _column(class_: str, left: float, width: float, share: float, words: str) -> Element:
    height = 82 * share
    return element(
        "rect",
        element("title", words),
        class_=class_,
        x=f"{left:.2f}%",
        width=f"{width * 0.9:.2f}%",
        y=96 - height,
        height=height,
    )


def _number(x: float, y: int, text: str, last: bool = False) -> Element:
    anchor = "end" if last else "middle"
    return element("text", text, class_="tick", x=f"{x:.2f}%", y=y, text_anchor=anchor)


def over_time(
    values: Shares, top: float, label: str, height: int = 34, pool: Pool = np.mean
) -> Element:
    """Draw a share at each step (or channel) as an area on a scale 0 … ``top``.

    Of more than fit, several share a point: their mean, or what else ``pool`` makes of them.
    """
    points = np.array([pool(part) for part in np.array_split(values, min(len(values), MAX_POINTS))])
    # each point is a step's whole width
    x = np.repeat(np.linspace(0, 1000, len(points) + 1), 2)[1:-1]
    y = height - 1 - (height - 2) * np.repeat(points, 2) / (top or 1.0)
    outline = " ".join(f"{a:.1f},{b:.1f}" for a, b in zip(x, y, strict=True))
    plot = element(
        "svg",
        element("polygon", class_="area", points=f"0,{height - 1} {outline} 1000,{height - 1}"),
        element("polyline", class_="outline", points=outline),
        width="100%",
        height=height,
        viewBox=f"0 0 1000 {height}",
        preserveAspectRatio="none",
    )
    base = element("line", class_="base", x1=0, x2="100%", y1=height - 1, y2=height - 1)
    return drawing(label, height, [base, plot])


def raster(spikes: npt.NDArray[np.bool_], label: str, pixels: int) -> Element:
    """Draw spikes (L, width): time to the right, neurons downwards from 0.

    Of long or wide signals each of at most ``pixels`` dots is the share of spikes in its bin.
    """
    steps, width = spikes.shape
    rows = min(width, 256, max(1, pixels // min(steps, 1024)))
    columns = min(steps, 1024, max(1, pixels // rows))
    density = _binned(_binned(spikes.T.astype(np.float64), rows).T, columns).T
    height = int(np.clip(3 * width, 72, 256))
    image = element(
        "image",
        class_="dots",
        width="100%",
        height=height,
        preserveAspectRatio="none",
        href=png_data(density, SPIKE_RGB),
    )
    frame = element("rect", class_="frame", width="100%", height=height)
    marks = [
        element(
            "text",
            f"{at:g}",
            class_="tick",
            x=percent_of(at, steps),
            y=height + 13,
            text_anchor=_anchor(at, steps),
        )
        for at in _step_ticks(steps)
    ]
    return drawing(label, height + AXIS, [frame, image, *marks])


def _binned(values: Shares, bins: int) -> Shares:
    """Average rows into ``bins`` of them."""
    starts = np.arange(bins) * len(values) // bins
    sums = np.add.reduceat(values, starts, axis=0)
    sizes = np.diff(np.append(starts, len(values)))
    return np.asarray(sums / sizes[:, None])


def bit_bar(signal: Signal, top: int, words: str) -> Element:
    """Draw magnitudes in bits: the room in the format, what was used of it, the worst case."""
    room = percent_of(bits_of(signal.limit), top)
    children = [element("rect", class_="track", x=0, y=4, height=8, width=room)]
    if signal.largest is not None and signal.usual is not None:
        for class_, size in (("seen", float(signal.largest)), ("usual", signal.usual)):
            width = percent_of(bits_of(size), top)
            children.append(element("rect", class_=class_, x=0, y=4, height=8, width=width))
    children.append(_line("limit", room, 1, 15))
    if signal.worst is not None:
        over = signal.worst > signal.limit
        at = percent_of(min(bits_of(signal.worst), top), top)
        class_ = "worst over" if over else "worst"
        children.append(element("circle", class_=class_, cx=at, cy=8, r=3.5))
    return drawing(words, 16, children, "chart bits")


def bit_axis(top: int) -> Element:
    """Write the scale of :func:`bit_bar`: bits of a magnitude, without its sign."""
    return value_axis([(float(bits), str(bits)) for bits in range(0, top + 1, 4)], top)


def bits_of(magnitude: float) -> float:
    """Bits of a magnitude as a real number: 0 takes none, 1 takes one, 2**n - 1 takes n."""
    return math.log2(magnitude + 1.0)


def _line(class_: str, x: str, y1: float, y2: float) -> Element:
    return element("line", class_=class_, x1=x, x2=x, y1=y1, y2=y2)


def _anchor(at: float, top: float) -> str:
    if at <= 0:
        return "start"
    return "end" if at > 0.97 * top else "middle"


def round_up(value: float) -> float:
    """Give the end of a scale of shares that holds ``value``."""
    if value <= 0:
        return 1.0
    step = ticks(value)[1]
    return min(1.0, math.ceil(value / step - 1e-9) * step)

"""Numbers as people read them: three digits and a prefix."""

from __future__ import annotations

import math

from snn_deploy.reports.energy import Range

__all__ = ["count", "fraction", "kibibytes", "percent", "quantity", "quantity_range"]

_PREFIXES = {-15: "f", -12: "p", -9: "n", -6: "µ", -3: "m", 0: "", 3: "k", 6: "M", 9: "G", 12: "T"}


def _exponent(value: float) -> int:
    """Give the power of 1,000 (as one of ten) that leaves 1 … 999 before the point."""
    if value == 0 or not math.isfinite(value):
        return 0
    # one that three digits would round up to 1,000 belongs to the next
    digits = math.floor(math.log10(abs(float(f"{value:.3g}"))))
    return max(-15, min(12, digits // 3 * 3))


def _digits(value: float) -> str:
    text = f"{value:.3g}"
    return f"{float(text):.0f}" if "e" in text else text


def count(value: float) -> str:
    """``1.09M``; whole numbers under 10,000 in full."""
    if abs(value) < 10_000 and value == int(value):
        return f"{int(value)}"
    exponent = max(0, _exponent(value))
    return f"{_digits(value / 10.0**exponent)}{_PREFIXES[exponent]}"


def fraction(value: float | None) -> str:
    """``12.3%``, or a dash where there is none."""
    return "–" if value is None else f"{100 * value:.1f}%"


def percent(share: float | None) -> str:
    """``98.06%``: a share of answers or spikes, where one in thousands matters."""
    return "–" if share is None else f"{100 * share:.2f}%"


def kibibytes(size: int) -> str:
    """``97.9 KiB``, from a thousand of them on MiB."""
    return f"{size / 1024:.1f} KiB" if size < 1024 * 1000 else f"{size / 1024**2:.1f} MiB"


def quantity(value: float, unit: str) -> str:
    """``4.43 µJ``."""
    exponent = _exponent(value)
    return f"{_digits(value / 10.0**exponent)} {_PREFIXES[exponent]}{unit}"


def quantity_range(value: Range, unit: str) -> str:
    """``1.75 – 4.43 – 10.9 µJ``, all with the typical value's prefix."""
    exponent = _exponent(value.typical or value.high)
    numbers = (value.low, value.typical, value.high)
    if value.low == value.high:
        return quantity(value.typical, unit)
    told = " – ".join(_digits(number / 10.0**exponent) for number in numbers)
    return f"{told} {_PREFIXES[exponent]}{unit}"

"""Float against integer as text for a terminal: answers, and every signal's error."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from typing import TYPE_CHECKING

from snn_deploy.reports.quantities import percent

if TYPE_CHECKING:
    from snn_deploy.compare.accuracy import AccuracyComparison
    from snn_deploy.compare.signals import SignalError

__all__ = ["error_table"]

LEAD_WIDTH = 72
INDENT = 6  # of notes that have a line of their own


def error_table(compared: AccuracyComparison, width: int) -> str:
    """Give the comparison's lines; notes that ``width`` leaves no room for stand below them."""
    lines = ["", *_answers(compared, width), *_wrapped(compared.advice, width, 2), ""]
    has_surrogate = any(error.surrogate_mismatch is not None for error in compared.signals)
    name_width = max(len("signal"), *(len(error.node) for error in compared.signals))
    titles = ["signal", "in all", "here", "surrogate" if has_surrogate else ""]
    rows = [(titles, ["worst channels, notes"])]
    rows += [(_cells(error), list(_notes(error))) for error in compared.signals]
    for (name, total, local, surrogate), notes in rows:
        line = f"  {name:<{name_width}} {total:>9} {local:>9}"
        if has_surrogate:
            line += f"  {surrogate:>9}"
        lines += _beside(line, "; ".join(notes), width)
    return "\n".join([*lines, *_clipped_elsewhere(compared, width)])


def _answers(compared: AccuracyComparison, width: int) -> Iterator[str]:
    yield from _wrapped(
        f"float against integer, {compared.sequences:,} sequences: signal to noise, or the share "
        "of spikes that differ: in all, as added here, and in surrogate float",
        min(width, LEAD_WIDTH),
        0,
    )
    if compared.regresses:
        yield from _regression(compared, width)
        return
    rows = (
        ("surrogate float", compared.surrogate_accuracy, compared.surrogate_agreement),
        ("exact-LIF float", compared.exact_accuracy, compared.agreement),
        ("integer", compared.integer_accuracy, None),
    )
    for name, correct, agrees in rows:
        same = "" if agrees is None else f", integer agrees {percent(agrees):>7}"
        yield f"  {name:<16} accuracy {percent(correct):>7}{same}"
    yield f"  largest logit error {compared.largest_logit_error:.3g}"


def _regression(compared: AccuracyComparison, width: int) -> Iterator[str]:
    titles = {"surrogate": "surrogate float", "exact": "exact-LIF float", "integer": "integer"}
    for key, title in titles.items():
        if key in compared.regression:
            yield from _wrapped(f"{title:<16} {compared.regression[key]}", width, 2)
    level = _decibels(compared.answer_snr_db)
    yield f"  integer against exact-LIF float: {level}"
    yield f"  largest difference {compared.largest_logit_error:.3g}"


def _cells(error: SignalError) -> list[str]:
    if error.mismatch is not None:
        shares = (error.mismatch, error.local_mismatch, error.surrogate_mismatch)
        return [error.node, *(percent(share) for share in shares)]
    total, local = error.signal_to_noise_db, error.local_signal_to_noise_db
    return [error.node, _decibels(total), _decibels(local), ""]


def _decibels(value: float | None) -> str:
    return "exact" if value is None else f"{value:.1f} dB"


def _notes(error: SignalError) -> Iterator[str]:
    if error.worst_channels:
        yield ",".join(str(channel) for channel in error.worst_channels)
    counts = {
        "silent": error.silent,
        "of them alive in float": error.died,
        "always firing": error.always,
        "clipped": error.saturated,
    }
    yield from (f"{number:,} {what}" for what, number in counts.items() if number)


def _clipped_elsewhere(compared: AccuracyComparison, width: int) -> list[str]:
    """Name what clipped of the nodes that the float network has no twin of."""
    shown = {error.node for error in compared.signals}
    others = {name: n for name, n in compared.saturated.items() if name not in shown}
    if not others:
        return []
    told = ", ".join(f"{number:,} in {name}" for name, number in others.items())
    return _wrapped(f"also clipped: {told}", width, 2)


def _beside(line: str, notes: str, width: int) -> list[str]:
    if not notes or len(line) + 2 + len(notes) <= width:
        return [f"{line}  {notes}".rstrip()]
    return [line.rstrip(), *_wrapped(notes, width, INDENT)]


def _wrapped(text: str, width: int, indent: int) -> list[str]:
    spaces = " " * indent
    return textwrap.wrap(
        text,
        max(width, 40),
        initial_indent=spaces,
        subsequent_indent=spaces,
        break_on_hyphens=False,
    )

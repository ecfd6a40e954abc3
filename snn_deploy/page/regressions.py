"""What pages say of networks that answer with real numbers instead of classes."""

from __future__ import annotations

from collections.abc import Mapping

from snn_deploy.compare.accuracy import AccuracyComparison
from snn_deploy.compare.regression import Regression
from snn_deploy.page.fact import Fact
from snn_deploy.page.table import Column, Table

__all__ = ["close_to_float", "regression_fact", "regression_sentence", "regression_table"]

_NAMES = {
    "surrogate": "surrogate float, as trained",
    "exact": "exact-LIF float",
    "integer": "integer, as deployed",
}


def regression_sentence(found: Regression | None, compared: AccuracyComparison | None) -> str:
    """Say how close the answers are to their targets, and to the float network's."""
    told = (
        "It answers with real numbers, and the data holds no targets to measure them by."
        if found is None
        else f"In integers, its answers and their targets: {found}."
    )
    return told if compared is None else f"{told} {close_to_float(compared)}"


def close_to_float(compared: AccuracyComparison) -> str:
    """Say how close the integer answers are to exact-LIF float's."""
    level = compared.answer_snr_db
    if level is None:
        return "It answers exactly what exact-LIF float does."
    return f"Its answers lie {level:.1f} dB above their difference to exact-LIF float's."


def regression_fact(
    found: Regression | None, compared: AccuracyComparison | None, *more: str
) -> Fact:
    """Give the answers' error, and beside it the float networks'."""
    details = list(more)
    if compared is not None:
        floats = {name: sums for name, sums in compared.regression.items() if name != "integer"}
        details += [f"{_NAMES[name]}: R² {_brief(sums.r2)}" for name, sums in floats.items()]
        level = compared.answer_snr_db
        details.append("as float" if level is None else f"{level:.1f} dB above error against float")
    if found is None:
        return Fact("Error", "–", "no targets in the data", tuple(details))
    levels = {"SNR": found.snr_db, "SI-SNR": found.si_snr_db}
    told = [f"{name} {level:.2f} dB" for name, level in levels.items() if level is not None]
    of = f"mean squared error of {found.values:,} values"
    details = [f"R² {_brief(found.r2)}", *told, *details]
    return Fact("Error", _brief(found.mean_squared_error), of, tuple(details))


def regression_table(found: Mapping[str, Regression], sequences: int) -> Table:
    """Give the networks' errors against the targets."""
    columns = (
        Column("network", "text"),
        Column("mean squared error"),
        Column("R²"),
        Column("SNR", "number", "dB"),
        Column("SI-SNR", "number", "dB"),
    )
    rows = tuple(
        (_NAMES[name], sums.mean_squared_error, sums.r2, sums.snr_db, sums.si_snr_db)
        for name, sums in found.items()
    )
    return Table("accuracy", f"{sequences:,} sequences, against their targets", columns, rows)


def _brief(value: float | None) -> str:
    return "–" if value is None else f"{value:.4g}"

"""Text tables of one feature: a line a sequence, a column a step; one column is one sequence."""

from __future__ import annotations

import io

import numpy as np
import numpy.typing as npt

from snn_deploy.data.data_file import DataFile, find_arrays
from snn_deploy.errors import DataError
from snn_deploy.io.reading import read_regular

__all__ = ["read_table"]

Arrays = dict[str, npt.NDArray[np.float64] | npt.NDArray[np.int64]]

MOST_BYTES = 1 << 30


def read_table(file: DataFile) -> Arrays:
    """Read numbers with commas, semicolons, tabs or spaces between them, headings or none.

    A column that is headed as labels, lengths or targets are called, or that a key names, is that;
    columns without headings are numbered from 0. All others are steps.

    Raises
    ------
    DataError
        Naming the line, if one has another number of values, or one that is no number.
    """
    try:
        text = read_regular(file, MOST_BYTES).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise DataError(f"{file}: no text in UTF-8 ({error.reason})") from error
    first, _, rest = text.partition("\n")
    delimiter = next((mark for mark in ",;\t" if mark in first), None)
    names = [name.strip().strip('"') for name in first.split(delimiter)]
    headed = not all(_is_number(name) for name in names)
    if not headed:
        names, rest = [str(index) for index in range(len(names))], text
    try:
        values = np.loadtxt(
            io.StringIO(rest), delimiter=delimiter, ndmin=2, comments=None, dtype=np.float64
        )
    except ValueError as error:
        told = f"{error}, counted from 0 below the headings" if headed else f"{error}, from 0"
        raise DataError(f"{file}: not a table of numbers: {told}") from error
    if not values.size or values.shape[1] != len(names):
        raise DataError(
            f"{file}: {len(names)} headings over lines of {values.shape[1]} numbers; each line is "
            "a sequence, and each column a step"
        )
    return _by_role(file, names, values, headed)


def _by_role(
    file: DataFile, names: list[str], values: npt.NDArray[np.float64], headed: bool
) -> Arrays:
    keys = (file.labels_key, file.lengths_key, file.targets_key)
    if not headed and not any(keys):  # numbers name nothing
        return {"inputs": _steps(values)}
    wanted = DataFile(file.path, "inputs", *keys)
    others = [name for name in names if name != "inputs"]
    found = {role: name for role, (name,) in find_arrays(wanted, ["inputs", *others]).items()}
    columns = {role: names.index(name) for role, name in found.items() if role != "inputs"}
    steps = [index for index in range(len(names)) if index not in columns.values()]
    if not steps:
        raise DataError(f"{file}: no column is left for the inputs")
    return {"inputs": _steps(values[:, steps])} | {
        role: _whole(values[:, index]) for role, index in columns.items()
    }


def _steps(values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64] | npt.NDArray[np.int64]:
    return _whole(values.T if values.shape[1] == 1 else values)


def _whole(values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64] | npt.NDArray[np.int64]:
    """Give integers where all numbers are: tokens, classes, lengths."""
    exact = np.isfinite(values).all() and (np.abs(values) < 2**53).all()
    return values.astype(np.int64) if exact and (values == np.rint(values)).all() else values


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True

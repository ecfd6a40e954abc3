"""Recordings of events, one file each, in a folder for each class: as data sets are unpacked."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import chain, zip_longest
from pathlib import Path

from snn_deploy.data.data_file import DataFile
from snn_deploy.errors import DataError
from snn_deploy.printable import some_of

__all__ = ["HDF5", "RECORDINGS", "ClassFolders", "class_folders"]

HDF5 = (".h5", ".hdf5", ".hdf")
RECORDINGS = (".npy", ".npz", *HDF5, ".bin")
"""The kinds of files that hold a recording."""
MOST_TOLD = 40


@dataclass(frozen=True)
class ClassFolders:
    """A folder's classes, and the files in each.

    Parameters
    ----------
    labels
        By the name of each class's folder, in order. Names that are whole numbers are the labels
        themselves; others are counted from 0, sorted.
    files
        By the same names, sorted.
    """

    labels: dict[str, int]
    files: dict[str, list[Path]]

    def in_turn(self) -> list[tuple[Path, int]]:
        """Give each file and its label, a file of each class in turn: any first part of them, as
        ``--limit`` and calibration take, is of all classes.
        """
        each = ([(file, self.labels[name]) for file in held] for name, held in self.files.items())
        return [pair for pair in chain.from_iterable(zip_longest(*each)) if pair is not None]

    def __str__(self) -> str:
        told = [
            f"{self.labels[name]} '{name}' ({len(held):,})" for name, held in self.files.items()
        ]
        count = sum(map(len, self.files.values()))
        return f"{count:,} recordings of {len(told):,} classes: {some_of(told, MOST_TOLD)}"


def class_folders(file: DataFile) -> ClassFolders:
    """List the recordings of a folder; names that begin with a dot are passed over.

    Raises
    ------
    DataError
        If something in it is neither a class's folder nor a recording in one, or a class is empty.
    """
    inside = _inside(Path(file))
    loose = [path.name for path in inside if not path.is_dir()]
    if loose or not inside:
        raise DataError(
            f"{file}: {some_of(loose, 3) or 'nothing'} in it, where a folder of recordings has one "
            "folder for each class, and nothing else; name one of its files, or move them elsewhere"
        )
    names = [path.name for path in inside]
    numbered = all(name.isascii() and name.isdecimal() and len(name) < 9 for name in names)
    labels = {name: int(name) if numbered else place for place, name in enumerate(names)}
    if len({*labels.values()}) != len(names):
        raise DataError(f"{file}: two of its classes' folders are the same number")
    names.sort(key=labels.__getitem__)
    return ClassFolders(labels, {name: _recordings(Path(file) / name) for name in names})


def _recordings(folder: Path) -> list[Path]:
    found = _inside(folder)
    if not found:
        raise DataError(f"{folder}: a class without a recording")
    for path in found:
        if path.is_dir():
            raise DataError(
                f"{path}: a folder in what should be a class's; name the folder of one split, such "
                f"as {folder}"
            )
        if path.suffix.lower() not in RECORDINGS:
            raise DataError(
                f"{path}: no recording that is read here ({', '.join(RECORDINGS)}); save its "
                "events as .npz with arrays t and x, of a camera y and p too, or move it elsewhere"
            )
    return found


def _inside(folder: Path) -> list[Path]:
    try:
        return sorted(path for path in folder.iterdir() if not path.name.startswith("."))
    except OSError as error:
        raise DataError(f"{folder}: cannot be read: {error.strerror}") from error

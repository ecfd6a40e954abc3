"""What a group of a ``.net`` file says, checked as it is asked for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from snn_deploy.errors import CheckpointError
from snn_deploy.io.hdf5 import Hdf5Tree
from snn_deploy.printable import shown

__all__ = ["Fields", "IntArray"]

IntArray = npt.NDArray[np.int64]

LARGEST = 2**31  # of any number in such a file


@dataclass(frozen=True)
class Fields:
    """A group: ``where`` names it in messages, as ``FILE: layer 3``."""

    tree: Hdf5Tree
    where: str

    def has(self, name: str) -> bool:
        """Tell whether something is called so."""
        return name in self.tree

    def group(self, name: str, told: str | None = None) -> Fields:
        """Give a group in this one."""
        found = self._find(name)
        if not isinstance(found, Mapping):
            raise self.refused(f"'{name}' is an array, not a group")
        return Fields(found, self.where + (f", {name}" if told is None else told))

    def text(self, name: str) -> str:
        """Give a text, which may stand in an array of one."""
        found = self._find(name)
        if isinstance(found, np.ndarray) and found.size == 1:
            found = found.reshape(-1)[0]
        found = found.decode("ascii", "replace") if isinstance(found, bytes) else found
        if not isinstance(found, str):
            raise self.refused(f"'{name}' is no text")
        return found

    def integers(self, name: str) -> IntArray:
        """Give an array of whole numbers; fractions are cut off, as netx does.

        Raises
        ------
        CheckpointError
            If it is no array of finite numbers of some size.
        """
        found = self._find(name)
        if not isinstance(found, np.ndarray) or found.dtype.kind not in "biuf":
            raise self.refused(f"'{name}' holds no numbers")
        if not (np.isfinite(found).all() and np.all(np.abs(found.astype(float)) < LARGEST)):
            raise self.refused(f"'{name}' holds NaN, or numbers of {LARGEST:,} or more")
        return found.astype(np.int64)

    def fraction_lost(self, name: str) -> bool:
        """Tell whether :meth:`integers` cuts something off."""
        found = self._find(name)
        return bool(np.any(found != np.trunc(found)))

    def number(self, name: str, default: int | None = None) -> int:
        """Give one whole number."""
        if default is not None and not self.has(name):
            return default
        found = self.integers(name)
        if found.size != 1:
            raise self.refused(f"'{name}' has shape {found.shape}, where one number is taken")
        return int(found.reshape(-1)[0])

    def sizes(self, name: str, axes: int) -> tuple[int, ...]:
        """Give a number for each axis; one stands for all."""
        found = self.integers(name).reshape(-1)
        if found.size not in (1, axes):
            raise self.refused(f"'{name}' has {found.size} numbers, for {axes} axes")
        return tuple(int(x) for x in np.broadcast_to(found, (axes,)))

    def _find(self, name: str) -> Any:
        if name not in self.tree:
            there = ", ".join(sorted(self.tree)) or "nothing"
            raise self.refused(f"'{name}' is missing (there is: {shown(there)})")
        return self.tree[name]

    def refused(self, told: str) -> CheckpointError:
        """Say what is wrong with the file, and where."""
        return CheckpointError(f"{self.where}: {told}")

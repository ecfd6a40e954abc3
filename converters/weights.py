"""Taking weights out of a checkpoint: prefixes, shapes, dtypes, NaNs, and keys that nobody took."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

import numpy as np
import numpy.typing as npt

from snn_deploy.errors import CheckpointError
from snn_deploy.printable import some_of

__all__ = ["Weights", "strip_wrappers"]

Real = npt.NDArray[np.float64]
Complex = npt.NDArray[np.complex128]

# DistributedDataParallel and AveragedModel put "module." before every key, torch.compile puts
# "_orig_mod." wherever the compiled module sits, both also inside another module.
_WRAPPERS = re.compile(r"(?:^|(?<=\.))(?:module\.|_orig_mod\.)+")


def strip_wrappers(
    tensors: Mapping[str, npt.NDArray[np.generic]],
) -> dict[str, npt.NDArray[np.generic]]:
    """Give ``tensors`` with the prefixes of wrapping modules taken off the keys.

    Raises
    ------
    CheckpointError
        If two keys become the same.
    """
    stripped: dict[str, npt.NDArray[np.generic]] = {}
    for key, value in tensors.items():
        short = _WRAPPERS.sub("", key)
        if short in stripped:
            raise CheckpointError(
                f"the checkpoint holds '{short}' twice, under different prefixes (one is '{key}'); "
                "export the state dict of one of the two models"
            )
        stripped[short] = value
    return stripped


class Weights:
    """The tensors of one checkpoint, handed out once each, checked and widened to float64.

    Parameters
    ----------
    tensors
        By key, prefixes of wrappers already off.
    where
        What the messages call the checkpoint, e.g. its file name.
    """

    def __init__(self, tensors: Mapping[str, npt.NDArray[np.generic]], where: str) -> None:
        self._tensors = tensors
        self._taken: set[str] = set()
        self.where = where

    def __contains__(self, key: str) -> bool:
        return key in self._tensors

    def shape(self, key: str) -> tuple[int, ...]:
        """Give the stored shape of ``key``.

        Raises
        ------
        CheckpointError
            If there is no such key.
        """
        return self._stored(key).shape

    def real(self, key: str, shape: tuple[int | None, ...]) -> Real:
        """Take a real tensor of the given shape; ``None`` stands for any size.

        Raises
        ------
        CheckpointError
            If it is missing, has another shape, is not of a floating type, or holds NaN or inf.
        """
        value = self._stored(key)
        if not _fits(value.shape, shape):
            raise CheckpointError(
                f"{self.where}: '{key}' has shape {_text(value.shape)}, expected {_text(shape)}; "
                "the configuration does not belong to these weights, or the file is damaged"
            )
        if not np.issubdtype(value.dtype, np.floating):
            raise CheckpointError(
                f"{self.where}: '{key}' holds {value.dtype} numbers, expected floating-point "
                "weights; a network that was quantised elsewhere cannot be converted"
            )
        self._refuse_non_finite(key, value)
        self._taken.add(key)
        return value.astype(np.float64)

    def complex_pairs(self, key: str, shape: tuple[int | None, ...]) -> Complex:
        """Take a tensor stored as (real, imaginary) pairs along a last axis of 2."""
        pairs = self.real(key, (*shape, 2))
        return np.asarray(pairs[..., 0] + 1j * pairs[..., 1], dtype=np.complex128)

    def whole(self, key: str) -> int:
        """Take a single integer, e.g. a counter that a module keeps as a buffer.

        Raises
        ------
        CheckpointError
            If it is missing, or not one integer.
        """
        value = self._stored(key)
        if value.shape != () or not np.issubdtype(value.dtype, np.integer):
            raise CheckpointError(
                f"{self.where}: '{key}' has shape {_text(value.shape)} and type {value.dtype}, "
                "expected one integer; the file is damaged"
            )
        self._taken.add(key)
        return int(value)

    def check_all_taken(self, dead: Iterable[str]) -> None:
        """Refuse keys that nobody took and that match none of the regular expressions ``dead``.

        Raises
        ------
        CheckpointError
            With the names of the keys that have no place in the network.
        """
        ignored = re.compile("|".join(f"(?:{pattern})" for pattern in dead))
        unexpected = [
            key for key in self._tensors if key not in self._taken and not ignored.fullmatch(key)
        ]
        if unexpected:
            raise CheckpointError(
                f"{self.where}: {len(unexpected)} tensors have no place in the network that the "
                f"configuration describes: {_some(unexpected)}; the configuration does not belong "
                "to these weights, or the network has parts that cannot be converted; leave out "
                "what is no part of it, such as a loss, with --ignore-key PATTERN"
            )

    def require(self, keys: Iterable[str]) -> None:
        """Refuse a checkpoint that lacks any of ``keys``, naming all that are missing."""
        missing = [key for key in keys if key not in self._tensors]
        if missing:
            raise CheckpointError(self._missing_message(missing))

    def _stored(self, key: str) -> npt.NDArray[np.generic]:
        if key not in self._tensors:
            raise CheckpointError(self._missing_message([key]))
        return self._tensors[key]

    def _missing_message(self, missing: list[str]) -> str:
        normed = [key for key in self._tensors if _WEIGHT_NORM.search(key)]
        if normed:
            return (
                f"{self.where}: {_some(normed)} are weights under weight normalisation, magnitude "
                "and direction apart: call torch.nn.utils.remove_weight_norm, or "
                "torch.nn.utils.parametrize.remove_parametrizations(layer, 'weight'), on each such "
                f"layer and save the state dict again (missing {_some(missing)})"
            )
        return (
            f"{self.where}: missing {_some(missing)}; the configuration does not belong to these "
            f"weights, or the file is incomplete (it holds {_some(self._tensors)})"
        )

    def _refuse_non_finite(self, key: str, value: npt.NDArray[np.generic]) -> None:
        bad = np.argwhere(~np.isfinite(value))
        if len(bad):
            first = tuple(int(i) for i in bad[0])
            raise CheckpointError(
                f"{self.where}: '{key}' holds {len(bad)} NaN or infinite values, the first at "
                f"index {first}; such a channel would fall silent unnoticed: use a checkpoint from "
                "before the training diverged"
            )


_WEIGHT_NORM = re.compile(r"(?:^|\.)(?:weight_[gv]|parametrizations\.weight\.original[01])$")
"""Keys that either of torch's weight normalisations leaves in place of a ``weight``."""


def _fits(found: tuple[int, ...], expected: tuple[int | None, ...]) -> bool:
    return len(found) == len(expected) and all(
        want is None or have == want for have, want in zip(found, expected, strict=True)
    )


def _text(shape: tuple[int | None, ...]) -> str:
    sizes = ["any" if size is None else str(size) for size in shape]
    return f"({', '.join(sizes)})"


def _some(keys: Iterable[str]) -> str:
    return some_of(f"'{key}'" for key in keys)

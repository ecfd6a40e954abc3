"""What a user's own module puts before a family's keys: ``net.``, ``backbone.module.``, ….

A wrapper is seen by where its layers' keys begin, so that it can be taken off whatever its name is.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

import numpy as np
import numpy.typing as npt

from snn_deploy.converters.weights import strip_wrappers
from snn_deploy.errors import CheckpointError

__all__ = ["take_prefix_off"]

Tensors = Mapping[str, npt.NDArray[np.generic]]

_LAYERS = re.compile(
    r"(?:^|(?<=\.))(?:(?:model\.)?(?:s4_layers|loongspike_layers)|model\.layers|body\.layers|snn)\.\d+\."
)
"""How the key of a layer begins, in all families that have layers."""


def take_prefix_off(
    tensors: Tensors, prefix: str | None = None
) -> tuple[dict[str, npt.NDArray[np.generic]], str]:
    """Give the tensors of one network by its family's own keys, and the prefix that they had.

    Parameters
    ----------
    tensors
        By key.
    prefix
        Of the keys that are meant, all others are left out; None: found, and what does not have it
        keeps its key.

    Raises
    ------
    CheckpointError
        If no key begins with ``prefix``, or several networks are there and none was named.
    """
    if prefix is not None:
        dotted = f"{prefix.rstrip('.')}." if prefix else ""
        named = {
            key.removeprefix(dotted): t for key, t in tensors.items() if key.startswith(dotted)
        }
        if not named:
            found = ", ".join(f"'{p}'" for p in _prefixes(tensors)) or "none that it knows"
            raise CheckpointError(
                f"no key begins with '{dotted[:100]}'; before its layers' keys stands {found}"
            )
        return named, dotted
    tensors = strip_wrappers(tensors)
    found_prefixes = _prefixes(tensors)
    if len(found_prefixes) > 1:
        several = ", ".join(f"'{found}'" for found in found_prefixes[:8])
        raise CheckpointError(
            f"it holds {len(found_prefixes)} networks, with keys that begin with {several}; choose "
            "with --prefix PREFIX ('' for keys that begin with the layers)"
        )
    found = found_prefixes[0] if found_prefixes else ""
    stripped = {key.removeprefix(found): tensor for key, tensor in tensors.items()}
    if len(stripped) != len(tensors):
        raise CheckpointError(
            f"without the prefix '{found}' two of its keys are the same; choose with --prefix"
        )
    return stripped, found


def _prefixes(keys: Iterable[str]) -> list[str]:
    """Give what stands before the keys of layers, in order of their first appearance."""
    found = (_LAYERS.search(key) for key in keys)
    return list(dict.fromkeys(match.string[: match.start()] for match in found if match))

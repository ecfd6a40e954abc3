"""MNIST-1D (Greydanus 2020): its package generates it, without network."""

from __future__ import annotations

import numpy as np

from snn_deploy.errors import BackendUnavailableError
from snn_deploy.examples.zoo.tasks.task import Split

__all__ = ["make"]


def make(random: np.random.Generator) -> Split:
    """Give 4,000 sequences to train on and 1,000 to test with, (B, 40, 1).

    The package draws with its own seed, which is that of the published set.

    Raises
    ------
    BackendUnavailableError
        If the package is not installed.
    """
    try:
        from mnist1d.data import get_dataset_args, make_dataset
    except ModuleNotFoundError as error:
        raise BackendUnavailableError(
            f"MNIST-1D needs {error.name}, which is not installed: pip install 'snn-deploy[zoo]'"
        ) from None
    made = make_dataset(get_dataset_args())
    train, test = (
        {
            "inputs": made[f"x{part}"][..., None].astype(np.float32),
            "labels": made[f"y{part}"].astype(np.int64),
        }
        for part in ("", "_test")
    )
    return train, test

"""The folders of real checkpoints of the families other than SpikingSSM."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from zoo import CHECKPOINTS

from snn_deploy.api import convert
from snn_deploy.checkpoint import Checkpoint, read_checkpoint
from snn_deploy.converters.overrides import override_model
from snn_deploy.converters.registry import to_float_network
from snn_deploy.data.inputs import check_data
from snn_deploy.deployment import Deployment
from snn_deploy.ir.network import Network
from snn_deploy.ir.verifier import verify_network

__all__ = ["Case", "cases", "deployed"]

# what the keys of a file do not say
SAID = {"ref_SSC_CadLIF": {"neuron": "cadlif"}}


@dataclass(frozen=True)
class Case:
    """One folder with a checkpoint and its oracle."""

    folder: Path

    def arrays(self, name: str) -> dict[str, npt.NDArray[Any]]:
        with np.load(self.folder / f"{name}.npz") as file:
            return dict(file)

    def inputs(self) -> npt.NDArray[Any]:
        """Give the test sequences, (B, L, …); the folder of a neuron alone has time first."""
        given = self.arrays("test")["inputs"]
        return given.swapaxes(0, 1) if self.folder.name == "neuron_only" else given

    def checkpoint(self) -> Checkpoint:
        (path,) = (p for p in self.folder.iterdir() if p.suffix in (".ckpt", ".pth"))
        checkpoint = read_checkpoint(path)
        said = SAID.get(self.folder.name)
        return override_model(checkpoint, said) if said else checkpoint

    def network(self) -> Network:
        network = to_float_network(self.checkpoint())
        verify_network(network)
        return network


@cache
def deployed(case: Case) -> Deployment:
    """Convert a checkpoint for ``loihi2``, calibrated on its training data or, failing that, test
    data; maxima stay those of every step.
    """
    trained = (case.folder / "train.npz").exists()
    inputs = case.arrays("train")["inputs"] if trained else case.inputs()
    calibration = check_data(case.network(), inputs=inputs[:64])
    settings = {"ternary_maxima": "every_step"}
    return convert(case.checkpoint(), target="loihi2", calibration=calibration, settings=settings)


def cases(group: str, *names: str) -> list[Any]:
    """Give the folders of a group as pytest parameters, all or those named; one that skips where
    there is none.
    """
    folders = sorted(path.parent for path in (CHECKPOINTS / group).glob("*/meta.json"))
    folders = [folder for folder in folders if not names or folder.name in names]
    if not folders:
        reason = "needs the folder ../shared with real checkpoints beside the repository"
        return [pytest.param(Case(Path()), id="none", marks=pytest.mark.skip(reason=reason))]
    return [pytest.param(Case(folder), id=folder.name) for folder in folders]

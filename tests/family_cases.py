"""The folders of real checkpoints of the families other than SpikingSSM."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from zoo import CHECKPOINTS

from snn_deploy.checkpoint import Checkpoint, read_checkpoint
from snn_deploy.converters.overrides import override_model
from snn_deploy.converters.registry import to_float_network
from snn_deploy.ir.network import Network
from snn_deploy.ir.verifier import verify_network

__all__ = ["Case", "cases"]

# what the keys of a file do not say
SAID = {"ref_SSC_CadLIF": {"neuron": "cadlif"}}


@dataclass(frozen=True)
class Case:
    """One folder with a checkpoint and its oracle."""

    folder: Path

    def arrays(self, name: str) -> dict[str, npt.NDArray[Any]]:
        with np.load(self.folder / f"{name}.npz") as file:
            return dict(file)

    def checkpoint(self) -> Checkpoint:
        (path,) = (p for p in self.folder.iterdir() if p.suffix in (".ckpt", ".pth"))
        checkpoint = read_checkpoint(path)
        said = SAID.get(self.folder.name)
        return override_model(checkpoint, said) if said else checkpoint

    def network(self) -> Network:
        network = to_float_network(self.checkpoint())
        verify_network(network)
        return network


def cases(group: str) -> list[Any]:
    """Give every folder of a group as a pytest parameter; one that skips where there is none."""
    folders = sorted(path.parent for path in (CHECKPOINTS / group).glob("*/meta.json"))
    if not folders:
        reason = "needs the folder ../shared with real checkpoints beside the repository"
        return [pytest.param(Case(Path()), id="none", marks=pytest.mark.skip(reason=reason))]
    return [pytest.param(Case(folder), id=folder.name) for folder in folders]

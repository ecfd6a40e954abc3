"""The folder of real checkpoints beside the repository: its variants, and reading them."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from snn_deploy.checkpoint import Checkpoint, read_checkpoint
from snn_deploy.ir.network import OutputSteps

CHECKPOINTS = Path(__file__).resolve().parent.parent.parent / "shared" / "checkpoints"
ZOO = CHECKPOINTS / "zoo"


@dataclass(frozen=True)
class Variant:
    """One folder of the zoo."""

    name: str

    @property
    def folder(self) -> Path:
        return ZOO / self.name

    @property
    def meta(self) -> dict[str, Any]:
        """What ``meta.json`` says."""
        meta: dict[str, Any] = json.loads((self.folder / "meta.json").read_text())
        return meta

    @property
    def output_steps(self) -> OutputSteps:
        """S4's l_output in our words."""
        l_output: int | None = self.meta["l_output"]
        if l_output is None:
            return "all"
        return l_output or "one"

    def arrays(self, name: str) -> dict[str, npt.NDArray[Any]]:
        """Read ``test`` or ``oracle``."""
        with np.load(self.folder / f"{name}.npz") as file:
            return dict(file)

    def checkpoint(self) -> Checkpoint:
        """Read the checkpoint, with the configuration beside it where it has none of its own."""
        path = self.folder / self.meta["file"]
        checkpoint = read_checkpoint(path)
        if checkpoint.config is None:
            return read_checkpoint(path, self.folder / "config.yaml")
        return checkpoint


def zoo_variants(fitting: Callable[[dict[str, Any]], bool] = lambda meta: True) -> list[Any]:
    """Give every variant whose ``meta.json`` is ``fitting`` as a pytest parameter.

    Where there is no zoo, give one parameter that skips.
    """
    names = sorted(path.parent.name for path in ZOO.glob("*/meta.json"))
    if not names:
        reason = "needs the folder ../shared with real checkpoints beside the repository"
        return [pytest.param(Variant("none"), id="none", marks=pytest.mark.skip(reason=reason))]
    variants = [Variant(name) for name in names]
    return [pytest.param(v, id=v.name) for v in variants if fitting(v.meta)]

"""The deployments that the tests of ``simulate`` run as streams."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import snn_deploy
from snn_deploy import examples
from snn_deploy.engines.native.plan import plan_network

__all__ = ["EXAMPLE", "save_deployments"]

EXAMPLE = Path(examples.__file__).parent / "seqdigits_uni"


def save_deployments(folder: Path) -> None:
    """Save the bundled example as ``d``, and as ``e`` what answers at every step."""
    deployment = snn_deploy.convert(
        EXAMPLE / "seqdigits_uni.ckpt", calibration=EXAMPLE / "train.npz"
    )
    deployment.save(folder / "d.safetensors")
    late = plan_network(deployment.network).closing
    body = tuple(node for node in deployment.network if node not in late)
    every_step = dataclasses.replace(deployment.network, nodes=body, answers="all")
    dataclasses.replace(deployment, network=every_step).save(folder / "e.safetensors")

"""Deployments with a right digest and wrong contents: refused before they cost anything."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from random_networks import Limits, random_network
from resigned import resigned

import snn_deploy
from snn_deploy import examples
from snn_deploy.deployment import Deployment
from snn_deploy.errors import ConfigError, DeploymentError, NetworkError, TargetError
from snn_deploy.io.deployment_file import Provenance
from snn_deploy.mapping.profile import load_bundled, load_profile, parse_profile
from snn_deploy.reports.activity import message_sources

EXAMPLE = Path(examples.__file__).parent / "seqdigits_uni"


@pytest.fixture(scope="module")
def deployment() -> Deployment:
    return snn_deploy.convert(EXAMPLE / "seqdigits_uni.ckpt", calibration=EXAMPLE / "train.npz")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, deployment: Deployment) -> Path:
    folder = tmp_path_factory.mktemp("hostile")
    deployment.save(folder / "d")
    os.mkfifo(folder / "fifo.toml")
    return folder


def node(which: str, **fields: Any) -> Callable[[Any], None]:
    def change(document: Any) -> None:
        (found,) = (n for n in document["network"]["nodes"] if n["name"] == which)
        found.update(fields)

    return change


DEPLOYMENTS: dict[str, tuple[Callable[[Any], Any], str]] = {
    "a huge width": (node("input", channels=2**40), "1,099,511,627,776 channels"),
    "a number of 400 digits": (node("layers.0.lif", threshold=10**400), "a number of 1329 bits"),
    "a long delay": (
        node("layers.0.lif", inputs=[{"source": "layers.0.ssm", "delay": 2**40}]),
        "a delay of 1,099,511,627,776 steps, over 65,536",
    ),
    "a name of two lines": (node("input", name="a\nerror: forged"), "printable characters"),
    "a name that repaints": (node("input", name="\x1b[2J"), "printable characters"),
    "endless sequences": (
        lambda d: d["network"].update(steps=2**70),
        "steps is the length of all sequences, or null, not 1180591620717411303424",
    ),
    "a profile that is a path": (lambda d: d.update(profile="../evil.toml"), "does not have the"),
    "a profile that is not bundled": (
        lambda d: d.update(profile="mine"),
        "no profile 'mine' comes with the package: there are: ",
    ),
    "a profile setting of 400 digits": (
        lambda d: d.update(profile_settings={"energy.ac_pj": 10**400}),
        "no whole number in",
    ),
    "a profile setting that is too large": (
        lambda d: d.update(profile_settings={"limits.cores_per_chip": 2**40}),
        "the most that can be laid out is 65,536",
    ),
    "settings nested 100 deep": (
        lambda d: d.update(settings={"x": json.loads("[" * 100 + "]" * 100)}),
        "nested more than 16 deep",
    ),
    "a calibration that is no table": (lambda d: d.update(calibration=None), "None is no table"),
}


@pytest.mark.parametrize("case", DEPLOYMENTS.values(), ids=DEPLOYMENTS)
def test_a_right_digest_excuses_no_wrong_deployment(
    folder: Path, case: tuple[Callable[[Any], Any], str]
) -> None:
    change, told = case
    with pytest.raises(DeploymentError) as caught:
        snn_deploy.load(resigned(folder / "d", change))
    assert told in str(caught.value)


def test_a_deployment_opens_no_path(folder: Path, tmp_path: Path) -> None:
    """A FIFO under the name that it gives would hang whoever opened it."""
    for name in (f"{folder}/fifo.toml", "../fifo.toml", "fifo.toml"):
        with pytest.raises(DeploymentError, match="'profile'"):
            snn_deploy.load(resigned(folder / "d", lambda d, n=name: d.update(profile=n)))
    profile = parse_profile({**load_profile("loihi2").to_dict(), "name": "mine"}, "mine")
    assert profile.name == "mine"
    with pytest.raises(TargetError, match="no profile 'mine' comes with the package"):
        load_bundled("mine")


def test_declared_tensors_are_compared_with_the_file(folder: Path, tmp_path: Path) -> None:
    content = (folder / "d").read_bytes()
    size = int.from_bytes(content[:8], "little")
    header = json.loads(content[8 : 8 + size])
    for shape in ([2**40], [2**62, 2**62], [-1], [1.5], [True], [0, 2**60]):
        changed = dict(header)
        name = next(n for n in header if n != "__metadata__")
        changed[name] = {**header[name], "shape": shape}
        text = json.dumps(changed).encode()
        path = tmp_path / "d"
        path.write_bytes(len(text).to_bytes(8, "little") + text + content[8 + size :])
        with pytest.raises(DeploymentError, match="not a deployment of snn-deploy, or damaged"):
            snn_deploy.load(path)


def test_a_report_on_a_network_of_the_host_alone() -> None:
    for seed in range(200):
        try:
            network = random_network(seed, Limits(blocks=1, host=True))
        except NetworkError:
            continue
        if not message_sources(network):
            break
    origin = Provenance("loihi2", "1.0.0", "", "", {}, {}, "")
    tokens = not network.input.output.signed  # type: ignore[attr-defined]
    x = np.zeros((1, 3), np.int64) if tokens else np.zeros((1, 3, network.input.width), np.float32)
    with pytest.raises(ConfigError, match="nothing of this network runs on a chip"):
        Deployment(network, origin).report(x)

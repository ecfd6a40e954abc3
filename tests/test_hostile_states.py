"""Streams' states with a right digest and wrong contents: no wrong figure comes of them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from resigned import resigned

import snn_deploy
from snn_deploy import examples
from snn_deploy.deployment import Deployment
from snn_deploy.errors import DataError
from snn_deploy.io.checksummed import read_checksummed, with_checksum

EXAMPLE = Path(examples.__file__).parent / "seqdigits_uni"


@pytest.fixture(scope="module")
def deployment() -> Deployment:
    return snn_deploy.convert(EXAMPLE / "seqdigits_uni.ckpt", calibration=EXAMPLE / "train.npz")


@pytest.fixture(scope="module")
def state(tmp_path_factory: pytest.TempPathFactory, deployment: Deployment) -> Path:
    folder = tmp_path_factory.mktemp("states")
    stream = deployment.stream(2)
    stream.step(np.zeros((2, 5, 1), np.float32))
    stream.save(folder / "state")
    return folder / "state"


STATES: dict[str, tuple[Callable[[Any], Any], str]] = {
    "no steps": (lambda d: d.pop("steps"), "'steps' is missing"),
    "steps of text": (lambda d: d.update(steps="5"), "'steps': '5' is no whole number"),
    "negative steps": (lambda d: d.update(steps=-1), "'steps': -1 is no whole number"),
    "steps beyond all time": (lambda d: d.update(steps=2**62), "is no whole number in"),
    "fewer steps than messages": (lambda d: d.update(steps=0), "is outside 0 … 0"),
    "no digest": (lambda d: d.pop("network_sha256"), "'network_sha256' is missing"),
    "a digest of a number": (lambda d: d.update(network_sha256=3), "'network_sha256': 3 is no"),
    "clipped values of nowhere": (lambda d: d.update(saturated={"x": 1}), "no node 'x'"),
    "more clipped values than values": (
        lambda d: d.update(clipped_inputs=11),
        "clipped_inputs: 11 is no whole number in 0 … 10",
    ),
    "impossible counts": (
        lambda d: d["saturated"].update({"layers.0.ssm": 2**60}),
        "saturated.layers.0.ssm: 1152921504606846976 is no whole number in",
    ),
    "a list of clipped values": (lambda d: d.update(saturated=[]), "[] is no table"),
    "an unknown field": (lambda d: d.update(more=1), "unknown field ['more']"),
}


@pytest.mark.parametrize("case", STATES.values(), ids=STATES)
def test_a_right_digest_excuses_no_wrong_state(
    state: Path, deployment: Deployment, case: tuple[Callable[[Any], Any], str]
) -> None:
    change, told = case
    with pytest.raises(DataError) as caught:
        deployment.resume(resigned(state, change))
    assert told in str(caught.value)


ARRAYS: dict[str, tuple[str, Callable[[Any], Any], str]] = {
    "compartments of 2^62": (
        "layers.0.ssm/u",
        lambda a: a + 2**62,
        "is outside -2097151 … 2097151",
    ),
    "a membrane beyond 24 bits": (
        "layers.0.lif/membrane",
        lambda a: a - 2**23,
        "is outside -8388607",
    ),
    "negative messages": ("layers.0.lif/messages", lambda a: a - 1, "is outside 0 … 5"),
    "more messages than steps": ("layers.0.lif/messages", lambda a: a + 6, "is outside 0 … 5"),
    "narrow integers": ("layers.0.lif/membrane", lambda a: a.astype(np.int32), "dtype int32, not"),
    "another shape": ("layers.0.lif/membrane", lambda a: a[:, :-1], "shape (2, 63), not (2 × 64)"),
    "a sequence more": ("layers.0.lif/membrane", lambda a: np.repeat(a, 2, 0), "not (2 × 64)"),
    "millions of empty rows": (
        "recent",
        lambda a: np.zeros((10**6, 0, 10), np.int64),
        "shape (1000",
    ),
    "lengths of none": ("lengths", lambda a: np.zeros(2, np.int64), "0 is outside 1 …"),
    "another array": ("more", lambda a: np.zeros(2, np.int64), "the array 'more' is missing, or"),
    "a missing array": ("layers.0.lif/membrane", lambda a: None, "is missing, or none of this"),
}


@pytest.mark.parametrize("case", ARRAYS.values(), ids=ARRAYS)
def test_arrays_of_a_state_have_shapes_and_ranges(
    state: Path,
    deployment: Deployment,
    tmp_path: Path,
    case: tuple[str, Callable[[Any], Any], str],
) -> None:
    name, change, told = case
    found = read_checksummed("snn-deploy-stream", state)
    changed = change(found.tensors.get(name))
    tensors = {**found.tensors, name: changed}
    if changed is None:
        del tensors[name]
    (tmp_path / "state").write_bytes(with_checksum("snn-deploy-stream", found.document, tensors))
    with pytest.raises(DataError) as caught:
        deployment.resume(tmp_path / "state")
    assert told in str(caught.value)

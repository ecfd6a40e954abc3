"""What the interpreter and a notebook show: a few lines, never arrays."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import snn_deploy
from snn_deploy import examples

EXAMPLE = Path(examples.__file__).parent / "seqdigits_uni"


@pytest.fixture(scope="module")
def shown() -> dict[str, Any]:
    checkpoint = EXAMPLE / "seqdigits_uni.ckpt"
    deployment = snn_deploy.convert(checkpoint, calibration=EXAMPLE / "train.npz")
    with np.load(EXAMPLE / "test.npz") as data:
        inputs = data["inputs"][:4]
    stream = deployment.stream(2)
    stream.step(inputs[:2, :7])
    return {
        "network": deployment.network,
        "float network": snn_deploy.load_float_network(checkpoint),
        "deployment": deployment,
        "simulation": deployment.simulate(inputs),
        "verification": deployment.verify(inputs, against=checkpoint),
        "report": deployment.report(inputs),
        "stream": stream,
    }


@pytest.mark.parametrize(
    ("name", "lines", "told"),
    [
        ("network", 1, r"lowered: 16 nodes, 2 spiking layers of 128 neurons; takes 1 value a step"),
        ("float network", 1, r"float: \d+ nodes, 2 spiking layers of 128 neurons"),
        ("deployment", 4, r"Deployment of seqdigits_uni\.ckpt for loihi2\n  16 processes"),
        ("simulation", 5, r"of 4 sequences\n  answer 4 × 10\n  layers\.0: [\d.]+ spikes a neuron"),
        (
            "verification",
            5,
            r"passed\n  native = reference: .* equal .*\n  integer and float agree",
        ),
        (
            "report",
            12,
            r"Report of 4 sequences on loihi2 .*\n  [\d.k]+ synaptic operations a sequence",
        ),
        ("stream", 1, r"2 sequences side by side, 7 steps so far"),
    ],
)
def test_a_few_lines(shown: dict[str, Any], name: str, lines: int, told: str) -> None:
    text = repr(shown[name])
    assert re.search(told, text)
    assert len(text.splitlines()) <= lines
    assert "array(" not in text

"""The worked example of ``docs/converters.md`` is a converter that works."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from synthetic import checkpoint_of

from snn_deploy.data.inputs import check_data
from snn_deploy.engines.floating import run_float
from snn_deploy.engines.registry import get_engine
from snn_deploy.errors import CheckpointError
from snn_deploy.mapping.check import check_target
from snn_deploy.mapping.profile import load_profile
from snn_deploy.passes.pipeline import compile_network
from snn_deploy.passes.quantize import Calibration
from snn_deploy.quantize.config import QuantizationConfig
from snn_deploy.run.simulation import simulate

ENGINES = ("native", "reference")


@pytest.fixture(scope="module")
def example(root: Path) -> dict[str, Any]:
    """The names that the page's complete module defines."""
    page = (root / "docs" / "converters.md").read_text(encoding="utf-8")
    blocks = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    module = next(block for block in blocks if block.startswith('"""LeakyNet'))
    assert len(module.splitlines()) < 100
    names: dict[str, Any] = {}
    exec(compile(module, "docs/converters.md", "exec"), names)
    return names


@pytest.fixture
def tensors() -> dict[str, Any]:
    rng = np.random.default_rng(3)
    state: dict[str, Any] = {"embed.weight": rng.normal(size=(4, 2)), "embed.bias": np.ones(4)}
    for i, width in enumerate((4, 5)):
        state[f"cells.{i}.leak"] = rng.normal(size=width)
        state[f"cells.{i}.threshold"] = rng.uniform(1, 2, width)
        state[f"cells.{i}.mix.weight"] = rng.normal(size=(5, width))
        state[f"cells.{i}.mix.bias"] = rng.normal(size=5)
    return state | {"head.weight": rng.normal(size=(3, 5)), "head.bias": rng.normal(size=3)}


def test_the_example_computes_its_family(example: dict[str, Any], tensors: dict[str, Any]) -> None:
    network = example["convert_leakynet"](checkpoint_of(tensors, None))
    x = np.random.default_rng(4).normal(size=(2, 15, 2))

    h = x @ tensors["embed.weight"].T + tensors["embed.bias"]
    for i in range(2):
        leak = 1 / (1 + np.exp(-tensors[f"cells.{i}.leak"]))
        state, v = np.zeros(1), np.zeros(1)
        spikes = []
        for t in range(15):
            state = leak * state + h[:, t]
            v = v / 8 + state / tensors[f"cells.{i}.threshold"]
            spikes.append(v >= 1)
            v = np.where(v >= 1, 0.0, v)
        mixed = np.stack(spikes, axis=1) @ tensors[f"cells.{i}.mix.weight"].T
        h = mixed + tensors[f"cells.{i}.mix.bias"]
    expected = h.mean(1) @ tensors["head.weight"].T + tensors["head.bias"]
    np.testing.assert_allclose(run_float(network, x).logits, expected, rtol=1e-9)


def test_the_example_deploys(example: dict[str, Any], tensors: dict[str, Any]) -> None:
    network = example["convert_leakynet"](checkpoint_of(tensors, None))
    inputs = np.random.default_rng(5).normal(size=(4, 30, 2)).clip(-2, 2)
    lowered = compile_network(network, QuantizationConfig(), Calibration(inputs))
    check_target(lowered, load_profile("loihi2"))
    data = check_data(lowered, inputs)
    native, reference = (simulate(lowered, data, get_engine(name)) for name in ENGINES)
    assert np.array_equal(native.logits, reference.logits)
    expected = run_float(network, inputs).logits
    np.testing.assert_allclose(native.logits, expected, atol=0.1 * np.abs(expected).max())


def test_the_example_refuses_what_it_does_not_know(
    example: dict[str, Any], tensors: dict[str, Any]
) -> None:
    tensors["cells.0.delay"] = np.ones(4)
    with pytest.raises(CheckpointError, match=r"no place .*'cells\.0\.delay'"):
        example["convert_leakynet"](checkpoint_of(tensors, None))

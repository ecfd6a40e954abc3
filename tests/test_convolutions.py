"""Convolutions and pools over the frame of a step: geometry, quantisation, engines, wiring."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from plain_count import connections
from shared_makers import make_shared, random_windows

import snn_deploy
from snn_deploy.deployment import Deployment
from snn_deploy.engines.floating import run_float
from snn_deploy.engines.native import emitters
from snn_deploy.errors import ConfigError
from snn_deploy.ir.formats import Edge
from snn_deploy.ir.network import Network
from snn_deploy.ir.windows import Windows
from snn_deploy.nodes.float_inputs import FloatInput
from snn_deploy.nodes.float_lif import Lif
from snn_deploy.nodes.readout import Readout
from snn_deploy.nodes.shared_synapses import SharedSynapses
from snn_deploy.nodes.spatial_convolution import SpatialConvolution
from snn_deploy.nodes.spatial_pooling import SpatialPooling

STEPS, BATCH = 20, 6
IMAGE = Windows.over((2, 7, 6), (3, 3), padding=(1, 1))
POOLED = Windows.over((4, 7, 6), (2, 2), stride=(2, 2), groups=4)
SMALL = Windows.over((4, 3, 3), (3, 2), stride=(2, 1), padding=(1, 1), groups=2)
LINE = Windows.over((6, 8), (3,), dilation=(2,))  # the places of SMALL


def network(average: bool = False) -> Network:
    """Convolution, LIF, pool, grouped convolution, LIF, convolution of a line, LIF, readout."""
    rng = np.random.default_rng(0)

    def convolution(name: str, source: str, windows: Windows, filters: int) -> SpatialConvolution:
        weight = rng.normal(0.0, 2.0 / np.sqrt(windows.taps), (filters, *windows.filter_shape))
        bias = rng.normal(0.0, 0.1, filters)
        edges = (Edge(source),)
        return SpatialConvolution(
            name=name, inputs=edges, windows=windows, weight=weight, bias=bias
        )

    def lif(name: str, source: SpatialConvolution, threshold: float) -> Lif:
        edges = (Edge(source.name),)
        return Lif(name=name, inputs=edges, threshold=np.full(source.width, threshold), decay=0.5)

    first = convolution("first", "input", IMAGE, 4)
    second = convolution("second", "pool", SMALL, 6)
    third = convolution("third", "second.lif", LINE, 3)
    third_lif = lif("third.lif", third, 0.5)
    return Network(
        "float",
        (
            FloatInput(name="input", channels=IMAGE.inputs),
            first,
            lif("first.lif", first, 1.5),
            SpatialPooling(
                name="pool",
                inputs=(Edge("first.lif"),),
                windows=POOLED,
                factor=0.25 if average else 1.0,
            ),
            second,
            lif("second.lif", second, 0.25 if average else 1.0),
            third,
            third_lif,
            Readout(
                name="decoder",
                inputs=(Edge("third.lif"),),
                mode="mean",
                weight=rng.normal(size=(3, third_lif.width)),
                bias=np.zeros(3),
            ),
        ),
    )


def data() -> np.ndarray:
    return np.random.default_rng(1).normal(size=(BATCH, STEPS, IMAGE.inputs))


@pytest.fixture(scope="module")
def deployment() -> Deployment:
    return snn_deploy.convert(network(), calibration=data())


@given(seed=st.integers(0, 2**32 - 1))
def test_windows_weigh_what_plain_loops_find(seed: int) -> None:
    _, node = make_shared(np.random.default_rng(seed))
    reached = connections(node)
    x = np.random.default_rng(seed).integers(-9, 10, (2, 3, node.input_width))
    expected = np.zeros((2, 3, node.width), np.int64)
    for channel, found in reached.items():
        for target, weight in found:
            expected[..., target] += weight * x[..., channel]
    np.testing.assert_array_equal(node.windows.weigh(node.kernel, x), expected)
    np.testing.assert_array_equal(x @ node.as_matrix().T.astype(np.int64), expected)


@given(seed=st.integers(0, 2**32 - 1))
def test_fan_out_is_counted_at_borders_too(seed: int) -> None:
    rng = np.random.default_rng(seed)
    _, node = make_shared(rng)
    start, stop = sorted(rng.integers(0, node.width + 1, 2))
    reached = connections(node)
    ends = [[target for target, _ in reached.get(j, ())] for j in range(node.input_width)]
    within = [sum(start <= target < stop for target in targets) for targets in ends]
    np.testing.assert_array_equal(node.fan_out(start, stop), within)
    nonzero = [np.count_nonzero([w for _, w in reached.get(j, ())]) for j in range(len(ends))]
    np.testing.assert_array_equal(node.nonzero_fan_out, nonzero)


@given(seed=st.integers(0, 2**32 - 1))
def test_frames_come_in_and_go_out_map_after_map(seed: int) -> None:
    windows = random_windows(np.random.default_rng(seed))
    assert windows.inputs == windows.maps * np.prod(windows.size)
    assert windows.reads.shape == (np.prod(windows.outer), windows.taps)


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"kernel": (3,)}, "a frame of 2 axes needs as many of each"),
        ({"stride": (0, 1)}, "has a number outside 1"),
        ({"padding": (-1, 0)}, "has a number outside 0"),
        ({"groups": 0}, "2 maps in 0 groups"),
        ({"groups": 3}, "2 maps in 3 groups"),
        ({"frame": (3, 7, 6), "groups": 2}, "3 maps cannot be dealt out to 2 groups"),
        ({"kernel": (9, 1)}, "larger than its frame"),
        ({"frame": (2, 20_000, 20_000)}, "at most 67,108,864 can be had"),
        ({"frame": (2, 2**30, 1)}, "has a number outside 1"),
    ],
)
def test_a_geometry_that_cannot_be_is_refused(changes: dict, told: str) -> None:
    given = {"frame": (2, 7, 6), "kernel": (3, 3), **changes}
    with pytest.raises(ConfigError, match=told):
        Windows.over(**given)


@pytest.mark.parametrize("average", [False, True])
def test_what_is_deployed_is_close_to_float(average: bool) -> None:
    source = network(average)
    names = ["first.lif", "second.lif", "third.lif"]
    exact = run_float(source, data(), record=names)
    result = snn_deploy.convert(source, calibration=data()).simulate(
        data(), backend="reference", trace=names
    )
    for name in names:
        assert 0.05 < exact.signals[name].mean() < 0.9
        assert (result.trace[name] != exact.signals[name]).mean() < 0.02
    off = np.abs(result.logits - exact.logits)
    assert off.max() < 0.2 * np.abs(exact.logits).max()


def test_every_engine_gives_the_same(deployment: Deployment, backend: str) -> None:
    names = deployment.network.names
    expected = deployment.simulate(data()[:2], backend="reference", trace=names)
    found = deployment.simulate(data()[:2], backend=backend, trace=names)
    for name in names:
        np.testing.assert_array_equal(found.trace[name], expected.trace[name], err_msg=name)
    np.testing.assert_array_equal(found.logits, expected.logits)


def test_layers_too_large_to_lay_out_run_on_their_programs(
    deployment: Deployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = deployment.simulate(data(), backend="reference")
    monkeypatch.setattr(emitters, "MOST_UNROLLED", 100)
    monkeypatch.setattr(SharedSynapses, "as_matrix", None)  # none is laid out
    again = replace(deployment, network=replace(deployment.network))
    found = again.simulate(data(), backend="native")
    np.testing.assert_array_equal(found.logits, expected.logits)


def test_a_pool_s_ones_take_two_bits(deployment: Deployment) -> None:
    pool = deployment.network["pool.synapses"]
    assert pool.weight_bits == 2
    assert (pool.kernel == 1).all()


def test_a_frame_gets_one_exponent_a_map(deployment: Deployment) -> None:
    exponents = deployment.network["input"].output.exponents(IMAGE.inputs).reshape(IMAGE.maps, -1)
    assert (exponents == exponents[:, :1]).all()


def test_a_file_holds_it(deployment: Deployment, tmp_path: Path) -> None:
    path = tmp_path / "d.safetensors"
    deployment.save(path)
    again = snn_deploy.load(path)
    np.testing.assert_array_equal(
        again.simulate(data(), backend="reference").logits,
        deployment.simulate(data(), backend="reference").logits,
    )

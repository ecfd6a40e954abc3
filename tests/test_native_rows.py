"""The native engine's loops over rows: widths around their tiles, every place of a signal."""

from __future__ import annotations

import numpy as np
import pytest
from spiking_networks import spiking, wide_weights

from snn_deploy.engines.native import NativeEngine, flow
from snn_deploy.engines.native.assembly import assemble
from snn_deploy.engines.native.plan import plan_network
from snn_deploy.engines.native.synapse_layout import pair
from snn_deploy.engines.reference import ReferenceEngine
from snn_deploy.engines.result import Run
from snn_deploy.engines.session import run_whole
from snn_deploy.ir.formats import Edge, Format
from snn_deploy.ir.network import Network
from snn_deploy.ir.verifier import verify_network
from snn_deploy.nodes.base import IntegerNode, Rescale
from snn_deploy.nodes.gate import Gate, SigmoidGate
from snn_deploy.nodes.inputs import Input
from snn_deploy.nodes.requantize import Requantize


def check(network: Network, inputs: np.ndarray, traced: bool | tuple[str, ...]) -> None:
    """Compare with the reference; only what is not traced lives in tiles."""
    verify_network(network)
    assert not assemble(plan_network(network), frozenset(network.names)).integers
    trace = traced if isinstance(traced, tuple) else network.names if traced else ()
    run = Run(inputs, np.full(len(inputs), inputs.shape[1]), trace=trace)
    expected, given = (
        run_whole(ReferenceEngine(), network, run),
        run_whole(NativeEngine(), network, run),
    )
    np.testing.assert_array_equal(given.output, expected.output)
    for name in trace:
        np.testing.assert_array_equal(given.trace[name], expected.trace[name], err_msg=name)
    assert given.saturated == expected.saturated


@pytest.mark.parametrize("traced", [True, False])
@pytest.mark.parametrize("targets", [1, 4, 7, 31, 32, 33, 63, 64, 65, 127, 128, 130, 161, 260])
@pytest.mark.parametrize("width", [1, 9, 66])
def test_spikes_reach_targets_of_every_number(width: int, targets: int, traced: bool) -> None:
    """Nobody spikes, all do, one does, some do; weights to both ends."""
    rng = np.random.default_rng(targets)
    weight = rng.choice([-127, -126, -1, 0, 1, 126, 127], (targets, width))
    inputs = (rng.random((3, 40, width)) < 0.3).astype(np.int64)
    inputs[0, ::4], inputs[0, 1::4], inputs[1, :5] = 0, 1, 0
    inputs[1, 3, -1] = 1
    check(Network("lowered", tuple(spiking(width, weight)), "all"), inputs, traced)


@pytest.mark.parametrize("traced", ["nothing", "sum", "word"])
@pytest.mark.parametrize("limit", [1, 127])
@pytest.mark.parametrize(
    ("spikes", "shifts"), [(True, [14, 7, 0]), (True, [24, 0]), (False, [9, 0])]
)
@pytest.mark.parametrize("targets", [1, 33, 150])
def test_words_of_a_weight_are_one_weight(
    targets: int, spikes: bool, shifts: list[int], limit: int, traced: str
) -> None:
    """Whole weights within 32 bits and beyond, of spikes and of graded messages; a word that is
    asked for is summed by itself.
    """
    rng = np.random.default_rng(targets)
    width = 9
    network = wide_weights(rng, width, targets, spikes, shifts, limit)
    names = {"nothing": (), "sum": ("total",), "word": ("word0",)}[traced]
    watched = frozenset({"total", *names})
    (sweep,) = assemble(plan_network(network), watched).sweeps
    assert (("word1", 0) in sweep.slots) == (traced == "word")
    check(network, (rng.random((3, 40, width)) < 0.3).astype(np.int64) * rng.integers(-7, 8), names)


def test_a_pair_of_columns_is_a_lane() -> None:
    """A large tile of 161 columns, a small one, and one that overlaps it."""
    columns = np.random.default_rng(0).integers(-127, 128, (3, 161)).astype(np.int8)
    lanes, at = pair(columns).view(np.int16), 0
    for first, size in ((0, 128), (128, 32), (129, 32)):
        tile = lanes[at : at + 3 * size // 2].reshape(3, size // 2)
        low, high = (tile & 255) - 128, tile >> 8
        assert np.array_equal(np.hstack([low, high]), columns[:, first : first + size])
        at += tile.size
    assert at == lanes.size


@pytest.mark.parametrize("traced", [True, False])
@pytest.mark.parametrize("sources", [1, 2, 3, 5])
@pytest.mark.parametrize("aligned", [True, False])
@pytest.mark.parametrize("rescaled", [True, False])
def test_relays_of_any_number_of_sources(
    sources: int, aligned: bool, rescaled: bool, traced: bool
) -> None:
    width, rng = 37, np.random.default_rng(sources)
    align = rng.integers(-3, 3, (sources, width)).astype(np.int8)
    members: list[IntegerNode] = [Input(name="input", output=Format(12, 0), channels=width)]
    for i, shift in enumerate(align if aligned else np.zeros_like(align)):
        members.append(
            Requantize(
                name=f"source.{i}",
                inputs=(Edge("input"),),
                output=Format(24, tuple(int(-k) for k in shift)),
                channels=width,
                rescale=Rescale(
                    np.full(width, i + 1, np.int32),
                    np.zeros(width, np.int8),
                    np.full(width, i, np.int32),
                    8,
                ),
            )
        )
    rescale = Rescale(
        rng.integers(-127, 128, width).astype(np.int32),
        rng.integers(0, 8, width).astype(np.int8),
        rng.integers(-99, 100, width).astype(np.int32),
        8,
    )
    total = Requantize(
        name="total",
        inputs=tuple(Edge(node.name) for node in members[1:]),
        output=Format(14, 0),
        channels=width,
        align=align if aligned else None,
        rescale=rescale if rescaled else None,
    )
    inputs = rng.integers(-2047, 2048, (3, 50, width))
    check(Network("lowered", (*members, total), "all"), inputs, traced)


def gated(channels: int, rng: np.random.Generator) -> Gate:
    """A gate that reads synapses."""
    return Gate(
        name="gate",
        inputs=(Edge("synapses"),),
        output=Format(16, 0),
        channels=channels,
        rescale=Rescale(
            rng.integers(-99, 100, 2 * channels).astype(np.int32),
            np.full(2 * channels, 5, np.int8),
            rng.integers(-99, 100, 2 * channels).astype(np.int32),
            8,
        ),
        value_bits=12,
        sigmoid=SigmoidGate(
            rng.integers(-127, 128, 64).astype(np.int32), 8, 3, np.full(channels, 4, np.int8)
        ),
    )


@pytest.mark.parametrize("tile", [1, 3, 200])
def test_tiles_of_any_length(monkeypatch: pytest.MonkeyPatch, tile: int) -> None:
    monkeypatch.setattr(flow, "TILE_CACHE", 0)
    monkeypatch.setattr(flow, "MIN_TILE", tile)
    rng = np.random.default_rng(tile)
    weight = rng.integers(-127, 128, (70, 35))
    inputs = rng.integers(0, 2, (5, 150, 35))
    network = Network("lowered", (*spiking(35, weight), gated(35, rng)), "all")
    check(network, inputs, traced=False)


@pytest.mark.parametrize("traced", [True, False])
@pytest.mark.parametrize("channels", [1, 3, 15, 16, 17, 33, 64, 65, 100])
@pytest.mark.parametrize("width", [5, 300])
def test_gates_read_sums_of_every_number(width: int, channels: int, traced: bool) -> None:
    """Sums on their way to a gate are 32-bit integers, unless they are looked at; some of those of
    300 inputs need more than 16.
    """
    rng = np.random.default_rng(channels)
    weight = rng.integers(-127, 128, (2 * channels, width))
    weight[0], weight[-1] = 127, -127
    inputs = (rng.random((2, 30, width)) < rng.random((2, 30, 1))).astype(np.int64)
    inputs[0, 3], inputs[1, 4] = 1, 0
    network = Network("lowered", (*spiking(width, weight), gated(channels, rng)), "all")
    check(network, inputs, traced)


@pytest.mark.parametrize("index_shift", [0, 1, 2, 9, 15, 30])
@pytest.mark.parametrize("value_bits", [9, 24])
def test_gates_round_their_arguments_to_rows(index_shift: int, value_bits: int) -> None:
    """Every argument of ±1,500, and so every tie; a half that may be clipped, or may not."""
    width, rng = 5, np.random.default_rng(index_shift)
    entry = Input(name="input", output=Format(12, 0), channels=2 * width)
    gate = Gate(
        name="gate",
        inputs=(Edge("input"),),
        output=Format(12, 0),
        channels=width,
        rescale=Rescale(
            np.ones(2 * width, np.int32),
            np.zeros(2 * width, np.int8),
            np.zeros(2 * width, np.int32),
            8,
        ),
        value_bits=value_bits,
        sigmoid=SigmoidGate(
            rng.integers(-127, 128, 256).astype(np.int32),
            8,
            index_shift,
            np.arange(5, dtype=np.int8),
        ),
    )
    inputs = np.broadcast_to(np.arange(-1500, 1501)[:, None], (1, 3001, 2 * width)).copy()
    inputs[..., :width] = rng.integers(-2047, 2048, (1, 3001, width))
    check(Network("lowered", (entry, gate), "all"), inputs, traced=True)

"""The Lava engine against the reference: the same integers from every process at every step."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import lava_kinds
import numpy as np
import pytest
import random_networks
from family_cases import Case, cases, deployed
from lava_networks import (
    both_directions,
    delays,
    extremes,
    loops,
    lowered,
    past_of_both_directions,
    reads,
    relay,
    source,
    synapses,
)
from same_results import assert_same_signals
from test_native_loops import looped
from zoo import Variant

from snn_deploy.api import convert
from snn_deploy.converters.registry import to_float_network
from snn_deploy.data.inputs import check_data
from snn_deploy.engines.lava.clock import Clock
from snn_deploy.engines.lava.engine import LavaEngine
from snn_deploy.engines.lava.kinds import foreign_kinds
from snn_deploy.engines.lava.segments import cut_network, recorded_nodes
from snn_deploy.engines.reference import ReferenceEngine
from snn_deploy.engines.result import Result, Run
from snn_deploy.engines.session import run_whole
from snn_deploy.errors import NetworkError
from snn_deploy.ir.formats import Format
from snn_deploy.ir.loops import groups, is_recurrent
from snn_deploy.ir.network import Network
from snn_deploy.ir.verifier import verify_network
from snn_deploy.nodes.lif import LifSoma
from snn_deploy.passes.balance_delays import BalanceDelays
from snn_deploy.passes.pipeline import compile_network
from snn_deploy.passes.quantize import Calibration
from snn_deploy.quantize.config import QuantizationConfig
from snn_deploy.run.simulation import encode_inputs

TRAINED = [
    *cases("relatives/longspike", "uni"),
    *cases("relatives/pspike", "causal_two_branch_diag"),
    *cases("relatives/prf"),
    *cases("relatives/silif"),
    *cases("stan_rhodes", "binary_s4d", "drf", "gsu", "prf", "spike_ssm"),
]

on_lava = [pytest.mark.lava, pytest.mark.timeout(120)]


def assert_equal(network: Network, run: Run) -> Result:
    expected, found = (
        run_whole(ReferenceEngine(), network, run),
        run_whole(LavaEngine(), network, run),
    )
    assert_same_signals(found, expected)
    assert found.trace.keys() == set(network.names)
    assert all(signal.dtype == np.int64 for signal in found.trace.values())
    assert found.saturated == {}
    return expected


def random_run(network: Network, shape: tuple[int, int], seed: int = 0) -> Run:
    rng = np.random.default_rng(seed)
    limit = network.input.output.limit
    inputs = rng.integers(-limit, limit + 1, (*shape, network.input.width))
    inputs[0] = limit  # one sequence that pushes everything one way all the time
    lengths = (3 * np.arange(shape[0]) + shape[1] - 1) % shape[1] + 1
    return Run(inputs, lengths, trace=network.names)


@pytest.mark.parametrize("shape", [(3, 7), (2, 1)])
class TestEqualToReference:
    pytestmark = on_lava

    def test_extremes(self, shape: tuple[int, int]) -> None:
        network = extremes()
        result = assert_equal(network, random_run(network, shape))
        assert result.saturated["driven up"] > 0
        assert result.saturated["clipped"] > 0
        assert result.trace["no threshold"].any()
        if shape == (3, 7):
            assert result.saturated["highest threshold"] > 0
            assert result.trace["next soma"].any()

    def test_delays(self, shape: tuple[int, int]) -> None:
        network = delays()
        result = assert_equal(network, random_run(network, shape))
        assert all(result.trace[name].any() for name in ("gate", "mean", "sum", "first", "last"))

    def test_loops(self, shape: tuple[int, int]) -> None:
        network = loops()
        result = assert_equal(network, random_run(network, shape))
        assert not result.trace["entering two before"][:, :2].any()
        if shape == (3, 7):
            assert all(result.trace[name].any() for name in network.names)

    def test_the_past_of_both_directions(self, shape: tuple[int, int]) -> None:
        network = past_of_both_directions()
        result = assert_equal(network, random_run(network, shape))
        if shape == (3, 7):
            assert all(result.trace[name].any() for name in network.names)

    def test_both_directions(self, shape: tuple[int, int]) -> None:
        network = both_directions()
        result = assert_equal(network, random_run(network, shape))
        assert result.trace["soma"].any()


@pytest.mark.parametrize(
    ("name", "sequences", "steps"), [("seqdigits_uni", 3, 24), ("seqdigits_bi", 2, 24)]
)
class TestRealNetworks:
    pytestmark = on_lava

    def test_every_process_at_every_step(
        self, shared: Path, name: str, sequences: int, steps: int
    ) -> None:
        folder = shared / "checkpoints" / name
        network = convert(folder / f"{name}.ckpt", calibration=folder / "train.npz").network
        with np.load(folder / "test.npz") as data:
            images = data["inputs"][:sequences, :steps].reshape(sequences, steps, -1)
        inputs, _ = network.input.output.encode(images)
        run = Run(inputs, np.full(sequences, steps), trace=network.names)
        result = assert_equal(network, run)
        assert all(result.messages[node.name].any() for node in network.of_kind(LifSoma))


@pytest.mark.parametrize("name", ["enc_conv1d", "enc_position"])
class TestRealEncoders:
    pytestmark = on_lava

    def test_what_the_host_computes_first(self, name: str, shared: Path, tmp_path: Path) -> None:
        variant = Variant(name)
        test = variant.arrays("test")
        source = to_float_network(variant.checkpoint())
        network = compile_network(source, QuantizationConfig(), Calibration(test["inputs"]))
        data = check_data(network, test["inputs"][:2, :8])
        assert_equal(network, Run(encode_inputs(network, data), data.lengths, trace=network.names))


class TestRandomNetworks:
    pytestmark = on_lava

    @pytest.mark.parametrize("seed", [8, 35, 40])
    def test_equal(self, seed: int) -> None:
        network = random_networks.random_network(seed, random_networks.Limits(bits=16))
        assert_equal(network, random_networks.random_run(network, seed, batch=2, steps=9))

    @pytest.mark.parametrize("seed", [2, 7, 9])
    def test_equal_behind_the_host(self, seed: int) -> None:
        limits = random_networks.Limits(bits=16, blocks=1, host=True)
        network = random_networks.random_network(seed, limits)
        assert_equal(network, random_networks.random_run(network, seed, batch=2, steps=9))


class TestRandomLoops:
    pytestmark = on_lava

    @pytest.mark.parametrize("seed", [76, 96])
    def test_equal(self, seed: int) -> None:
        drawn = looped(seed, random_networks.Limits(bits=16))
        assert drawn is not None
        assert any(is_recurrent(group) for group in groups(drawn))
        network = BalanceDelays()(replace(drawn, stage="integer"))
        verify_network(network)
        assert_equal(network, random_networks.random_run(network, seed, batch=3, steps=9))


class TestKindsOfNode:
    pytestmark = on_lava

    @pytest.mark.parametrize("seed", [0, 50])
    def test_every_kind_beside_all_others(self, seed: int) -> None:
        run = random_run(Network("lowered", (lava_kinds.SOURCE,), "all"), (3, 12))
        network = lava_kinds.every_kind(run, seed)
        assert {"RefractorySoma", "TernarySoma", "CrossingSoma"} <= set(network.names)
        assert_equal(network, replace(run, trace=network.names))

    @pytest.mark.parametrize("case", TRAINED)
    def test_trained_networks_of_every_family(self, case: Case) -> None:
        network = deployed(case).network
        data = check_data(network, inputs=case.inputs()[:2, :20].astype(float))
        run = Run(encode_inputs(network, data), data.lengths, trace=network.names)
        result = assert_equal(network, run)
        assert any(sent.any() for sent in result.messages.values())


class TestRun:
    pytestmark = on_lava

    def test_only_what_was_asked_for_and_progress(self) -> None:
        network = lowered(
            source(), synapses("sum", ("input", 1), np.eye(4, 3)), relay("answer", "sum")
        )
        parts: list[float] = []
        inputs = np.arange(2 * 500 * 3).reshape(2, 500, 3) % 1000
        result = run_whole(
            LavaEngine(), network, Run(inputs, np.full(2, 500), progress=parts.append)
        )
        assert result.trace == {}
        assert set(result.messages) == {"input"}
        assert np.array_equal(result.output[..., :3], inputs)
        assert sum(parts) == pytest.approx(1.0)
        assert len(parts) > 2


class TestRefusedNetworks:
    @pytest.fixture(autouse=True)
    def with_lava(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("snn_deploy.engines.lava.engine.check_available", lambda device: None)

    def test_not_lowered(self) -> None:
        network = Network("integer", (source(),), "all")
        with pytest.raises(NetworkError, match="stage 'lowered', not 'integer'"):
            run_whole(LavaEngine(), network, random_run(network, (1, 1)))

    def test_too_wide_messages(self) -> None:
        network = lowered(
            source(4), relay("narrow", "input"), relay("wide", "input", output=Format(32, 0))
        )
        with pytest.raises(NetworkError, match=r"'wide' sends 32 bits.* hold 31: take the backend"):
            run_whole(LavaEngine(), network, random_run(network, (1, 1)))


class TestKinds:
    def test_what_is_ours_is_not_handed_over(self) -> None:
        assert foreign_kinds(delays()) == {"kinds": [], "search": []}

    def test_a_kind_that_no_other_process_can_import_is_told(self) -> None:
        class Hidden(LifSoma):
            pass

        node = Hidden(name="soma", inputs=reads("input"), channels=3, threshold=1, decay=0)
        told = r"node 'soma' \(Hidden\): Lava's child process cannot import .*<locals>.Hidden of "
        with pytest.raises(NetworkError, match=told):
            foreign_kinds(Network("lowered", (source(), node), "all"))


class TestSegments:
    def test_a_causal_network_is_one_segment(self) -> None:
        network = delays()
        (segment,) = cut_network(network)
        assert segment.sweep.nodes == network.nodes
        assert segment.sweep.reads == ()
        assert segment.latency["residual"] == segment.delay == 9

    def test_cut_before_and_after_what_runs_backwards(self) -> None:
        first, reverse, then, again, last = cut_network(both_directions())
        assert [node.name for node in first.sweep.nodes] == ["input", "encoder", "stream"]
        assert [node.name for node in reverse.sweep.nodes] == ["reverse"]
        assert reverse.sweep.reads == ("stream",)
        assert reverse.latency == {"reverse": 0, "stream": 0}
        assert then.sweep.reads == ("reverse", "stream")
        assert then.latency["residual"] == then.delay == 1
        assert [node.name for node in again.sweep.nodes] == ["reverse again", "and again"]
        assert [s.sweep.backwards for s in (first, reverse, then, again, last)] == [0, 1, 0, 1, 0]
        names = [node.name for node in last.sweep.nodes]
        assert names == ["beside", "ends", "last soma", "pool"]

    def test_who_reads_an_earlier_step_may_be_due_before_its_source(self) -> None:
        *_, last = cut_network(past_of_both_directions())
        assert last.latency["reverse"] == 1
        assert last.latency["seen"] == last.latency["soma"] == 0
        assert last.delay == 1

    def test_only_cut_signals_senders_and_the_answer_are_recorded(self) -> None:
        recorded = recorded_nodes(both_directions(), trace=["mix"])
        assert recorded == (
            "input",
            "stream",
            "reverse",
            "soma",
            "mix",
            "residual",
            "and again",
            "last soma",
            "pool",
        )


class TestClock:
    def test_awake_for_all_sequences_and_no_longer(self) -> None:
        clock = Clock(latency=2, sequences=2, period=3)
        places = [clock.place(time_step) for time_step in range(1, 11)]
        awake = [(0, 0), (0, 1), (0, 2), (1, 0), (1, 1), (1, 2)]
        assert places == [None, None, *awake, None, None]

    @pytest.mark.parametrize("latency", range(8))
    @pytest.mark.parametrize("period", [1, 2, 5])
    def test_reset_is_where_sequences_begin(self, latency: int, period: int) -> None:
        clock = Clock(latency, 3, period)
        for time_step in range(1, latency + 3 * period + 1):
            place = clock.place(time_step)
            if place is not None:
                assert (time_step % period == clock.reset_offset) == (place[1] == 0)

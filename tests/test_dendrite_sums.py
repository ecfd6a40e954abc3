"""Dendrites that round the sum of two products once, in every engine and target."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import test_target_c_networks as c
import verilog_runs as verilog
from lowered import network
from networks import extreme_inputs, float_inputs, float_network
from same_results import assert_same_signals

import snn_deploy
from snn_deploy.engines.reference import ReferenceEngine
from snn_deploy.engines.registry import get_engine
from snn_deploy.engines.result import Run
from snn_deploy.engines.session import run_whole
from snn_deploy.errors import ConfigError, TargetError
from snn_deploy.ir.network import Network
from snn_deploy.ir.storage import network_digest, network_from_document, network_to_document
from snn_deploy.ir.verifier import verify_network
from snn_deploy.nodes.dendrite import Dendrite
from snn_deploy.reports.rounding import dendrite_rounding


def rounding(made: Network, once: bool) -> Network:
    """Let all dendrites of a network round once, or not."""
    nodes = [
        replace(node, bank=replace(node.bank, rounds_once=once))
        if isinstance(node, Dendrite)
        else node
        for node in made
    ]
    changed = replace(made, nodes=tuple(nodes))
    verify_network(changed)
    return changed


def turning(reverse: bool = False) -> Network:
    """A small network whose modes turn, so that both products of a sum have fractions."""
    rng = np.random.default_rng(2)
    made = network(channels=4, modes=3, reverse=reverse)

    def turned(node: Dendrite) -> Dendrite:
        a = rng.uniform(0.5, 0.95, (4, 3)) * np.exp(1j * rng.uniform(0.3, 2.8, (4, 3)))
        real, imag = (np.trunc(part * 2**14).astype(np.int32) for part in (a.real, a.imag))
        read = [rng.integers(-60, 61, (4, 3)).astype(np.int32) for _ in range(2)]
        bank = replace(node.bank, decay_real=real, decay_imag=imag)
        return replace(node, bank=replace(bank, readout_real=read[0], readout_imag=read[1]))

    nodes = tuple(turned(node) if isinstance(node, Dendrite) else node for node in made)
    return rounding(replace(made, nodes=nodes), True)


def run_of(made: Network, steps: int = 12) -> Run:
    inputs = extreme_inputs(made, np.random.default_rng(0), batch=2, steps=steps)
    return Run(inputs, np.full(len(inputs), steps), made.names)


@pytest.mark.parametrize("reverse", [False, True])
def test_every_engine(backend: str, reverse: bool) -> None:
    made = turning(reverse)
    run = run_of(made)
    expected = run_whole(ReferenceEngine(), made, run)
    assert_same_signals(run_whole(get_engine(backend), made, run), expected)
    each = run_whole(ReferenceEngine(), rounding(made, False), run)
    dendrites = [node.name for node in made.of_kind(Dendrite)]
    for name in dendrites:  # an engine that knew one way alone would not pass
        assert not np.array_equal(each.trace[name], expected.trace[name])


@c.needs_a_compiler
def test_c(tmp_path: Path) -> None:
    made = turning()
    c.assert_same(made, run_of(made), tmp_path)


@verilog.needs_icarus
def test_verilog(tmp_path: Path) -> None:
    made = turning()
    verilog.assert_same(made, run_of(made, steps=6), tmp_path)


def test_onnx(tmp_path: Path) -> None:
    pytest.importorskip("onnxruntime")
    from snn_deploy.formats.onnx.engine import OnnxEngine

    made = turning(reverse=True)
    run = run_of(made)
    assert_same_signals(run_whole(OnnxEngine(), made, run), run_whole(ReferenceEngine(), made, run))


def test_a_sum_is_rounded_once() -> None:
    """1/4 + 1/4 is a half, which rounds up; each alone rounds down."""
    made = network(channels=1, modes=1)
    node: Any = made["layers.0.ssm"]
    bank = replace(
        node.bank,
        decay_real=np.array([[1]], np.int32),
        decay_imag=np.array([[1]], np.int32),
        decay_shift=2,
        input_shift=np.array([[0]], np.int8),
        readout_real=np.array([[1]], np.int32),
        readout_imag=np.array([[-1]], np.int32),
        readout_shift=np.array([[1]], np.int8),
    )
    skip = np.zeros_like(node.skip_mantissa)
    source = replace(made.input, output=node.source_formats(made)[0])  # type: ignore[call-arg]
    node = replace(node, inputs=(replace(node.inputs[0], source="input"),), skip_mantissa=skip)
    sent = {}
    for once in (False, True):
        alone = replace(node, bank=replace(bank, rounds_once=once))
        small = Network("lowered", (source, alone), "all")
        run = Run(np.array([[[3], [0], [0]]]), np.array([3]), small.names)
        sent[once] = run_whole(ReferenceEngine(), small, run).trace[node.name].ravel().tolist()
    # u = 3; u = v = rs(3, 2) = 1; then v = rs(1, 2) + rs(1, 2) = 0, or rs(1 + 1, 2) = 1
    assert sent == {False: [2, 2, 0], True: [2, 1, 1]}


# --- the setting


def converted(target: str = "cpu", **settings: Any) -> Network:
    source = float_network(modes=20)
    inputs = float_inputs(source)
    return snn_deploy.convert(source, target=target, calibration=inputs, settings=settings).network


def test_the_setting() -> None:
    made = converted(dendrite_sums="once")
    banks = [node.bank for node in made.of_kind(Dendrite)]
    assert all(bank.rounds_once and not bank.is_odd for bank in banks)
    assert not dendrite_rounding(made).odd  # single precision has no room for such sums
    some = converted(nodes={"layers.1.ssm": {"dendrite_sums": "once"}})
    assert [node.bank.rounds_once for node in some.of_kind(Dendrite)] == [False, True]
    assert dendrite_rounding(some).odd == ("layers.0.ssm",)


def test_no_setting_rounds_each() -> None:
    assert network_digest(converted()) == network_digest(converted(dendrite_sums="each"))
    assert not any(node.bank.rounds_once for node in converted().of_kind(Dendrite))


def test_odd_coefficients_are_for_products_that_are_rounded_each() -> None:
    told = r"'layers\.0\.ssm': dendrite_rounding=odd is for single .* set dendrite_sums=each, or"
    with pytest.raises(ConfigError, match=told):
        converted(dendrite_sums="once", dendrite_rounding="odd")
    with pytest.raises(ConfigError, match=r"dendrite_sum.*did you mean 'dendrite_sums'"):
        converted(dendrite_sum="once")


def test_a_chip_must_be_able_to() -> None:
    told = r"supports\.product_sums: 'layers\.0\.ssm', .*convert with --set dendrite_sums=each"
    with pytest.raises(TargetError, match=told):
        converted(target="loihi2", dendrite_sums="once")


def test_what_it_costs() -> None:
    """A shift more for each of three sums of a mode: its products are multiplied as before."""
    made = turning()
    costs = [rounding(made, once)["layers.0.ssm"].cost(made) for once in (False, True)]  # type: ignore[attr-defined]
    assert costs[1].operations - costs[0].operations == 3 * 3
    assert costs[1].macs == costs[0].macs


def test_fewer_roundings_leave_more_room() -> None:
    """A mode's roundings are half as many: where they fill the state, what enters is finer."""
    shifts = [
        [
            node.bank.input_shift
            for node in converted(state_bits=8, dendrite_sums=sums).of_kind(Dendrite)
        ]
        for sums in ("each", "once")
    ]
    finer = [once - each for each, once in zip(*shifts, strict=True)]
    assert all((difference >= 0).all() for difference in finer)
    assert any((difference > 0).any() for difference in finer)


def test_a_file_that_does_not_say_rounds_each() -> None:
    made = converted()
    document, tensors = network_to_document(made)
    for node in document["nodes"]:
        if "bank" in node:
            assert node["bank"].pop("rounds_once") is False
    read = network_from_document(document, tensors)
    assert network_digest(read) == network_digest(made)

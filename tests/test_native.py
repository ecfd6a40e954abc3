"""The native engine: its arithmetic at the edges, errors, memory, and how it is compiled."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import tracemalloc
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from random_networks import Limits, random_network, random_run
from same_results import assert_same_results

from snn_deploy.engines.native import (
    NativeEngine,
    NativeSession,
    dendrite_layout,
    session,
    threads,
)
from snn_deploy.engines.native.assembly import assemble
from snn_deploy.engines.native.carried import Compartments
from snn_deploy.engines.native.dendrite_layout import DendriteLayout
from snn_deploy.engines.native.library import TARGET, find_targets
from snn_deploy.engines.native.packing import Slots
from snn_deploy.engines.native.plan import plan_network
from snn_deploy.engines.reference import ReferenceEngine
from snn_deploy.engines.result import Run
from snn_deploy.engines.session import Watch, run_whole
from snn_deploy.errors import ConfigError, DataError
from snn_deploy.ir.formats import Edge, Format
from snn_deploy.ir.network import Network
from snn_deploy.ir.verifier import verify_network
from snn_deploy.nodes.base import Rescale
from snn_deploy.nodes.dendrite import Dendrite, ModeBank
from snn_deploy.nodes.inputs import Input
from snn_deploy.nodes.lif import LifSoma
from snn_deploy.nodes.requantize import Requantize
from snn_deploy.nodes.synapses import Synapses


def network_of(*members: Any, output_steps: Any = "all") -> Network:
    network = Network("lowered", members, output_steps)
    verify_network(network)
    return network


def check(network: Network, inputs: np.ndarray) -> None:
    """Compare with the reference, and require that the fast program was taken."""
    run = Run(inputs, np.full(len(inputs), inputs.shape[1]), trace=network.names)
    expected, given = (
        run_whole(ReferenceEngine(), network, run),
        run_whole(NativeEngine(), network, run),
    )
    assert_same_results(given, expected)
    assert not assemble(plan_network(network), frozenset(network.names)).integers


def layout_of(network: Network) -> DendriteLayout:
    """Give the layout that the fast program chose for the dendrite called so."""
    program = assemble(plan_network(network), frozenset())
    (form,) = (c.form for c in program.carried if c.owner == "dendrite")
    assert isinstance(form, Compartments)
    return form.layout


def test_every_small_product_rounds_half_up() -> None:
    """All mantissas of ±17 and shifts of 0 to 7, on all inputs of ±130: every tie there is."""
    mantissa, shift = (grid.ravel() for grid in np.meshgrid(np.arange(-17, 18), np.arange(8)))
    width = len(mantissa)
    network = network_of(
        Input(name="input", output=Format(16, 0), channels=width),
        Requantize(
            name="relay",
            inputs=(Edge("input"),),
            output=Format(16, 0),
            channels=width,
            rescale=Rescale(
                mantissa.astype(np.int32), shift.astype(np.int8), np.zeros(width, np.int32), 6
            ),
        ),
    )
    inputs = np.broadcast_to(np.arange(-130, 131)[None, :, None], (1, 261, width))
    check(network, np.ascontiguousarray(inputs).astype(np.int64))


def test_every_small_decay_rounds_half_up() -> None:
    """Every decay of 5 bits inside the unit circle, readouts of both signs, shifts both ways."""
    pairs = np.array(
        [(r, s) for r in range(-15, 16) for s in range(-15, 16) if r * r + s * s < 256]
    )
    width, modes = len(pairs), 9
    rng = np.random.default_rng(0)
    readout = rng.integers(-15, 16, (2, width, modes)).astype(np.int32)
    bank = ModeBank(
        decay_real=np.repeat(pairs[:, :1], modes, axis=1).astype(np.int32),
        decay_imag=np.repeat(pairs[:, 1:], modes, axis=1).astype(np.int32),
        decay_shift=4,
        input_shift=np.tile(np.arange(-4, 5), (width, 1)).astype(np.int8),
        readout_real=readout[0],
        readout_imag=readout[1],
        readout_shift=rng.integers(0, 6, (width, modes)).astype(np.int8),
        coefficient_bits=5,
        state_bits=16,
    )
    for reversed_time in (False, True):
        network = network_of(
            Input(name="input", output=Format(8, 0), channels=width),
            Dendrite(
                name="dendrite",
                inputs=(Edge("input"),),
                output=Format(18, 0),
                bank=bank,
                skip_mantissa=rng.integers(-15, 16, width).astype(np.int32),
                skip_shift=rng.integers(0, 5, width).astype(np.int8),
                drive_shift=2,
                sum_bits=30,
                reversed_time=reversed_time,
            ),
        )
        check(network, rng.integers(-127, 128, (7, 90, width)))  # tiles of 4, 2 and 1


@pytest.mark.parametrize("guarded", [False, True])
def test_readouts_with_more_bits_than_the_bias_are_guarded(guarded: bool) -> None:
    """Odd mantissas of 24 bits over shifts of up to 44, which a bias of 28 bits cannot hold."""
    width, modes = 5, 6
    rng = np.random.default_rng(3)
    bits, shift = (24, 44) if guarded else (16, 18)
    readout = rng.integers(2 ** (bits - 2), 2 ** (bits - 1), (2, width, modes)) | 1
    decay = rng.integers(-600, 601, (2, width, modes)).astype(np.int32)
    bank = ModeBank(
        decay_real=decay[0],
        decay_imag=decay[1],
        decay_shift=10,
        input_shift=rng.integers(-2, 3, (width, modes)).astype(np.int8),
        readout_real=readout[0].astype(np.int32),
        readout_imag=-readout[1].astype(np.int32),
        readout_shift=rng.integers(shift - 4, shift + 1, (width, modes)).astype(np.int8),
        coefficient_bits=24,
        state_bits=24,
    )
    dendrite = Dendrite(
        name="dendrite",
        inputs=(Edge("input"),),
        output=Format(18, 0),
        bank=bank,
        skip_mantissa=np.full(width, 3, np.int32),
        skip_shift=np.full(width, 1, np.int8),
        drive_shift=0,
        sum_bits=32,
    )
    entry = Input(name="input", output=Format(16, 0), channels=width)
    network = network_of(entry, dendrite)
    layout = layout_of(network)
    filled = -(-width // layout.lanes)  # groups that hold a channel; some CPUs have more
    unguarded = layout.table[:filled, dendrite_layout.UNGUARDED]
    assert np.array_equal(unguarded, np.full(len(unguarded), 0 if guarded else 8))
    check(network, rng.integers(-(2**15) + 1, 2**15, (7, 200, width)))


def odd(mantissa: np.ndarray) -> np.ndarray:
    return np.asarray(mantissa | (mantissa != 0)).astype(np.int32)


def lean_dendrite(width: int, modes: int, seed: int = 0, **changes: Any) -> Dendrite:
    """A dendrite for single precision: decays and readouts odd, or 0, over ``2**15``."""
    rng = np.random.default_rng(seed)
    decay = rng.uniform(0.5, 0.99, (width, modes)) * np.exp(1j * rng.uniform(0, 6, (width, modes)))
    parts = np.trunc(np.stack([decay.real, decay.imag]) * 2**15).astype(np.int32)
    parts[:, rng.random((width, modes)) < 0.1] = 0
    readout = rng.integers(-(2**14), 2**14, (2, width, modes))
    bank = ModeBank(
        decay_real=odd(parts[0]),
        decay_imag=odd(parts[1]),
        decay_shift=15,
        input_shift=rng.integers(-4, 2, (width, modes)).astype(np.int8),
        readout_real=odd(readout[0]),
        readout_imag=odd(readout[1]),
        readout_shift=np.full((width, modes), 15, np.int8),
        coefficient_bits=16,
        state_bits=22,
    )
    bank = replace(bank, **{k: v for k, v in changes.items() if hasattr(bank, k)})
    skip = odd(rng.integers(-(2**15) + 1, 2**15, width))
    given = {
        "skip_mantissa": skip,
        "skip_shift": rng.integers(12, 23, width).astype(np.int8),
        "drive_shift": 2,
        "reversed_time": False,
    }
    return Dendrite(
        name="dendrite",
        inputs=(Edge("input"),),
        output=Format(18, 0),
        bank=bank,
        sum_bits=30,
        **(given | {k: v for k, v in changes.items() if k in given}),
    )


def lean_network(width: int, modes: int, seed: int = 0, **changes: Any) -> Network:
    entry = Input(name="input", output=Format(13, 0), channels=width)
    return network_of(entry, lean_dendrite(width, modes, seed, **changes))


@pytest.mark.parametrize("reversed_time", [False, True])
def test_every_small_odd_decay_rounds_half_up_in_floats(reversed_time: bool) -> None:
    """Every odd decay, or 0, of 5 bits inside the unit circle, readouts of both signs."""
    values = [v for v in range(-15, 16) if v % 2 or not v]
    pairs = np.array([(r, s) for r in values for s in values if r * r + s * s < 256])
    width, modes = len(pairs), 9
    rng = np.random.default_rng(0)
    readout = odd(rng.integers(-15, 16, (2, width, modes)))
    network = lean_network(
        width,
        modes,
        decay_real=np.repeat(pairs[:, :1], modes, axis=1).astype(np.int32),
        decay_imag=np.repeat(pairs[:, 1:], modes, axis=1).astype(np.int32),
        decay_shift=4,
        readout_real=readout[0],
        readout_imag=readout[1],
        readout_shift=np.full((width, modes), 4, np.int8),
        reversed_time=reversed_time,
        drive_shift=3 if reversed_time else 0,
    )
    assert layout_of(network).numbers.dtype == np.float32
    check(network, rng.integers(-4095, 4096, (7, 150, width)))  # tiles of 4, 2 and 1


@pytest.mark.parametrize("reversed_time", [False, True])
@pytest.mark.parametrize(("width", "modes"), [(1, 1), (9, 5), (20, 33)])
def test_floats_hold_a_wide_sum_in_several(width: int, modes: int, reversed_time: bool) -> None:
    rng = np.random.default_rng(1)
    readout = odd(rng.integers(-(2**17), 2**17, (2, width, modes)))
    network = lean_network(
        width,
        modes,
        seed=modes,
        readout_real=readout[0],
        readout_imag=readout[1],
        coefficient_bits=24,
        reversed_time=reversed_time,
    )
    layout = layout_of(network)
    assert layout.numbers.dtype == np.float32
    assert (layout.table[:, dendrite_layout.SUMS].max() > 1) == (modes == 33)
    inputs = rng.choice([-4095, 4095], (5, 130, width))  # as much as there can be
    check(network, inputs)
    check(network, rng.integers(-4095, 4096, (3, 65, width)))


WIDER = {
    "an even decay": {"decay_real": np.full((3, 4), 2, np.int32)},
    "an even readout": {"readout_imag": np.full((3, 4), -2, np.int32)},
    "another shift": {"readout_shift": np.full((3, 4), 14, np.int8)},
    "an even skip": {"skip_mantissa": np.array([1, 2, 0], np.int32)},
    "a far skip": {"skip_shift": np.full(3, 30, np.int8)},
    "a strong skip": {
        "skip_mantissa": np.full(3, 32767, np.int32),
        "skip_shift": np.full(3, 4, np.int8),
        "drive_shift": 8,
    },
    "a wide compartment": {"state_bits": 24},
    "a compartment that clips": {"state_bits": 14},
    "a bias of 1": {
        "decay_shift": 1,
        "readout_shift": np.full((3, 4), 1, np.int8),
        **{
            name: np.ones((3, 4), np.int32)
            for name in ("decay_real", "readout_real", "readout_imag")
        },
        "decay_imag": np.zeros((3, 4), np.int32),
    },
}


@pytest.mark.parametrize("what", WIDER)
def test_doubles_hold_what_floats_cannot(what: str) -> None:
    network = lean_network(3, 4, **WIDER[what])
    assert layout_of(network).numbers.dtype == np.float64
    check(network, np.random.default_rng(2).integers(-4095, 4096, (5, 90, 3)))


def test_the_cpu_rounds_as_before_afterwards() -> None:
    network = lean_network(9, 5)
    run_whole(NativeEngine(), network, Run(np.ones((1, 70, 9), np.int64), np.full(1, 70)))
    third = np.float32(1.0) / np.float32([3.0, 1.5])
    assert third.tolist() == [0.3333333432674408, 0.6666666865348816]  # both rounded up


@pytest.mark.parametrize("spiking", [3, 259, 700])
def test_more_spikes_than_a_16_bit_sum_holds(spiking: int) -> None:
    width, targets = 700, 35
    weight = np.full((targets, width), 127, np.int8)
    weight[1] = -127
    network = network_of(
        Input(name="input", output=Format(4, 0), channels=width),
        LifSoma(name="lif", inputs=(Edge("input"),), channels=width, threshold=0, decay=4095),
        Synapses(
            name="synapses",
            inputs=(Edge("lif", delay=1),),
            output=Format(18, 0),
            weight=weight,
            weight_bits=8,
        ),
    )
    inputs = np.zeros((1, 4, width), np.int64)
    inputs[0, 1, :spiking] = 1
    inputs[0, 2, -spiking:] = 1
    check(network, inputs)


def test_inputs_are_checked() -> None:
    network = random_network(0)
    run = random_run(network, 0)
    with pytest.raises(DataError, match=r"inputs of shape .* this network takes"):
        run_whole(NativeEngine(), network, Run(run.inputs[:, :, :0], run.lengths))
    beyond = run.inputs.copy()
    beyond[0, 0, 0] = -network.input.output.limit - 1  # type: ignore[attr-defined]
    with pytest.raises(DataError, match=r"magnitude \d+ exceeds ±\d+, the format of node 'input'"):
        run_whole(NativeEngine(), network, Run(beyond, run.lengths))


def first_seed(wanted: Callable[[Any], bool], limits: Limits | None = None) -> int:
    return next(seed for seed in range(500) if wanted(plan_network(random_network(seed, limits))))


def test_a_stream_must_be_causal() -> None:
    backwards = first_seed(lambda plan: not plan.causal)
    with pytest.raises(ConfigError, match="reads its sequence from the end"):
        NativeSession(random_network(backwards), Watch(1))
    waiting = first_seed(lambda plan: plan.causal and plan.needs_length)
    with pytest.raises(ConfigError, match="a pool in its midst waits"):
        NativeSession(random_network(waiting), Watch(1))


@pytest.mark.parametrize("causal", [True, False])
def test_progress_adds_up_to_one(causal: bool) -> None:
    network = random_network(first_seed(lambda plan: plan.causal is causal))
    run = random_run(network, 3)
    parts: list[float] = []
    run_whole(NativeEngine(), network, Run(run.inputs, run.lengths, progress=parts.append))
    assert sum(parts) == pytest.approx(1.0)


def test_an_interrupt_between_chunks_gets_out() -> None:
    network = random_network(0)
    run = random_run(network, 0, batch=5, steps=1500)

    def interrupt(part: float) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_whole(NativeEngine(), network, Run(run.inputs, run.lengths, progress=interrupt))


def test_memory_does_not_grow_with_length() -> None:
    def wanted(plan: Any) -> bool:
        one_answer = plan.network.answer.once
        return plan.causal and bool(plan.closing) and one_answer

    network = random_network(first_seed(wanted))
    peaks = []
    for steps in (2_000, 20_000):
        run = random_run(network, 0, batch=2, steps=steps)
        run_whole(NativeEngine(), network, Run(run.inputs, run.lengths))
        tracemalloc.start()
        run_whole(NativeEngine(), network, Run(run.inputs, run.lengths))
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < 1.2 * peaks[0] + 100_000


def test_signals_share_places_once_nobody_reads_them() -> None:
    slots = Slots()
    first, second = slots.take(8), slots.take(4)
    assert first != second
    slots.give_back(8, first)
    assert slots.take(4) not in (first, second)
    assert slots.take(8) == first
    assert slots.size == 16


def test_the_number_of_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(threads.THREADS, "3")
    assert threads.thread_count() == 3
    for wrong in ("0", "-1", "many"):
        monkeypatch.setenv(threads.THREADS, wrong)
        with pytest.raises(ConfigError, match=f"SNN_DEPLOY_THREADS={wrong}: the number"):
            threads.thread_count()


@pytest.mark.parametrize("causal", [True, False])
def test_one_sequence_on_several_cores(monkeypatch: pytest.MonkeyPatch, causal: bool) -> None:
    """They follow each other from block to block, again and again, to the same bits."""
    network = random_network(first_seed(lambda plan: plan.causal is causal))
    run = random_run(network, 1, batch=1, steps=300)
    run = replace(run, trace=network.names)
    expected = run_whole(NativeEngine(), network, run)
    monkeypatch.setattr(session, "MIN_STEPS", 1)
    monkeypatch.setattr(session, "MAX_STEPS", 7)
    monkeypatch.setattr(session, "WORTH_SHARING", 0)
    monkeypatch.setattr(session, "thread_count", lambda: 3)
    for _ in range(20):
        given = run_whole(NativeEngine(), network, run)
        assert_same_results(given, expected)


def test_small_chunks_run_on_one_core(monkeypatch: pytest.MonkeyPatch) -> None:
    teams: list[int] = []
    together = session.run_together

    def noted(works: Any) -> None:
        teams.append(len(works))
        together(works)

    monkeypatch.setattr(session, "run_together", noted)
    monkeypatch.setattr(session, "thread_count", lambda: 2)
    network = lean_network(64, 32)
    for steps in (1, 2000):
        run_whole(
            NativeEngine(), network, Run(np.ones((1, steps, 64), np.int64), np.array([steps]))
        )
    assert teams == [1, 2]


def test_what_no_other_thread_has_begun_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    done: list[int] = []
    begun, busy = threading.Event(), threading.Event()
    works = [lambda: done.append(0), lambda: done.append(1)]
    with ThreadPoolExecutor(1) as helpers:
        monkeypatch.setattr(threads, "_helpers", lambda *_: helpers)
        helpers.submit(busy.wait, 10)
        threads.run_together(works)
        assert done == [0]
        busy.set()
        threads.run_together([lambda: begun.wait(10), begun.set])
    assert begun.is_set()


TARGETS = """
import numpy as np
from random_networks import Limits, random_network, random_run
from same_results import assert_same_results
from snn_deploy.engines.native import NativeEngine, NativeSession, session
from snn_deploy.engines.native.assembly import assemble_integers
from snn_deploy.engines.reference import ReferenceEngine
from snn_deploy.engines.session import Watch, run_whole
for seed in range(40):
    network = random_network(seed)
    run = random_run(network, seed)
    expected = run_whole(ReferenceEngine(), network, run)
    given = run_whole(NativeEngine(), network, run)
    for name in network.names:
        assert np.array_equal(expected.trace[name], given.trace[name]), (seed, name)
    assert expected.saturated == given.saturated
for seed in range(40):
    network = random_network(seed, Limits(causal=True))
    run = random_run(network, seed)
    try:
        usual = NativeSession(network, Watch(len(run.inputs)))
    except ConfigError:
        continue
    usual.step(run.inputs)
    assemble, session.assemble = session.assemble, assemble_integers
    integers = NativeSession(network, Watch(len(run.inputs)))
    session.assemble = assemble
    integers.step(run.inputs)
    for name, array in integers.state().arrays.items():
        assert np.array_equal(array, usual.state().arrays[name]), (seed, name)
print("equal")
"""


@pytest.mark.slow
@pytest.mark.parametrize("target", ["avx512", "avx2", "neon", "portable"])
def test_instructions_of_other_machines(root: Any, target: str) -> None:
    if target not in find_targets():
        pytest.skip("this CPU has no such instructions")
    done = subprocess.run(
        [sys.executable, "-c", "from snn_deploy.errors import ConfigError" + TARGETS],
        cwd=root / "tests",
        env={**os.environ, TARGET: target},
        capture_output=True,
        text=True,
        check=False,
        timeout=250,
    )
    assert done.stdout.strip() == "equal", done.stderr

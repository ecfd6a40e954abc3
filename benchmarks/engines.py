"""Integer engines against each other, and the native one against its floor and itself."""

from __future__ import annotations

import ctypes
import time
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any
from unittest import mock

import numpy as np
from floor import Rates, cost_of, modes_work
from timing import take_turns
from workloads import (
    Shape,
    dendrites_alone,
    example,
    example_inputs,
    lowered,
    modes_of,
    random_inputs,
)

from snn_deploy.engines.host import Host
from snn_deploy.engines.lava.availability import check_available
from snn_deploy.engines.lava.segments import cut_network
from snn_deploy.engines.native import NativeEngine, flow, threads
from snn_deploy.engines.native.abi import KINDS, SweepTask
from snn_deploy.engines.native.assembly import assemble
from snn_deploy.engines.native.carried import Compartments
from snn_deploy.engines.native.flow import Flow, Workspace
from snn_deploy.engines.native.library import load_target
from snn_deploy.engines.native.packing import Slots
from snn_deploy.engines.native.plan import Plan, plan_network
from snn_deploy.engines.native.program import Assembly
from snn_deploy.engines.native.session import SweepRunner
from snn_deploy.engines.registry import get_engine
from snn_deploy.engines.result import Run
from snn_deploy.engines.session import run_whole
from snn_deploy.errors import BackendUnavailableError
from snn_deploy.ir.network import Network
from snn_deploy.nodes.lif import LifSoma

Row = dict[str, Any]
LAVA_STEPS = 64  # of one sequence
WINDOW = 16  # steps in a row, of which Lava's fastest count
NAMES = {number: kind for kind, number in KINDS.items()}


def row(name: str, seconds: Any, sample_steps: int, **more: Any) -> Row:
    """Make a table's row of a timing."""
    return {
        "what": name,
        "us_per_sample_step": seconds.best * 1e6 / sample_steps,
        "median_us": seconds.median * 1e6 / sample_steps,
        "sample_steps_per_second": sample_steps / seconds.best,
        **more,
    }


def against_engines(batches: tuple[int, ...], rounds: int) -> list[Row]:
    """The bundled example on every engine that is installed; ratios are to Lava's steps alone."""
    network = example()
    native = {f"native, {n} at once": (n, example_inputs(n)) for n in batches}
    reference = {"reference, 64 at once": (64, example_inputs(64))}
    works = {
        name: _runner(get_engine(name.split(",")[0]), network, run)
        for name, (_, run) in {**native, **reference}.items()
    }
    times = take_turns(works, rounds)
    steps = example_inputs(1).inputs.shape[1]
    rows = [row(name, times[name], n * steps) for name, (n, _) in {**native, **reference}.items()]
    try:
        check_available("cpu")
    except BackendUnavailableError as error:
        print(f"lava: left out, {error}")
        return rows
    seconds = lava_step(network, example_inputs(1))
    fastest = {"us_per_sample_step": seconds * 1e6, "sample_steps_per_second": 1 / seconds}
    return [*rows, {"what": "lava, once started", **fastest}]


def lava_step(network: Network, run: Run) -> float:
    """Give the seconds that Lava takes for a step of one sequence, its fastest in a row, without
    what starting it takes; where time runs both ways, as many times as it goes over the sequence.
    """
    chip, steps = Host(network).chip, min(LAVA_STEPS, run.inputs.shape[1])
    segments = cut_network(chip)
    every = sum(steps + segment.delay for segment in segments)
    moments, done = [], 0.0

    def note(share: float) -> None:
        nonlocal done
        done += share * every
        moments.append((time.perf_counter(), done))

    one = Run(run.inputs[:1, :steps], np.minimum(run.lengths[:1], steps), progress=note)
    run_whole(get_engine("lava"), network, one)
    fastest = min(
        (later - now) / (after - before)
        for now, before in moments
        for later, after in moments
        if after - before >= WINDOW
    )
    return len(segments) * fastest


def _runner(engine: Any, network: Network, run: Run) -> Callable[[], object]:
    return lambda: run_whole(engine, network, run)


def native(network: Network, run: Run) -> Callable[[], object]:
    """Give a call of the native engine."""
    return _runner(NativeEngine(), network, run)


def against_floor(
    shapes: Iterable[Shape], batch: int, steps: int, cores: int, rounds: int
) -> list[Row]:
    """The dendrites of one direction on some cores: nanoseconds a mode and step, and those of the
    floor, in turns.
    """
    works, sizes = {}, {}
    for shape in shapes:
        network = dendrites_alone(shape)
        program = assemble(plan_network(network), frozenset())
        layouts = [c.form.layout for c in program.carried if isinstance(c.form, Compartments)]
        floats = {layout.numbers.dtype.type for layout in layouts} == {np.float32}
        numbers = "floats" if floats else "doubles"
        name = f"{shape.channels} channels × {shape.modes} modes, in {numbers}"
        sizes[name] = batch * steps * modes_of(network)
        works[name] = _on(cores, native(network, random_inputs(network, batch, steps)))
        works[f"floor, {name}"] = modes_work(sizes[name], cores, floats)
    times = take_turns(works, rounds)
    return [
        {
            "what": f"dendrites, {name}, cores: {cores}",
            "ns_per_mode_and_step": times[name].best * 1e9 / size,
            "floor_ns": times[f"floor, {name}"].best * 1e9 / size,
            "times_the_floor": times[name].best / times[f"floor, {name}"].best,
        }
        for name, size in sizes.items()
    ]


def by_node(shape: Shape, steps: int, rates: Rates, rounds: int) -> list[Row]:
    """Every kind of operation of a network alone, on one core: its share, and its floor."""
    network, samples = lowered(shape), 4
    plan = plan_network(network)
    run = random_inputs(network, samples, steps)
    result = run_whole(NativeEngine(), network, run)
    spikes = np.mean(
        [
            result.messages[soma.name].sum(1) / soma.width / steps
            for soma in network.of_kind(LifSoma)
        ]
    )
    block = SweepRunner(plan, samples, None, steps, ()).block_steps
    program, make_workspace = _apart(plan, samples, block)
    kinds = sorted({int(o["kind"]) for sweep in program.sweeps for o in sweep.operations})
    variants = {"nothing": _only(program, ()), "everything": program}
    variants |= {NAMES[kind]: _only(program, (kind,)) for kind in kinds}

    last = np.full((2, samples), steps - 1)

    def advance(part: Assembly, workspace: Workspace) -> Callable[[], None]:
        some = Flow(plan, part, last, steps)
        tasks = [(ctypes.POINTER(SweepTask) * 1)(ctypes.pointer(task)) for task in some.tasks]

        def work() -> None:
            for number, task in enumerate(tasks):
                some.prepare(number, 0, run.inputs, {}, slice(samples), block, shared=False)
                load_target().run(task, 1, 0, workspace.scratch)

        return work

    works = {}
    for name, part in variants.items():
        workspace = make_workspace()
        advance(program, workspace)()  # so that each kind finds its inputs
        works[name] = advance(part, workspace)
    times = take_turns(works, rounds)
    start = times["nothing"].best
    rows = []
    for name, part in variants.items():
        if name == "nothing":
            continue
        floor = sum(
            cost_of(o, program.tables, float(spikes)).floor(rates)
            for sweep in part.sweeps
            for o in sweep.operations
        )
        nanoseconds = (times[name].best - start) * 1e9 / (samples * steps)
        rows.append({"what": name, "ns_per_sample_step": nanoseconds, "floor_ns": floor})
    return sorted(rows, key=lambda r: -r["ns_per_sample_step"])


def _apart(plan: Plan, samples: int, block: int) -> tuple[Assembly, Callable[[], Workspace]]:
    """Give a plan's program with a place of its own for every signal, where it stays when other
    operations run, and what makes a workspace for it, with tiles as long as they really are.
    """
    program = assemble(plan, frozenset())
    tile = Workspace(program, samples, block).tile
    with mock.patch.object(Slots, "give_back"):
        apart = assemble.__wrapped__(plan, frozenset())

    def make_workspace() -> Workspace:
        with mock.patch.multiple(flow, TILE_CACHE=0, MIN_TILE=tile):
            return Workspace(apart, samples, block)

    return apart, make_workspace


def _only(program: Assembly, kinds: tuple[int, ...]) -> Assembly:
    """Give a program without the operations of other kinds."""
    sweeps = []
    for sweep in program.sweeps:
        chosen = np.isin(sweep.operations["kind"], kinds)
        sweeps.append(replace(sweep, operations=sweep.operations[chosen], clipping=()))
    return replace(program, sweeps=tuple(sweeps))


def scaling(base: Shape, batch: int, steps: int, rounds: int) -> list[Row]:
    """One thing changed at a time; microseconds a sample step should follow the work in it."""
    cases: dict[str, tuple[Shape, int, int]] = {}
    for length in (steps // 4, steps, 4 * steps):
        cases[f"length {length}"] = base, batch, length
    for channels in (base.channels // 4, base.channels, 4 * base.channels):
        cases[f"width {channels}"] = replace(base, channels=channels), batch, steps
    for modes in (base.modes // 4, base.modes, 2 * base.modes):
        cases[f"modes {modes}"] = replace(base, modes=modes), batch, steps
    for samples in (1, 2, 3, batch // 2, batch):
        cases[f"batch {samples}"] = base, samples, steps
    for gain in (0.1, 1.0, 10.0):
        cases[f"gain {gain}"] = replace(base, gain=gain), batch, steps
    works, rates = {}, {}
    for name, (shape, samples, length) in cases.items():
        network = lowered(shape)
        run = random_inputs(network, samples, length)
        works[name] = native(network, run)
        rates[name] = _spike_rate(network, run)
    times = take_turns(works, rounds)
    return [
        row(name, times[name], samples * length, spike_rate=rates[name])
        for name, (_, samples, length) in cases.items()
    ] + _by_threads(base, batch, steps, rounds)


def _spike_rate(network: Network, run: Run) -> float:
    messages = run_whole(NativeEngine(), network, run).messages
    somas = [node.name for node in network.of_kind(LifSoma)]
    return float(np.mean([messages[name].mean() for name in somas]) / run.inputs.shape[1])


def _by_threads(shape: Shape, batch: int, steps: int, rounds: int) -> list[Row]:
    network = lowered(shape)
    work = native(network, random_inputs(network, batch, steps))
    counts = range(1, threads.thread_count() + 1)
    times = take_turns({f"threads {n}": _on(n, work) for n in counts}, rounds)
    return [row(name, time, batch * steps) for name, time in times.items()]


def _on(cores: int, work: Callable[[], object]) -> Callable[[], None]:
    """Let the engine use so many cores in a work."""
    available = threads.thread_count()

    def limited() -> None:
        threads.use_threads(cores)
        try:
            work()
        finally:
            threads.use_threads(available)

    return limited

"""Small lowered networks that push every process to its limits."""

from __future__ import annotations

from typing import Any

import numpy as np

from snn_deploy import fixedpoint as fp
from snn_deploy.ir.formats import Edge, Format
from snn_deploy.ir.network import Network
from snn_deploy.ir.verifier import verify_network
from snn_deploy.nodes.base import IntegerNode, Rescale
from snn_deploy.nodes.dendrite import Dendrite, ModeBank
from snn_deploy.nodes.gate import Gate, SigmoidGate
from snn_deploy.nodes.inputs import Input
from snn_deploy.nodes.lif import LifSoma
from snn_deploy.nodes.pooling import Accumulator, RunningSum
from snn_deploy.nodes.requantize import Requantize
from snn_deploy.nodes.synapses import Synapses

WIDTH = 4
SUM, DRIVE, MESSAGE = Format(24, 0), Format(18, 0), Format(16, 0)
Source = str | tuple[str, int] | tuple[str, int, int]


def reads(*sources: Source) -> tuple[Edge, ...]:
    return tuple(Edge(s) if isinstance(s, str) else Edge(*s) for s in sources)


def synapses(name: str, source: Source, weight: Any, output: Format = SUM) -> Synapses:
    matrix = np.asarray(weight, dtype=np.int8)
    return Synapses(name=name, inputs=reads(source), output=output, weight=matrix, weight_bits=8)


def rescale(mantissa: Any, shift: Any, bias: Any, width: int = WIDTH) -> Rescale:
    def full(value: Any, dtype: Any) -> Any:
        return np.broadcast_to(np.asarray(value, dtype=dtype), (width,)).copy()

    return Rescale(full(mantissa, np.int32), full(shift, np.int8), full(bias, np.int32), 16)


def relay(name: str, *sources: Source, **options: Any) -> Requantize:
    options = {"output": MESSAGE, "channels": WIDTH, **options}
    return Requantize(name=name, inputs=reads(*sources), **options)


def dendrite(
    name: str, source: Source, rng: np.random.Generator, reversed_time: bool = False
) -> Dendrite:
    shape, shift = (WIDTH, 3), 12
    modulus, angle = rng.uniform(0.5, 0.999, shape), rng.uniform(0, 3.1, shape)
    decay = modulus * np.exp(1j * angle) * 2**shift
    bank = ModeBank(
        decay_real=np.trunc(decay.real).astype(np.int32),
        decay_imag=np.trunc(decay.imag).astype(np.int32),
        decay_shift=shift,
        input_shift=rng.integers(-3, 4, shape).astype(np.int8),
        readout_real=rng.integers(-2000, 2001, shape).astype(np.int32),
        readout_imag=rng.integers(-2000, 2001, shape).astype(np.int32),
        readout_shift=np.full(shape, 12, dtype=np.int8),
        coefficient_bits=16,
        state_bits=18,
    )
    return Dendrite(
        name=name,
        inputs=reads(source),
        output=DRIVE,
        bank=bank,
        skip_mantissa=rng.integers(-99, 100, WIDTH).astype(np.int32),
        skip_shift=np.full(WIDTH, 6, dtype=np.int8),
        drive_shift=1,
        sum_bits=32,
        reversed_time=reversed_time,
    )


def soma(name: str, source: Source, threshold: int, decay: int = 3584) -> LifSoma:
    return LifSoma(
        name=name, inputs=reads(source), channels=WIDTH, threshold=threshold, decay=decay
    )


def gate(name: str, source: Source) -> Gate:
    sigmoid = SigmoidGate(
        table=fp.sigmoid_table(6, 9, 8.0),
        table_bits=9,
        index_shift=2,
        out_shift=np.full(WIDTH, 6, dtype=np.int8),
    )
    return Gate(
        name=name,
        inputs=reads(source),
        output=MESSAGE,
        channels=WIDTH,
        rescale=rescale(23, 3, -17, 2 * WIDTH),
        value_bits=9,
        sigmoid=sigmoid,
    )


def accumulator(
    name: str, source: str, mode: Any, use_lengths: bool, guard_bits: int = 3
) -> Accumulator:
    return Accumulator(
        name=name,
        inputs=reads(source),
        output=MESSAGE,
        channels=WIDTH,
        mode=mode,
        use_lengths=use_lengths,
        guard_bits=guard_bits,
        headroom_bits=2,
        reciprocal_bits=16,
    )


def running_sum(name: str, source: str, guard_bits: int = -3) -> RunningSum:
    return RunningSum(
        name=name, inputs=reads(source), output=MESSAGE, channels=WIDTH, guard_bits=guard_bits
    )


def source(channels: int = 3) -> Input:
    return Input(name="input", output=Format(12, 0), channels=channels)


def lowered(*members: IntegerNode, output_steps: Any = "all") -> Network:
    network = Network("lowered", members, output_steps)
    verify_network(network)
    return network


def extremes() -> Network:
    """Weights of one sign, of both and none; drives, membranes and sums at their limits."""
    rng = np.random.default_rng(1)
    mixed = rng.integers(-127, 128, (WIDTH, 3))
    mixed[0, :2] = (127, -127)
    huge = rescale(32767, 0, -1)
    return lowered(
        source(),
        synapses("positive", ("input", 1), rng.integers(1, 128, (WIDTH, 3))),
        synapses("negative", ("input", 1), rng.integers(-127, 0, (WIDTH, 3))),
        synapses("zero", ("input", 1), np.zeros((WIDTH, 3))),
        synapses("mixed", ("input", 1), mixed),
        relay("driven up", "positive", "zero", rescale=huge, output=DRIVE),
        relay("driven", "mixed", rescale=huge, output=DRIVE),
        soma("highest threshold", "driven up", 2**17 - 1, decay=0),
        soma("no threshold", "driven", 0, decay=4095),
        synapses(
            "of spikes",
            ("highest threshold", 1),
            rng.integers(-127, 128, (WIDTH, WIDTH)),
            output=DRIVE,
        ),
        soma("next soma", "of spikes", 60),
        relay("clipped", "negative", output=Format(3, (0, 1, 2, 3)), rescale=rescale(1, 3, 2)),
        relay("halved", "mixed", rescale=rescale([-3, -1, 1, 3], 1, 0), output=Format(16, 5)),
        relay(
            "aligned",
            "clipped",
            "halved",
            "halved",
            align=np.array([[2, 1, 0, -1], [-3] * WIDTH, [-3] * WIDTH], dtype=np.int8),
            output=Format(9, 2),
        ),
    )


def delays() -> Network:
    """Messages that take several steps, into every kind of process, and the pooling of them."""
    rng = np.random.default_rng(2)
    return lowered(
        source(),
        synapses("slow", ("input", 3), rng.integers(-20, 21, (WIDTH, 3))),
        synapses("fast", ("input", 1), rng.integers(-20, 21, (WIDTH, 3))),
        relay("joined", "slow", ("fast", 2), ("fast", 2), rescale=rescale(1, 6, 40)),
        dendrite("dendrite", ("joined", 1), rng),
        soma("soma", ("dendrite", 2), 300),
        synapses("doubled", ("soma", 1), rng.integers(-127, 128, (2 * WIDTH, WIDTH))),
        gate("gate", ("doubled", 2)),
        relay("residual", ("joined", 6), ("gate", 0), output=Format(16, 0)),
        accumulator("mean", "residual", "mean", True),
        accumulator("sum", "residual", "sum", True, guard_bits=-2),
        accumulator("last", "residual", "last", True),
        accumulator("first", "residual", "first", False),
        running_sum("running", "residual"),
        relay("pooled", "mean", "sum", "last", "first", "running"),
        output_steps="one",
    )


def both_directions() -> Network:
    """Two layers that read their sequence in both directions, and one in reverse alone."""
    rng = np.random.default_rng(3)
    return lowered(
        source(),
        synapses("encoder", ("input", 1), rng.integers(-20, 21, (WIDTH, 3))),
        relay("stream", "encoder", rescale=rescale(1, 6, 5)),
        dendrite("forward", "stream", rng),
        dendrite("reverse", "stream", rng, reversed_time=True),
        relay("drive", "forward", "reverse", output=DRIVE),
        soma("soma", "drive", 300),
        synapses("mix", ("soma", 1), rng.integers(-127, 128, (2 * WIDTH, WIDTH))),
        gate("gate", "mix"),
        relay("residual", ("stream", 1), "gate"),
        dendrite("reverse again", "residual", rng, reversed_time=True),
        dendrite("and again", "reverse again", rng, reversed_time=True),
        dendrite("beside", "residual", rng),
        relay("ends", "and again", "beside", output=DRIVE),
        soma("last soma", "ends", 200),
        accumulator("pool", "last soma", "sum", True),
        output_steps="one",
    )


def loops() -> Network:
    """Layers that hear themselves at once, later, and through synapses; and the past of others."""
    rng = np.random.default_rng(4)
    mixed = {n: rng.integers(-127, 128, (WIDTH, n)) for n in (3, WIDTH)}
    halved = rescale(1, 1, 0)
    return lowered(
        source(),
        synapses("entering", ("input", 1), mixed[3]),
        synapses("entering before", ("input", 2, 1), mixed[3]),
        synapses("entering two before", ("input", 2, 2), mixed[3]),
        relay("echo", "entering", ("echo", 1, 1), rescale=halved, output=Format(20, 0)),
        relay("late echo", "entering", ("late echo", 3, 3), rescale=halved, output=Format(20, 0)),
        relay(
            "drive",
            "entering",
            ("entering before", 0),
            ("heard", 0, 1),
            ("heard", 2, 3),
            rescale=rescale(1, 4, 0),
            output=DRIVE,
        ),
        soma("soma", "drive", 3000),
        synapses("heard", ("soma", 1), mixed[WIDTH]),
        relay("before", ("heard", 0, 1), "echo", output=Format(24, 0)),
        relay("long before", ("before", 0, 1), "entering two before", output=Format(24, 0)),
        relay("end", ("long before", 1), "before", "late echo", output=Format(24, 0)),
    )


def past_of_both_directions() -> Network:
    """Layers that read earlier steps of what runs forwards and of what runs backwards."""
    rng = np.random.default_rng(5)
    return lowered(
        source(),
        synapses("encoder", ("input", 1), rng.integers(-20, 21, (WIDTH, 3))),
        relay("stream", "encoder", ("stream", 1, 1), rescale=rescale(1, 6, 5)),
        dendrite("reverse", "stream", rng, reversed_time=True),
        relay("seen", ("reverse", 0, 1)),
        relay("drive", ("reverse", 2, 3), ("seen", 0), ("loop", 0, 1), output=DRIVE),
        soma("soma", "drive", 300),
        synapses("loop", ("soma", 1), rng.integers(-127, 128, (WIDTH, WIDTH))),
        output_steps="all",
    )

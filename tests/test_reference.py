"""The reference engine against each node's docstring, written out once more in plain integers.

The oracle itself needs a second opinion: here every node is a loop over Python's unlimited
integers and exact fractions, one sequence and one number at a time.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from fractions import Fraction
from math import isqrt
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from networks import (
    INTEGER_KINDS,
    around,
    encoded,
    extreme_inputs,
    float_inputs,
    float_network,
    random_bank,
    run_reference,
)
from shared_makers import shared_sums

from snn_deploy.engines.reference import ReferenceEngine
from snn_deploy.engines.registry import ENGINES, get_engine
from snn_deploy.engines.result import Run, senders
from snn_deploy.engines.session import run_whole
from snn_deploy.errors import ConfigError
from snn_deploy.ir.formats import Edge, Format
from snn_deploy.ir.network import Network
from snn_deploy.ir.node import Node
from snn_deploy.nodes.adaptation_soma import AdaptationSoma
from snn_deploy.nodes.base import Rescale
from snn_deploy.nodes.chip_alif import ChipAlif
from snn_deploy.nodes.chip_cuba import ChipCuba
from snn_deploy.nodes.chip_resonator import ChipResonator
from snn_deploy.nodes.crossing_soma import CrossingSoma
from snn_deploy.nodes.cuba_soma import CubaSoma
from snn_deploy.nodes.dendrite import Dendrite, ModeBank
from snn_deploy.nodes.drawn_soma import DrawnSoma
from snn_deploy.nodes.embedding_table import EmbeddingTable
from snn_deploy.nodes.gate import Gate, QuantizedGlu, SigmoidGate
from snn_deploy.nodes.inputs import Input
from snn_deploy.nodes.layer_sign import LayerSign
from snn_deploy.nodes.level_soma import LevelSoma
from snn_deploy.nodes.lif import ChipLif, LifSoma
from snn_deploy.nodes.multiply import Multiply
from snn_deploy.nodes.normalize import Normalize
from snn_deploy.nodes.part import Part
from snn_deploy.nodes.pooling import Accumulator, RunningSum
from snn_deploy.nodes.positions import Positions
from snn_deploy.nodes.quantized_ssm import QuantizedSsm
from snn_deploy.nodes.rectify import Rectify
from snn_deploy.nodes.refractory_soma import RefractorySoma
from snn_deploy.nodes.registry import legal_kinds
from snn_deploy.nodes.requantize import Requantize
from snn_deploy.nodes.resonator_soma import ResonatorSoma
from snn_deploy.nodes.self_gate import SelfGate
from snn_deploy.nodes.shared_synapses import QuantizedConvolution, SharedSynapses
from snn_deploy.nodes.sigma_delta import SigmaDelta
from snn_deploy.nodes.sign_soma import SignSoma
from snn_deploy.nodes.silence import Silence
from snn_deploy.nodes.soft_reset_soma import SoftResetSoma
from snn_deploy.nodes.synapses import QuantizedLinear, Synapses
from snn_deploy.nodes.ternary_soma import TernarySoma
from snn_deploy.nodes.window import Window
from snn_deploy.passes.pipeline import compile_network
from snn_deploy.passes.quantize import Calibration
from snn_deploy.quantize.config import QuantizationConfig

Step = list[int]
Sequence = list[Step]


# --- every equation, in plain integers


def rs(x: int, k: int) -> int:
    """Right shift, rounding half up."""
    scaled = Fraction(x, 2**k) + Fraction(1, 2)
    return int(scaled.numerator // scaled.denominator)


def ms(x: int, m: int, k: int) -> int:
    return rs(x * m, k)


def shifted(x: int, k: int) -> int:
    return int(x << k) if k >= 0 else rs(x, -k)


@dataclass
class Clip:
    """Clips, and counts what it changed."""

    count: int = 0

    def __call__(self, x: int, bits: int) -> int:
        limit = (1 << (bits - 1)) - 1
        clipped = max(-limit, min(limit, x))
        self.count += clipped != x
        return clipped


def rescaled(x: int, rescale: Rescale, i: int) -> int:
    return ms(x, int(rescale.mantissa[i]), int(rescale.shift[i])) + int(rescale.bias[i])


def dot(weight: Any, x: Step) -> Step:
    return [sum(int(w) * value for w, value in zip(row, x, strict=True)) for row in weight]


def same(node: Input, x: Sequence, valid: int, clip: Clip) -> Sequence:
    return x


def lookup(node: EmbeddingTable, x: Sequence, valid: int, clip: Clip) -> Sequence:
    rows = [(cluster, row) for cluster in node.clusters for row in cluster.table.tolist()]

    def one(token: int) -> Step:
        cluster, row = rows[token]
        if cluster.projection is None:
            return list(row)
        rescale = cluster.projection.rescale
        sums = dot(cluster.projection.weight, row)
        return [clip(rescaled(s, rescale, i), node.output.bits) for i, s in enumerate(sums)]

    return [one(token) for (token,) in x]


def positions(node: Positions, x: Sequence, valid: int, clip: Clip) -> Sequence:
    align = [0] * node.width if node.align is None else node.align.tolist()
    return [
        [
            clip(shifted(value, align[i]) + int(node.table[t, i]), node.output.bits)
            for i, value in enumerate(step)
        ]
        for t, step in enumerate(x)
    ]


def window(node: Window, x: Sequence, valid: int, clip: Clip) -> Sequence:
    silent = [0] * node.channels
    around = range(-node.before, node.after + 1)
    return [
        [v for k in around for v in (x[t + k] if 0 <= t + k < len(x) else silent)]
        for t in range(len(x))
    ]


def synapses(node: Synapses, x: Sequence, valid: int, clip: Clip) -> Sequence:
    return [dot(node.weight, step) for step in x]


def linear(node: QuantizedLinear, x: Sequence, valid: int, clip: Clip) -> Sequence:
    return [
        [clip(rescaled(total, node.rescale, i), node.output.bits) for i, total in enumerate(sums)]
        for sums in (dot(node.weight, step) for step in x)
    ]


def shared(node: SharedSynapses, x: Sequence, valid: int, clip: Clip) -> Sequence:
    return [shared_sums(node, step) for step in x]


def convolution(node: QuantizedConvolution, x: Sequence, valid: int, clip: Clip) -> Sequence:
    return [
        [clip(rescaled(total, node.rescale, i), node.output.bits) for i, total in enumerate(sums)]
        for sums in (shared_sums(node, step) for step in x)
    ]


def relay(node: Requantize, x: Sequence, valid: int, clip: Clip) -> Sequence:
    """Of one source, as often as the node reads it."""

    def one(value: int, i: int) -> int:
        align = np.zeros((len(node.inputs), node.width)) if node.align is None else node.align
        total = sum(shifted(value, int(align[j][i])) for j in range(len(node.inputs)))
        if node.rescale is not None:
            total = rescaled(total, node.rescale, i)
        return clip(total, node.output.bits)

    return [[one(value, i) for i, value in enumerate(step)] for step in x]


def compartments(bank: ModeBank, x: Step, i: int, n: int, clip: Clip) -> list[int]:
    """What mode n of channel i adds to the drive at every step."""
    k, bits = bank.decay_shift, bank.state_bits
    r, s = int(bank.decay_real[i, n]), int(bank.decay_imag[i, n])
    p, q = int(bank.readout_real[i, n]), int(bank.readout_imag[i, n])
    shift = int(bank.readout_shift[i, n])

    def both(a: int, m: int, b: int, n: int, k: int) -> int:
        return rs(a * m + b * n, k) if bank.rounds_once else ms(a, m, k) + ms(b, n, k)

    u = v = 0
    contributions = []
    for value in x:
        entering = shifted(value, int(bank.input_shift[i, n]))
        u, v = clip(both(u, r, v, -s, k) + entering, bits), clip(both(u, s, v, r, k), bits)
        contributions.append(both(u, p, v, -q, shift))
    return contributions


def contributions(bank: ModeBank, x: Sequence, backwards: bool, clip: Clip) -> Sequence:
    """The sum over modes, (steps, channels); backwards: from the steps after each."""
    steps, channels = len(x), len(x[0])
    total = [[0] * channels for _ in range(steps)]
    for i in range(channels):
        u = [step[i] for step in x]
        for n in range(bank.modes):
            if backwards:
                # the first step is taken in last, and heard by none
                heard = [*compartments(bank, u[::-1], i, n, clip)[-2::-1], 0]
            else:
                heard = compartments(bank, u, i, n, clip)
            for t in range(steps):
                total[t][i] += heard[t]
    return total


def driven(node: Any, x: Sequence, parts: list[Sequence], clip: Clip) -> Sequence:
    def one(t: int, i: int) -> int:
        skip = ms(x[t][i], int(node.skip_mantissa[i]), int(node.skip_shift[i]))
        return clip(rs(sum(p[t][i] for p in parts) + skip, node.drive_shift), node.output.bits)

    return [[one(t, i) for i in range(node.width)] for t in range(len(x))]


def dendrite(node: Dendrite, x: Sequence, valid: int, clip: Clip) -> Sequence:
    return driven(node, x, [contributions(node.bank, x, node.reversed_time, clip)], clip)


def ssm(node: QuantizedSsm, x: Sequence, valid: int, clip: Clip) -> Sequence:
    parts = [contributions(node.forward, x, False, clip)]
    if node.reverse is not None:
        parts.append(contributions(node.reverse, x, True, clip))
    return driven(node, x, parts, clip)


def lif(node: LifSoma, x: Sequence, valid: int, clip: Clip) -> Sequence:
    membranes = [0] * node.width
    spikes = []
    for step in x:
        fired = []
        for i, drive in enumerate(step):
            kept = abs(membranes[i]) * (4096 - node.decay) // 4096
            v = clip((kept if membranes[i] >= 0 else -kept) + 64 * drive, 24)
            fired.append(int(v > 64 * node.threshold))
            membranes[i] = 0 if fired[-1] else v
        spikes.append(fired)
    return spikes


def part_of(value: int, factor: int) -> int:
    """``value · factor / 4096``, towards zero."""
    kept = abs(value) * factor // 4096
    return kept if value >= 0 else -kept


def faded(value: int, by: int) -> int:
    return part_of(value, 4096 - by)


def chip_cuba(node: ChipCuba, x: Sequence, valid: int, clip: Clip) -> Sequence:
    u, v, spikes = [0] * node.width, [0] * node.width, []
    for step in x:
        for i, drive in enumerate(step):
            u[i] = clip(faded(u[i], int(node.fade[i])) + drive * 2**node.align, 24)
            v[i] = clip(faded(v[i], int(node.decay[i])) + u[i] + 64 * int(node.bias[i]), 24)
        spikes.append([int(a > 64 * int(b)) for a, b in zip(v, node.threshold, strict=True)])
        v = [0 if fired else a for a, fired in zip(v, spikes[-1], strict=True)]
    return spikes


def chip_alif(node: ChipAlif, x: Sequence, valid: int, clip: Clip) -> Sequence:
    u, v, a, r, spikes = *([0] * node.width for _ in range(4)), []
    for step in x:
        fired = []
        for i, drive in enumerate(step):
            driven = drive * 2**node.align + 64 * int(node.bias[i])
            u[i] = clip(faded(u[i], int(node.fade[i])) + driven, 24)
            v[i] = clip(faded(v[i], int(node.decay[i])) + u[i], 24)
            level = 64 * int(node.threshold[i]) + faded(a[i], int(node.threshold_decay[i]))
            refractory = faded(r[i], int(node.refractory_decay[i]))
            fired.append(int(v[i] >= level + refractory))
            risen = faded(a[i], int(node.threshold_decay[i])) + 64 * int(node.rise[i]) * fired[-1]
            a[i] = clip(risen, 24)
            r[i] = clip(refractory + 2 * level * fired[-1], 24)
        spikes.append(fired)
    return spikes


def chip_resonator(node: ChipResonator, x: Sequence, valid: int, clip: Clip) -> Sequence:
    u, v, spikes = [0] * node.width, [0] * node.width, []
    for step in x:  # both ports read the same input
        fired = []
        for i, drive in enumerate(step):
            driven = drive * 2**node.align
            sin, cos, level = int(node.sin[i]), int(node.cos[i]), 64 * int(node.threshold[i])
            before = v[i]
            turned = part_of(u[i], cos) - part_of(v[i], sin) + driven
            v[i] = clip(part_of(u[i], sin) + part_of(v[i], cos) + driven, 24)
            u[i] = clip(turned, 24)
            if node.phase:
                fired.append(int(u[i] >= level and before < 0 <= v[i]))
            else:
                fired.append(int(v[i] >= level))
                u[i], v[i] = (0, level - 1) if fired[-1] else (u[i], v[i])
        spikes.append(fired)
    return spikes


def sigma_delta(node: SigmaDelta, x: Sequence, valid: int, clip: Clip) -> Sequence:
    width = range(node.width)
    summed, last, rest, sent = [0] * node.width, [0] * node.width, [0] * node.width, []
    for step in x:
        said = []
        for i in width:
            summed[i] = clip(summed[i] + step[i], node.state_bits)
            active = summed[i]
            if node.bias.any():
                active = clip(active + int(node.bias[i]), node.state_bits)
            active = max(active, 0) if node.rectify else active
            change = active - last[i] + rest[i]
            large = change if abs(change) >= node.threshold else 0
            last[i], rest[i] = active, change - large
            said.append(clip(large // 2**node.scale, node.output.bits))
        sent.append(said)
    return sent


def chip_lif(node: ChipLif, x: Sequence, valid: int, clip: Clip) -> Sequence:
    bits, membranes, spikes = node.registers, [0] * node.width, []
    unity, align = 2**bits.decay_bits, 2**bits.align_bits
    for step in x:
        for i, drive in enumerate(step):
            kept = abs(membranes[i]) * (unity - node.decay) // unity
            signed = kept if membranes[i] >= 0 else -kept
            membranes[i] = clip(signed + align * drive, bits.membrane_bits)
        spikes.append([int(v > align * node.threshold) for v in membranes])
        membranes = [0 if fired else v for v, fired in zip(membranes, spikes[-1], strict=True)]
    return spikes


def refractory(node: RefractorySoma, x: Sequence, valid: int, clip: Clip) -> Sequence:
    k, bits = node.decay_bits - 1, node.state_bits
    v, r, spikes = [0] * node.width, [0] * node.width, []
    for step in x:
        for i, drive in enumerate(step):
            v[i] = clip(ms(v[i], node.kept, k) + drive * 2**node.align - r[i], bits)
            rise = int(node.strength[i]) if v[i] >= node.threshold[i] else 0
            r[i] = clip(ms(r[i], node.refractory_kept, k) + rise, bits)
        spikes.append([int(v[i] >= node.threshold[i]) for i in range(node.width)])
    return spikes


def ternary(node: TernarySoma, x: Sequence, valid: int, clip: Clip) -> Sequence:
    v, sent = [0] * node.width, []
    for step in x:
        fired = []
        for i, drive in enumerate(step):
            v[i] = ms(v[i], node.kept, node.decay_bits - 1) + drive * 2**node.align
            v[i] = clip(v[i], node.state_bits)
            reached = abs(v[i]) >= node.threshold[i]
            fired.append((1 if v[i] > 0 else -1) if reached else 0)
            v[i] = 0 if reached else v[i]
        sent.append(fired)
    return sent


def soft_reset(node: SoftResetSoma, x: Sequence, valid: int, clip: Clip) -> Sequence:
    r, spikes = [0] * node.width, []
    for step in reversed(x) if node.backwards else x:
        fired = []
        for i, drive in enumerate(step):
            threshold = int(node.threshold[i])
            fired.append(int(drive * 2**node.align >= r[i] + threshold))
            raised = r[i] + threshold * fired[-1]
            r[i] = clip(ms(raised, int(node.kept[i]), node.decay_bits - 1), node.state_bits)
        spikes.append(fired)
    return spikes[::-1] if node.backwards else spikes


def crossing(node: CrossingSoma, x: Sequence, valid: int, clip: Clip) -> Sequence:
    def fires(t: int, i: int) -> bool:
        past = [x[t - k][i] >= node.base[i] for k in range(1, min(t, len(node.rise)) + 1)]
        raised = sum(int(node.rise[k][i]) for k, crossed in enumerate(past) if crossed)
        return bool(x[t][i] >= int(node.base[i]) + raised)

    return [[int(fires(t, i)) for i in range(node.width)] for t in range(len(x))]


def level(node: LevelSoma, x: Sequence, valid: int, clip: Clip) -> Sequence:
    return [[int(step[i] >= node.level[i]) for i in range(node.width)] for step in x]


def adaptive(node: AdaptationSoma, x: Sequence, valid: int, clip: Clip) -> Sequence:
    def part(value: int, name: str, i: int) -> int:
        return ms(value, int(getattr(node, name)[i]), int(getattr(node, f"{name}_shift")[i]))

    w, u, y, bits = [0] * node.width, [0] * node.width, [0] * node.width, node.state_bits
    spikes = []
    for step in x:
        for i, current in enumerate(step):
            held = w[i] - part(w[i], "fade", i) + part(u[i], "pull", i) + int(node.rise[i]) * y[i]
            w[i] = clip(held, bits)
            towards = part(shifted(current, int(node.align[i])) - w[i], "leak", i)
            u[i] = clip(u[i] - part(u[i], "leak", i) + towards - int(node.drop[i]) * y[i], bits)
        y = [int(u[i] > node.threshold[i]) for i in range(node.width)]
        spikes.append(y)
    return spikes


def sign(node: SignSoma, x: Sequence, valid: int, clip: Clip) -> Sequence:
    def fire(value: int, level: int) -> int:
        return int(value >= level) - int(value <= -level)

    return [[fire(step[i], int(node.level[i])) for i in range(node.width)] for step in x]


def layer_sign(node: LayerSign, x: Sequence, valid: int, clip: Clip) -> Sequence:
    def fired(step: list[int]) -> list[int]:
        level = ms(max(abs(value) for value in step), node.fraction, node.shift)
        return [int(value >= level) - int(value <= -level) for value in step]

    return [fired(step) for step in x]


def rectify(node: Rectify, x: Sequence, valid: int, clip: Clip) -> Sequence:
    bits = node.output.bits
    return [
        [clip(shifted(max(step[i], 0), int(node.align[i])), bits) for i in range(node.width)]
        for step in x
    ]


def self_gate(node: SelfGate, x: Sequence, valid: int, clip: Clip) -> Sequence:
    size = len(node.table)

    def one(value: int, i: int) -> int:
        row = min(max(shifted(value, int(node.align[i])) + size // 2, 0), size - 1)
        return clip(ms(value, int(node.table[row]), int(node.out_shift[i])), node.output.bits)

    return [[one(step[i], i) for i in range(node.width)] for step in x]


def multiply(node: Multiply, x: Sequence, valid: int, clip: Clip) -> Sequence:
    bits = node.output.bits  # both ports read the same input
    return [
        [clip(ms(step[i], step[i], int(node.shift[i])), bits) for i in range(node.width)]
        for step in x
    ]


def part(node: Part, x: Sequence, valid: int, clip: Clip) -> Sequence:
    return [[step[node.first + i] for i in range(node.channels)] for step in x]


def silence(node: Silence, x: Sequence, valid: int, clip: Clip) -> Sequence:
    return [step if t < valid else [0] * node.width for t, step in enumerate(x)]


def resonator(node: ResonatorSoma, x: Sequence, valid: int, clip: Clip) -> Sequence:
    def times(value: int, part: int, i: int) -> int:
        shifts = [node.pole_shift, node.pole_shift + node.coefficient_bits - 1]
        words = zip(node.pole, shifts, strict=False)
        return sum(ms(value, int(word[part, i]), by) for word, by in words)

    u, v, y, bits = [0] * node.width, [0] * node.width, [0] * node.width, node.state_bits
    spikes = []
    for step in x:
        for i, current in enumerate(step):
            driven = ms(current, int(node.gain[i]), int(node.gain_shift[i]))
            real = times(u[i], 0, i) - times(v[i], 1, i) + driven
            imag = times(u[i], 1, i) + times(v[i], 0, i)
            u[i] = clip(real - int(node.reset_real[i]) * y[i], bits)
            v[i] = clip(imag - int(node.reset_imag[i]) * y[i], bits)
        y = [int(u[i] > node.threshold[i]) for i in range(node.width)]
        spikes.append(y)
    return spikes


def cuba(node: CubaSoma, x: Sequence, valid: int, clip: Clip) -> Sequence:
    def part(value: int, name: str, i: int) -> int:
        return ms(value, int(getattr(node, name)[i]), int(getattr(node, f"{name}_shift")[i]))

    current, left, bits = [0] * node.width, [0] * node.width, node.state_bits
    spikes = []
    for step in x:
        fired = []
        for i, value in enumerate(step):
            driven = part(shifted(value, int(node.align[i])), "gain", i)
            if node.fade is not None:
                driven += current[i] - part(current[i], "fade", i)
                current[i] = driven = clip(driven, bits)
            v = clip(left[i] + driven, bits)
            fired.append(int(v >= node.threshold[i]))
            kept = v - part(v, "leak", i)
            if fired[i]:
                kept = int(node.reset[i]) if node.resets_to else kept - int(node.reset[i])
            left[i] = clip(kept, bits)
        spikes.append(fired)
    return spikes


def drawn(node: DrawnSoma, x: Sequence, valid: int, clip: Clip) -> Sequence:
    words, spikes = [int(word) for word in node.first], []
    for step in x:
        for i in range(node.width):
            words[i] ^= (words[i] << 5) % 2**24
            words[i] ^= words[i] >> 9
            words[i] ^= (words[i] << 11) % 2**24
        spikes.append([int(v > words[i] >> int(node.shift[i])) for i, v in enumerate(step)])
    return spikes


def gated(node: Any, value: int, gate: int, i: int, clip: Clip) -> int:
    sigmoid: SigmoidGate = node.sigmoid
    size = len(sigmoid.table)
    row = max(0, min(size - 1, rs(gate, sigmoid.index_shift) + size // 2))
    return clip(ms(value, int(sigmoid.table[row]), int(sigmoid.out_shift[i])), node.output.bits)


def glu(node: QuantizedGlu, x: Sequence, valid: int, clip: Clip) -> Sequence:
    h = node.width
    return [[gated(node, step[i], step[h + i], i, clip) for i in range(h)] for step in x]


def gate(node: Gate, x: Sequence, valid: int, clip: Clip) -> Sequence:
    h = node.width
    halves = [
        [clip(rescaled(value, node.rescale, i), node.value_bits) for i, value in enumerate(step)]
        for step in x
    ]
    return [[gated(node, step[i], step[h + i], i, clip) for i in range(h)] for step in halves]


def normalize(node: Normalize, x: Sequence, valid: int, clip: Clip) -> Sequence:
    return [
        [clip(rescaled(z, node.rescale, i), node.output.bits) for i, z in enumerate(quotients)]
        for quotients in (normalized(node, step) for step in x)
    ]


def normalized(node: Normalize, x: Step) -> Step:
    """``docs/arithmetic.md``'s layer norm, before the gain."""
    aligned = [shifted(v, int(k)) for v, k in zip(x, node.align, strict=True)]
    h, b = len(aligned), node.reciprocal_bits
    octaves = (h - 1).bit_length()
    reciprocal = min((2 ** (b - 1 + octaves) // h + 1) // 2, 2 ** (b - 1) - 1)
    first = ms(rs(sum(aligned), octaves), reciprocal, b - 2)
    average = first + ms(sum(aligned) - h * first, reciprocal, b - 2 + octaves)
    centred = [a - average for a in aligned]
    total = sum(rs(d * d, node.square_shift) for d in centred) + node.epsilon
    t = 1
    while 4**t <= total:
        t += 1
    w = shifted(total, 22 - 2 * t)
    start = isqrt(2**50 // (min(w // 2**13, 511) * 2**13 + 2**12))
    y = min(start + ms(2**22 - ms(ms(w, start, 14), start, 14), start, 23), 2**15 - 1)
    return [shifted(d * y, 8 - node.square_shift // 2 - t) for d in centred]


def accumulator(node: Accumulator, x: Sequence, valid: int, clip: Clip) -> Sequence:
    length = valid if node.use_lengths else len(x)
    heard = x[:length]

    def pooled(i: int) -> int:
        total = sum(step[i] for step in heard)
        if node.mode == "mean":
            return mean(node, total, length)
        chosen = {"sum": total, "last": heard[-1][i], "first": heard[0][i]}[node.mode]
        return shifted(chosen, node.guard_bits)

    silent = [0] * node.width
    answer = [clip(pooled(i), node.output.bits) for i in range(node.width)]
    return [answer if t == length - 1 else silent for t in range(len(x))]


def running_sum(node: RunningSum, x: Sequence, valid: int, clip: Clip) -> Sequence:
    total = [0] * node.width
    spoken = []
    for step in x:
        total = [before + value for before, value in zip(total, step, strict=True)]
        spoken.append([clip(shifted(held, node.guard_bits), node.output.bits) for held in total])
    return spoken


def mean(node: Accumulator, total: int, length: int) -> int:
    """``docs/arithmetic.md``'s division: shift, multiply, shift."""
    octaves = 0
    while 2**octaves < length:
        octaves += 1
    before = max(0, octaves - node.headroom_bits)
    bits = node.reciprocal_bits
    exact = Fraction(2 ** (bits - 2 + octaves), length) + Fraction(1, 2)
    reciprocal = min(exact.numerator // exact.denominator, 2 ** (bits - 1) - 1)
    return ms(rs(total, before), reciprocal, bits - 2 + octaves - before - node.guard_bits)


PLAIN: dict[type[Node], Callable[[Any, Sequence, int, Clip], Sequence]] = {
    Input: same,
    EmbeddingTable: lookup,
    Positions: positions,
    Window: window,
    Synapses: synapses,
    QuantizedLinear: linear,
    SharedSynapses: shared,
    QuantizedConvolution: convolution,
    Requantize: relay,
    Dendrite: dendrite,
    QuantizedSsm: ssm,
    LifSoma: lif,
    ChipLif: chip_lif,
    ChipAlif: chip_alif,
    ChipCuba: chip_cuba,
    ChipResonator: chip_resonator,
    RefractorySoma: refractory,
    TernarySoma: ternary,
    SoftResetSoma: soft_reset,
    CrossingSoma: crossing,
    LevelSoma: level,
    DrawnSoma: drawn,
    AdaptationSoma: adaptive,
    SignSoma: sign,
    SigmaDelta: sigma_delta,
    LayerSign: layer_sign,
    Rectify: rectify,
    SelfGate: self_gate,
    Multiply: multiply,
    Silence: silence,
    Part: part,
    ResonatorSoma: resonator,
    CubaSoma: cuba,
    QuantizedGlu: glu,
    Gate: gate,
    Accumulator: accumulator,
    Normalize: normalize,
    RunningSum: running_sum,
}


@pytest.mark.parametrize("kind", INTEGER_KINDS, ids=lambda kind: kind.__name__)
@given(seed=st.integers(0, 2**32 - 1))
def test_every_node_computes_its_equation(kind: type[Node], seed: int) -> None:
    rng = np.random.default_rng(seed)
    network = around(kind, rng)
    mantissas = extreme_inputs(network, rng, batch=2, steps=int(rng.integers(1, 9)))
    lengths = rng.integers(1, mantissas.shape[1] + 1, 2)
    result = run_reference(network, mantissas, lengths)
    name = network.output.name
    clip = Clip()
    for b, length in enumerate(lengths):
        expected = PLAIN[kind](network.output, mantissas[b].tolist(), int(length), clip)
        np.testing.assert_array_equal(result.trace[name][b], expected)
    assert result.saturated.get(name, 0) == clip.count


def test_every_legal_node_has_an_equation() -> None:
    assert set(legal_kinds("integer").values()) == set(PLAIN)


# --- what a run is made of


def network_of(**shape: Any) -> Network:
    source = float_network(**shape)
    return compile_network(source, QuantizationConfig(), Calibration(float_inputs(source)))


def inputs_of(network: Network, batch: int = 3, steps: int = 12) -> npt.NDArray[np.int64]:
    rng = np.random.default_rng(0)
    return encoded(network, rng.uniform(-1, 1, (batch, steps, network.input.width)))


def test_sequences_do_not_disturb_each_other() -> None:
    network = network_of(reverse=True, use_lengths=True)
    mantissas = inputs_of(network)
    lengths = np.array([12, 5, 1])
    together = run_reference(network, mantissas, lengths)
    for b in range(3):
        alone = run_reference(network, mantissas[b : b + 1], lengths[b : b + 1])
        np.testing.assert_array_equal(together.output[b], alone.output[0])
        for name in network.names:
            np.testing.assert_array_equal(together.trace[name][b], alone.trace[name][0])


def test_a_causal_network_does_not_see_the_future() -> None:
    network = network_of(readout="every")
    mantissas = inputs_of(network)
    changed = mantissas.copy()
    changed[:, 7:] = -changed[:, 7:]
    first, second = run_reference(network, mantissas), run_reference(network, changed)
    np.testing.assert_array_equal(first.output[:, :7], second.output[:, :7])
    assert (first.output[:, 7:] != second.output[:, 7:]).any()


def test_a_reversed_dendrite_sees_the_future_only() -> None:
    rng = np.random.default_rng(3)
    network = around(Dendrite, rng)
    node = network.output
    assert isinstance(node, Dendrite)
    backwards = replace(
        node,
        bank=random_bank(rng, node.width, 3),
        reversed_time=True,
        skip_mantissa=np.zeros_like(node.skip_mantissa),
        drive_shift=0,
        output=Format(40, 0),
    )
    network = replace(network, nodes=(network.input, backwards))
    impulse = np.zeros((1, 6, network.input.width), np.int64)
    impulse[0, 3] = network.input.output.limit  # type: ignore[attr-defined]
    heard = run_reference(network, impulse).trace["node"][0]
    assert not heard[3:].any()
    assert heard[2].any()


def test_the_answer_comes_at_the_last_valid_step() -> None:
    network = network_of(use_lengths=True)
    mantissas = inputs_of(network)
    result = run_reference(network, mantissas, [12, 5, 1])
    for b, length in enumerate([12, 5, 1]):
        np.testing.assert_array_equal(result.output[b], result.trace["decoder"][b, length - 1])
        pooled = result.trace["decoder.pool"][b]
        assert pooled[length - 1].any()
        assert not np.delete(pooled, length - 1, axis=0).any()


def test_padding_after_a_sequence_changes_nothing() -> None:
    network = network_of(use_lengths=True)
    mantissas = inputs_of(network)
    padded = np.concatenate([mantissas, np.full_like(mantissas, 999)], axis=1)
    lengths = np.full(3, mantissas.shape[1])
    first, second = (run_reference(network, x, lengths) for x in (mantissas, padded))
    np.testing.assert_array_equal(first.output, second.output)


@pytest.mark.parametrize(
    ("steps", "expected"), [("all", slice(None)), (1, slice(8, 9)), (3, slice(6, 9))]
)
def test_the_steps_of_the_answer(steps: Any, expected: slice) -> None:
    network = network_of(readout="every").answering(steps=steps)
    signal = np.arange(2 * 9 * 3).reshape(2, 9, 3)
    answer = network.answer.take(signal, np.array([9, 4]))
    np.testing.assert_array_equal(answer, signal[:, expected])


def test_messages_are_counted_where_they_cost() -> None:
    network = network_of(layers=1, drive=20.0)
    result = run_reference(network, inputs_of(network))
    assert senders(network) == ("input", "layers.0.lif", "decoder.pool")
    for name in senders(network):
        np.testing.assert_array_equal(result.messages[name], (result.trace[name] != 0).sum(axis=1))
    assert result.messages["decoder.pool"].max() == 1
    assert 0 < result.messages["layers.0.lif"].sum() < result.trace["layers.0.lif"].size


def test_only_what_was_asked_for_is_traced() -> None:
    network = network_of()
    mantissas = inputs_of(network)
    run = Run(mantissas, np.full(3, 12), trace=("layers.1.lif",))
    assert list(run_whole(ReferenceEngine(), network, run).trace) == ["layers.1.lif"]


def test_progress_adds_up_to_one() -> None:
    network = network_of()
    parts: list[float] = []
    run_whole(
        ReferenceEngine(), network, Run(inputs_of(network), np.full(3, 12), progress=parts.append)
    )
    assert sum(parts) == pytest.approx(1.0)
    assert all(part > 0 for part in parts)


def test_saturation_is_counted_value_by_value() -> None:
    source = Input(name="input", output=Format(8, 0), channels=2)
    narrow = Requantize(name="node", inputs=(Edge("input"),), output=Format(4, 0), channels=2)
    network = Network("lowered", (source, narrow), "all")
    mantissas = np.array([[[8, 7], [-8, -7], [127, 0]], [[0, 0], [-127, 1], [7, 9]]])
    result = run_reference(network, mantissas)
    assert result.saturated["node"] == 5
    np.testing.assert_array_equal(result.trace["node"], np.clip(mantissas, -7, 7))


def test_inputs_are_left_as_they_were() -> None:
    network = network_of(reverse=True)
    mantissas = inputs_of(network)
    mantissas.flags.writeable = False
    run_reference(network, mantissas)


# --- the registry


def test_engines_are_found_by_name() -> None:
    assert set(ENGINES) == {"native", "reference", "lava", "c", "onnx", "verilog"}
    engine = get_engine("reference")
    assert isinstance(engine, ReferenceEngine)
    assert engine.name == "reference"


def test_an_unknown_engine() -> None:
    told = "unknown backend 'gpu'; there are: native, reference, lava, c"
    with pytest.raises(ConfigError, match=told):
        get_engine("gpu")

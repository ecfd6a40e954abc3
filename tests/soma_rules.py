"""Broken rules of neurons, and what is told: see ``test_verifier``."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
from networks import Network, around

from snn_deploy.ir.formats import Format
from snn_deploy.nodes.adaptation_soma import AdaptationSoma
from snn_deploy.nodes.chip_alif import ChipAlif
from snn_deploy.nodes.chip_cuba import ChipCuba
from snn_deploy.nodes.chip_resonator import ChipResonator
from snn_deploy.nodes.crossing_soma import CrossingSoma
from snn_deploy.nodes.cuba_soma import CubaSoma
from snn_deploy.nodes.drawn_soma import DrawnSoma
from snn_deploy.nodes.layer_sign import LayerSign
from snn_deploy.nodes.level_soma import LevelSoma
from snn_deploy.nodes.lif import ChipLif
from snn_deploy.nodes.lif_registers import LifRegisters
from snn_deploy.nodes.multiply import Multiply
from snn_deploy.nodes.rectify import Rectify
from snn_deploy.nodes.refractory_soma import RefractorySoma
from snn_deploy.nodes.resonator_soma import ResonatorSoma
from snn_deploy.nodes.self_gate import SelfGate
from snn_deploy.nodes.sigma_delta import SigmaDelta
from snn_deploy.nodes.sign_soma import SignSoma
from snn_deploy.nodes.silence import Silence
from snn_deploy.nodes.soft_reset_soma import SoftResetSoma
from snn_deploy.nodes.ternary_soma import TernarySoma

__all__ = ["SOMA_RULES"]

HUGE, WIDE = 1 << 30, np.ones(9, np.int32)


def broken(kind: Any, told: str, **fields: Any) -> tuple[Callable[[], Network], str]:
    def make() -> Network:
        network = around(kind, np.random.default_rng(0))
        node: Any = network["node"]
        made = {k: v(node) if callable(v) else v for k, v in fields.items()}
        return network.rewrite({"node": (replace(node, **made),)})

    return make, f"node 'node' ({kind.__name__}): {told}"


def _huge(node: Any) -> Any:
    return np.full(node.width, HUGE, np.int32)


def _wide_factors() -> Network:
    network = around(Multiply, np.random.default_rng(0))
    source: Any = network["input"]
    return network.rewrite({"input": (replace(source, output=Format(32, 0)),)})


def _mixed_exponents() -> Network:
    network = around(LayerSign, np.random.default_rng(4))
    source: Any = network["input"]
    assert source.width > 1
    form = Format(8, tuple(range(source.width)))
    return network.rewrite({"input": (replace(source, output=form),)})


SOMA_RULES: dict[str, tuple[Callable[[], Network], str]] = {}
for _kind in (RefractorySoma, TernarySoma, SoftResetSoma):
    SOMA_RULES |= {
        f"{_kind.__name__}: {name}": broken(_kind, told, **fields)
        for name, told, fields in (
            ("no decay", "decay_bits 1 is outside 2 … 24", {"decay_bits": 1}),
            ("a state too wide", "state_bits 33 is outside 2 … 32", {"state_bits": 33}),
            ("a shift to the right", "align -1 is outside 0 … 24", {"align": -1}),
            ("a level too high", "threshold ", {"threshold": _huge}),
        )
    }
for _kind in (RefractorySoma, TernarySoma):
    SOMA_RULES[f"{_kind.__name__}: a decay too large"] = broken(_kind, f"kept {HUGE} is", kept=HUGE)
for _kind in (
    RefractorySoma,
    SoftResetSoma,
    CrossingSoma,
    LevelSoma,
    AdaptationSoma,
    ResonatorSoma,
    CubaSoma,
    DrawnSoma,
    ChipCuba,
    ChipAlif,
    ChipResonator,
):
    told = "its output must be spikes, u1e0"
    SOMA_RULES[f"{_kind.__name__}: graded"] = broken(_kind, told, output=Format(8, 0))
for _kind in (ChipAlif, ChipCuba, ChipResonator):
    SOMA_RULES[f"{_kind.__name__}: shifted too far"] = broken(
        _kind, "align 17 is outside 0 … 16", align=17
    )
    SOMA_RULES[f"{_kind.__name__}: a threshold too high"] = broken(
        _kind, "threshold is outside 0 … ", threshold=_huge
    )
for _name in ("fade", "decay", "threshold_decay", "refractory_decay", "rise", "bias"):
    SOMA_RULES[f"ChipAlif: {_name} too large"] = broken(
        ChipAlif, f"{_name} is outside ", **{_name: _huge}
    )
    SOMA_RULES[f"ChipAlif: {_name} of others"] = broken(
        ChipAlif, f"{_name} has shape (9,), not (", **{_name: WIDE}
    )
for _name in ("sin", "cos"):
    SOMA_RULES[f"ChipResonator: {_name} of 1"] = broken(
        ChipResonator,
        f"{_name} is outside 0 … 4095",
        **{_name: lambda node: np.full(node.width, 4096, np.int32)},
    )
for _name in ("fade", "pull", "leak", "rise", "drop", "threshold"):
    SOMA_RULES[f"AdaptationSoma: {_name} too large"] = broken(
        AdaptationSoma, f"{_name} exceeds ", **{_name: _huge}
    )
for _name in ("gain", "reset_real", "reset_imag", "threshold"):
    SOMA_RULES[f"ResonatorSoma: {_name} too large"] = broken(
        ResonatorSoma, f"{_name} exceeds ", **{_name: _huge}
    )
for _name in ("leak", "gain", "threshold", "reset"):
    SOMA_RULES[f"CubaSoma: {_name} too large"] = broken(
        CubaSoma, f"{_name} exceeds ", **{_name: _huge}
    )
SOMA_RULES |= {
    "CubaSoma: factors too wide": broken(
        CubaSoma, "coefficient_bits 1 is outside 2 … 24", coefficient_bits=1
    ),
    "CubaSoma: words too wide": broken(CubaSoma, "state_bits 33 is outside 2 … 32", state_bits=33),
    "CubaSoma: half a current": broken(
        CubaSoma, "has one of fade and fade_shift, not both", fade=None, fade_shift=WIDE
    ),
    "CubaSoma: a share shifted to the left": broken(
        CubaSoma,
        "leak_shift is outside 0 … 47",
        leak_shift=lambda node: np.full(node.width, -1, np.int8),
    ),
    "CubaSoma: a drive shifted to the right": broken(
        CubaSoma, "align is outside 0 … 24", align=lambda node: np.full(node.width, -1, np.int8)
    ),
    "factors too wide": broken(
        AdaptationSoma, "coefficient_bits 25 is outside 2 … 24", coefficient_bits=25
    ),
    "words too wide": broken(AdaptationSoma, "state_bits 33 is outside 2 … 32", state_bits=33),
    "a rise of a wrong shape": broken(AdaptationSoma, "rise has shape (9,)", rise=WIDE),
    "a share shifted to the left": broken(
        AdaptationSoma,
        "leak_shift is outside 0 … 47",
        leak_shift=lambda node: np.full(node.width, -1, np.int8),
    ),
    "a drive shifted too far": broken(
        AdaptationSoma,
        "align is outside -47 … 24",
        align=lambda node: np.full(node.width, 25, np.int8),
    ),
    "no words of a pole": broken(
        ResonatorSoma, "words of a pole 0 is outside 1 … 2", pole=lambda node: node.pole[:0]
    ),
    "poles too far down": broken(
        ResonatorSoma,
        "shift of a pole 52 is outside 0 … 47",
        pole=lambda node: node.pole[[0, 0]],
        pole_shift=37,
        coefficient_bits=16,
    ),
    "poles shifted to the left": broken(
        ResonatorSoma, "shift of a pole -1 is outside 0 … 47", pole_shift=-1
    ),
    "real poles": broken(ResonatorSoma, "pole has shape", pole=lambda node: node.pole[:, :1]),
    "poles too large": broken(
        ResonatorSoma, "pole exceeds ", pole=lambda node: node.pole + np.int32(HUGE)
    ),
    "a gain shifted to the left": broken(
        ResonatorSoma,
        "gain_shift is outside 0 … 47",
        gain_shift=lambda node: np.full(node.width, -1, np.int8),
    ),
    "resonators' factors too wide": broken(
        ResonatorSoma, "coefficient_bits 25 is outside 2 … 24", coefficient_bits=25
    ),
    "resonators' words too wide": broken(
        ResonatorSoma, "state_bits 33 is outside 2 … 32", state_bits=33
    ),
    "a draw of no number": broken(DrawnSoma, "draw -1 is outside 0 … ", draw=-1),
    "a generator that stands still": broken(
        DrawnSoma, "a first word is outside 1 … 16777215", first=lambda node: node.first * 0
    ),
    "first words of a wrong shape": broken(
        DrawnSoma, "first has shape", first=lambda node: node.first[:, None]
    ),
    **{
        f"a register of a wrong width: {registers}": broken(ChipLif, told, registers=registers)
        for registers, told in (
            (LifRegisters(membrane_bits=33), "membrane_bits 33 is outside 2 … 32"),
            (LifRegisters(align_bits=23), "align_bits 23 is outside 0 … 22"),
            (LifRegisters(decay_bits=0), "decay_bits 0 is outside 1 … 31"),
            (LifRegisters(threshold_bits=19), "threshold_bits 19 is outside 1 … 18"),
            (LifRegisters(decay_bits=31, membrane_bits=32), "a membrane's decay: 32 + 32 bits"),
        )
    },
    "shifts of a wrong shape": broken(DrawnSoma, "shift has shape (9,)", shift=WIDE),
    "draws shifted to the left": broken(
        DrawnSoma,
        "shift is outside 0 … 24",
        shift=lambda node: np.full(node.width, -1, np.int8),
    ),
    "draws of another exponent": broken(
        DrawnSoma,
        "its shift is not that of its input",
        shift=lambda node: ((node.shift + 1) % 24).astype(np.int8),
    ),
    "strengths of a wrong shape": broken(RefractorySoma, "strength has shape (9,)", strength=WIDE),
    "levels of two dimensions": broken(
        TernarySoma, "threshold has shape", threshold=lambda node: node.threshold[:, None]
    ),
    "decays of a wrong shape": broken(SoftResetSoma, "kept has shape (9,)", kept=WIDE),
    "decays too large": broken(SoftResetSoma, "kept is negative, or exceeds ", kept=_huge),
    "more than a sign": broken(
        TernarySoma, "its output must be -1, 0 or 1 of two bits", output=Format(8, 0)
    ),
    "a level too wide": broken(LevelSoma, "level_bits 33 is outside 2 … 32", level_bits=33),
    "a level beyond its width": broken(LevelSoma, "level exceeds ", level=_huge),
    "a level of two dimensions": broken(
        LevelSoma, "level has shape", level=lambda node: node.level[:, None]
    ),
    "levels too wide": broken(CrossingSoma, "level_bits 33 is outside 2 … 32", level_bits=33),
    "a base of two dimensions": broken(
        CrossingSoma, "base has shape", base=lambda node: node.base[:, None]
    ),
    "no taps": broken(CrossingSoma, "0 taps, not 1 to 30", rise=lambda node: node.rise[:0]),
    "taps of a wrong shape": broken(
        CrossingSoma, "rise has shape", rise=lambda node: node.rise[:, :, None]
    ),
    "a base too high": broken(CrossingSoma, "base or rise exceeds ", base=_huge),
    "a sign's level too wide": broken(SignSoma, "level_bits 33 is outside 2 … 32", level_bits=33),
    "a sign's level of two dimensions": broken(
        SignSoma, "level has shape", level=lambda node: node.level[:, None]
    ),
    "a negative level": broken(SignSoma, "level is outside 0 … 2**", level=lambda n: -1 - n.level),
    "a sign of three bits": broken(
        SignSoma, "its output must be -1, 0 or 1 of two bits", output=Format(3, 0)
    ),
    "a current that fades too fast": broken(
        ChipCuba, "fade is outside 0 … 4096", fade=lambda node: node.fade + 4097
    ),
    "currents for other neurons": broken(ChipCuba, "fade has shape (9,), not (", fade=WIDE),
    "biases for other neurons": broken(ChipCuba, "bias has shape (9,), not (", bias=WIDE),
    "a huge bias": broken(ChipCuba, "bias exceeds 24 bits", bias=_huge),
    "sums too wide": broken(SigmaDelta, "state_bits 33 is outside 2 … 32", state_bits=33),
    "changes never large enough": broken(
        SigmaDelta, "threshold 1073741824 is outside 0 … ", threshold=HUGE
    ),
    "changes shifted too far": broken(SigmaDelta, "scale 25 is outside 0 … 24", scale=25),
    "an activation's huge bias": broken(SigmaDelta, "bias exceeds ", bias=_huge),
    "no fraction": broken(LayerSign, "fraction_bits 1 is outside 2 … 32", fraction_bits=1),
    "a fraction too large": broken(LayerSign, "fraction 1073741824 is outside 0 … ", fraction=HUGE),
    "a fraction's shift": broken(LayerSign, "shift 48 is outside 0 … 47", shift=48),
    "a layer's sign of three bits": broken(
        LayerSign, "its output must be -1, 0 or 1 of two bits", output=Format(3, 0)
    ),
    "a maximum of different exponents": (
        _mixed_exponents,
        "node 'node' (LayerSign): adds signals of different exponents",
    ),
    "rectified too far": broken(
        Rectify, "align is outside -47 … 24", align=lambda node: node.align + 60
    ),
    "rectified to other exponents": broken(
        Rectify, "adds signals of different exponents", align=lambda node: node.align + 1
    ),
    "a table that is no power of two": broken(
        SelfGate, "table of 3 rows: no power of two", table=np.zeros(3, np.int32)
    ),
    "rows too far away": broken(
        SelfGate, "align is outside -47 … 24", align=lambda node: node.align + 60
    ),
    "a gated shift to the left": broken(
        SelfGate, "out_shift is outside 0 … 47", out_shift=lambda node: node.out_shift - 40
    ),
    "a product shifted to the left": broken(
        Multiply, "shift is outside 0 … 47", shift=lambda node: node.shift - 40
    ),
    "a product too wide": (
        _wide_factors,
        "node 'node' (Multiply): a product: 32 + 32 bits, over 63",
    ),
    "one factor": broken(Multiply, "takes two inputs, not 1", inputs=lambda node: node.inputs[:1]),
    "three factors": broken(
        Multiply, "takes two inputs, not 3", inputs=lambda node: (*node.inputs, node.inputs[0])
    ),
    "silence in another format": broken(
        Silence, "its output's format is not its input's", output=Format(8, 40)
    ),
}

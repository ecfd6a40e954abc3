"""From a layer's ``neuron`` group to the node that it is."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from snn_deploy.errors import UnsupportedNetworkError
from snn_deploy.ir.formats import Edge, Format
from snn_deploy.nodes.base import IntegerNode
from snn_deploy.nodes.chip_alif import ChipAlif
from snn_deploy.nodes.chip_cuba import ChipCuba
from snn_deploy.nodes.chip_resonator import ChipResonator
from snn_deploy.nodes.lif_registers import LOIHI
from snn_deploy.nodes.sigma_delta import SigmaDelta
from snn_deploy.printable import shown
from snn_deploy.readers.lava_dl.fields import Fields, IntArray

__all__ = [
    "ALIF",
    "ALIF_FIELDS",
    "CUBA_FIELDS",
    "KNOWN",
    "RESONATORS",
    "RESONATOR_FIELDS",
    "SIGMA_DELTA",
    "neuron_kind",
    "neuron_of",
    "resonator",
]

SIGMA_DELTA, ALIF, PHASE = "SDNN", "ALIF", "RF_PHASE"
RESONATORS = (PHASE, "RF_IZHIKEVICH")
KNOWN = ("CUBA", "LOIHI", ALIF, SIGMA_DELTA, *RESONATORS)
CUBA_FIELDS = {"fade": "iDecay", "decay": "vDecay", "threshold": "vThMant"}
ALIF_FIELDS = {
    **CUBA_FIELDS,
    "threshold_decay": "thDecay",
    "refractory_decay": "refDecay",
    "rise": "vThStep",
}
RESONATOR_FIELDS = {"sin": "sinDecay", "cos": "cosDecay", "threshold": "vThMant"}
SPIKE_EXPONENT = 6  # of what sigma-delta neurons send
STATE_EXPONENT = 6  # of what they hold more
MESSAGE_BITS = 16
STATE_BITS = 24
HIGHEST = 2**31 - 1

Shape = tuple[int, ...]


def neuron_kind(neuron: Fields) -> str:
    """Give the type of neuron, if there is a node for it.

    Raises
    ------
    UnsupportedNetworkError
        If there is none.
    """
    kind = neuron.text("type")
    if kind not in KNOWN:
        why = "netx runs them as if they did not adapt" if "RF" in kind else "netx runs none"
        raise UnsupportedNetworkError(
            f"{neuron.where}: neurons of type {shown(kind)} are not read, and {why}; "
            f"{', '.join(KNOWN)} are"
        )
    if kind == SIGMA_DELTA and neuron.has("activation") and neuron.text("activation") != "relu":
        told = shown(neuron.text("activation"))
        raise UnsupportedNetworkError(f"{neuron.where}: activation {told} is not read; relu is")
    if neuron.has("refDelay") and neuron.number("refDelay") > 1:
        raise UnsupportedNetworkError(
            f"{neuron.where}: a refractory delay of {neuron.number('refDelay')} steps, which no "
            "model of Loihi's neuron in Lava has; 1 is read"
        )
    graded = neuron.has("gradedSpike") and neuron.number("gradedSpike") != 0
    if kind == ALIF and (graded or neuron.has("weight_exp")):
        told = "graded spikes" if graded else "drives that a norm scales (weight_exp)"
        raise UnsupportedNetworkError(f"{neuron.where}: {told} of ALIF neurons are not read")
    return kind


def neuron_of(
    neuron: Fields, name: str, source: str, shape: Shape, exponent: int, bias: IntArray
) -> IntegerNode:
    """Make neurons of ``shape``, whose drive counts units of ``2**exponent``."""
    kind = neuron_kind(neuron)
    if kind in RESONATORS:
        raise UnsupportedNetworkError(
            f"{neuron.where}: a resonator is read behind dense complex weights alone, as by netx"
        )
    if kind == SIGMA_DELTA:
        return _sigma_delta(neuron, name, source, shape, bias)
    common: dict[str, Any] = {
        "name": name,
        "inputs": (Edge(source),),
        "bias": np.broadcast_to(bias, math.prod(shape)).astype(np.int32),
        "align": LOIHI.align_bits + exponent,
    }
    if kind == ALIF:
        return ChipAlif(**common, **_fields(neuron, ALIF_FIELDS, shape))
    return ChipCuba(**common, **_fields(neuron, CUBA_FIELDS, shape))


def resonator(
    neuron: Fields, name: str, sources: Sequence[str], shape: Shape, exponent: int
) -> ChipResonator:
    """Make resonators of ``shape``, driven by a real and an imaginary source, in units of
    ``2**exponent``.
    """
    return ChipResonator(
        name=name,
        inputs=tuple(map(Edge, sources)),
        **_fields(neuron, RESONATOR_FIELDS, shape),
        phase=neuron.text("type") == PHASE,
        align=LOIHI.align_bits + exponent,
    )


def _sigma_delta(
    neuron: Fields, name: str, source: str, shape: Shape, bias: IntArray
) -> SigmaDelta:
    """Make sigma-delta neurons of ``shape``; they send as many bits as their readers leave them."""
    width, exponent = int(np.prod(shape)), SPIKE_EXPONENT + STATE_EXPONENT
    return SigmaDelta(
        name=name,
        inputs=(Edge(source),),
        output=Format(MESSAGE_BITS, SPIKE_EXPONENT),
        bias=np.broadcast_to(np.clip(bias << exponent, -HIGHEST, HIGHEST), width).astype(np.int32),
        threshold=neuron.number("vThMant") << exponent,
        scale=STATE_EXPONENT,
        rectify=True,
        state_bits=STATE_BITS,
    )


def _fields(neuron: Fields, names: Mapping[str, str], shape: Shape) -> dict[str, Any]:
    return {ours: _of_each(neuron, theirs, shape) for ours, theirs in names.items()}


def _of_each(neuron: Fields, name: str, shape: Shape) -> IntArray:
    """Give a parameter of each neuron: of all, of each map, or of each of them."""
    found, width = neuron.integers(name).reshape(-1), int(np.prod(shape))
    if found.size not in (1, shape[0], width):
        raise neuron.refused(f"'{name}' has {found.size} numbers, for {shape} neurons")
    if found.size == shape[0] != width:
        found = np.repeat(found, width // shape[0])
    return np.broadcast_to(found, (width,)).astype(np.int32)

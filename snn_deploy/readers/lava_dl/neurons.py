"""From a layer's ``neuron`` group to the node that it is."""

from __future__ import annotations

from typing import Any

import numpy as np

from snn_deploy.errors import UnsupportedNetworkError
from snn_deploy.ir.formats import Edge, Format
from snn_deploy.nodes.chip_cuba import ChipCuba
from snn_deploy.nodes.lif import LOIHI
from snn_deploy.nodes.sigma_delta import SigmaDelta
from snn_deploy.printable import shown
from snn_deploy.readers.lava_dl.fields import Fields, IntArray

__all__ = ["SIGMA_DELTA", "cuba", "neuron_kind", "sigma_delta"]

CUBA = ("CUBA", "LOIHI")
SIGMA_DELTA = "SDNN"
SPIKE_EXPONENT = 6  # of what sigma-delta neurons send
STATE_EXPONENT = 6  # of what they hold more
MESSAGE_BITS = 16
STATE_BITS = 24
HIGHEST = 2**31 - 1


def neuron_kind(neuron: Fields) -> str:
    """Give the type of neuron, if there is a node for it.

    Raises
    ------
    UnsupportedNetworkError
        If there is none.
    """
    kind = neuron.text("type")
    if kind not in (*CUBA, SIGMA_DELTA):
        known = ", ".join((*CUBA, SIGMA_DELTA))
        why = "" if "RF" in kind else ", and netx runs none"
        raise UnsupportedNetworkError(
            f"{neuron.where}: neurons of type {shown(kind)} are not read{why}; {known} are"
        )
    if kind == SIGMA_DELTA and neuron.has("activation") and neuron.text("activation") != "relu":
        told = shown(neuron.text("activation"))
        raise UnsupportedNetworkError(f"{neuron.where}: activation {told} is not read; relu is")
    if neuron.has("refDelay") and neuron.number("refDelay") > 1:
        raise UnsupportedNetworkError(
            f"{neuron.where}: a refractory delay of {neuron.number('refDelay')} steps, which no "
            "model of Loihi's neuron in Lava has; 1 is read"
        )
    return kind


def cuba(
    neuron: Fields, name: str, source: str, shape: tuple[int, ...], exponent: int, bias: IntArray
) -> ChipCuba:
    """Make Loihi's own neurons of ``shape``, whose drive counts units of ``2**exponent``."""
    width = int(np.prod(shape))
    fields: dict[str, Any] = {
        ours: _of_each(neuron, theirs, shape)
        for ours, theirs in (("fade", "iDecay"), ("decay", "vDecay"), ("threshold", "vThMant"))
    }
    return ChipCuba(
        name=name,
        inputs=(Edge(source),),
        **fields,
        bias=np.broadcast_to(bias, (width,)).astype(np.int32),
        align=LOIHI.align_bits + exponent,
    )


def sigma_delta(
    neuron: Fields, name: str, source: str, shape: tuple[int, ...], bias: IntArray
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


def _of_each(neuron: Fields, name: str, shape: tuple[int, ...]) -> IntArray:
    """Give a parameter of each neuron: of all, of each map, or of each of them."""
    found, width = neuron.integers(name).reshape(-1), int(np.prod(shape))
    if found.size not in (1, shape[0], width):
        raise neuron.refused(f"'{name}' has {found.size} numbers, for {shape} neurons")
    if found.size == shape[0] != width:
        found = np.repeat(found, width // shape[0])
    return np.broadcast_to(found, (width,)).astype(np.int32)

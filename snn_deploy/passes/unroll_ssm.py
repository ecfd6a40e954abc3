"""Unroll the SSM recurrence into explicit dendrite compartments.

A causal SSM becomes one dendrite whose compartments feed the soma. A bidirectional one becomes two
dendrites, the second over the buffered sequence from its end, and a relay that adds them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from snn_deploy.ir.formats import Edge, Format
from snn_deploy.ir.network import Network
from snn_deploy.ir.node import Node
from snn_deploy.nodes.base import Rescale
from snn_deploy.nodes.dendrite import Dendrite, ModeBank, QuantizedSsm
from snn_deploy.nodes.requantize import Requantize
from snn_deploy.passes.base import Pass

__all__ = ["UnrollSsm"]


@dataclass(frozen=True)
class UnrollSsm(Pass):
    """QuantizedSsm to Dendrite, or to two and a Requantize."""

    name = "unroll-ssm"
    takes = "integer"
    gives = "integer"

    def __call__(self, network: Network) -> Network:
        return network.rewrite({ssm.name: _unroll(ssm) for ssm in network.of_kind(QuantizedSsm)})


def _unroll(ssm: QuantizedSsm) -> tuple[Node, ...]:
    if ssm.reverse is None:
        return (_dendrite(ssm, ssm.name, ssm.forward, ssm.output, ssm.drive_shift),)
    # the halves meet before the shift, so that the drive is rounded once, as in QuantizedSsm
    exponents = ssm.output.exponents(ssm.width) + ssm.drive_shift
    partial = Format(ssm.sum_bits, tuple(int(e) for e in exponents))
    forward = _dendrite(ssm, f"{ssm.name}.forward", ssm.forward, partial, 0)
    reverse = _dendrite(ssm, f"{ssm.name}.reverse", ssm.reverse, partial, 0, reversed_time=True)
    return forward, reverse, _sum(ssm, forward.name, reverse.name)


def _dendrite(
    ssm: QuantizedSsm,
    name: str,
    bank: ModeBank,
    output: Format,
    drive_shift: int,
    reversed_time: bool = False,
) -> Dendrite:
    skip = np.zeros_like(ssm.skip_mantissa) if reversed_time else ssm.skip_mantissa
    return Dendrite(
        name=name,
        inputs=ssm.inputs,
        output=output,
        bank=bank,
        skip_mantissa=skip,
        skip_shift=ssm.skip_shift,
        drive_shift=drive_shift,
        sum_bits=ssm.sum_bits,
        reversed_time=reversed_time,
    )


def _sum(ssm: QuantizedSsm, *parts: str) -> Requantize:
    rescale = Rescale(
        mantissa=np.ones(ssm.width, np.int32),
        shift=np.full(ssm.width, ssm.drive_shift, np.int8),
        bias=np.zeros(ssm.width, np.int32),
        bits=ssm.forward.coefficient_bits,
    )
    return Requantize(
        name=ssm.name,
        inputs=tuple(Edge(part) for part in parts),
        output=ssm.output,
        channels=ssm.width,
        rescale=rescale,
    )

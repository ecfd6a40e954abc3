"""QuantizedSsm: the diagonal SSM, causal or in both directions, before it becomes dendrites."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from snn_deploy.ir.formats import Edge, Format
from snn_deploy.ir.node import Node
from snn_deploy.ir.program import Tracer
from snn_deploy.ir.program_step import run_program
from snn_deploy.nodes.base import IntArray, Place, Rescale
from snn_deploy.nodes.dendrite import Dendrite, Driven, ModeBank
from snn_deploy.nodes.requantize import Requantize

__all__ = ["QuantizedSsm"]


@dataclass(frozen=True, kw_only=True, eq=False)
class QuantizedSsm(Driven):
    """A quantised diagonal SSM: ``y = sat(rs(forward + skip [+ reverse], drive_shift))``.

    ``forward`` is the sum over its modes of their contributions, within ``sum_bits``; ``skip`` is
    ``ms(x, skip_mantissa, skip_shift)``, (H,) each; ``reverse`` sums a second bank that runs from
    the last step to the first and gives at step t what it had gathered from the steps after t.
    """

    lowered = False

    forward: ModeBank
    reverse: ModeBank | None

    @property
    def banks(self) -> tuple[ModeBank, ...]:
        return (self.forward,) if self.reverse is None else (self.forward, self.reverse)

    def run(self, sources: Sequence[IntArray], place: Place) -> tuple[IntArray, int]:
        """Run whole signals, each bank in its own direction of time."""
        parts, clipped = [sources[0]], 0
        for backwards, bank in enumerate(self.banks):
            tracer = Tracer(self.width)
            program = tracer.program(bank.step(tracer, tracer.input(), bool(backwards)))
            drive, count = run_program(program, sources, {}, bool(backwards))
            parts.append(drive)
            clipped += count
        tracer = Tracer(self.width)
        total = tracer.input(1)
        for port in range(2, len(parts)):
            total = total + tracer.input(port)
        closing = tracer.program(self.driven(tracer, tracer.input(), total))
        y, count = run_program(closing, parts, {})
        return y, clipped + count

    def unrolled(self) -> tuple[Node, ...]:
        if self.reverse is None:
            return (self._dendrite(self.name, self.forward, self.output, self.drive_shift),)
        # the halves meet before the shift, so that the drive is rounded once, as here
        exponents = self.output.exponents(self.width) + self.drive_shift
        partial = Format(self.sum_bits, tuple(int(e) for e in exponents))
        forward = self._dendrite(f"{self.name}.forward", self.forward, partial, 0)
        reverse = self._dendrite(f"{self.name}.reverse", self.reverse, partial, 0, True)
        return forward, reverse, self._sum(forward.name, reverse.name)

    def _dendrite(
        self,
        name: str,
        bank: ModeBank,
        output: Format,
        drive_shift: int,
        reversed_time: bool = False,
    ) -> Dendrite:
        skip = np.zeros_like(self.skip_mantissa) if reversed_time else self.skip_mantissa
        return Dendrite(
            name=name,
            inputs=self.inputs,
            output=output,
            bank=bank,
            skip_mantissa=skip,
            skip_shift=self.skip_shift,
            drive_shift=drive_shift,
            sum_bits=self.sum_bits,
            reversed_time=reversed_time,
        )

    def _sum(self, *parts: str) -> Requantize:
        rescale = Rescale(
            mantissa=np.ones(self.width, np.int32),
            shift=np.full(self.width, self.drive_shift, np.int8),
            bias=np.zeros(self.width, np.int32),
            bits=self.forward.coefficient_bits,
        )
        return Requantize(
            name=self.name,
            inputs=tuple(Edge(part) for part in parts),
            output=self.output,
            channels=self.width,
            rescale=rescale,
        )

"""Sums of 8-bit weights, many at once in registers: what spikes bring to a block of neurons.

A block of ``size`` 16-bit sums takes 256 columns of weights in ±127 before it could overflow.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from llvmlite import ir
from numba import extending
from numba.core import types
from numba.extending import models, register_model

from snn_deploy.engines.native.compilation import inlined

__all__ = ["COLUMNS_IN_A_SUM", "ShortSums", "make_column_adder"]

COLUMNS_IN_A_SUM = 32767 // 127

intrinsic: Any = extending.intrinsic
Array = Any  # numba knows the types


class ShortSums(types.Type):  # numba has no types
    """numba's type of a block of 16-bit sums."""

    def __init__(self, size: int) -> None:
        self.size = size
        super().__init__(name=f"ShortSums({size})")


@register_model(ShortSums)
class _ShortSumsModel(models.PrimitiveModel):
    def __init__(self, manager: Any, fe_type: Any) -> None:
        super().__init__(manager, fe_type, ir.VectorType(ir.IntType(16), fe_type.size))  # type: ignore[no-untyped-call]


def make_column_adder(size: int) -> Callable[..., None]:
    """Make the loop that sums columns over a block of ``size`` neurons."""
    block = ShortSums(size)
    shorts = ir.VectorType(ir.IntType(16), size)
    octets = ir.VectorType(ir.IntType(8), size)
    doubles = ir.VectorType(ir.DoubleType(), size)

    def pointer_to(vector: Any, context: Any, builder: Any, array: Any, arguments: Any) -> Any:
        data = context.make_array(array)(context, builder, arguments[0]).data
        return builder.bitcast(builder.gep(data, [arguments[1]]), vector.as_pointer())

    @intrinsic
    def nothing(typing: Any) -> Any:
        def codegen(context: Any, builder: Any, signature: Any, arguments: list[Any]) -> Any:
            return ir.Constant(shorts, [0] * size)

        return block(), codegen

    @intrinsic
    def plus_bytes(typing: Any, array: Any, index: Any, sums: Any) -> Any:
        def codegen(context: Any, builder: Any, signature: Any, arguments: list[Any]) -> Any:
            pointer = pointer_to(octets, context, builder, array, arguments)
            return builder.add(arguments[2], builder.sext(builder.load(pointer, align=1), shorts))

        return block(array, types.intp, block), codegen

    @intrinsic
    def write(typing: Any, array: Any, index: Any, sums: Any, onto: Any) -> Any:
        """Write the sums as doubles, added to what is there if ``onto``."""

        def codegen(context: Any, builder: Any, signature: Any, arguments: list[Any]) -> Any:
            pointer = pointer_to(doubles, context, builder, array, arguments)
            values = builder.sitofp(arguments[2], doubles)
            with builder.if_else(arguments[3]) as (then, otherwise):
                with then:
                    total = builder.fadd(values, builder.load(pointer, align=8))
                    builder.store(total, pointer, align=8)
                with otherwise:
                    builder.store(values, pointer, align=8)
            return context.get_dummy_value()

        return types.void(array, types.intp, block, types.boolean), codegen

    @inlined
    def add_columns(
        weights: Array, at: int, events: Array, count: int, signals: Array, y: int
    ) -> None:
        """Write at ``y`` the sums, over the rows of ``weights`` that start where ``events`` says,
        of the block of columns that starts at ``at``.
        """
        sums = nothing()
        for event in range(min(count, COLUMNS_IN_A_SUM)):
            sums = plus_bytes(weights, at + events[event], sums)
        write(signals, y, sums, False)
        for first in range(COLUMNS_IN_A_SUM, count, COLUMNS_IN_A_SUM):
            sums = nothing()
            for event in range(first, min(count, first + COLUMNS_IN_A_SUM)):
                sums = plus_bytes(weights, at + events[event], sums)
            write(signals, y, sums, True)

    return add_columns

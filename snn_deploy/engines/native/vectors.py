"""Vectors of doubles for numba's loops, and exact integer arithmetic on them.

numba has no vectors of its own, and its loops are vectorised or not as LLVM sees fit. Here a
``Vector`` is ``LANES`` doubles in registers, and each operation is one instruction (or two, where
the CPU's registers are half as wide). They hold integers below 2**53, on which this is exact:

- adding and subtracting, as long as results stay below 2**53;
- ``fma(x, m, MAGIC)``, which rounds ``x * m`` to an integer, because doubles around ``MAGIC`` are
  1 apart: one instruction for the chip's multiply-and-shift, with ``m = mantissa * 2**-shift``. It
  rounds halves to even; to round them up as the chip does, x is moved by ``nudge(m)`` first: less
  than what could reach the next multiple of ``2**-shift``, and of the sign that makes the product
  larger.

A fused multiply-add rounds once, whatever the CPU, so that all machines give the same bits; where
the CPU has none, the C library's slow one is called.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import llvmlite.binding
from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic, models, register_model

__all__ = [
    "LANES",
    "MAGIC",
    "Vector",
    "add",
    "changed",
    "fma",
    "fnma",
    "greater",
    "load",
    "load_integers",
    "look_up",
    "lowest_bit",
    "maximum",
    "minimum",
    "multiply",
    "nonzero_bits",
    "splat",
    "store",
    "store_integers",
    "subtract",
    "sum_lanes",
    "sum_tally",
    "tally",
    "truncate",
]

MAGIC = 1.5 * 2.0**52  # the middle of the doubles that are 1 apart: room for ±2**51


def _lanes() -> int:
    features = llvmlite.binding.get_host_cpu_features()
    return 8 if features.get("avx512f") else 4


LANES = _lanes()


class Vector(types.Type):  # type: ignore[misc]  # numba has no types
    """numba's type of ``LANES`` doubles."""

    def __init__(self) -> None:
        super().__init__(name=f"Vector({LANES})")


@register_model(Vector)
class _VectorModel(models.PrimitiveModel):  # type: ignore[misc]
    def __init__(self, manager: Any, fe_type: Any) -> None:
        super().__init__(manager, fe_type, _LLVM_VECTOR)


Emit = Callable[[Any, list[Any]], Any]
"""Emits the instructions of an operation, given LLVM's builder and the operands."""

_VECTOR = Vector()
_DOUBLE = ir.DoubleType()
_LLVM_VECTOR = ir.VectorType(_DOUBLE, LANES)
_INT32 = ir.IntType(32)
_LLVM_INTEGERS = ir.VectorType(_INT32, LANES)
_LLVM_COUNTS = ir.VectorType(ir.IntType(64), LANES)
_ALIGNMENT = 8  # arrays are aligned to whole vectors, but nobody promises so to LLVM


def _splatted(value: float) -> ir.Constant:
    return ir.Constant(_LLVM_VECTOR, [value] * LANES)


def _call(builder: Any, name: str, arguments: list[Any]) -> Any:
    """Call one of LLVM's own vector functions."""
    kind = ir.FunctionType(_LLVM_VECTOR, [_LLVM_VECTOR] * len(arguments))
    name = f"llvm.{name}.v{LANES}f64"
    return builder.call(cgutils.get_or_insert_function(builder.module, kind, name), arguments)


def _codegen(emit: Emit) -> Any:
    def codegen(context: Any, builder: Any, signature: Any, arguments: list[Any]) -> Any:
        return emit(builder, arguments)

    return codegen


def _unary(emit: Emit, doc: str) -> Any:
    @intrinsic
    def operation(typing: Any, x: Any) -> Any:
        return _VECTOR(_VECTOR), _codegen(emit)

    operation.__doc__ = doc
    return operation


def _binary(emit: Emit, doc: str) -> Any:
    @intrinsic
    def operation(typing: Any, x: Any, y: Any) -> Any:
        return _VECTOR(_VECTOR, _VECTOR), _codegen(emit)

    operation.__doc__ = doc
    return operation


def _ternary(emit: Emit, doc: str) -> Any:
    @intrinsic
    def operation(typing: Any, x: Any, y: Any, z: Any) -> Any:
        return _VECTOR(_VECTOR, _VECTOR, _VECTOR), _codegen(emit)

    operation.__doc__ = doc
    return operation


def _minimum(builder: Any, x: list[Any]) -> Any:
    return builder.select(builder.fcmp_ordered("<", x[0], x[1]), x[0], x[1])


def _maximum(builder: Any, x: list[Any]) -> Any:
    return builder.select(builder.fcmp_ordered(">", x[0], x[1]), x[0], x[1])


def _compare(sign: str) -> Emit:
    def emit(builder: Any, x: list[Any]) -> Any:
        return builder.select(builder.fcmp_ordered(sign, *x), _splatted(1.0), _splatted(0.0))

    return emit


add = _binary(lambda b, x: b.fadd(*x), "x + y")
subtract = _binary(lambda b, x: b.fsub(*x), "x - y")
multiply = _binary(lambda b, x: b.fmul(*x), "x * y")
minimum = _binary(_minimum, "The smaller of x and y")
maximum = _binary(_maximum, "The larger of x and y")
changed = _binary(_compare("!="), "1 where x and y differ, else 0")
greater = _binary(_compare(">"), "1 where x > y, else 0")
truncate = _unary(lambda b, x: _call(b, "trunc", x), "x without its fraction")
fma = _ternary(lambda b, x: _call(b, "fma", x), "x * y + z, rounded once")
fnma = _ternary(lambda b, x: _call(b, "fma", [b.fneg(x[0]), x[1], x[2]]), "z - x * y, rounded once")


def _pointer(context: Any, builder: Any, array: Any, value: Any, index: Any) -> Any:
    data = context.make_array(array)(context, builder, value).data
    return builder.gep(data, [index])


@intrinsic
def load(typing: Any, array: Any, index: Any) -> Any:
    """``LANES`` doubles of a flat array from ``index`` on."""

    def codegen(context: Any, builder: Any, signature: Any, arguments: list[Any]) -> Any:
        pointer = _pointer(context, builder, array, *arguments)
        return builder.load(builder.bitcast(pointer, _LLVM_VECTOR.as_pointer()), align=_ALIGNMENT)

    return _VECTOR(array, types.intp), codegen


@intrinsic
def store(typing: Any, array: Any, index: Any, vector: Any) -> Any:
    """Write a vector to a flat array from ``index`` on."""

    def codegen(context: Any, builder: Any, signature: Any, arguments: list[Any]) -> Any:
        pointer = _pointer(context, builder, array, *arguments[:2])
        target = builder.bitcast(pointer, _LLVM_VECTOR.as_pointer())
        builder.store(arguments[2], target, align=_ALIGNMENT)
        return context.get_dummy_value()

    return types.void(array, types.intp, _VECTOR), codegen


@intrinsic
def load_integers(typing: Any, array: Any, index: Any, column: Any) -> Any:
    """``LANES`` int32 as doubles, from the ``column``-th on that follows ``array[index]``."""

    def codegen(context: Any, builder: Any, signature: Any, arguments: list[Any]) -> Any:
        start = builder.bitcast(
            _pointer(context, builder, array, *arguments[:2]), _INT32.as_pointer()
        )
        pointer = builder.bitcast(builder.gep(start, [arguments[2]]), _LLVM_INTEGERS.as_pointer())
        return builder.sitofp(builder.load(pointer, align=4), _LLVM_VECTOR)

    return _VECTOR(array, types.intp, types.intp), codegen


@intrinsic
def store_integers(typing: Any, array: Any, index: Any, vector: Any) -> Any:
    """Write a vector to a flat array of int32 from ``index`` on, past the cache: it is long, and
    read when all of it is written. It must start at a cache line, and ``index`` at a vector.
    """

    def codegen(context: Any, builder: Any, signature: Any, arguments: list[Any]) -> Any:
        pointer = _pointer(context, builder, array, *arguments[:2])
        target = builder.bitcast(pointer, _LLVM_INTEGERS.as_pointer())
        integers = builder.fptosi(arguments[2], _LLVM_INTEGERS)
        stored = builder.store(integers, target, align=4 * LANES)
        stored.set_metadata("nontemporal", builder.module.add_metadata([_INT32(1)]))
        return context.get_dummy_value()

    return types.void(array, types.intp, _VECTOR), codegen


@intrinsic
def splat(typing: Any, value: Any) -> Any:
    """A vector of one number."""

    def codegen(context: Any, builder: Any, signature: Any, arguments: list[Any]) -> Any:
        nothing = ir.Constant(_LLVM_VECTOR, ir.Undefined)
        single = builder.insert_element(nothing, arguments[0], _INT32(0))
        mask = ir.Constant(ir.VectorType(_INT32, LANES), [0] * LANES)
        return builder.shuffle_vector(single, nothing, mask)

    return _VECTOR(types.float64), codegen


@intrinsic
def sum_lanes(typing: Any, vector: Any) -> Any:
    """The sum of a vector's numbers."""

    def codegen(context: Any, builder: Any, signature: Any, arguments: list[Any]) -> Any:
        total = builder.extract_element(arguments[0], _INT32(0))
        for lane in range(1, LANES):
            total = builder.fadd(total, builder.extract_element(arguments[0], _INT32(lane)))
        return total

    return types.float64(_VECTOR), codegen


@intrinsic
def tally(typing: Any, counts: Any, x: Any, y: Any) -> Any:
    """Count, lane by lane, where x and y differ: ``counts`` start as a vector of 0.0, and hold
    64-bit integers, which take one instruction less than doubles; ``sum_tally`` adds them up.
    """

    def codegen(context: Any, builder: Any, signature: Any, arguments: list[Any]) -> Any:
        mask = builder.sext(builder.fcmp_ordered("!=", *arguments[1:]), _LLVM_COUNTS)
        counted = builder.sub(builder.bitcast(arguments[0], _LLVM_COUNTS), mask)
        return builder.bitcast(counted, _LLVM_VECTOR)

    return _VECTOR(_VECTOR, _VECTOR, _VECTOR), codegen


@intrinsic
def sum_tally(typing: Any, counts: Any) -> Any:
    """The sum of what ``tally`` counted."""

    def codegen(context: Any, builder: Any, signature: Any, arguments: list[Any]) -> Any:
        lanes = builder.bitcast(arguments[0], _LLVM_COUNTS)
        total = builder.extract_element(lanes, _INT32(0))
        for lane in range(1, LANES):
            total = builder.add(total, builder.extract_element(lanes, _INT32(lane)))
        return total

    return types.int64(_VECTOR), codegen


@intrinsic
def nonzero_bits(typing: Any, vector: Any) -> Any:
    """An int64 whose bit i tells that number i of a vector is not 0."""

    def codegen(context: Any, builder: Any, signature: Any, arguments: list[Any]) -> Any:
        mask = builder.fcmp_ordered("!=", arguments[0], _splatted(0.0))
        return builder.zext(builder.bitcast(mask, ir.IntType(LANES)), ir.IntType(64))

    return types.int64(_VECTOR), codegen


@intrinsic
def lowest_bit(typing: Any, bits: Any) -> Any:
    """The index of the lowest bit that is set; ``bits`` must not be 0."""

    def codegen(context: Any, builder: Any, signature: Any, arguments: list[Any]) -> Any:
        return builder.cttz(arguments[0], ir.Constant(ir.IntType(1), 1))

    return types.int64(types.int64), codegen


@intrinsic
def look_up(typing: Any, array: Any, start: Any, rows: Any) -> Any:
    """``array[start + row]`` for a vector of rows, less their fractions, which must be inside."""

    def codegen(context: Any, builder: Any, signature: Any, arguments: list[Any]) -> Any:
        value, start_value, row = arguments
        indices = builder.fptosi(row, ir.VectorType(_INT32, LANES))
        found = ir.Constant(_LLVM_VECTOR, ir.Undefined)
        base = _pointer(context, builder, array, value, start_value)
        for lane in range(LANES):
            index = builder.extract_element(indices, _INT32(lane))
            pointer = builder.gep(base, [builder.zext(index, ir.IntType(64))])
            found = builder.insert_element(found, builder.load(pointer), _INT32(lane))
        return found

    return _VECTOR(array, types.intp, _VECTOR), codegen

"""Vectors of doubles and floats for numba's loops, and exact integer arithmetic on them.

numba has no vectors of its own, and its loops are vectorised or not as LLVM sees fit. Here a
``Vector`` is ``LANES`` doubles in registers, or twice as many floats, and each operation is one
instruction (or two, where the CPU's registers are half as wide). Doubles hold integers below 2**53,
on which this is exact:

- adding and subtracting, as long as results stay below 2**53;
- ``fma(x, m, MAGIC)``, which rounds ``x * m`` to an integer, because doubles around ``MAGIC`` are
  1 apart: one instruction for the chip's multiply-and-shift, with ``m = mantissa * 2**-shift``. It
  rounds halves to even; to round them up as the chip does, x is moved by ``nudge(m)`` first: less
  than what could reach the next multiple of ``2**-shift``, and of the sign that makes the product
  larger.

Floats do the same below 2**24, around ``FLOAT_MAGIC``, but have no room for a nudge. Between
``round_down`` and ``round_as_before`` the CPU rounds downwards: ``dendrite_kernel`` says what for.

A fused multiply-add rounds once, whatever the CPU, so that all machines give the same bits; where
the CPU has none, the C library's slow one is called.
"""

from __future__ import annotations

import platform
from collections.abc import Callable
from typing import Any

import llvmlite.binding
from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic, models, register_model

__all__ = [
    "FLOAT_MAGIC",
    "HAS_FLOATS",
    "LANES",
    "MAGIC",
    "Vector",
    "add",
    "changed",
    "fma",
    "fnma",
    "greater",
    "lanes_of",
    "load",
    "load_as",
    "load_integers",
    "look_up",
    "maximum",
    "minimum",
    "multiply",
    "nonzero_bits",
    "round_as_before",
    "round_down",
    "splat",
    "splat_as",
    "store",
    "store_integers",
    "subtract",
    "sum_lanes",
    "sum_tally",
    "tally",
    "truncate",
]

MAGIC = 1.5 * 2.0**52  # the middle of the doubles that are 1 apart: room for ±2**51
FLOAT_MAGIC = 1.5 * 2.0**23  # of the floats: room for ±2**22

_FEATURES = llvmlite.binding.get_host_cpu_features()
LANES = 8 if _FEATURES.get("avx512f") else 4
HAS_FLOATS = platform.machine().lower() in ("x86_64", "amd64") and bool(_FEATURES.get("fma"))
"""Whether ``round_down`` works here."""

if HAS_FLOATS:
    llvmlite.binding.initialize_native_asmparser()


class Vector(types.Type):  # type: ignore[misc]  # numba has no types
    """numba's type of a vector of ``element``, one of numba's own types."""

    def __init__(self, element: Any, lanes: int) -> None:
        self.element, self.lanes = element, lanes
        super().__init__(name=f"Vector({element}, {lanes})")


_DOUBLES = Vector(types.float64, LANES)
_FLOATS = Vector(types.float32, 2 * LANES)
_DOUBLE, _FLOAT = ir.DoubleType(), ir.FloatType()
_INT32, _INT64 = ir.IntType(32), ir.IntType(64)
_LLVM = {
    _DOUBLES: ir.VectorType(_DOUBLE, LANES),
    _FLOATS: ir.VectorType(_FLOAT, 2 * LANES),
}
_LLVM_INTEGERS = ir.VectorType(_INT32, LANES)
_LLVM_COUNTS = {
    _DOUBLES: ir.VectorType(_INT64, LANES),
    _FLOATS: ir.VectorType(_INT32, 2 * LANES),
}
_NATURAL = {types.float64: _DOUBLES, types.float32: _FLOATS}
_SUFFIX = {"double": "f64", "float": "f32"}


@register_model(Vector)
class _VectorModel(models.PrimitiveModel):  # type: ignore[misc]
    def __init__(self, manager: Any, fe_type: Any) -> None:
        super().__init__(manager, fe_type, _LLVM[fe_type])


Emit = Callable[[Any, list[Any]], Any]
"""Emits the instructions of an operation, given LLVM's builder and the operands."""


def _splatted(value: float, kind: Any) -> ir.Constant:
    return ir.Constant(kind, [value] * kind.count)


def _call(builder: Any, name: str, arguments: list[Any]) -> Any:
    """Call one of LLVM's own vector functions."""
    vector = arguments[0].type
    kind = ir.FunctionType(vector, [vector] * len(arguments))
    name = f"llvm.{name}.v{vector.count}{_SUFFIX[str(vector.element)]}"
    return builder.call(cgutils.get_or_insert_function(builder.module, kind, name), arguments)


def _codegen(emit: Emit) -> Any:
    def codegen(context: Any, builder: Any, signature: Any, arguments: list[Any]) -> Any:
        return emit(builder, arguments)

    return codegen


def _unary(emit: Emit, doc: str) -> Any:
    @intrinsic
    def operation(typing: Any, x: Any) -> Any:
        return x(x), _codegen(emit)

    operation.__doc__ = doc
    return operation


def _binary(emit: Emit, doc: str) -> Any:
    @intrinsic
    def operation(typing: Any, x: Any, y: Any) -> Any:
        return x(x, x), _codegen(emit)

    operation.__doc__ = doc
    return operation


def _ternary(emit: Emit, doc: str) -> Any:
    @intrinsic
    def operation(typing: Any, x: Any, y: Any, z: Any) -> Any:
        return x(x, x, x), _codegen(emit)

    operation.__doc__ = doc
    return operation


def _minimum(builder: Any, x: list[Any]) -> Any:
    return builder.select(builder.fcmp_ordered("<", x[0], x[1]), x[0], x[1])


def _maximum(builder: Any, x: list[Any]) -> Any:
    return builder.select(builder.fcmp_ordered(">", x[0], x[1]), x[0], x[1])


def _compare(sign: str) -> Emit:
    def emit(builder: Any, x: list[Any]) -> Any:
        kind = x[0].type
        return builder.select(
            builder.fcmp_ordered(sign, *x), _splatted(1.0, kind), _splatted(0.0, kind)
        )

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


def _read(context: Any, builder: Any, array: Any, arguments: list[Any], count: int) -> Any:
    """Emit a load; arrays are aligned to whole vectors, but nobody promises so to LLVM."""
    pointer = _pointer(context, builder, array, *arguments)
    numbers = ir.VectorType(context.get_data_type(array.dtype), count)
    aligned = array.dtype.bitwidth // 8
    return builder.load(builder.bitcast(pointer, numbers.as_pointer()), align=aligned)


def _converted(builder: Any, value: Any, element: Any) -> Any:
    """Emit the conversion of a vector's numbers, all of which the ``element`` can hold."""
    source, target = str(value.type.element), ir.VectorType(element, value.type.count)
    if source == str(element):
        return value
    if source == "i32":
        return builder.sitofp(value, target)
    if str(element) == "i32":
        return builder.fptosi(value, target)
    return builder.fpext(value, target) if source == "float" else builder.fptrunc(value, target)


@intrinsic
def lanes_of(typing: Any, array: Any) -> Any:
    """How many numbers of a flat array of doubles or floats make a vector."""
    lanes = _NATURAL[array.dtype].lanes
    return types.intp(array), _codegen(lambda builder, arguments: _INT64(lanes))


@intrinsic
def load(typing: Any, array: Any, index: Any) -> Any:
    """A vector of doubles or floats from a flat array of them, from ``index`` on."""
    vector = _NATURAL[array.dtype]

    def codegen(context: Any, builder: Any, signature: Any, arguments: list[Any]) -> Any:
        return _read(context, builder, array, arguments, vector.lanes)

    return vector(array, types.intp), codegen


@intrinsic
def load_as(typing: Any, like: Any, array: Any, index: Any) -> Any:
    """A vector like ``like`` of the numbers in any flat array from ``index`` on."""

    def codegen(context: Any, builder: Any, signature: Any, arguments: list[Any]) -> Any:
        numbers = _read(context, builder, array, arguments[1:], like.lanes)
        return _converted(builder, numbers, arguments[0].type.element)

    return like(like, array, types.intp), codegen


@intrinsic
def store(typing: Any, array: Any, index: Any, vector: Any) -> Any:
    """Write a vector to any flat array from ``index`` on."""

    def codegen(context: Any, builder: Any, signature: Any, arguments: list[Any]) -> Any:
        pointer = _pointer(context, builder, array, *arguments[:2])
        numbers = _converted(builder, arguments[2], context.get_data_type(array.dtype))
        target = builder.bitcast(pointer, numbers.type.as_pointer())
        builder.store(numbers, target, align=array.dtype.bitwidth // 8)
        return context.get_dummy_value()

    return types.void(array, types.intp, vector), codegen


@intrinsic
def load_integers(typing: Any, array: Any, index: Any, column: Any) -> Any:
    """``LANES`` int32 as doubles, from the ``column``-th on that follows ``array[index]``."""

    def codegen(context: Any, builder: Any, signature: Any, arguments: list[Any]) -> Any:
        start = builder.bitcast(
            _pointer(context, builder, array, *arguments[:2]), _INT32.as_pointer()
        )
        pointer = builder.bitcast(builder.gep(start, [arguments[2]]), _LLVM_INTEGERS.as_pointer())
        return builder.sitofp(builder.load(pointer, align=4), _LLVM[_DOUBLES])

    return _DOUBLES(array, types.intp, types.intp), codegen


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

    return types.void(array, types.intp, vector), codegen


def _spread(builder: Any, value: Any, vector: Any) -> Any:
    nothing = ir.Constant(vector, ir.Undefined)
    single = builder.insert_element(nothing, value, _INT32(0))
    mask = ir.Constant(ir.VectorType(_INT32, vector.count), [0] * vector.count)
    return builder.shuffle_vector(single, nothing, mask)


@intrinsic
def splat(typing: Any, value: Any) -> Any:
    """A vector of doubles that are all the same."""
    return _DOUBLES(types.float64), _codegen(lambda b, x: _spread(b, x[0], _LLVM[_DOUBLES]))


@intrinsic
def splat_as(typing: Any, like: Any, value: Any) -> Any:
    """A vector like ``like`` of numbers that are all the same."""

    def emit(builder: Any, arguments: list[Any]) -> Any:
        vector, number = arguments[0].type, arguments[1]
        if str(vector.element) == "float":
            number = builder.fptrunc(number, vector.element)
        return _spread(builder, number, vector)

    return like(like, types.float64), _codegen(emit)


@intrinsic
def sum_lanes(typing: Any, vector: Any) -> Any:
    """The sum of a vector's numbers."""

    def emit(builder: Any, arguments: list[Any]) -> Any:
        numbers = _converted(builder, arguments[0], _DOUBLE)
        total = builder.extract_element(numbers, _INT32(0))
        for lane in range(1, numbers.type.count):
            total = builder.fadd(total, builder.extract_element(numbers, _INT32(lane)))
        return total

    return types.float64(vector), _codegen(emit)


@intrinsic
def tally(typing: Any, counts: Any, x: Any, y: Any) -> Any:
    """Count, lane by lane, where x and y differ: ``counts`` start as a vector of 0.0, and hold
    integers as wide, which take one instruction less; ``sum_tally`` adds them up.
    """

    def emit(builder: Any, arguments: list[Any]) -> Any:
        integers = _LLVM_COUNTS[counts]
        mask = builder.sext(builder.fcmp_ordered("!=", *arguments[1:]), integers)
        counted = builder.sub(builder.bitcast(arguments[0], integers), mask)
        return builder.bitcast(counted, arguments[0].type)

    return counts(counts, x, y), _codegen(emit)


@intrinsic
def sum_tally(typing: Any, counts: Any) -> Any:
    """The sum of what ``tally`` counted."""

    def emit(builder: Any, arguments: list[Any]) -> Any:
        lanes = builder.bitcast(arguments[0], _LLVM_COUNTS[counts])
        total = _INT64(0)
        for lane in range(counts.lanes):
            counted = builder.extract_element(lanes, _INT32(lane))
            total = builder.add(total, builder.sext(counted, _INT64))
        return total

    return types.int64(counts), _codegen(emit)


@intrinsic
def nonzero_bits(typing: Any, vector: Any) -> Any:
    """An int64 whose bit i tells that number i of a vector is not 0."""

    def codegen(context: Any, builder: Any, signature: Any, arguments: list[Any]) -> Any:
        mask = builder.fcmp_ordered("!=", arguments[0], _splatted(0.0, arguments[0].type))
        return builder.zext(builder.bitcast(mask, ir.IntType(vector.lanes)), ir.IntType(64))

    return types.int64(vector), codegen


@intrinsic
def look_up(typing: Any, array: Any, start: Any, rows: Any) -> Any:
    """``array[start + row]`` for a vector of rows, less their fractions, which must be inside."""

    def codegen(context: Any, builder: Any, signature: Any, arguments: list[Any]) -> Any:
        value, start_value, row = arguments
        indices = builder.fptosi(row, ir.VectorType(_INT32, LANES))
        found = ir.Constant(_LLVM[_DOUBLES], ir.Undefined)
        base = _pointer(context, builder, array, value, start_value)
        # indices leave the vector in pairs, the first one in the low half (numba's platforms are
        # little-endian), because few can leave at a time
        int64 = ir.IntType(64)
        pairs = builder.bitcast(indices, ir.VectorType(int64, LANES // 2))
        for lane in range(LANES):
            pair = builder.extract_element(pairs, _INT32(lane // 2))
            high, low = builder.lshr(pair, int64(32)), builder.and_(pair, int64(2**32 - 1))
            pointer = builder.gep(base, [high if lane % 2 else low])
            found = builder.insert_element(found, builder.load(pointer), _INT32(lane))
        return found

    return _DOUBLES(array, types.intp, _DOUBLES), codegen


_ROUNDING = 0x6000  # of the control register: how to round
_DOWN = 0x2000


@intrinsic
def round_down(typing: Any, array: Any, index: Any) -> Any:
    """Let the CPU round downwards if ``array`` holds floats; give the index, and how it rounded.

    LLVM knows nothing of it. What is loaded from the index that this gives cannot have been
    computed with before, and nothing that is stored before ``round_as_before`` can be left for
    after it.
    """

    def codegen(context: Any, builder: Any, signature: Any, arguments: list[Any]) -> Any:
        before = ir.Constant(_INT32, 0)
        place = arguments[1]
        if array.dtype == types.float32 and HAS_FLOATS:
            register = cgutils.alloca_once(builder, _INT32)
            _access_control(builder, "stmxcsr", register)
            before = builder.load(register)
            down = builder.or_(builder.and_(before, _INT32(~_ROUNDING)), _INT32(_DOWN))
            builder.store(down, register)
            kind = ir.FunctionType(_INT64, [_INT32.as_pointer(), _INT64])
            asm = ir.InlineAsm(kind, "ldmxcsr ($1)", "=r,r,0,~{memory}", side_effect=True)
            place = builder.call(asm, [register, place])
        return context.make_tuple(builder, signature.return_type, [place, before])

    return types.Tuple((types.int64, types.int32))(array, types.int64), codegen


@intrinsic
def round_as_before(typing: Any, array: Any, before: Any) -> Any:
    """Undo ``round_down``."""

    def codegen(context: Any, builder: Any, signature: Any, arguments: list[Any]) -> Any:
        if array.dtype == types.float32 and HAS_FLOATS:
            register = cgutils.alloca_once_value(builder, arguments[1])
            _access_control(builder, "ldmxcsr", register)
        return context.get_dummy_value()

    return types.void(array, types.int32), codegen


def _access_control(builder: Any, instruction: str, register: Any) -> None:
    kind = ir.FunctionType(ir.VoidType(), [_INT32.as_pointer()])
    asm = ir.InlineAsm(kind, f"{instruction} ($0)", "r,~{memory}", side_effect=True)
    builder.call(asm, [register])

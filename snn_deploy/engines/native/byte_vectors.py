"""What spikes bring: sums of 8-bit weights, many at once in registers, and lists of who spiked.

Two columns of weights share a 16-bit lane: one in its high byte, and one in its low byte, moved up
by 128 so that it is positive. Lanes are added up as they are, as long as the high bytes are added
up, too: what they added is taken off at the end, and the low bytes' sums remain. That is three
instructions for two lots of columns, where widening each would take four.

All of this is modulo 2**16, so that only the last sums need to fit. Any 258 columns' do.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
from llvmlite import ir
from numba import extending
from numba.core import types
from numba.extending import models, register_model

from snn_deploy.engines.native.compilation import inlined
from snn_deploy.engines.native.packing import pitch_of
from snn_deploy.engines.native.vectors import LANES

__all__ = [
    "COLUMNS_IN_A_SUM",
    "LARGEST_SUM",
    "LARGE_TILE",
    "PLACES",
    "SMALL_TILE",
    "ShortSums",
    "make_column_adder",
    "narrow_pitch",
    "pair",
    "small_tile",
    "write_places",
]

LARGEST_SUM = 2**15 - 1
COLUMNS_IN_A_SUM = LARGEST_SUM // 127

LARGE_TILE, SMALL_TILE = 128, 32  # neurons whose sums stay in registers

_BIAS = 128  # of a low byte
intrinsic: Any = extending.intrinsic
Array = Any  # numba knows the types
_INT16, _INT32, _INT64 = ir.IntType(16), ir.IntType(32), ir.IntType(64)


def small_tile(outputs: int) -> int:
    """Choose how many neurons' sums are done at once, of those that fill no large tile."""
    return SMALL_TILE if outputs >= SMALL_TILE else LANES


def pair(columns: npt.NDArray[np.int8]) -> npt.NDArray[np.int8]:
    """Lay weights (inputs, outputs) out in tiles of (inputs, size) for what
    :func:`make_column_adder` makes: large ones, and small ones for the rest.

    The last tile ends with the outputs, and may overlap the one before.
    """
    outputs = columns.shape[1]
    whole, small = outputs // LARGE_TILE * LARGE_TILE, small_tile(outputs)
    tiles = [(first, LARGE_TILE) for first in range(0, whole, LARGE_TILE)]
    tiles += [(min(first, outputs - small), small) for first in range(whole, outputs, small)]
    laid = []
    for first, size in tiles:
        low, high = np.split(columns[:, first : first + size].astype(np.int16), 2, axis=1)
        laid.append((low + _BIAS + 256 * high).ravel())
    return np.asarray(np.concatenate(laid).view(np.int8))


class ShortSums(types.Type):  # numba has no types
    """numba's type of a tile of 16-bit sums."""

    def __init__(self, size: int) -> None:
        self.size = size
        super().__init__(name=f"ShortSums({size})")


@register_model(ShortSums)
class _ShortSumsModel(models.PrimitiveModel):
    def __init__(self, manager: Any, fe_type: Any) -> None:
        super().__init__(manager, fe_type, ir.VectorType(_INT16, fe_type.size))  # type: ignore[no-untyped-call]


def narrow_pitch(width: int) -> int:
    """How many doubles hold a row of 32-bit integers."""
    return pitch_of(-(-pitch_of(width) // 2))


def _pointer(kind: Any, context: Any, builder: Any, array: Any, value: Any, index: Any) -> Any:
    data = context.make_array(array)(context, builder, value).data
    return builder.bitcast(builder.gep(data, [index]), kind.as_pointer())


def _splatted(builder: Any, value: Any, vector: Any) -> Any:
    nothing = ir.Constant(vector, ir.Undefined)
    single = builder.insert_element(nothing, value, _INT32(0))
    mask = ir.Constant(ir.VectorType(_INT32, vector.count), [0] * vector.count)
    return builder.shuffle_vector(single, nothing, mask)


def _binary(tile: ShortSums, emit: Callable[[Any, Any, Any], Any]) -> Any:
    """Make an operation on two tiles; ``emit`` is given LLVM's builder and both."""

    @intrinsic
    def operation(typing: Any, x: Any, y: Any) -> Any:
        return tile(tile, tile), lambda context, builder, signature, x: emit(builder, *x)

    return operation


def _make_operations(size: int, units: int) -> tuple[Any, ...]:
    """Make what is done to tiles of ``size`` lanes; an event counts ``units`` bytes."""
    tile = ShortSums(size)
    shorts = ir.VectorType(_INT16, size)
    integers = ir.VectorType(_INT32, size)
    doubles = ir.VectorType(ir.DoubleType(), size)
    eights = ir.Constant(shorts, [8] * size)

    @intrinsic
    def fill(typing: Any, value: Any) -> Any:
        """A tile of one number."""

        def codegen(context: Any, builder: Any, signature: Any, arguments: list[Any]) -> Any:
            return _splatted(builder, builder.trunc(arguments[0], _INT16), shorts)

        return tile(types.int64), codegen

    @intrinsic
    def lanes_of(typing: Any, weights: Any, at: Any, events: Any, event: Any) -> Any:
        """The lanes that start ``events[event]`` units after ``at``."""

        def codegen(context: Any, builder: Any, signature: Any, arguments: list[Any]) -> Any:
            offset = builder.load(_pointer(_INT32, context, builder, events, *arguments[2:]))
            distance = builder.mul(builder.sext(offset, _INT64), _INT64(units))
            index = builder.add(arguments[1], distance)
            pointer = _pointer(shorts, context, builder, weights, arguments[0], index)
            return builder.load(pointer, align=1)

        return tile(weights, types.intp, events, types.intp), codegen

    def put(builder: Any, add: Any, values: Any, pointer: Any, onto: Any) -> None:
        with builder.if_else(onto) as (then, otherwise):
            with then:
                builder.store(add(values, builder.load(pointer, align=4)), pointer, align=4)
            with otherwise:
                builder.store(values, pointer, align=4)

    @intrinsic
    def write(typing: Any, array: Any, row: Any, column: Any, sums: Any, onto: Any) -> Any:
        """Write the sums as doubles, added to what is there if ``onto``."""

        def codegen(context: Any, builder: Any, signature: Any, arguments: list[Any]) -> Any:
            index = builder.add(*arguments[1:3])
            pointer = _pointer(doubles, context, builder, array, arguments[0], index)
            values = builder.sitofp(arguments[3], doubles)
            put(builder, builder.fadd, values, pointer, arguments[4])
            return context.get_dummy_value()

        return types.void(array, types.intp, types.intp, tile, types.boolean), codegen

    @intrinsic
    def write_integers(typing: Any, array: Any, row: Any, column: Any, sums: Any, onto: Any) -> Any:
        """Write the sums as 32-bit integers, the ``column``-th from ``array[row]`` on."""

        def codegen(context: Any, builder: Any, signature: Any, arguments: list[Any]) -> Any:
            start = _pointer(_INT32, context, builder, array, *arguments[:2])
            pointer = builder.bitcast(builder.gep(start, [arguments[2]]), integers.as_pointer())
            put(builder, builder.add, builder.sext(arguments[3], integers), pointer, arguments[4])
            return context.get_dummy_value()

        return types.void(array, types.intp, types.intp, tile, types.boolean), codegen

    plus = _binary(tile, lambda b, x, y: b.add(x, y))
    plus_high_bytes = _binary(tile, lambda b, x, y: b.add(x, b.ashr(y, eights)))
    minus_high_bytes = _binary(tile, lambda b, x, y: b.sub(x, b.shl(y, eights)))
    return fill, lanes_of, write, write_integers, plus, plus_high_bytes, minus_high_bytes


def make_column_adder(size: int, units: int = 1) -> Callable[..., None]:
    """Make the loop that sums columns, which ``pair`` laid out, over ``size`` neurons.

    An event counts ``units`` bytes.
    """
    half = size // 2
    fill, lanes_of, write, write_integers, plus, plus_high_bytes, minus_high_bytes = (
        _make_operations(half, units)
    )

    @inlined
    def add_columns(
        weights: Array,
        at: int,
        events: Array,
        first: int,
        end: int,
        at_once: int,
        narrow: bool,
        signals: Array,
        y: int,
        column: int,
    ) -> None:
        """Write at ``column`` of the row at ``y`` the sums, over events ``first`` to ``end``, of a
        tile of columns: those of an event start so many units after ``at`` as it says.

        No more than ``at_once`` are summed in 16 bits. Sums are written as doubles, or as 32-bit
        integers if ``narrow``.
        """
        onto = False
        while first < end or not onto:
            stop = min(end, first + at_once)
            sums, high = fill(-_BIAS * (stop - first)), fill(0)
            for event in range(first, stop):
                lanes = lanes_of(weights, at, events, event)
                sums, high = plus(sums, lanes), plus_high_bytes(high, lanes)
            low = minus_high_bytes(sums, high)
            if narrow:
                write_integers(signals, y, column, low, onto)
                write_integers(signals, y, column + half, high, onto)
            else:
                write(signals, y, column, low, onto)
                write(signals, y, column + half, high, onto)
            first, onto = stop, True

    return add_columns


def _places() -> npt.NDArray[np.int32]:
    """Give, for every set of a vector's lanes, where they are, those of the set first."""
    lanes = np.arange(LANES, dtype=np.int32)
    chosen = np.arange(2**LANES)[:, None] >> lanes & 1
    return np.argsort(1 - chosen, axis=1, kind="stable").astype(np.int32).ravel()


PLACES = _places()
"""For :func:`write_places`."""


@intrinsic
def write_places(
    typing: Any, events: Any, at: Any, places: Any, bits: Any, first: Any, scale: Any
) -> Any:
    """Write ``scale`` times the indices, from ``first`` on, of a vector's ``bits`` that are set,
    and behind them of those that are not; give where the next ones go. ``places`` is ``PLACES``.
    """
    indices = ir.VectorType(_INT32, LANES)

    def codegen(context: Any, builder: Any, signature: Any, arguments: list[Any]) -> Any:
        to, at_value, table, bits_value, first_value, scale_value = arguments
        row = builder.mul(bits_value, _INT64(LANES))
        lanes = builder.load(_pointer(indices, context, builder, places, table, row), align=4)
        start = _splatted(builder, builder.trunc(first_value, _INT32), indices)
        factor = _splatted(builder, builder.trunc(scale_value, _INT32), indices)
        pointer = _pointer(indices, context, builder, events, to, at_value)
        builder.store(builder.mul(builder.add(lanes, start), factor), pointer, align=4)
        return builder.add(at_value, builder.ctpop(bits_value))

    signature = types.intp(events, types.intp, places, types.int64, types.int64, types.int64)
    return signature, codegen

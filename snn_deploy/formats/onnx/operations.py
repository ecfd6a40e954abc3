"""The operations of programs that ONNX has no operator for, as functions in ONNX's own text.

They compute what ``fixedpoint.py`` says, in int64. A right shift takes the lowest bits off, then
divides: ONNX's ``Div`` truncates, and its ``BitShift`` takes no signed numbers. ``Min``, ``Max``
and ``Clip`` are not used: onnxruntime, 1.23 among others, gets them wrong in int64 on x86 where
numbers are beyond 32 bits (its pull request 32475).
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from typing import Any

from onnx import parser

__all__ = ["DOMAIN", "INT64", "OPSET", "RENAMED", "all_functions", "function_of"]

DOMAIN = "snn_deploy"
OPSET = 18
"""The first with bitwise operators and with axes of reductions as inputs."""

INT64, BOOL, UINT64 = 7, 9, 13  # as ONNX numbers its types

RENAMED = {
    "add": "Add",
    "subtract": "Sub",
    "multiply": "Mul",
    "negate": "Neg",
    "and": "BitwiseAnd",
    "or": "BitwiseOr",
    "xor": "BitwiseXor",
    "lookup": "Gather",
}
"""Operations that are an operator of ONNX, with the same arguments."""

_TEXTS = {
    "minimum": """Minimum (a, b) => (y) {
        above = Greater (a, b)
        y = Where (above, b, a)
    }""",
    "maximum": """Maximum (a, b) => (y) {
        above = Greater (a, b)
        y = Where (above, a, b)
    }""",
    "clip": f"""Limit (x, low, high) => (y) {{
        raised = {DOMAIN}.Maximum (x, low)
        y = {DOMAIN}.Minimum (raised, high)
    }}""",
    "power_of_two": f"""PowerOfTwo (k) => (p) {{
        one = Constant <value = uint64 {{1}}> ()
        by = Cast <to = {UINT64}> (k)
        shifted = BitShift <direction = "LEFT"> (one, by)
        p = Cast <to = {INT64}> (shifted)
    }}""",
    "shift_left": f"""ShiftLeft (x, k) => (y) {{
        power = {DOMAIN}.PowerOfTwo (k)
        y = Mul (x, power)
    }}""",
    "round_shift": f"""RoundShift (x, k) => (y) {{
        power = {DOMAIN}.PowerOfTwo (k)
        one = Constant <value_int = 1> ()
        two = Constant <value_int = 2> ()
        half = Div (power, two)
        raised = Add (x, half)
        mask = Sub (power, one)
        rest = BitwiseAnd (raised, mask)
        whole = Sub (raised, rest)
        y = Div (whole, power)
    }}""",
    "signed_shift": f"""SignedShift (x, k) => (y) {{
        zero = Constant <value_int = 0> ()
        left = {DOMAIN}.Maximum (k, zero)
        back = Neg (k)
        right = {DOMAIN}.Maximum (back, zero)
        raised = {DOMAIN}.ShiftLeft (x, left)
        y = {DOMAIN}.RoundShift (raised, right)
    }}""",
    "multiply_shift": f"""MultiplyShift (x, m, k) => (y) {{
        product = Mul (x, m)
        y = {DOMAIN}.RoundShift (product, k)
    }}""",
    "decay": f"""Decay (x, kept, k) => (y) {{
        product = Mul (x, kept)
        power = {DOMAIN}.PowerOfTwo (k)
        y = Div (product, power)
    }}""",
    "greater": f"""GreaterFlag (a, b) => (y) {{
        flag = Greater (a, b)
        y = Cast <to = {INT64}> (flag)
    }}""",
    "equal": f"""EqualFlag (a, b) => (y) {{
        flag = Equal (a, b)
        y = Cast <to = {INT64}> (flag)
    }}""",
    "select": f"""Select (condition, then, otherwise) => (y) {{
        flag = Cast <to = {BOOL}> (condition)
        y = Where (flag, then, otherwise)
    }}""",
    "send_when": f"""SendWhen (condition, value) => (y) {{
        flag = Cast <to = {BOOL}> (condition)
        silence = Constant <value_int = 0> ()
        y = Where (flag, value, silence)
    }}""",
    "bit_length": f"""BitLength (x) => (y) {{
        first = Constant <value_int = 0> ()
        last = Constant <value_int = 63> ()
        one = Constant <value_int = 1> ()
        exponents = Range (first, last, one)
        powers = {DOMAIN}.PowerOfTwo (exponents)
        axis = Constant <value_ints = [-1]> ()
        column = Unsqueeze (x, axis)
        reached = GreaterOrEqual (column, powers)
        flags = Cast <to = {INT64}> (reached)
        y = ReduceSum <keepdims = 0> (flags, axis)
    }}""",
    "per_mode": """PerMode (x, modes) => (y) {
        axis = Constant <value_ints = [-1]> ()
        column = Unsqueeze (x, axis)
        y = Expand (column, modes)
    }""",
    "sum_modes": """SumModes (x) => (y) {
        axis = Constant <value_ints = [-1]> ()
        y = ReduceSum <keepdims = 0> (x, axis)
    }""",
    "sum_channels": """SumChannels (x) => (y) {
        axis = Constant <value_ints = [-1]> ()
        y = ReduceSum (x, axis)
    }""",
    "largest_channel": """LargestChannel (x) => (y) {
        axis = Constant <value_ints = [-1]> ()
        y = ReduceMax (x, axis)
    }""",
    "weighted_sum": """WeightedSum (weight, x) => (y) {
        columns = Transpose <perm = [1, 0]> (weight)
        y = MatMul (x, columns)
    }""",
    "convolution": """Convolution (kernel, x, reads, frame, filters, width) => (y) {
        before = Shape <end = -1> (x)
        grouped = Concat <axis = 0> (before, frame)
        frames = Reshape (x, grouped)
        column = Constant <value = int64[2] {0, 1}> ()
        zero = Constant <value_int = 0> ()
        axis = Constant <value_ints = [-1]> ()
        with_outside = Pad (frames, column, zero, axis)
        laid_out = Gather <axis = -1> (with_outside, reads)
        weight = Reshape (kernel, filters)
        sums = MatMul (weight, laid_out)
        whole = Concat <axis = 0> (before, width)
        y = Reshape (sums, whole)
    }""",
    "reciprocal": f"""Reciprocal (steps, bits, headroom, guard) => (pre_shift, mantissa, shift) {{
        zero = Constant <value_int = 0> ()
        one = Constant <value_int = 1> ()
        two = Constant <value_int = 2> ()
        below = Sub (steps, one)
        length = {DOMAIN}.BitLength (below)
        spare = Sub (length, headroom)
        pre_shift = {DOMAIN}.Maximum (spare, zero)
        inner = Sub (bits, two)
        fraction = Add (inner, length)
        unity = {DOMAIN}.ShiftLeft (two, fraction)
        doubled = Div (unity, steps)
        raised = Add (doubled, one)
        nearest = Div (raised, two)
        sign_free = Sub (bits, one)
        beyond = {DOMAIN}.PowerOfTwo (sign_free)
        limit = Sub (beyond, one)
        mantissa = {DOMAIN}.Minimum (nearest, limit)
        kept = Sub (fraction, pre_shift)
        shift = Sub (kept, guard)
    }}""",
}


@cache
def function_of(operation: str) -> Any:
    """Give the function, an ``onnx.FunctionProto``, of an operation of ``ir/program``."""
    head = f'<domain: "{DOMAIN}", opset_import: ["" : {OPSET}, "{DOMAIN}" : 1]>'
    return parser.parse_function(f"{head}\n{_TEXTS[operation]}")


def all_functions(nodes: Iterable[Any]) -> list[Any]:
    """Give the functions that some nodes call, and those that these call, in one order."""
    waiting, found = list(nodes), set()
    while waiting:
        called = waiting.pop().op_type
        if called in _BY_NAME and called not in found:
            found.add(called)
            waiting += function_of(_BY_NAME[called]).node
    return [function_of(_BY_NAME[name]) for name in _BY_NAME if name in found]


_BY_NAME = {text.split()[0]: operation for operation, text in _TEXTS.items()}

"""The functions that expressions call; a source holds those that it uses.

C99 leaves a right shift of a negative number to the implementation, and one to the left undefined:
``floor`` shifts what is not negative, ``~`` of what is, which compilers know for the machine's
arithmetic shift; left shifts are products.
"""

from __future__ import annotations

from collections.abc import Iterable

__all__ = ["helper_text"]

_FLOOR = """\
/* x / 2^k, rounded down */
static inline {t} snn_floor{b}({t} x, int32_t k)
{{
    return x < 0 ? ~(~x >> k) : x >> k;
}}
"""
_ROUND = """\
/* x / 2^k, rounded half up */
static inline {t} snn_round{b}({t} x, int32_t k)
{{
    return k > 0 ? snn_floor{b}(snn_floor{b}(x, k - 1) + 1, 1) : x;
}}
"""
_SHIFT = """\
/* x * 2^k; a right shift, of a negative k, rounds half up */
static inline {t} snn_shift{b}({t} x, int32_t k)
{{
    return k >= 0 ? x * (({t})1 << k) : snn_round{b}(x, -k);
}}
"""
_CLIP = """\
static inline {t} snn_clip{b}({t} x, {t} low, {t} high)
{{
    return x < low ? low : (x > high ? high : x);
}}
"""
_HIGH = """\
/* a * b / 2^32, rounded half up */
static inline int32_t snn_high32(int32_t a, int32_t b)
{{
    const int64_t product = (int64_t)a * b;
    return (int32_t)snn_floor64(product, 32) + (int32_t)((uint32_t)product >> 31);
}}
"""
_LENGTH = """\
/* how many bits x has, which is not negative */
static inline int32_t snn_length{b}({t} x)
{{
    int32_t bits = 0;
    while (x > 0) {{
        x >>= 1;
        bits++;
    }}
    return bits;
}}
"""

_DIVISOR = """\
typedef struct {
    int32_t pre_shift;
    int32_t mantissa;
    int32_t shift;
} snn_divisor;

/* what divides a sum of that many values by their number */
static inline snn_divisor snn_reciprocal(
    uint32_t steps, int32_t bits, int32_t headroom, int32_t guard)
{
    const int64_t count = steps > 0 ? (int64_t)steps : 1;
    const int32_t length = snn_length64(count - 1);
    const int32_t fraction = bits - 2 + length;
    const int64_t most = ((int64_t)1 << (bits - 1)) - 1;
    const int64_t mantissa = (((int64_t)2 << fraction) / count + 1) / 2;
    snn_divisor found;
    found.pre_shift = length > headroom ? length - headroom : 0;
    found.mantissa = (int32_t)(mantissa < most ? mantissa : most);
    found.shift = fraction - found.pre_shift - guard;
    return found;
}
"""

_NEEDS = {"round": ("floor",), "shift": ("floor", "round")}
_TEXTS = {
    "floor": _FLOOR,
    "round": _ROUND,
    "shift": _SHIFT,
    "clip": _CLIP,
    "length": _LENGTH,
    "high": _HIGH,
}

_ORDER = tuple(f"{name}{bits}" for name in _TEXTS for bits in (32, 64))


def helper_text(used: Iterable[str]) -> str:
    """Write the helpers that are used, such as ``floor32``, and those that they call."""
    wanted = set(used)
    wanted |= {"length64"} if "reciprocal" in wanted else set()
    for name in tuple(wanted - {"reciprocal"}):
        kind, bits = name[:-2], name[-2:]
        wanted.update(needed + bits for needed in _NEEDS.get(kind, ()))
        wanted |= {"floor64"} if kind == "high" else set()
    parts = [_TEXTS[n[:-2]].format(t=f"int{n[-2:]}_t", b=n[-2:]) for n in _ORDER if n in wanted]
    parts += [_DIVISOR] if "reciprocal" in wanted else []
    return "\n".join(parts)
